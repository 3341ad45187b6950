"""A provider where clients can register, servers that trust it, and the MCP clients."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from kit.node_packages import install_packages
from kit.requirements import skip_or_fail
from mcp_clients.clients import McpClient
from mcp_clients.install import TYPESCRIPT, install_python, missing_clients
from mcp_clients.page import cors_settings
from mcp_clients.server import AUDIENCE, SCOPES, McpServer, running_server
from real_providers.node_provider import NodeProvider

from oidc_auth.cli.dev_server import _free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LEEWAY = 2
CLIENT_METADATA_URL = "https://client.example/oauth/client.json"
CLIENT_METADATA = {
    "client_id": CLIENT_METADATA_URL,
    "client_name": "My client",
    "application_type": "native",
    "redirect_uris": ["http://127.0.0.1/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}
# A later server listens on one of these ports, because a provider must know its resources when it starts.
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "mount_prefix": {"mount_prefix": "/lg/v1"},
    "custom route auth, auth first": {"enable_custom_route_auth": True, "middleware_order": "auth_first"},
    "all three": {
        "mount_prefix": "/lg/v1",
        "enable_custom_route_auth": True,
        "middleware_order": "auth_first",
        "cors": cors_settings(),
    },
    "no keys": {},
}


@pytest.fixture(scope="session")
def installed_clients() -> None:
    """Install the clients once; needs the registries of Python and npm the first time."""
    required = "mcp" in os.environ.get("OIDC_AUTH_REQUIRE", "").split(",")
    skip_or_fail("mcp", missing_clients(may_download=required))
    install_python()
    install_packages(*TYPESCRIPT)


@pytest.fixture(scope="session")
def ports() -> dict[str, int]:
    return {name: _free_port() for name in VARIANTS}


@pytest.fixture(scope="session")
def registry(installed_clients: None, ports: dict[str, int]) -> Iterator[NodeProvider]:
    """Run a provider where clients register."""
    resources = [f"http://127.0.0.1:{ports[name]}{http.get('mount_prefix', '')}/mcp" for name, http in VARIANTS.items()]
    with NodeProvider(
        scopes="agents:read agents:run",
        resources=resources,
        registration=True,
        refresh=True,
        documents={CLIENT_METADATA_URL: CLIENT_METADATA},
    ) as provider:
        yield provider


@pytest.fixture(scope="session")
def mcp_server(
    registry: NodeProvider, ports: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., McpServer]]:
    """Return a function that starts a variant of the server once."""
    with ExitStack() as running:
        started: dict[str, McpServer] = {}

        def start(name: str = "plain", **issuer: Any) -> McpServer:
            if name not in started:
                table = {
                    "preset": "generic",
                    "issuer": registry.issuer,
                    "audience": AUDIENCE,
                    "leeway": LEEWAY,
                    "permission_map": SCOPES,
                    **issuer,
                }
                folder = tmp_path_factory.mktemp("server")
                started[name] = running.enter_context(running_server(folder, table, ports[name], VARIANTS[name]))
            return started[name]

        yield start


@pytest.fixture
def client(installed_clients: None, tmp_path: Path) -> Callable[[str, McpServer], McpClient]:
    """Return a function that makes a client of a server."""
    return lambda name, server: McpClient(name, server.mcp_url, tmp_path)
