"""A LangGraph server with the web application, which trusts a real provider."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from kit.uvicorn_server import environment_for, running_uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

WEB_APP = "oidc_auth.web:app"
AUDIENCE = "https://agents.example/api"
PROTOCOL_VERSION = "2025-11-25"

ROLES = {
    "reader": ["assistants:read"],
    # A tool that no scope can give: a denial of it must not start a login.
    "runner": {"permissions": ["threads:create_run"], "graphs": ["agent"]},
}
SCOPES = {"claim": "scope", "values": {"agents:read": ["reader"], "agents:run": ["runner"]}}


@dataclass(frozen=True)
class McpServer:
    """A running server.

    Attributes:
        public_url: Its address with the mount prefix.
        log: The file with its output.
    """

    public_url: str
    log: Path

    @property
    def mcp_url(self) -> str:
        """The address of the MCP endpoint."""
        return f"{self.public_url}/mcp"

    def send(self, method: str, token: str = "", *, origin: str = "", **parameters: Any) -> httpx.Response:
        """Send one JSON-RPC request, without an MCP client."""
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": PROTOCOL_VERSION}
        if origin:
            headers["origin"] = origin
        if token:
            headers["authorization"] = f"Bearer {token}"
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        return httpx.post(self.mcp_url, json=message, headers=headers, timeout=20, trust_env=False)


@contextmanager
def running_server(
    folder: Path, issuer: Mapping[str, Any], port: int, http: Mapping[str, Any] | None = None
) -> Iterator[McpServer]:
    """Run a server.

    Args:
        folder: An empty folder.
        issuer: The ``[[issuer]]`` table.
        port: A free port.
        http: The ``http`` table of langgraph.json, without ``app``.
    """
    http = {"app": WEB_APP, **(http or {})}
    public_url = f"http://127.0.0.1:{port}{http.get('mount_prefix', '')}"
    tables = {"issuer": issuer, "roles": ROLES, "web": {"public_url": public_url}}
    with running_uvicorn(folder, environment_for(folder, tables, **http), port=port):
        yield McpServer(public_url, folder / "server.log")
