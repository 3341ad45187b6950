"""Who owns what, and that nobody can give it away, take it, or pass it off as the server's."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.permissions.decide import built_in_assistant
from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    from world.town import Somebody, Town

CHAT = built_in_assistant("chat")
RUN = {"assistant_id": "agent", "input": {"text": "hello"}}
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
def author(town: Town) -> Somebody:
    return town.person("author", *EVENTS)


def make(somebody: Somebody, kind: str, metadata: dict[str, Any]) -> Any:
    """Ask for a new object of a kind; the keys that a kind does not know are ignored by the server."""
    body = {"graph_id": "agent", "assistant_id": "agent", "schedule": "0 0 1 1 *", "metadata": metadata}
    unknown = {"threads": ("graph_id", "assistant_id", "schedule"), "assistants": ("assistant_id", "schedule")}
    return somebody("POST", f"/{kind}", {key: body[key] for key in body if key not in unknown.get(kind, ())})


def made(somebody: Somebody, kind: str, metadata: dict[str, Any]) -> str:
    """Make one; return its path."""
    return f"/{kind}/{make(somebody, kind, metadata).json()[KINDS[kind]]}"


@kinds
@forgeries
def test_what_is_created_belongs_to_its_creator_whatever_the_client_sent(
    author: Somebody, kind: str, key: str, value: object
) -> None:
    stored = author.metadata(made(author, kind, {key: value}))
    assert (stored["owner"], stored["tenant"]) == ("author", "acme")


@pytest.mark.parametrize("body", [{}, {"metadata": {}}, {"metadata": {"title": "plans"}}])
def test_the_stamp_survives_whatever_metadata_were_sent(alice: Somebody, body: dict[str, Any]) -> None:
    made = alice("POST", "/threads", body)
    assert made.json()["metadata"]["owner"] == "alice"


def test_reserved_keys_of_a_client_are_not_stored(alice: Somebody) -> None:
    stored = alice.metadata(alice.thread(authorized_until=9_999_999_999, oidc_auth_temporary=True, title="kept"))
    assert stored == {"owner": "alice", "tenant": "acme", "title": "kept"}


@kinds
@forgeries
def test_nobody_can_give_anything_away(author: Somebody, kind: str, key: str, value: object) -> None:
    path = made(author, kind, {})
    before = author.metadata(path)
    assert author("PATCH", path, {"metadata": {key: value}}).status_code == 403
    assert author.metadata(path) == before


@kinds
def test_a_change_writes_no_reserved_key(author: Somebody, kind: str) -> None:
    path = made(author, kind, {})
    before = author.metadata(path)
    forged = {"authorized_until": 9_999_999_999, "oidc_auth_temporary": True, "title": "new"}
    assert author("PATCH", path, {"metadata": forged}).status_code == 200
    after = author.metadata(path)
    assert after.pop("authorized_until", 0) < 9_999_999_999
    before.pop("authorized_until", None)
    assert after == {**before, "title": "new"}


def test_metadata_that_were_read_can_be_written_back(alice: Somebody) -> None:
    path = alice.thread(title="plans")
    patched = alice("PATCH", path, {"metadata": {**alice.metadata(path), "title": "new plans"}})
    assert patched.json()["metadata"] == {"owner": "alice", "tenant": "acme", "title": "new plans"}


@pytest.mark.parametrize("role", ["admin", "root"])
def test_an_administrator_changes_an_object_and_it_stays_its_owners(town: Town, alice: Somebody, role: str) -> None:
    path = alice.thread(title="plans")
    ada = town.person("ada", role)
    patched = ada("PATCH", path, {"metadata": {**ada.metadata(path), "title": "checked", "owner": "ada"}})
    assert patched.status_code == 200
    assert alice.metadata(path) == {"owner": "alice", "tenant": "acme", "title": "checked"}


@kinds
def test_nobody_passes_an_object_off_as_the_servers_own(author: Somebody, kind: str) -> None:
    system = {"created_by": "system"}
    assert make(author, kind, system).status_code == 403
    assert author("PATCH", made(author, kind, {}), {"metadata": system}).status_code == 403


def test_the_same_subject_in_another_tenant_owns_none_of_it(town: Town, alice: Somebody) -> None:
    path = alice.thread()
    for tenant in ("globex", None):
        elsewhere = town.person("alice", "editor", tenant=tenant)
        assert elsewhere("GET", path).status_code == 404
        assert path.rpartition("/")[2] not in {thread["thread_id"] for thread in elsewhere.search("threads")}


def test_without_a_tenant_there_is_no_wider_view_but_ones_own(town: Town, alice: Somebody) -> None:
    path = alice.thread()
    loner = town.person("loner", "editor", "admin", tenant=None)
    mine = loner.thread()
    assert loner.metadata(mine) == {"owner": "loner", "tenant": None}
    assert loner("GET", path).status_code == 404


def test_who_reads_wider_than_they_write_cannot_change_what_they_see(town: Town, alice: Somebody) -> None:
    path = alice.thread(title="plans")
    cora = town.person("cora", "colleague")
    assert cora("PATCH", path, {"metadata": {"title": "mine"}}).status_code == 404
    assert cora("DELETE", path).status_code == 404


def test_a_copy_is_ones_own_and_nobody_plants_one_in_anothers_list(town: Town, alice: Somebody) -> None:
    path = alice.thread(title="to be copied")
    copied = alice("POST", f"{path}/copy")
    assert copied.json()["metadata"]["owner"] == "alice"
    refused = town.person("cora", "colleague")("POST", f"{path}/copy")
    assert (refused.status_code, len(alice.search("threads", title="to be copied"))) == (403, 2)


def test_supersteps_create_a_thread_that_belongs_to_its_creator(alice: Somebody) -> None:
    body = {
        "supersteps": [{"updates": [{"values": {"text": "x"}, "as_node": "__input__"}]}],
        "metadata": {"owner": "m", "graph_id": "agent"},
    }
    made = alice("POST", "/threads", body)
    assert made.status_code == 200, made.text
    assert made.json()["metadata"]["owner"] == "alice"


def test_an_unknown_thread_made_by_a_run_belongs_to_the_runner(alice: Somebody, bob: Somebody) -> None:
    path = f"/threads/{uuid.uuid4()}"
    keys = {"owner": "bob", "tenant": "globex", "created_by": "system", "oidc_auth_temporary": True, "mark": 1}
    forged = {"metadata": keys}
    run = {**RUN, "if_not_exists": "create", **forged, "config": forged}
    assert alice("POST", f"{path}/runs/wait", run).json()["answer"] == "alice said hello"
    reserved = ("owner", "tenant", "created_by", "oidc_auth_temporary", "mark")
    assert [alice.metadata(path).get(key) for key in reserved] == ["alice", "acme", None, None, 1]
    assert bob("GET", path).status_code == 404


def test_a_thread_that_a_protocol_makes_belongs_to_the_caller(alice: Somebody, bob: Somebody) -> None:
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
