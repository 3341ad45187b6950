"""Every rule about shared threads, on a real server. Each test is about one rule of the documentation."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from kit.sharing import (
    APPROVERS,
    EDITORS,
    LISTS,
    READERS,
    SHARED,
    WITHOUT_LITERALS,
    People,
    SharingServer,
    contents,
    share,
    shared_thread,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.live_server import SampleUser
    from kit.server import Server

MOST = 100
DENIED = (400, 403, 404, 409, 422)
RUN = {"assistant_id": "agent", "input": {"text": "hello"}}


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
    return shared_thread(people.alice, title="plans")


@pytest.fixture
def unchanged(people: People, thread: str) -> Iterator[None]:
    before = contents(people.alice, thread)
    yield
    assert contents(people.alice, thread) == before


def lists_of(owner: SampleUser, thread: str) -> dict[str, Any]:
    return {name: found for name, found in owner.metadata(thread).items() if name in LISTS}


def test_patterns_leave_sharing_off(sharing: SharingServer, people: People, thread: str) -> None:
    sharing.change("run", WITHOUT_LITERALS)
    rita, alice = sharing.user("rita", "user"), sharing.user("alice", "patterns")
    assert rita("GET", thread).status_code == 404
    assert rita.search("threads", title="plans") == []
    own = alice.thread()
    alice("PATCH", own, {"metadata": SHARED})
    assert lists_of(alice, own) == {}


def test_permission_map_alone_turns_sharing_on(sharing: SharingServer, thread: str) -> None:
    roles = {**WITHOUT_LITERALS, "threads:share": ["threads:share"]}
    sharing.change("run", roles)
    assert sharing.user("rita", "user")("GET", thread).status_code == 200


def test_lists_stay_reserved_without_sharing(sharing: SharingServer, people: People) -> None:
    sharing.change("run", WITHOUT_LITERALS)
    alice = sharing.user("alice", "user")
    created = alice("POST", "/threads", {"metadata": SHARED})
    if created.status_code == 200:
        assert lists_of(alice, f"/threads/{created.json()['thread_id']}") == {}
    path = f"/threads/{uuid.uuid4()}"
    body = {**RUN, "metadata": SHARED, "config": {"metadata": SHARED}, "if_not_exists": "create"}
    if alice("POST", f"{path}/runs/wait", body).status_code == 200:
        assert lists_of(alice, path) == {}


def test_list_holds_hundred_identities(people: People) -> None:
    own = people.alice.thread()
    for name in LISTS:
        share(people.alice, own, **{name: [f"user{number}" for number in range(MOST - 1)] + ["cora"]})
    assert people.cora("GET", own).status_code == 200


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "identities",
    [
        [f"user{number}" for number in range(MOST + 1)],
        "cora",
        {"cora": True},
        [["cora"]],
        [{"identity": "cora"}],
        ["cora", 7],
        ["cora", True],
        ["cora", None],
        ["cora", ""],
        7,
        True,
    ],
)
def test_malformed_list_is_rejected(people: People, name: str, identities: Any) -> None:
    own = people.alice.thread()
    share(people.alice, own, **{name: ["eddie"]})
    answer = people.alice("PATCH", own, {"metadata": {name: identities, "title": "new"}})
    assert answer.status_code in DENIED
    assert (lists_of(people.alice, own), "title" in people.alice.metadata(own)) == ({name: ["eddie"]}, False)
    created = people.alice("POST", "/threads", {"metadata": {name: identities, "mark": "malformed"}})
    assert created.status_code in DENIED
    assert people.alice.search("threads", mark="malformed") == []


def test_lists_are_independent(people: People) -> None:
    own = people.alice.thread()
    for number, name in enumerate(LISTS):
        share(people.alice, own, **{name: ["cora"]})
        assert list(lists_of(people.alice, own)) == list(LISTS[: number + 1])
    share(people.alice, own, **{READERS: []})
    assert lists_of(people.alice, own) == {READERS: [], EDITORS: ["cora"], APPROVERS: ["cora"]}


def test_person_on_several_lists_has_union(people: People) -> None:
    own = shared_thread(people.alice)
    share(people.alice, own, **{name: ["cora"] for name in LISTS})
    assert people.cora("GET", own).status_code == 200
    assert people.cora("POST", f"{own}/runs/wait", RUN).json()["answer"] == "cora said hello"
    share(people.alice, own, **{EDITORS: []})
    assert people.cora("GET", own).status_code == 200
    assert people.cora("POST", f"{own}/runs/wait", RUN).status_code == 404


@pytest.mark.usefixtures("unchanged")
def test_lists_count_in_owners_tenant_only(people: People, thread: str) -> None:
    for twin in people.twins:
        assert twin("GET", thread).status_code == 404
        assert twin("POST", f"{thread}/runs/wait", RUN).status_code == 404
        assert twin.search("threads", title="plans") == []
        assert twin("POST", "/threads/count", {"metadata": {"title": "plans"}}).json() == 0


def test_list_needs_tenant(sharing: SharingServer) -> None:
    """Users without a tenant have none in common, so that a missing claim opens nothing."""
    own = shared_thread(sharing.user("olga", "member", tenant=None))
    for tenant in ("acme", "globex", None):
        for name in ("rita", "eddie", "april"):
            assert sharing.user(name, "member", tenant=tenant)("GET", own).status_code == 404


def test_sharing_works_without_tenants(sharing: SharingServer) -> None:
    values = {name: rights for name, rights in sharing.roles.items() if "@tenant" not in "".join(rights)}
    issuer = {
        "issuer": sharing.issuer.url,
        "audience": "agents",
        "permission_map": {"claim": "roles", "values": values},
    }
    sharing.enforce(issuer=issuer)
    own = shared_thread(sharing.user("olga", "member"))
    codes = [sharing.user(name, "member")("GET", own).status_code for name in ("rita", "eddie", "april", "cora")]
    assert codes == [200, 200, 200, 404]
    assert sharing.user("eddie", "member")("POST", f"{own}/runs/wait", RUN).json()["answer"] == "eddie said hello"


@pytest.mark.parametrize("name", LISTS)
def test_list_never_contains_its_writer(sharing: SharingServer, people: People, name: str) -> None:
    own = people.alice.thread()
    assert people.alice("PATCH", own, {"metadata": {name: ["cora", "alice"]}}).status_code in DENIED
    assert people.alice("POST", "/threads", {"metadata": {name: ["alice"]}}).status_code in DENIED
    manager = sharing.user("mona", "manager")
    assert manager("PATCH", own, {"metadata": {name: ["mona"]}}).status_code in DENIED
    assert lists_of(people.alice, own) == {}


@pytest.mark.parametrize("name", LISTS)
def test_owner_needs_permission_to_share(sharing: SharingServer, name: str) -> None:
    olga = sharing.user("olga", "user")
    own = olga.thread()
    for identities in (["cora"], []):
        answer = olga("PATCH", own, {"metadata": {name: identities, "title": "new"}})
        assert answer.status_code == 403
        created = olga("POST", "/threads", {"metadata": {name: identities, "mark": "no right"}})
        assert created.status_code == 403
    assert set(olga.metadata(own)) == {"owner", "tenant"}
    assert olga.search("threads", mark="no right") == []


def test_sharing_at_creation_works(people: People) -> None:
    own = people.alice.thread(**SHARED)
    assert lists_of(people.alice, own) == SHARED
    assert [one("GET", own).status_code for one in (*people.listed, people.cora)] == [200, 200, 200, 404]


def test_tenant_reach_shares_within_tenant(sharing: SharingServer, people: People) -> None:
    own, elsewhere = people.alice.thread(), people.stranger.thread()
    manager = sharing.user("mona", "manager")
    share(manager, own)
    assert people.rita("GET", own).status_code == 200
    assert manager("PATCH", elsewhere, {"metadata": {READERS: ["mona2"]}}).status_code == 404
    assert lists_of(people.stranger, elsewhere) == {}


def test_administrator_shares_any_thread(people: People) -> None:
    own = people.alice.thread()
    share(people.root, own)
    assert people.alice.metadata(own)["owner"] == "alice"
    assert [one("GET", own).status_code for one in (*people.listed, *people.others)] == [200] * 3 + [404] * 6


def test_reach_of_share_limits_update(sharing: SharingServer, people: People) -> None:
    own = people.alice.thread()
    clerk = sharing.user("carl", "clerk", "sharer")
    assert clerk("PATCH", own, {"metadata": {"title": "new"}}).status_code == 200
    assert clerk("PATCH", own, {"metadata": {READERS: ["bob"], "title": "newer"}}).status_code in (403, 404)
    assert people.alice.metadata(own).get("title") == "new"
    assert lists_of(people.alice, own) == {}


def test_share_permission_gives_no_update(sharing: SharingServer, people: People) -> None:
    sharing.change("run", {**sharing.roles, "only-share": ["threads:share@all", "threads:read@all"]})
    own = people.alice.thread()
    olga = sharing.user("olga", "only-share")
    assert olga("PATCH", own, {"metadata": {READERS: ["bob"]}}).status_code in (403, 404)
    assert lists_of(people.alice, own) == {}


def test_existing_thread_keeps_lists_at_creation(people: People, thread: str) -> None:
    identifier = thread.rpartition("/")[2]
    body = {"thread_id": identifier, "if_exists": "do_nothing", "metadata": {READERS: ["mallory"], EDITORS: []}}
    for person in (people.alice, *people.listed, *people.others):
        person("POST", "/threads", body)
        assert lists_of(people.alice, thread) == SHARED


FORGED = {name: ["mallory", "cora"] for name in LISTS}


@pytest.mark.parametrize("body", [{"metadata": FORGED}, {"config": {"metadata": FORGED}}])
def test_run_cannot_share_new_thread(people: People, body: dict[str, Any]) -> None:
    path = f"/threads/{uuid.uuid4()}"
    for below, more in (("/runs/wait", {}), ("/runs/stream", {}), ("/runs", {"after_seconds": 3600})):
        people.alice("POST", path + below, {**RUN, **body, **more, "if_not_exists": "create"})
        assert lists_of(people.alice, path) == {}
        assert people.cora("GET", path).status_code == 404


@pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
@pytest.mark.parametrize("body", [{"metadata": FORGED}, {"config": {"metadata": FORGED}}])
def test_command_cannot_share_new_thread(people: People, body: dict[str, Any]) -> None:
    path = f"/threads/{uuid.uuid4()}"
    people.alice("POST", f"{path}/commands", {"id": 1, "method": "run.start", "params": {**RUN, **body}})
    assert people.cora("GET", path).status_code == 404


@pytest.mark.parametrize("body", [{"metadata": FORGED}, {"config": {"metadata": FORGED}}])
def test_stateless_run_cannot_share_kept_thread(people: People, body: dict[str, Any]) -> None:
    run = {**RUN, **body, "on_completion": "keep", "after_seconds": 3600}
    kept = people.alice("POST", "/runs", run).json()
    (batched,) = people.alice("POST", "/runs/batch", [run]).json()
    for made in (kept, batched):
        assert lists_of(people.alice, f"/threads/{made['thread_id']}") == {}
        assert not set(LISTS) & set(made["metadata"])


def test_run_keeps_lists_of_thread(people: People) -> None:
    own = shared_thread(people.alice)
    for person in (people.alice, people.eddie):
        run = {**RUN, "metadata": FORGED, "config": {"metadata": FORGED}}
        assert person("POST", f"{own}/runs/wait", run).status_code == 200
        assert lists_of(people.alice, own) == SHARED


def test_unshared_run_stores_no_list(people: People) -> None:
    own = people.alice.thread()
    run = {**RUN, "metadata": FORGED, "config": {"metadata": FORGED}, "after_seconds": 3600}
    made = people.alice("POST", f"{own}/runs", run).json()
    assert not set(LISTS) & (set(made["metadata"]) | set(made["kwargs"]["config"].get("metadata") or {}))


@pytest.mark.parametrize("body", [{"metadata": FORGED}, {"config": {"metadata": FORGED}}])
def test_cron_stores_no_list(people: People, body: dict[str, Any]) -> None:
    cron = {**RUN, "schedule": "0 0 1 1 *"}
    made = people.alice("POST", "/runs/crons", {**cron, **body}).json()
    threaded = people.alice("POST", f"{people.alice.thread()}/runs/crons", {**cron, **body}).json()
    people.alice("PATCH", f"/runs/crons/{made['cron_id']}", body)
    for cron_id in (made["cron_id"], threaded["cron_id"]):
        stored = people.alice("GET", f"/runs/crons/{cron_id}")
        assert not any(name in stored.text for name in LISTS)
        people.alice("DELETE", f"/runs/crons/{cron_id}")


@pytest.mark.parametrize("body", [{"metadata": FORGED}, {"config": {"metadata": FORGED}}])
def test_assistant_stores_no_list(people: People, body: dict[str, Any]) -> None:
    made = people.alice("POST", "/assistants", {"graph_id": "agent", **body})
    if made.status_code == 200:
        path = f"/assistants/{made.json()['assistant_id']}"
        people.alice("PATCH", path, body)
        assert not any(name in people.alice("GET", path).text for name in LISTS)
        assert people.cora("GET", path).status_code == 404


def test_state_update_changes_no_list(people: People) -> None:
    own = shared_thread(people.alice)
    state = {"values": {"text": "new", **FORGED}, "as_node": "respond", "metadata": FORGED}
    people.alice("POST", f"{own}/state", state)
    assert lists_of(people.alice, own) == SHARED
    assert people.cora("GET", own).status_code == 404
