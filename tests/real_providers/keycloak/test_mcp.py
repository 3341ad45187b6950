"""MCP clients log in at Keycloak: with a client that the administrator registered, or one that registers itself.

Keycloak ignores the parameter ``resource`` (RFC 8707), so a mapper adds the address of the MCP endpoint to ``aud``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from kit.requirements import skip_or_fail
from mcp_clients.clients import CLIENTS, McpClient
from mcp_clients.install import missing_clients
from mcp_clients.server import AUDIENCE, SCOPES, McpServer, running_server
from real_providers.keycloak.realm import created, decoded

from oidc_auth.cli.dev_server import _free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from real_providers.keycloak.realm import Realm

CLIENT_ID = "agents-mcp"
REDIRECT_URI = "http://127.0.0.1/callback"
# No scope gives a permission here, which is the usual setup of a realm.
ROLES = {"claim": "realm_access.roles", "values": {"agent-user": ["threads:create_run", "assistants:read"]}}
STEPS = [("list",), ("call", "agent", {"text": "hello"})]
REGISTRATION = "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy"


@pytest.fixture(scope="session", autouse=True)
def _installed() -> None:
    required = "mcp" in os.environ.get("OIDC_AUTH_REQUIRE", "").split(",")
    skip_or_fail("mcp", missing_clients(may_download=required))


@pytest.fixture(scope="module")
def by_roles(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpServer]:
    """Run a server that maps roles, and register a client at Keycloak."""
    with running_server(tmp_path_factory.mktemp("server"), issuer(realm, ROLES), _free_port()) as server:
        client = {
            "clientId": CLIENT_ID,
            "publicClient": True,
            "redirectUris": [REDIRECT_URI],
            "attributes": {"pkce.code.challenge.method": "S256"},
            "protocolMappers": [audience_mapper(server)],
        }
        path = f"/clients/{created(realm.admin('POST', '/clients', client))}"
        yield server
        realm.admin("DELETE", path)


@pytest.fixture
def by_scopes(realm: Realm, tmp_path: Path) -> Iterator[McpServer]:
    """Run a server that maps scopes, and let clients register at Keycloak."""
    (hosts,) = (
        component
        for component in realm.admin("GET", "/components", type=REGISTRATION).json()
        if component["name"] == "Trusted Hosts"
    )
    (tmp_path / "server").mkdir()
    with running_server(tmp_path / "server", issuer(realm, SCOPES), _free_port()) as server:
        realm.change(f"/components/{hosts['id']}", config={"trusted-hosts": ["127.0.0.1"]})
        # A client that registers with scopes gets only these, so one of them adds the audience.
        made = [add_scope(realm, "agents:read", audience_mapper(server)), add_scope(realm, "agents:run")]
        yield server
        for path in made:
            realm.admin("DELETE", path)
        realm.change(f"/components/{hosts['id']}", config={"trusted-hosts": []})


def issuer(realm: Realm, permission_map: dict[str, Any]) -> dict[str, Any]:
    return {"preset": "keycloak", "url": realm.issuer, "audience": AUDIENCE, "permission_map": permission_map}


def audience_mapper(server: McpServer) -> dict[str, Any]:
    return {
        "name": "mcp-audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": server.mcp_url, "access.token.claim": "true", "id.token.claim": "false"},
    }


def add_scope(realm: Realm, name: str, *mappers: dict[str, Any]) -> str:
    """Create an optional client scope of the realm, and return its path."""
    scope = {
        "name": name,
        "protocol": "openid-connect",
        "protocolMappers": [*mappers],
        "attributes": {"include.in.token.scope": "true"},
    }
    made = created(realm.admin("POST", "/client-scopes", scope))
    realm.admin("PUT", f"/default-optional-client-scopes/{made}")
    return f"/client-scopes/{made}"


@pytest.mark.parametrize("name", CLIENTS)
def test_registered_client_calls_tool(name: str, by_roles: McpServer, tmp_path: Path) -> None:
    session = McpClient(name, by_roles.mcp_url, tmp_path).run(*STEPS, client_id=CLIENT_ID)
    listed, called = session.results
    assert listed["tools"] == ["agent", "other"]
    assert "said hello" in called["text"]
    assert by_roles.mcp_url in decoded(called["token"])[1]["aud"]
    assert [login["client_id"] for login in session.logins] == [CLIENT_ID]


def test_client_registers_itself_and_calls_tool(by_scopes: McpServer, tmp_path: Path) -> None:
    session = McpClient("python", by_scopes.mcp_url, tmp_path).run(*STEPS)
    listed, called = session.results
    assert listed["tools"] == ["agent", "other"]
    assert "said hello" in called["text"]
    assert decoded(called["token"])[1]["aud"] == by_scopes.mcp_url
