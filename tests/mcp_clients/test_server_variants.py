"""The settings of langgraph.json that move the metadata documents or change who authenticates first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from mcp_clients.conftest import VARIANTS
from mcp_clients.page import cors_settings
from mcp_clients.server import AUDIENCE

from oidc_auth.cli.langgraph_json import EXPOSED_HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp_clients.clients import McpClient
    from mcp_clients.server import McpServer
    from real_providers.node_provider import NodeProvider

    Client = Callable[[str, McpServer], McpClient]
    Start = Callable[..., McpServer]

DENIED = -32003

WITH_KEYS = [name for name in VARIANTS if name != "no keys"]


# The other modules log in at the plain server.
@pytest.mark.parametrize("variant", WITH_KEYS[1:])
def test_login_works_with_each_setting(variant: str, client: Client, mcp_server: Start) -> None:
    server = mcp_server(variant)
    steps = [("list",), ("call", "other", {"text": "no"}), ("call", "agent", {"text": "yes"})]
    listed, denied, called = (session := client("python", server).run(*steps)).results
    assert listed["tools"] == ["agent", "other"]
    assert denied["error"] == DENIED
    assert "alice" in called["text"]
    assert [login["resource"] for login in session.logins] == [server.mcp_url]


@pytest.mark.parametrize("variant", WITH_KEYS)
def test_denied_call_is_json_rpc_error(variant: str, mcp_server: Start, registry: NodeProvider) -> None:
    server = mcp_server(variant)
    token = registry.user_token("alice", "agents:read agents:run", resource=server.mcp_url)
    denied = server.send("tools/call", token, name="other", arguments={"text": "no"})
    assert denied.status_code == 403
    body = denied.json()
    assert (body["jsonrpc"], body["error"]["code"]) == ("2.0", DENIED)
    # No scope gives this graph, and a client that reads this error would start a login for each call.
    assert "insufficient_scope" not in denied.headers.get("www-authenticate", "")


@pytest.mark.parametrize("variant", WITH_KEYS)
def test_missing_scope_is_named_with_held_scope(variant: str, mcp_server: Start, registry: NodeProvider) -> None:
    server = mcp_server(variant)
    token = registry.user_token("alice", "agents:read", resource=server.mcp_url)
    denied = server.send("tools/call", token, name="agent", arguments={"text": "no"})
    challenge = denied.headers["www-authenticate"]
    assert denied.status_code == 403
    assert challenge.startswith("Bearer ")
    assert 'error="insufficient_scope"' in challenge
    assert f'resource_metadata="{server.public_url}/.well-known/oauth-protected-resource/mcp"' in challenge
    (scope,) = [part for part in challenge.split('"') if "agents:" in part and " " in part]
    assert set(scope.split()) == {"agents:read", "agents:run"}


@pytest.mark.parametrize("variant", WITH_KEYS)
def test_token_for_mcp_is_refused_elsewhere(variant: str, mcp_server: Start, registry: NodeProvider) -> None:
    server = mcp_server(variant)
    scopes = "agents:read agents:run"
    for_mcp = registry.user_token("alice", scopes, resource=server.mcp_url)
    for_rest = registry.user_token("alice", scopes, resource=AUDIENCE)
    assert [server.send("tools/list", token).status_code for token in (for_mcp, for_rest)] == [200, 200]
    address = f"{server.public_url}/assistants/search"
    answers = [
        httpx.post(address, json={}, headers={"authorization": f"Bearer {token}"}, trust_env=False)
        for token in (for_mcp, for_rest)
    ]
    assert [answer.status_code for answer in answers] == [401, 200]


def test_browser_can_read_challenges(mcp_server: Start, registry: NodeProvider) -> None:
    server = mcp_server("all three")
    cors = cors_settings()
    assert cors["expose_headers"] == list(EXPOSED_HEADERS)
    (origin,) = cors["allow_origins"]
    token = registry.user_token("alice", "agents:read", resource=server.mcp_url)
    unauthenticated = server.send("tools/list", origin=origin)
    denied = server.send("tools/call", token, origin=origin, name="agent", arguments={})
    assert [answer.status_code for answer in (unauthenticated, denied)] == [401, 403]
    for answer in (unauthenticated, denied):
        assert answer.headers["access-control-allow-origin"] == origin
        assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]
        assert "resource_metadata" in answer.headers["www-authenticate"]
