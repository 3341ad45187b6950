"""Who owns what, and that nobody can give it away, take it, or pass it off as the server's."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from world.town import Somebody, Town

RUN = {"assistant_id": "agent", "input": {"text": "hello"}}
FORGERIES: list[tuple[str, Any]] = [
    ("owner", "mallory"),
    ("owner", None),
    ("owner", ["alice", "mallory"]),
    ("owner", 7),
    ("tenant", "globex"),
    ("tenant", None),
]


@pytest.mark.parametrize(("key", "value"), FORGERIES)
def test_a_created_thread_belongs_to_its_creator_whatever_the_client_sent(
    alice: Somebody, key: str, value: object
) -> None:
    stored = alice.metadata(alice.thread(**{key: value}))
    assert (stored["owner"], stored["tenant"]) == ("alice", "acme")


@pytest.mark.parametrize("body", [{}, {"metadata": {}}, {"metadata": {"title": "plans"}}])
def test_the_stamp_survives_whatever_metadata_were_sent(alice: Somebody, body: dict[str, Any]) -> None:
    made = alice("POST", "/threads", body)
    assert made.json()["metadata"]["owner"] == "alice"


def test_reserved_keys_of_a_client_are_not_stored(alice: Somebody) -> None:
    stored = alice.metadata(alice.thread(authorized_until=9_999_999_999, oidc_auth_temporary=True, title="kept"))
    assert stored == {"owner": "alice", "tenant": "acme", "title": "kept"}


@pytest.mark.parametrize(("key", "value"), FORGERIES)
def test_nobody_can_give_a_thread_away(alice: Somebody, key: str, value: object) -> None:
    path = alice.thread()
    assert alice("PATCH", path, {"metadata": {key: value}}).status_code == 403
    assert alice.metadata(path) == {"owner": "alice", "tenant": "acme"}


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


@pytest.mark.parametrize("resource", ["threads", "assistants"])
def test_nobody_passes_an_object_off_as_the_servers_own(town: Town, resource: str) -> None:
    author = town.person("author", "author")
    forged = {"graph_id": "agent", "metadata": {"created_by": "system"}}
    honest = {"graph_id": "agent", "metadata": {}}
    assert author("POST", f"/{resource}", forged).status_code == 403
    made = author("POST", f"/{resource}", honest).json()
    path = f"/{resource}/{made.get('assistant_id') or made.get('thread_id')}"
    assert author("PATCH", path, {"metadata": {"created_by": "system"}}).status_code == 403


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
    forged = {"metadata": {"owner": "bob", "tenant": "globex"}}
    run = {**RUN, "if_not_exists": "create", **forged, "config": forged}
    assert alice("POST", f"{path}/runs/wait", run).json()["answer"] == "alice said hello"
    assert alice.metadata(path)["owner"] == "alice"
    assert bob("GET", path).status_code == 404
