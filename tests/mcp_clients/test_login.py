"""Real MCP clients log in and call tools: 401, RFC 9728, RFC 8414, registration, PKCE, tools/list, tools/call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mcp_clients.clients import CLIENTS, McpClient
from mcp_clients.conftest import CLIENT_METADATA_URL
from mcp_clients.page import assert_on_page
from real_providers.keycloak.realm import decoded

from oidc_auth.errors import ERROR_DETAILS, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp_clients.server import McpServer

    Client = Callable[[str, McpServer], McpClient]
    Start = Callable[..., McpServer]

pytestmark = pytest.mark.parametrize("name", CLIENTS)


def test_page_program_registers_and_calls_tool(name: str, client: Client, mcp_server: Start) -> None:
    server = mcp_server()
    session = client(name, server).run_page()
    tools, answer = session.output.splitlines()[-2:]
    assert [tool for tool in ("agent", "other") if tool in tools] == ["agent", "other"]
    assert "alice said" in answer
    (login,) = session.logins
    assert login["resource"] == server.mcp_url
    assert login["code_challenge_method"] == "S256"
    assert {"agents:read", "agents:run"} <= set(login["scope"].split())


def test_metadata_document_client_survives_denial(name: str, client: Client, mcp_server: Start) -> None:
    server = mcp_server()
    steps = [("list",), ("call", "other", {"text": "no"}), ("call", "agent", {"text": "yes"})]
    session = client(name, server).run(*steps, client_metadata_url=CLIENT_METADATA_URL)
    listed, denied, called = session.results
    assert listed["tools"] == ["agent", "other"]
    # The TypeScript SDK reports the status, the others the code of the JSON-RPC error.
    assert denied["error"] in (403, -32003)
    assert ERROR_DETAILS[ErrorCode.GRAPH_NOT_ALLOWED].client_message in denied["message"]
    assert "alice" in called["text"]
    assert decoded(called["token"])[1]["aud"] == server.mcp_url
    assert [login["client_id"] for login in session.logins] == [CLIENT_METADATA_URL]


def test_other_address_than_public_url_is_refused(name: str, tmp_path: Path, mcp_server: Start) -> None:
    url = mcp_server().mcp_url.replace("127.0.0.1", "localhost")
    session = McpClient(name, url, tmp_path).fail()
    assert session.logins == []
    assert_on_page("does not match expected", session)
