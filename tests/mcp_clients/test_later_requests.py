"""What real MCP clients do with a token that they already have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mcp_clients.clients import CLIENTS
from mcp_clients.conftest import LEEWAY
from mcp_clients.page import assert_on_page
from real_providers.keycloak.realm import decoded
from real_providers.relying_party import OTHER_AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcp_clients.clients import McpClient
    from mcp_clients.server import McpServer
    from real_providers.node_provider import NodeProvider

    Client = Callable[[str, McpServer], McpClient]
    Start = Callable[..., McpServer]

ALL_SCOPES = {"agents:read", "agents:run"}
LIST, CALL = ("list",), ("call", "agent", {"text": "hello"})

clients = pytest.mark.parametrize("name", CLIENTS)


@clients
def test_denial_starts_login_for_missing_scope(
    name: str, client: Client, mcp_server: Start, registry: NodeProvider
) -> None:
    server = mcp_server()
    token = registry.user_token("alice", "agents:read", resource=server.mcp_url)
    session = client(name, server).run(LIST, CALL, LIST, token=token, scope="agents:read")
    before, called, after = session.results
    assert before["tools"] == after["tools"] == ["agent", "other"]
    assert "alice" in called["text"]
    (login,) = session.logins
    # A client may ask only for what the challenge names, so that names the scope that the token has, too.
    assert set(login["scope"].split()) >= ALL_SCOPES


@clients
def test_token_for_other_api_starts_login(name: str, client: Client, mcp_server: Start, registry: NodeProvider) -> None:
    server = mcp_server()
    token = registry.user_token("alice", "agents:read agents:run", resource=OTHER_AUDIENCE)
    session = client(name, server).run(CALL, token=token, scope="agents:read agents:run")
    (called,) = session.results
    assert "alice" in called["text"]
    assert decoded(called["token"])[1]["aud"] == server.mcp_url
    assert len(session.logins) == 1


@pytest.fixture
def short_lived(registry: NodeProvider) -> Iterator[int]:
    """Let new access tokens expire soon, and return their life in seconds."""
    registry.set_ttl(2)
    yield 2
    registry.set_ttl(300)


@clients
def test_expired_token_is_refreshed_without_login(
    name: str, client: Client, mcp_server: Start, short_lived: int
) -> None:
    # The TypeScript SDK waits for a 401. The others refresh a token that the server still accepts.
    expired = short_lived + (LEEWAY if name == "typescript" else 0)
    session = client(name, mcp_server()).run(CALL, ("wait", expired + 0.2), CALL)
    first, _, second = session.results
    assert all("alice" in called["text"] for called in (first, second))
    assert decoded(first["token"])[1]["exp"] < decoded(second["token"])[1]["exp"]
    assert len(session.logins) == 1


@clients
def test_unavailable_keys_start_no_login(name: str, client: Client, mcp_server: Start, registry: NodeProvider) -> None:
    # A port of a server that never answers: the discard service is not on this machine.
    server = mcp_server("no keys", jwks_uri="http://127.0.0.1:9/keys")
    token = registry.user_token("alice", "agents:read", resource=server.mcp_url)
    answer = server.send("tools/list", token)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert "www-authenticate" not in answer.headers
    session = client(name, server).fail(token=token, scope="agents:read")
    assert session.logins == []
    assert_on_page("keys_unavailable" if name == "typescript" else "Server returned an error response", session)
