"""The owner of a thread shares it: readers see it, editors run on it, and nothing else changes."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from kit.shared_threads import INPUT, enforce, pause, run
from langgraph_sdk import get_sync_client

from oidc_auth.langgraph.handlers import build_handler
from oidc_auth.langgraph.hook import build_hook

if TYPE_CHECKING:
    from kit.live_server import LiveServer, SampleUser

LISTS = ["shared_with", "shared_editors", "shared_approvers"]


@pytest.fixture(autouse=True)
def sharing(live_server: LiveServer) -> None:
    enforce(live_server)


@pytest.fixture
def alice(live_server: LiveServer) -> SampleUser:
    return live_server.user(f"alice-{uuid.uuid4()}", "member")


@pytest.fixture
def bob(live_server: LiveServer) -> SampleUser:
    return live_server.user(f"auth0|bob-{uuid.uuid4()}", "member")


def share(owner: SampleUser, path: str, **lists: Any) -> int:
    status: int = owner("PATCH", path, {"metadata": lists}).status_code
    return status


def finished(owner: SampleUser, **lists: Any) -> str:
    """Return a thread with one finished run."""
    path = owner.thread(**lists)
    assert owner("POST", f"{path}/runs/wait", run()).status_code == 200
    return path


def test_sdk_shares_thread(live_server: LiveServer, alice: SampleUser, bob: SampleUser) -> None:
    path = finished(alice)
    assert bob("GET", path).status_code == 404
    headers = {"authorization": f"Bearer {alice.token}"}
    with (
        live_server.server.served() as url,
        get_sync_client(url=url, api_key=None, headers=headers) as client,
    ):
        client.threads.update(path.rpartition("/")[2], metadata={"shared_with": [bob.name]})
    assert bob("GET", path).json()["metadata"]["shared_with"] == [bob.name]
    assert alice.metadata(path)["owner"] == alice.name


@pytest.mark.parametrize("name", LISTS)
def test_listed_person_reads_everything(alice: SampleUser, bob: SampleUser, name: str) -> None:
    path = finished(alice, **{name: [bob.name]})
    run_id = alice("GET", f"{path}/runs").json()[0]["run_id"]
    for suffix in ("", "/state", "/history", "/runs", f"/runs/{run_id}", f"/runs/{run_id}/join"):
        assert bob("GET", path + suffix).status_code == 200, suffix
    assert "said" in bob("GET", f"{path}/state").text
    streamed = bob("GET", f"{path}/runs/{run_id}/stream")
    assert "error" not in streamed.text
    assert [found["thread_id"] for found in bob.search("threads")] == [path.rpartition("/")[2]]
    assert bob("POST", "/threads/count", {}).json() == 1


@pytest.mark.parametrize("name", LISTS)
def test_listed_person_changes_nothing(alice: SampleUser, bob: SampleUser, name: str) -> None:
    path = finished(alice, **{name: [bob.name]})
    cron = run(schedule="0 0 1 1 *")
    refused = [
        bob("PATCH", path, {"metadata": {"title": "mine"}}),
        bob("PATCH", path, {"metadata": {"shared_editors": []}}),
        bob("POST", f"{path}/state", {"values": INPUT}),
        bob("DELETE", path),
        bob("POST", "/threads/prune", {"thread_ids": [path.rpartition("/")[2]]}),
        bob("POST", "/threads", {"thread_id": path.rpartition("/")[2], "if_exists": "do_nothing"}),
        bob("POST", f"{path}/copy"),
        bob("POST", f"{path}/runs/crons", cron),
    ]
    assert {answer.status_code for answer in refused} <= {403, 404, 409}
    assert alice.metadata(path)[name] == [bob.name]
    assert len(alice.search("threads")) == 1


@pytest.mark.parametrize("name", ["shared_with", "shared_approvers"])
def test_only_editors_run(alice: SampleUser, bob: SampleUser, name: str) -> None:
    path = finished(alice, **{name: [bob.name]})
    assert bob("POST", f"{path}/runs", run()).status_code == 404
    assert share(alice, path, shared_editors=[bob.name]) == 200
    assert bob("POST", f"{path}/runs/wait", run()).json()["answer"] == f"{bob.name} said pay"


def test_editor_runs_own_assistant_of_thread_only(alice: SampleUser, bob: SampleUser) -> None:
    path = finished(alice, shared_editors=[bob.name])
    assert bob("POST", f"{path}/runs", run("other")).status_code == 404
    fresh = alice.thread(shared_editors=[bob.name])
    assert bob("POST", f"{fresh}/runs", run()).status_code == 404


def test_editor_needs_permission_to_run(live_server: LiveServer, alice: SampleUser) -> None:
    reader = live_server.user("bob", "viewer")
    path = finished(alice, shared_editors=["bob"])
    assert reader("GET", path).status_code == 200
    assert reader("POST", f"{path}/runs", run()).status_code == 403


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
@pytest.mark.parametrize(("name", "status"), [("shared_editors", 202), ("shared_with", 404), ("shared_approvers", 404)])
def test_editor_cancels_runs(alice: SampleUser, bob: SampleUser, name: str, status: int, action: str) -> None:
    path = finished(alice, **{name: [bob.name]})
    made = alice("POST", f"{path}/runs", run(after_seconds=3600)).json()["run_id"]
    assert bob("POST", f"{path}/runs/{made}/cancel?action={action}").status_code == status
    left = alice("GET", f"{path}/runs/{made}")
    assert (left.status_code == 404 or left.json()["status"] == "interrupted") is (status == 202)


@pytest.mark.parametrize(("name", "status"), [("shared_editors", 204), ("shared_with", 404), ("shared_approvers", 404)])
def test_editor_deletes_runs(alice: SampleUser, bob: SampleUser, name: str, status: int) -> None:
    path = finished(alice, **{name: [bob.name]})
    run_id = alice("GET", f"{path}/runs").json()[0]["run_id"]
    assert bob("DELETE", f"{path}/runs/{run_id}").status_code == status


def test_robot_with_run_permission_alone_edits(live_server: LiveServer, alice: SampleUser) -> None:
    name = f"robot-{uuid.uuid4()}"
    robot, path = live_server.user(name, "robot"), finished(alice, shared_editors=[name])
    made = robot("POST", f"{path}/runs", run(after_seconds=3600)).json()["run_id"]
    assert robot("POST", f"{path}/runs/{made}/cancel").status_code == 202
    assert robot("DELETE", f"{path}/runs/{made}").status_code == 204


def test_cancelling_all_runs_spares_shared_threads(alice: SampleUser, bob: SampleUser) -> None:
    path = finished(alice, shared_editors=[bob.name])
    made = alice("POST", f"{path}/runs", run(after_seconds=3600)).json()["run_id"]
    assert bob("POST", "/runs/cancel", {"status": "pending"}).status_code == 404
    assert alice("GET", f"{path}/runs/{made}").json()["status"] == "pending"


def test_reader_does_not_cancel_by_disconnect(alice: SampleUser, bob: SampleUser, live_server: LiveServer) -> None:
    path = finished(alice, shared_with=[bob.name])
    made = alice("POST", f"{path}/runs", run(after_seconds=3600)).json()["run_id"]
    live_server.observed_events.clear()
    assert bob("POST", f"{path}/runs/{made}/cancel?action=interrupt").status_code == 404
    assert alice("GET", f"{path}/runs/{made}").json()["status"] == "pending"


@pytest.mark.parametrize("name", LISTS)
def test_list_counts_in_owners_tenant_only(live_server: LiveServer, alice: SampleUser, name: str) -> None:
    path = finished(alice, **{name: ["bob"]})
    assert live_server.user("bob", "member")("GET", path).status_code == 200
    for tenant in ("umbrella", None):
        twin = live_server.user("bob", "member", tenant=tenant)
        assert twin("GET", path).status_code == 404
        assert twin("POST", f"{path}/runs", run()).status_code == 404
        assert path.rpartition("/")[2] not in twin("POST", "/threads/search", {}).text


def test_callers_without_tenant_share_nothing(live_server: LiveServer) -> None:
    path = finished(live_server.user("alice", "member", tenant=None), shared_with=["bob"])
    assert live_server.user("bob", "member", tenant=None)("GET", path).status_code == 404


def test_removed_person_loses_thread(alice: SampleUser, bob: SampleUser) -> None:
    path = finished(alice, shared_with=[bob.name])
    assert share(alice, path, shared_with=[]) == 200
    assert bob("GET", path).status_code == 404


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("role", ["runner", "editor", "admin"])
def test_lists_need_permission_to_share(live_server: LiveServer, role: str, name: str) -> None:
    user = live_server.user(f"user-{uuid.uuid4()}", role)
    refused = user("POST", "/threads", {"metadata": {name: ["bob"]}})
    assert (refused.status_code, "threads:share" in refused.json()["detail"]) == (403, True)
    path = user.thread()
    assert share(user, path, **{name: ["bob"], "title": "x"}) == 403
    assert {name, "title"}.isdisjoint(user.metadata(path))


BAD: list[Any] = [
    "bob",
    {"bob": True},
    None,
    7,
    ["bob", 7],
    [["bob"]],
    [""],
    ["b" * 256],
    [f"user-{number}" for number in range(101)],
]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("people", BAD, ids=lambda people: str(people)[:20])
def test_invalid_list_is_refused(alice: SampleUser, name: str, people: Any) -> None:
    path = alice.thread()
    assert share(alice, path, **{name: people}) == 403
    assert alice("POST", "/threads", {"metadata": {name: people}}).status_code == 403
    assert name not in alice.metadata(path)


@pytest.mark.parametrize("name", LISTS)
def test_list_never_has_its_writer(alice: SampleUser, name: str) -> None:
    path = alice.thread()
    assert share(alice, path, **{name: ["bob", alice.name]}) == 403
    assert alice("POST", "/threads", {"metadata": {name: [alice.name]}}).status_code == 403
    assert share(alice, path, **{name: [f"user-{number}" for number in range(100)]}) == 200


def test_reach_of_sharing_decides_about_lists(live_server: LiveServer, alice: SampleUser) -> None:
    path, sharer = finished(alice), live_server.user("sharer", "sharer")
    assert share(sharer, path, shared_with=["bob"]) == 200
    # Everything else needs threads:update within the same reach.
    assert share(sharer, path, shared_with=["eve"], title="mine") == 404
    assert (alice.metadata(path)["shared_with"], "title" in alice.metadata(path)) == (["bob"], False)
    foreign = finished(live_server.user("alice", "member", tenant="umbrella"))
    assert share(sharer, foreign, shared_with=["bob"]) == 404
    assert share(live_server.user("root", "root", tenant="none"), foreign, shared_with=["bob"]) == 200


def test_wide_update_does_not_share_threads_of_others(live_server: LiveServer, alice: SampleUser) -> None:
    enforce(live_server, rights={"lead": ["threads:write@tenant", "threads:share"], "member": ["threads:share"]})
    lead, path = live_server.user("lead", "lead"), live_server.user("carl", "editor").thread()
    assert lead("PATCH", path, {"metadata": {"title": "x"}}).status_code == 200
    assert share(lead, path, shared_with=["bob"]) == 404


LEAKS: list[tuple[str, dict[str, Any]]] = [
    ("{thread}/runs", {"metadata": {"shared_with": ["bob"]}}),
    ("{thread}/runs", {"config": {"metadata": {"shared_editors": ["bob"]}}}),
    ("/runs", {"metadata": {"shared_with": ["bob"]}, "on_completion": "keep"}),
    ("/runs", {"config": {"metadata": {"shared_approvers": ["bob"]}}, "on_completion": "keep"}),
    ("/threads/{new}/runs", {"metadata": {"shared_with": ["bob"]}, "if_not_exists": "create"}),
    ("/threads/{new}/runs", {"config": {"metadata": {"shared_with": ["bob"]}}, "if_not_exists": "create"}),
]


@pytest.mark.parametrize(("where", "body"), LEAKS)
def test_runs_set_no_lists(live_server: LiveServer, alice: SampleUser, where: str, body: dict[str, Any]) -> None:
    path = where.format(thread=alice.thread(), new=uuid.uuid4())
    made = alice("POST", path, run(**body)).json()
    thread = alice.metadata(f"/threads/{made['thread_id']}")
    assert not {*LISTS} & {*thread, *made["metadata"]}
    assert live_server.user("bob", "member")("GET", f"/threads/{made['thread_id']}").status_code == 404


def test_crons_and_assistants_keep_no_lists(live_server: LiveServer) -> None:
    user, lists = live_server.user("carl", "resumer"), {name: ["bob"] for name in LISTS}
    body = run(schedule="0 0 1 1 *", metadata=lists, config={"metadata": lists})
    cron = user("POST", "/runs/crons", body).json()
    assert "bob" not in str(cron)
    changed = user("PATCH", f"/runs/crons/{cron['cron_id']}", {"metadata": lists, "input": INPUT}).json()
    assert "bob" not in str(changed)
    assistant = user("POST", "/assistants", {"graph_id": "agent", "metadata": lists}).json()
    assert "bob" not in str(assistant)
    assert "bob" not in user("PATCH", f"/assistants/{assistant['assistant_id']}", {"metadata": lists}).text


def test_owner_copies_thread_with_lists(alice: SampleUser, bob: SampleUser) -> None:
    path = finished(alice, shared_with=[bob.name])
    copied = alice("POST", f"{path}/copy")
    assert copied.status_code == 200
    assert bob("GET", f"/threads/{copied.json()['thread_id']}").status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_graph_copies_no_shared_thread(alice: SampleUser, bob: SampleUser, name: str) -> None:
    """A graph's own call has no hook. Its route tells that it copies."""
    path = finished(alice, **{name: [bob.name]})
    calls = [{"path": f"{path}/history", "json": {}}, {"path": f"{path}/copy", "json": {}}]
    answer = bob("POST", "/runs/wait", {"assistant_id": "loop", "input": {"requests": calls}}).json()
    assert [each[:7] for each in answer["answers"]] == ["allowed", "Conflic"]
    assert len(alice.search("threads")) == 1


def test_sharing_is_off_until_it_is_named(live_server: LiveServer) -> None:
    live_server.enforce()
    alice, bob = live_server.user("alice", "editor"), live_server.user("bob", "editor")
    path = alice.thread(shared_with=["bob"])
    assert share(alice, path, shared_with=["bob"], title="x") == 200
    assert bob("GET", path).status_code == 404
    enforce(live_server)
    assert (bob("GET", path).status_code, alice.metadata(path)["title"]) == (404, "x")


def test_custom_rule_cannot_change_lists(live_server: LiveServer, alice: SampleUser) -> None:
    async def add_eve(ctx: Any, value: Any) -> None:
        value["metadata"] |= {"shared_with": ["eve"], "shared_editors": ["eve"]}

    enforce(live_server, also={"threads:create": add_eve, "threads:update": add_eve})
    path = alice.thread(shared_with=["bob"])
    assert share(alice, path, title="x") == 200
    stored = alice.metadata(path)
    assert (stored["shared_with"], "shared_editors" in stored, stored["title"]) == (["bob"], False, "x")


def test_approver_resumes_with_permission_to_run(alice: SampleUser, bob: SampleUser) -> None:
    path = pause(alice, shared_approvers=[bob.name])
    resume = run("approval", input=None, command={"resume": "yes"})
    assert bob("POST", f"{path}/runs/wait", {**resume, "command": {"resume": "no", "goto": "act"}}).status_code == 404
    assert bob("POST", f"{path}/runs/wait", run("approval")).status_code == 404
    assert bob("POST", f"{path}/runs/wait", {**resume, "assistant_id": "agent"}).status_code == 404
    assert bob("POST", f"{path}/runs/wait", resume).json()["acted_as"] == bob.name


PATHS = [
    ("POST", "/threads/1/copy", True),
    ("POST", "/prefix/threads/1/copy", True),
    ("POST", "/threads/a b/copy", True),
    ("GET", "/threads/1/copy", False),
    ("POST", "/threads/1/copy/", False),
    ("POST", "/threads/1/history", False),
    ("POST", "/threads/1/copy\n", True),
    ("POST", "/threads/1/2/copy", False),
    ("POST", "/copy", False),
]


@pytest.mark.parametrize(("method", "path", "marked"), PATHS)
def test_hook_marks_copies_only(live_server: LiveServer, method: str, path: str, *, marked: bool) -> None:
    headers = {b"authorization": f"Bearer {live_server.user('bob', 'member').token}".encode()}
    scope = {"type": "http", "method": method, "path": path, "headers": list(headers.items())}
    user = live_server.server.run(lambda: build_hook(live_server.oidc)(headers=headers, scope=scope))
    assert user.get("copying") is (True if marked else None)
    live_server.enforce()
    assert "copying" not in live_server.server.run(lambda: build_hook(live_server.oidc)(headers=headers, scope=scope))


@pytest.mark.parametrize(("mark", "counts"), [({}, True), ({"copying": True}, False), ({"copying": "true"}, True)])
def test_mark_of_hook_excludes_lists(live_server: LiveServer, mark: dict[str, Any], *, counts: bool) -> None:
    fields = {"identity": "bob", "permissions": ["threads:read"], "graphs": None, "tenant": "acme", **mark}
    ctx = SimpleNamespace(user=SimpleNamespace(**fields))
    handle = build_handler("threads:read", live_server.oidc)
    found = live_server.server.run(lambda: handle(ctx=ctx, value={"thread_id": "t1"}))
    assert ("$or" in found) is counts
