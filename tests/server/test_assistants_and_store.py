"""Assistants: the built-in ones are everybody's. The store: a namespace is its owner's, whatever the client names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from world.server import GRAPHS

from oidc_auth import store_label

if TYPE_CHECKING:
    from world.town import Somebody, Town


def put(person: Somebody, namespace: list[str], key: str = "k", value: Any = None) -> Any:
    return person("PUT", "/store/items", {"namespace": namespace, "key": key, "value": value or {"x": 1}}).status_code


def get(person: Somebody, namespace: str, key: str = "k") -> Any:
    return person("GET", f"/store/items?{urlencode({'namespace': namespace, 'key': key})}").json()


def namespaces(person: Somebody, **body: Any) -> list[list[str]]:
    found = person("POST", "/store/namespaces", body).json()
    listed: list[list[str]] = found.get("namespaces", found) if isinstance(found, dict) else found
    return listed


def test_creating_an_assistant_needs_its_own_permission(town: Town, alice: Somebody) -> None:
    author = town.person("author", "author")
    made = author("POST", "/assistants", {"graph_id": "agent", "metadata": {"owner": "alice"}})
    assert (made.status_code, made.json()["metadata"]["owner"]) == (200, "author")
    assert alice("POST", "/assistants", {"graph_id": "agent"}).status_code == 403


def test_built_in_assistants_are_everybodys_and_own_ones_ones_own(town: Town, alice: Somebody) -> None:
    author = town.person("author", "author")
    mine = author("POST", "/assistants", {"graph_id": "agent"}).json()["assistant_id"]
    assert {a["graph_id"] for a in alice.search("assistants")} == set(GRAPHS)
    assert mine not in {a["assistant_id"] for a in alice.search("assistants")}
    for below in ("", "/schemas", "/graph"):
        assert alice("GET", f"/assistants/{mine}{below}").status_code == 404
        assert author("GET", f"/assistants/{mine}{below}").status_code == 200
    assert alice("POST", "/runs", {"assistant_id": mine, "input": {}}).status_code == 404


def test_built_in_assistants_are_changed_by_nobody_who_does_not_reach_them(town: Town) -> None:
    (built_in, *_) = town.person("author", "author").search("assistants", created_by="system")
    path = f"/assistants/{built_in['assistant_id']}"
    assert town.person("author", "author")("PATCH", path, {"name": "mine"}).status_code == 404
    assert town.person("ada", "admin")("DELETE", path).status_code == 404


def test_an_assistant_can_be_deleted_by_its_owner_with_assistant_rights_alone(town: Town) -> None:
    town.enforce(issuer=[{"issuer": town.issuer.url, "audience": "agents", "grant": only("assistants:write")}])
    author = town.server
    bearer = town.issuer.token(scope="assistants:write")
    made = author.ask("POST", "/assistants", bearer, {"graph_id": "agent"}).json()["assistant_id"]
    assert author.ask("DELETE", f"/assistants/{made}", bearer).status_code in (200, 204)


def only(*names: str) -> dict[str, Any]:
    return {"claim": "scope", "accept": list(names)}


def test_the_same_namespace_and_key_are_two_places_for_two_people(alice: Somebody, bob: Somebody) -> None:
    assert put(alice, ["notes"], value={"secret": "alice"}) == 204
    assert get(bob, "notes") is None
    assert get(alice, "notes")["value"] == {"secret": "alice"}


def test_a_namespace_that_the_server_returned_can_be_sent_back(alice: Somebody) -> None:
    put(alice, ["echo"])
    returned = get(alice, "echo")["namespace"]
    assert get(alice, ".".join(returned))["namespace"] == returned


@pytest.mark.parametrize("prefix", [None, [], ["*"], ["*", "notes"]])
def test_listing_namespaces_shows_ones_own_only(alice: Somebody, bob: Somebody, prefix: list[str] | None) -> None:
    put(alice, ["notes"])
    put(bob, ["notes"])
    body = {} if prefix is None else {"prefix": prefix}
    assert {found[0] for found in namespaces(bob, **body)} <= {label("bob")}


def test_nobody_reaches_a_store_by_the_label_of_another(alice: Somebody, bob: Somebody) -> None:
    put(alice, ["notes"])
    assert get(bob, f"{label('alice')}.notes") is None
    assert bob("POST", "/store/items/search", {"namespace_prefix": [label("alice")]}).json()["items"] == []


def test_only_everybodys_administrator_reaches_another_store(town: Town, alice: Somebody) -> None:
    put(alice, ["notes"], value={"secret": "alice"})
    root, ada = town.person("root", "root"), town.person("ada", "admin")
    assert get(root, f"{label('alice')}.notes")["value"] == {"secret": "alice"}
    assert get(ada, f"{label('alice')}.notes") is None


def test_a_promoted_and_demoted_user_keeps_their_store(town: Town) -> None:
    assert put(town.person("paul", "editor"), ["notes"], value={"v": 1}) == 204
    for role in ("admin", "root", "viewer"):
        assert get(town.person("paul", role), "notes")["value"] == {"v": 1}


def test_addresses_that_are_wildcards_of_each_other_share_no_store(town: Town) -> None:
    john, j = town.person("john.smith@x.com", "editor"), town.person("j.smith@x.com", "editor")
    under, percent = town.person("j_smith@x.com", "editor"), town.person("j%smith@x.com", "editor")
    put(john, ["notes"], value={"secret": "john"})
    for stranger in (j, under, percent):
        assert get(stranger, "notes") is None
        assert stranger("POST", "/store/items/search", {"namespace_prefix": []}).json()["items"] == []


def test_the_same_person_in_two_tenants_has_two_stores(town: Town) -> None:
    put(town.person("tina", "editor", tenant="acme"), ["notes"])
    assert get(town.person("tina", "editor", tenant="globex"), "notes") is None


def test_what_a_node_remembers_under_the_label_its_user_finds(town: Town, bob: Somebody) -> None:
    nora = town.person("nora", "editor")
    nora("POST", "/runs/wait", {"assistant_id": "agent", "input": {"text": "remember"}})
    assert get(nora, "said", "last")["value"] == {"text": "remember"}
    assert get(bob, "said", "last") != {"text": "remember"}


def label(name: str, tenant: str = "acme") -> str:
    return store_label({"identity": name, "tenant": tenant})
