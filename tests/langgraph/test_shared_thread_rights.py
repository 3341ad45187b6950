"""What readers, editors and approvers may do on a shared thread, and what none of them may do."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from kit.exchange import first_event
from kit.route_scenario import bearer
from kit.sharing import EDITORS, READERS, SHARED, People, SharingServer, contents, settle, share, shared_thread

from oidc_auth.enforcement.limits import built_in_assistant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.live_server import SampleUser
    from kit.server import Server

RUN = {"assistant_id": "agent", "input": {"text": "hello"}}
LATER = {**RUN, "after_seconds": 3600}
SLOW = {"assistant_id": "agent", "input": {"text": "slow", "wait": 1}}


@pytest.fixture(scope="module")
def sharing(server: Server) -> SharingServer:
    return SharingServer(server)


@pytest.fixture(autouse=True)
def rules(sharing: SharingServer) -> None:
    sharing.change("run")


@pytest.fixture(scope="module")
def people(sharing: SharingServer) -> People:
    return sharing.people()


@pytest.fixture(scope="module")
def thread(people: People) -> str:
    """Return a shared thread for tests that must not change it."""
    return shared_thread(people.alice, title="rights")


@pytest.fixture
def unchanged(people: People, thread: str) -> Iterator[None]:
    before = contents(people.alice, thread)
    yield
    assert contents(people.alice, thread) == before


def events(person: SampleUser, path: str) -> str:
    return first_event(person.server, "GET", path, None, bearer(person)).text


@pytest.mark.usefixtures("unchanged")
def test_listed_people_read_thread_and_runs(people: People, thread: str) -> None:
    (run,) = people.alice("GET", f"{thread}/runs").json()
    path = f"{thread}/runs/{run['run_id']}"
    reads = ["", "/state", "/history", "/runs", "/storage", path.removeprefix(thread), f"/runs/{run['run_id']}/join"]
    for person in people.listed:
        for below in reads:
            assert person("GET", thread + below).text == people.alice("GET", thread + below).text
        assert "error" not in events(person, f"{path}/stream")
        assert [found["metadata"]["title"] for found in person.search("threads", title="rights")] == ["rights"]
        assert person("POST", "/threads/count", {"metadata": {"title": "rights"}}).json() == 1
    for person in people.others:
        assert {person("GET", thread + below).status_code for below in reads} == {404}
        assert "error" in events(person, f"{path}/stream")
        assert person.search("threads", title="rights") == []


def test_listed_people_follow_run(people: People) -> None:
    own = shared_thread(people.alice)
    run = people.alice("POST", f"{own}/runs", SLOW).json()["run_id"]
    for person in people.listed:
        assert "event: error" not in events(person, f"{own}/runs/{run}/stream")
    for person in people.others:
        assert "event: error" in events(person, f"{own}/stream")
    assert people.rita("GET", f"{own}/runs/{run}/join").json()["answer"] == "alice said slow"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("method", "below", "body"),
    [
        ("PATCH", "", {"metadata": {"title": "taken"}}),
        ("PATCH", "", {"metadata": {READERS: ["mallory"]}}),
        ("PATCH", "", {"metadata": {}}),
        ("PATCH", "", {"ttl": {"ttl": 1, "strategy": "delete"}}),
        ("DELETE", "", None),
        ("POST", "/state", {"values": {"text": "taken"}, "as_node": "respond"}),
        ("POST", "/runs/crons", {**RUN, "schedule": "0 0 1 1 *"}),
        ("POST", "/copy", None),
        ("POST", "/%63opy", None),
    ],
)
def test_listed_people_never_change_thread(
    people: People, thread: str, method: str, below: str, body: dict[str, Any] | None
) -> None:
    count = people.alice("POST", "/threads/count", {}).json()
    for person in (*people.listed, *people.others):
        assert person(method, thread + below, body).status_code in (403, 404, 409), person.name
    assert people.alice("POST", "/threads/count", {}).json() == count


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("strategy", ["delete", "keep_latest"])
def test_listed_people_never_prune_thread(people: People, thread: str, strategy: str) -> None:
    for person in (*people.listed, *people.others):
        body = {"thread_ids": [thread.rpartition("/")[2]], "strategy": strategy}
        assert person("POST", "/threads/prune", body).status_code in (403, 404)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("below", ["/runs", "/runs/wait", "/runs/stream"])
@pytest.mark.parametrize("more", [{}, {"if_not_exists": "create"}, {"multitask_strategy": "rollback"}])
def test_only_editors_create_runs(people: People, thread: str, below: str, more: dict[str, Any]) -> None:
    for person in (people.rita, people.april, *people.others):
        assert person("POST", thread + below, {**RUN, **more}).status_code == 404
        assert person("POST", thread + below, {**LATER, **more}).status_code == 404


def test_editor_runs_as_editor_for_owner(people: People) -> None:
    own = shared_thread(people.alice)
    before = people.alice.metadata(own)
    answer = people.eddie("POST", f"{own}/runs/wait", {**RUN, "metadata": {"owner": "eddie", "tenant": "globex"}})
    assert answer.json()["answer"] == "eddie said hello"
    assert people.alice.metadata(own) == before
    assert people.alice("GET", f"{own}/state").json()["values"]["answer"] == "eddie said hello"


def test_editor_stops_and_deletes_runs(people: People) -> None:
    own = shared_thread(people.alice)
    for creator in (people.alice, people.eddie):
        ended = people.eddie("POST", f"{own}/runs/wait", RUN)
        assert ended.status_code == 200
        for action in ("", "?action=rollback", "?action=interrupt"):
            run = creator("POST", f"{own}/runs", LATER).json()["run_id"]
            assert people.eddie("POST", f"{own}/runs/{run}/cancel{action}").status_code == 202
        run = creator("POST", f"{own}/runs", LATER).json()["run_id"]
        body = {"thread_id": own.rpartition("/")[2], "run_ids": [run]}
        assert people.eddie("POST", "/runs/cancel", body).status_code == 204
        run = creator("POST", f"{own}/runs", LATER).json()["run_id"]
        assert people.eddie("DELETE", f"{own}/runs/{run}").status_code == 204
    assert people.alice("GET", own).status_code == 200


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
def test_editor_replaces_run_in_flight(people: People, strategy: str) -> None:
    own = shared_thread(people.alice)
    replaced = people.alice("POST", f"{own}/runs", LATER).json()["run_id"]
    answer = people.eddie("POST", f"{own}/runs/wait", {**RUN, "multitask_strategy": strategy})
    assert answer.json()["answer"] == "eddie said hello"
    found = people.alice("GET", f"{own}/runs/{replaced}")
    assert found.status_code == 404 or found.json()["status"] == "interrupted"


def test_readers_and_approvers_stop_no_run(people: People) -> None:
    own = shared_thread(people.alice)
    run = people.alice("POST", f"{own}/runs", LATER).json()["run_id"]
    body = {"thread_id": own.rpartition("/")[2], "run_ids": [run]}
    for person in (people.rita, people.april, *people.others):
        for action in ("", "?action=rollback"):
            assert person("POST", f"{own}/runs/{run}/cancel{action}").status_code == 404
        assert person("DELETE", f"{own}/runs/{run}").status_code == 404
        assert person("POST", "/runs/cancel", body).status_code == 404
        person("POST", "/runs/cancel", {"status": "all"})
        person("POST", "/runs/cancel?action=rollback", {"status": "pending"})
    assert people.alice("GET", f"{own}/runs/{run}").json()["status"] == "pending"


def test_disconnect_of_reader_cancels_no_run(people: People) -> None:
    own = shared_thread(people.alice)
    run = people.alice("POST", f"{own}/runs", {**SLOW, "multitask_strategy": "enqueue"}).json()["run_id"]
    for person in (people.rita, people.april):
        events(person, f"{own}/runs/{run}/stream?cancel_on_disconnect=true")
    settle(people.alice, own)
    assert people.alice("GET", f"{own}/runs/{run}").json()["status"] == "success"


def test_editor_deletes_no_marked_thread(people: People) -> None:
    """The server deletes the temporary thread of a run as its user. An editor must not delete one in this way."""
    own = shared_thread(people.alice, oidc_auth_temporary=True)
    assert people.eddie("DELETE", own).status_code == 404
    assert people.alice("GET", own).status_code == 200


@pytest.mark.parametrize("other", ["other", built_in_assistant("other"), "approval", "loop"])
def test_editor_runs_threads_assistant_only(people: People, other: str) -> None:
    own = shared_thread(people.alice)
    before = contents(people.alice, own)
    for below in ("/runs", "/runs/wait", "/runs/stream"):
        assert people.eddie("POST", own + below, {**LATER, "assistant_id": other}).status_code == 404
    command = {"id": 1, "method": "run.start", "params": {**RUN, "assistant_id": other}}
    assert people.eddie("POST", f"{own}/commands", command).json()["type"] == "error"
    assert contents(people.alice, own) == before
    for same in ("agent", built_in_assistant("agent")):
        assert people.eddie("POST", f"{own}/runs/wait", {**RUN, "assistant_id": same}).status_code == 200
    assert people.alice("POST", f"{own}/runs", {**LATER, "assistant_id": other}).status_code == 200


def test_editors_assistant_cannot_run(people: People) -> None:
    own = shared_thread(people.alice)
    body = {"graph_id": "agent", "config": {"configurable": {"left": "behind"}}}
    mine = people.eddie("POST", "/assistants", body).json()["assistant_id"]
    assert people.eddie("POST", f"{own}/runs/wait", {**RUN, "assistant_id": mine}).status_code == 404
    assert "left" not in people.alice("GET", own).text


def test_editor_cannot_start_unused_thread(people: People) -> None:
    """Without a run, the thread has no assistant that the editor could run."""
    own = people.alice.thread()
    share(people.alice, own)
    assert people.eddie("POST", f"{own}/runs/wait", RUN).status_code == 404
    assert people.eddie("GET", own).status_code == 200


def test_own_permissions_decide(sharing: SharingServer, people: People, thread: str) -> None:
    finder, viewer = sharing.user("rita", "finder"), sharing.user("eddie", "viewer")
    creator = sharing.user("rita", "creator")
    assert finder.search("threads", title="rights")
    assert [one("GET", thread).status_code for one in (finder, viewer, creator)] == [403, 200, 403]
    assert creator("POST", "/threads/search", {}).status_code == 403
    assert viewer("POST", f"{thread}/runs", LATER).status_code == 403
    (run,) = people.alice("GET", f"{thread}/runs").json()
    assert viewer("DELETE", f"{thread}/runs/{run['run_id']}").status_code == 403
    runner = sharing.user("eddie", "runner")
    made = runner("POST", f"{thread}/runs", LATER).json()["run_id"]
    assert runner("DELETE", f"{thread}/runs/{made}").status_code == 204


def test_limited_graphs_limit_editors(sharing: SharingServer, people: People) -> None:
    own = shared_thread(people.alice)
    limited = {"permissions": sharing.roles["member"], "graphs": ["other"]}
    issuer = {
        "issuer": sharing.issuer.url,
        "audience": "agents",
        "tenant": "org",
        "permission_map": {"claim": "roles", "values": {**sharing.roles, "limited": "limited"}},
    }
    sharing.enforce(issuer=issuer, roles={"limited": limited})
    eddie = sharing.user("eddie", "limited")
    assert eddie("GET", own).status_code == 200
    assert eddie("POST", f"{own}/runs", LATER).status_code == 403
    assert eddie("POST", f"{own}/runs", {**LATER, "assistant_id": "other"}).status_code == 404


def test_copies_of_own_threads_work(people: People) -> None:
    own = shared_thread(people.alice, title="copied")
    copy = people.alice("POST", f"{own}/copy")
    assert copy.status_code == 200
    path = f"/threads/{copy.json()['thread_id']}"
    assert {key: people.alice.metadata(path)[key] for key in SHARED} == SHARED
    assert people.rita("GET", path).status_code == 200
    for person in people.listed:
        mine = person.thread()
        assert person("POST", f"{mine}/copy").status_code == 200


def test_mark_of_copy_is_stored_nowhere(people: People) -> None:
    own = shared_thread(people.alice)
    people.alice("POST", f"{own}/copy")
    run = people.alice("POST", f"{own}/runs", LATER).json()
    assert "copying" not in people.alice("GET", f"{own}/runs/{run['run_id']}").text


def test_removed_person_loses_access(people: People) -> None:
    own = shared_thread(people.alice)
    run = people.eddie("POST", f"{own}/runs", LATER).json()["run_id"]
    share(people.alice, own, **{EDITORS: [], READERS: []})
    for person in (people.rita, people.eddie):
        assert person("GET", own).status_code == 404
        assert person("GET", f"{own}/runs/{run}").status_code == 404
        assert person("DELETE", f"{own}/runs/{run}").status_code == 404
        assert person("POST", f"{own}/runs", LATER).status_code == 404
    assert people.april("GET", own).status_code == 200


def test_crons_of_owner_stay_private(people: People) -> None:
    own = shared_thread(people.alice)
    cron = {**RUN, "schedule": "0 0 1 1 *"}
    made = people.alice("POST", f"{own}/runs/crons", cron).json()["cron_id"]
    for person in (*people.listed, *people.others):
        assert person("GET", f"/runs/crons/{made}").status_code == 404
        for body in ({}, {"thread_id": own.rpartition("/")[2]}):
            assert made not in person("POST", "/runs/crons/search", body).text
        assert person("PATCH", f"/runs/crons/{made}", {"schedule": "0 0 2 1 *"}).status_code == 404
    people.alice("DELETE", f"/runs/crons/{made}")


def test_shared_identity_owns_nothing_new(people: People) -> None:
    """A run on a thread that does not exist creates a thread of the caller, also for a listed user."""
    path = f"/threads/{uuid.uuid4()}"
    assert people.eddie("POST", f"{path}/runs", {**LATER, "if_not_exists": "create"}).status_code == 200
    assert people.eddie.metadata(path)["owner"] == "eddie"
    assert people.alice("GET", path).status_code == 404
