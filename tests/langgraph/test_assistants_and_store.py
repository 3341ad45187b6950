"""All users can use the built-in assistants. A store namespace belongs to its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from kit.server import GRAPHS

from oidc_auth import store_label

if TYPE_CHECKING:
    from kit.live_server import LiveServer, SampleUser


def put(person: SampleUser, namespace: list[str], key: str = "k", value: Any = None) -> Any:
    return person("PUT", "/store/items", {"namespace": namespace, "key": key, "value": value or {"x": 1}}).status_code


def get(person: SampleUser, namespace: str, key: str = "k") -> Any:
    return person("GET", f"/store/items?{urlencode({'namespace': namespace, 'key': key})}").json()


def namespaces(person: SampleUser, **body: Any) -> list[list[str]]:
    found = person("POST", "/store/namespaces", body).json()
    listed: list[list[str]] = found.get("namespaces", found) if isinstance(found, dict) else found
    return listed


def test_assistant_creation_needs_permission(live_server: LiveServer, alice: SampleUser) -> None:
    author = live_server.user("author", "author")
    made = author("POST", "/assistants", {"graph_id": "agent", "metadata": {"owner": "alice"}})
    assert (made.status_code, made.json()["metadata"]["owner"]) == (200, "author")
    assert alice("POST", "/assistants", {"graph_id": "agent"}).status_code == 403


def test_built_in_assistants_are_shared(live_server: LiveServer, alice: SampleUser) -> None:
    author = live_server.user("author", "author")
    mine = author("POST", "/assistants", {"graph_id": "agent"}).json()["assistant_id"]
    found = alice("POST", "/assistants/search", {"limit": 1000}).json()
    assert {a["graph_id"] for a in found} == set(GRAPHS)
    assert mine not in {a["assistant_id"] for a in found}
    for below in ("", "/schemas", "/graph"):
        assert alice("GET", f"/assistants/{mine}{below}").status_code == 404
        assert author("GET", f"/assistants/{mine}{below}").status_code == 200
    assert alice("POST", "/runs", {"assistant_id": mine, "input": {}}).status_code == 404


def test_built_in_assistants_need_reach_to_change(live_server: LiveServer) -> None:
    (built_in, *_) = live_server.user("author", "author").search("assistants", created_by="system")
    path = f"/assistants/{built_in['assistant_id']}"
    assert live_server.user("author", "author")("PATCH", path, {"name": "mine"}).status_code == 404
    assert live_server.user("ada", "admin")("DELETE", path).status_code == 404


def test_owner_deletes_assistant_with_assistant_rights(live_server: LiveServer) -> None:
    live_server.enforce(
        issuer=[{"issuer": live_server.issuer.url, "audience": "agents", "permission_map": only("assistants:write")}]
    )
    author = live_server.server
    bearer = live_server.issuer.token(scope="assistants:write")
    made = author.request("POST", "/assistants", bearer, {"graph_id": "agent"}).json()["assistant_id"]
    assert author.request("DELETE", f"/assistants/{made}", bearer).status_code in (200, 204)


def only(*names: str) -> dict[str, Any]:
    return {"claim": "scope", "accept": list(names)}


def test_same_namespace_is_separate_per_user(alice: SampleUser, bob: SampleUser) -> None:
    assert put(alice, ["notes"], value={"secret": "alice"}) == 204
    assert get(bob, "notes") is None
    assert get(alice, "notes")["value"] == {"secret": "alice"}


def test_returned_namespace_can_be_sent_back(alice: SampleUser) -> None:
    put(alice, ["echo"])
    returned = get(alice, "echo")["namespace"]
    assert get(alice, ".".join(returned))["namespace"] == returned


@pytest.mark.parametrize("prefix", [None, [], ["*"], ["*", "notes"]])
def test_namespace_listing_shows_own_only(alice: SampleUser, bob: SampleUser, prefix: list[str] | None) -> None:
    put(alice, ["notes"])
    put(bob, ["notes"])
    body = {} if prefix is None else {"prefix": prefix}
    assert {found[0] for found in namespaces(bob, **body)} <= {label("bob")}


def test_other_users_label_gives_no_access(alice: SampleUser, bob: SampleUser) -> None:
    put(alice, ["notes"])
    assert get(bob, f"{label('alice')}.notes") is None
    assert bob("POST", "/store/items/search", {"namespace_prefix": [label("alice"), "notes"]}).json()["items"] == []


def test_only_all_reach_opens_other_stores(live_server: LiveServer, alice: SampleUser) -> None:
    put(alice, ["notes"], value={"secret": "alice"})
    root, ada = live_server.user("root", "root"), live_server.user("ada", "admin")
    assert get(root, f"{label('alice')}.notes")["value"] == {"secret": "alice"}
    assert get(ada, f"{label('alice')}.notes") is None


def test_promoted_user_keeps_store(live_server: LiveServer) -> None:
    assert put(live_server.user("paul", "editor"), ["notes"], value={"v": 1}) == 204
    for role in ("admin", "root", "viewer"):
        assert get(live_server.user("paul", role), "notes")["value"] == {"v": 1}


def test_wildcard_identities_share_no_store(live_server: LiveServer) -> None:
    john, j = live_server.user("john.smith@x.com", "editor"), live_server.user("j.smith@x.com", "editor")
    under, percent = live_server.user("j_smith@x.com", "editor"), live_server.user("j%smith@x.com", "editor")
    put(john, ["notes"], value={"secret": "john"})
    for other_user in (j, under, percent):
        assert get(other_user, "notes") is None
        assert other_user("POST", "/store/items/search", {"namespace_prefix": []}).json()["items"] == []


def test_same_user_in_two_tenants_has_two_stores(live_server: LiveServer) -> None:
    put(live_server.user("tina", "editor", tenant="acme"), ["notes"])
    assert get(live_server.user("tina", "editor", tenant="globex"), "notes") is None


def test_node_and_user_share_store_label(live_server: LiveServer, bob: SampleUser) -> None:
    nora = live_server.user("nora", "editor")
    nora("POST", "/runs/wait", {"assistant_id": "agent", "input": {"text": "remember"}})
    assert get(nora, "said", "last")["value"] == {"text": "remember"}
    assert get(bob, "said", "last") != {"text": "remember"}


def label(name: str, tenant: str = "acme") -> str:
    return store_label({"identity": name, "tenant": tenant})
