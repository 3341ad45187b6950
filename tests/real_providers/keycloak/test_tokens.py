"""Tokens of a real Keycloak on the real LangGraph server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from real_providers.keycloak.realm import AUDIENCE_MAPPER, decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from real_providers.keycloak.conftest import Guarded
    from real_providers.keycloak.realm import Realm

RUN = {"assistant_id": "agent", "input": {"text": "hello"}}
ALICE = "00000000-0000-4000-8000-000000000001"


def test_service_account_creates_thread_and_runs(guarded: Guarded, realm: Realm) -> None:
    token = realm.machine()
    header, claims = decoded(token)
    assert (header["alg"], claims["preferred_username"]) == ("RS256", "service-account-agents-worker")
    made = guarded.request("POST", "/threads", token, {})
    assert (made.status_code, made.json()["metadata"]) == (200, {"owner": claims["sub"]})
    ran = guarded.request("POST", f"/threads/{made.json()['thread_id']}/runs/wait", token, RUN)
    assert ran.json()["answer"] == f"{claims['sub']} said hello"


def test_login_and_direct_grant_give_same_user(guarded: Guarded, realm: Realm) -> None:
    by_pages, by_grant = realm.login("alice")["access_token"], realm.user("alice")
    assert [decoded(token)[1]["azp"] for token in (by_pages, by_grant)] == ["agents-web", "agents-cli"]
    made = guarded.request("POST", "/threads", by_pages, {})
    assert made.json()["metadata"] == {"owner": ALICE}
    thread = f"/threads/{made.json()['thread_id']}"
    assert guarded.request("GET", thread, by_grant).json()["metadata"] == {"owner": ALICE}
    assert guarded.request("GET", thread, realm.user("bob")).status_code == 404


def test_roles_give_only_mapped_permissions(guarded: Guarded, realm: Realm) -> None:
    alice, victor = realm.user("alice"), realm.user("victor")
    assert (guarded.create(alice), guarded.create(victor)) == (200, 403)
    # Victor's threads:read is a role of the client langgraph-api.
    assert guarded.request("POST", "/threads/search", victor, {}).status_code == 200
    guarded.configure(permission_map=[{"claim": "realm_access.roles", "values": {"agent-admin": ["threads:write"]}}])
    assert (guarded.create(alice), guarded.create(realm.user("ada"))) == (403, 200)


@pytest.fixture
def dotted_client(realm: Realm) -> Iterator[str]:
    """Create ``langgraph.api`` with a role of bob. Because of the role, his tokens name the client."""
    client = realm.add_client("langgraph.api")
    realm.admin("POST", f"{client}/roles", {"name": "threads:write"})
    role = realm.admin("GET", f"{client}/roles/threads:write").json()
    realm.admin("POST", f"{realm.person('bob')}/role-mappings{client}", [role])
    yield "langgraph.api"
    realm.admin("DELETE", client)


def test_dotted_client_id_is_quoted_in_path(guarded: Guarded, realm: Realm, dotted_client: str) -> None:
    bob = realm.user("bob")
    assert decoded(bob)[1]["resource_access"][dotted_client] == {"roles": ["threads:write"]}
    statuses = []
    for path in (f'resource_access."{dotted_client}".roles', f"resource_access.{dotted_client}.roles"):
        guarded.configure(audience=dotted_client, permission_map=[{"claim": path, "accept": ["threads:*"]}])
        statuses.append(guarded.create(bob))
    assert statuses == [200, 403]


def test_group_is_full_path(guarded: Guarded, realm: Realm) -> None:
    alice = realm.user("alice")
    assert decoded(alice)[1]["groups"] == ["/eng/platform"]
    statuses = {}
    for group in ("/eng/platform", "/eng/*", "platform", "/eng"):
        guarded.configure(permission_map=[{"claim": "groups", "values": {group: ["threads:write"]}}])
        statuses[group] = guarded.create(alice)
    assert statuses == {"/eng/platform": 200, "/eng/*": 200, "platform": 403, "/eng": 403}


@pytest.fixture
def two_memberships(realm: Realm) -> Iterator[None]:
    """Make bob a member of sales and of research."""
    (research,) = realm.admin("GET", "/organizations", search="research").json()
    bob = realm.person("bob").rpartition("/")[2]
    realm.admin("POST", f"/organizations/{research['id']}/members", bob)
    yield
    realm.admin("DELETE", f"/organizations/{research['id']}/members/{bob}")


def test_two_organizations_need_explicit_choice(guarded: Guarded, realm: Realm, two_memberships: None) -> None:
    scopes = ("openid organization", "openid organization:*", "openid organization:research")
    tokens = [realm.user("bob", scope=scope) for scope in scopes]
    claims = [decoded(token)[1].get("organization") for token in tokens]
    assert [claim and sorted(claim) for claim in claims] == [None, ["research", "sales"], ["research"]]
    assert tenants(guarded, *tokens) == [None, None, "research"]


@pytest.fixture
def detailed_organizations(realm: Realm) -> Iterator[None]:
    """Configure Keycloak to write an organization as an object with its ID, and not as a name in a list."""
    scope = realm.scope("organization")
    path = f"/client-scopes/{scope['id']}/protocol-mappers/models/{scope['protocolMappers'][0]['id']}"
    realm.change(path, config={"addOrganizationId": "true"})
    yield
    realm.change(path, config={"addOrganizationId": "false"})


def tenants(guarded: Guarded, *tokens: str) -> list[Any]:
    """Return the tenant that is stored for the thread of each caller."""
    guarded.configure(tenant={"claim": "organization", "object_keys": True})
    return [guarded.request("POST", "/threads", token, {}).json()["metadata"]["tenant"] for token in tokens]


def test_organization_is_tenant_when_present(guarded: Guarded, realm: Realm) -> None:
    alice, bob = (realm.user(name, scope="openid organization") for name in ("alice", "bob"))
    assert decoded(alice)[1]["organization"] == ["research"]
    assert tenants(guarded, alice, bob, realm.user("alice")) == ["research", "sales", None]


def test_detailed_organization_is_same_tenant(guarded: Guarded, realm: Realm, detailed_organizations: None) -> None:
    alice = realm.login("alice", scope="openid organization")["access_token"]
    assert list(decoded(alice)[1]["organization"]["research"]) == ["id"]
    assert tenants(guarded, alice) == ["research"]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "PS256", "EdDSA"])
def test_client_may_sign_with_any_key_pair(
    guarded: Guarded, realm: Realm, add_client: Callable[..., None], algorithm: str
) -> None:
    add_client(f"agents-{algorithm}", AUDIENCE_MAPPER, attributes={"access.token.signed.response.alg": algorithm})
    guarded.configure(permission_map=[{"claim": "azp", "values": {f"agents-{algorithm}": ["threads:write"]}}])
    token = realm.machine(f"agents-{algorithm}")
    assert decoded(token)[0]["alg"] == algorithm
    assert guarded.create(token) == 200


def test_strict_rfc9068_accepts_only_at_jwt(guarded: Guarded, realm: Realm, add_client: Callable[..., None]) -> None:
    add_client("agents-9068", AUDIENCE_MAPPER, attributes={"access.token.header.type.rfc9068": "true"})
    granted = [{"claim": "azp", "values": {"agents-*": ["threads:write"]}}]
    tokens = [realm.machine(name) for name in ("agents-9068", "agents-worker")]
    assert [decoded(token)[0]["typ"] for token in tokens] == ["at+jwt", "JWT"]
    statuses = []
    for strict in (False, True):
        guarded.configure(permission_map=granted, strict_rfc9068=strict)
        statuses.append([guarded.create(token) for token in tokens])
    assert statuses == [[200, 200], [200, 401]]
