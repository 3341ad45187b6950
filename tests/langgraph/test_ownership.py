"""Owners of objects. Users cannot change an owner, or mark an object as the server's."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.enforcement.limits import built_in_assistant
from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    from kit.live_server import LiveServer, SampleUser

CHAT = built_in_assistant("chat")
RUN = {"assistant_id": "agent", "input": {"text": "hello"}}
LATE = 9_999_999_999
FORGERIES: list[tuple[str, Any]] = [
    ("owner", "mallory"),
    ("owner", None),
    ("owner", ["alice", "mallory"]),
    ("owner", 7),
    ("tenant", "globex"),
    ("tenant", None),
]


KINDS = {"threads": "thread_id", "assistants": "assistant_id", "runs/crons": "cron_id"}
forgeries = pytest.mark.parametrize(("key", "value"), FORGERIES)
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def author(live_server: LiveServer) -> SampleUser:
    return live_server.user("author", *EVENTS)


def make(sample_user: SampleUser, kind: str, metadata: dict[str, Any]) -> Any:
    """Request a new object of a kind. The server ignores keys that the kind does not have."""
    body = {"graph_id": "agent", "assistant_id": "agent", "schedule": "0 0 1 1 *", "metadata": metadata}
    unknown = {"threads": ("graph_id", "assistant_id", "schedule"), "assistants": ("assistant_id", "schedule")}
    return sample_user("POST", f"/{kind}", {key: body[key] for key in body if key not in unknown.get(kind, ())})


def made(sample_user: SampleUser, kind: str, metadata: dict[str, Any]) -> str:
    """Create an object, and return its path."""
    return f"/{kind}/{make(sample_user, kind, metadata).json()[KINDS[kind]]}"


@kinds
@forgeries
def test_created_object_belongs_to_creator(author: SampleUser, kind: str, key: str, value: object) -> None:
    stored = author.metadata(made(author, kind, {key: value}))
    assert (stored["owner"], stored["tenant"]) == ("author", "acme")


@pytest.mark.parametrize("body", [{}, {"metadata": {}}, {"metadata": {"title": "plans"}}])
def test_stamp_survives_any_metadata(alice: SampleUser, body: dict[str, Any]) -> None:
    made = alice("POST", "/threads", body)
    assert made.json()["metadata"]["owner"] == "alice"


def test_client_reserved_keys_are_dropped(alice: SampleUser) -> None:
    forged = {"authorized_until": LATE, "authorized_for": "x", "authorized_at": LATE, "oidc_auth_temporary": True}
    stored = alice.metadata(alice.thread(**forged, title="kept"))
    assert stored == {"owner": "alice", "tenant": "acme", "title": "kept"}


@kinds
@forgeries
def test_user_cannot_change_owner(author: SampleUser, kind: str, key: str, value: object) -> None:
    path = made(author, kind, {})
    before = author.metadata(path)
    assert author("PATCH", path, {"metadata": {key: value}}).status_code == 403
    assert author.metadata(path) == before


@kinds
def test_update_writes_no_reserved_keys(author: SampleUser, kind: str) -> None:
    path = made(author, kind, {})
    before = author.metadata(path)
    forged = {"authorized_until": LATE, "authorized_for": "x", "authorized_at": LATE, "oidc_auth_temporary": True}
    forged |= {"title": "new"}
    assert author("PATCH", path, {"metadata": forged}).status_code == 200
    after = author.metadata(path)
    assert after.pop("authorized_until", 0) < LATE
    before.pop("authorized_until", None)
    assert after == {**before, "title": "new"}


def test_read_metadata_can_be_written_back(alice: SampleUser) -> None:
    path = alice.thread(title="plans")
    patched = alice("PATCH", path, {"metadata": {**alice.metadata(path), "title": "new plans"}})
    assert patched.json()["metadata"] == {"owner": "alice", "tenant": "acme", "title": "new plans"}


@pytest.mark.parametrize("role", ["admin", "root"])
def test_administrator_update_keeps_owner(live_server: LiveServer, alice: SampleUser, role: str) -> None:
    path = alice.thread(title="plans")
    ada = live_server.user("ada", role)
    patched = ada("PATCH", path, {"metadata": {**ada.metadata(path), "title": "checked", "owner": "ada"}})
    assert patched.status_code == 200
    assert alice.metadata(path) == {"owner": "alice", "tenant": "acme", "title": "checked"}


@kinds
def test_user_cannot_mark_object_as_system(author: SampleUser, kind: str) -> None:
    system = {"created_by": "system"}
    assert make(author, kind, system).status_code == 403
    assert author("PATCH", made(author, kind, {}), {"metadata": system}).status_code == 403


def test_same_subject_in_other_tenant_owns_nothing(live_server: LiveServer, alice: SampleUser) -> None:
    path = alice.thread()
    for tenant in ("globex", None):
        elsewhere = live_server.user("alice", "editor", tenant=tenant)
        assert elsewhere("GET", path).status_code == 404
        assert path.rpartition("/")[2] not in {thread["thread_id"] for thread in elsewhere.search("threads")}


def test_missing_tenant_gives_own_objects_only(live_server: LiveServer, alice: SampleUser) -> None:
    path = alice.thread()
    loner = live_server.user("loner", "editor", "admin", tenant=None)
    mine = loner.thread()
    assert loner.metadata(mine) == {"owner": "loner", "tenant": None}
    assert loner("GET", path).status_code == 404


def test_wide_read_does_not_allow_write(live_server: LiveServer, alice: SampleUser) -> None:
    path = alice.thread(title="plans")
    cora = live_server.user("cora", "colleague")
    assert cora("PATCH", path, {"metadata": {"title": "mine"}}).status_code == 404
    assert cora("DELETE", path).status_code == 404


def test_copy_belongs_to_its_creator(live_server: LiveServer, alice: SampleUser) -> None:
    path = alice.thread(title="to be copied")
    copied = alice("POST", f"{path}/copy")
    assert copied.json()["metadata"]["owner"] == "alice"
    refused = live_server.user("cora", "colleague")("POST", f"{path}/copy")
    assert (refused.status_code, len(alice.search("threads", title="to be copied"))) == (403, 2)


def test_thread_with_supersteps_belongs_to_creator(alice: SampleUser) -> None:
    body = {
        "supersteps": [{"updates": [{"values": {"text": "x"}, "as_node": "__input__"}]}],
        "metadata": {"owner": "m", "graph_id": "agent"},
    }
    made = alice("POST", "/threads", body)
    assert made.status_code == 200, made.text
    assert made.json()["metadata"]["owner"] == "alice"


def test_implicit_thread_belongs_to_run_creator(alice: SampleUser, bob: SampleUser) -> None:
    path = f"/threads/{uuid.uuid4()}"
    keys = {"owner": "bob", "tenant": "globex", "created_by": "system", "oidc_auth_temporary": True, "mark": 1}
    forged = {"metadata": keys}
    run = {**RUN, "if_not_exists": "create", **forged, "config": forged}
    assert alice("POST", f"{path}/runs/wait", run).json()["answer"] == "alice said hello"
    reserved = ("owner", "tenant", "created_by", "oidc_auth_temporary", "mark")
    assert [alice.metadata(path).get(key) for key in reserved] == ["alice", "acme", None, None, 1]
    assert bob("GET", path).status_code == 404


def test_protocol_thread_belongs_to_caller(alice: SampleUser, bob: SampleUser) -> None:
    forged = {"metadata": {"owner": "bob", "tenant": "globex"}}
    command, context = str(uuid.uuid4()), str(uuid.uuid4())
    start = {"id": 1, "method": "run.start", "params": {**RUN, **forged, "config": forged}}
    assert alice("POST", f"/threads/{command}/commands", start).json()["type"] == "success"
    said = {"messageId": "1", "role": "ROLE_USER", "parts": [{"kind": "text", "text": "hello"}], "contextId": context}
    send = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": said, **forged}}
    assert "result" in alice("POST", f"/a2a/{CHAT}", send, accept="application/json").json()
    for thread in (command, context):
        stored = alice.metadata(f"/threads/{thread}")
        assert (stored["owner"], stored["tenant"]) == ("alice", "acme")
        assert bob("GET", f"/threads/{thread}").status_code == 404
