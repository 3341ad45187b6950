"""A LangGraph server for the clients of ``docs/clients``, and the web server of a browser application."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from clients.harness import NODE_TOKEN, PACKAGES, ClientServer, JavaScript, build_application
from kit.node_packages import install_packages, missing_node
from kit.page_server import running_page_server
from kit.requirements import skip_or_fail
from kit.sample_users import user_token
from kit.server import HERE
from kit.snippets import code_blocks, write_files
from kit.uvicorn_server import ZERO_CODE, environment, running_uvicorn

from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.page_server import PageServer

# The origin of the application in the pages.
DOCUMENTED_ORIGIN = "https://app.acme.com"


@pytest.fixture(scope="session")
def clients_issuer() -> LocalIssuer:
    return LocalIssuer(algorithm="ES256")


@pytest.fixture(scope="session")
def page_server(tmp_path_factory: pytest.TempPathFactory, clients_issuer: LocalIssuer) -> Iterator[PageServer]:
    """Serve pages at an origin that the LangGraph server allows."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "empty.html").write_text("<!doctype html>", "utf-8")
    with running_page_server(folder, lambda: user_token(clients_issuer, "alice", "editor")) as running:
        yield running


@pytest.fixture
def pages(page_server: PageServer, clients_issuer: LocalIssuer) -> PageServer:
    """Return the web server, which issues tokens for alice unless a test changes that."""
    page_server.issue_token = lambda: user_token(clients_issuer, "alice", "editor")
    page_server.issued.clear()
    return page_server


@pytest.fixture(scope="session")
def client_server(
    tmp_path_factory: pytest.TempPathFactory, clients_issuer: LocalIssuer, page_server: PageServer
) -> Iterator[ClientServer]:
    """Run a server with the CORS rule of the page."""
    with running_server(tmp_path_factory.mktemp("client-server"), clients_issuer, page_server) as running:
        yield running


@pytest.fixture(scope="session")
def closing_server(
    tmp_path_factory: pytest.TempPathFactory, clients_issuer: LocalIssuer, page_server: PageServer
) -> Iterator[ClientServer]:
    """Run a server with the web application, which ends streams with their token."""
    folder = tmp_path_factory.mktemp("closing-server")
    web = {"public_url": "https://agents.acme.com", "stream_expiry": "close"}
    with running_server(folder, clients_issuer, page_server, web) as running:
        yield running


@contextmanager
def running_server(
    folder: Path, issuer: LocalIssuer, pages: PageServer, web: dict[str, Any] | None = None
) -> Iterator[ClientServer]:
    (http,) = [json.loads(code)["http"] for code in code_blocks("clients/index.md", "json") if "cors" in code]
    assert http["cors"]["allow_origins"] == [DOCUMENTED_ORIGIN]
    http["cors"]["allow_origins"] = [pages.origin]
    environ = environment(folder, issuer, **http, **({"app": "oidc_auth.web:app"} if web else {}))
    environ["LANGSERVE_GRAPHS"] = json.dumps({"agent": f"{HERE / 'steps_graph.py'}:graph"})
    # As `oidc-auth init` writes it.
    environ["LANGGRAPH_AUTH"] = json.dumps({"path": ZERO_CODE, "disable_studio_auth": True})
    if web:
        configuration = Path(environ["OIDC_AUTH_CONFIG"])
        configuration.write_text(json.dumps({**json.loads(configuration.read_text("utf-8")), "web": web}), "utf-8")
    with running_uvicorn(folder, environ, "auto") as (host, port):
        yield ClientServer(f"http://{host}:{port}", issuer)


@pytest.fixture(scope="session")
def node_packages() -> Path:
    """Install the client libraries from npm, and return their folder."""
    skip_or_fail("node", missing_node(*PACKAGES))
    return install_packages(*PACKAGES) / "node_modules"


@pytest.fixture
def javascript(tmp_path: Path, node_packages: Path, client_server: ClientServer, pages: PageServer) -> JavaScript:
    """Write the files of the page for JavaScript."""
    (tmp_path / "package.json").write_text('{"type": "module"}', "utf-8")
    (tmp_path / "node_modules").symlink_to(node_packages)
    (tmp_path / "token.js").write_text(NODE_TOKEN, "utf-8")
    write_files("clients/javascript.md", tmp_path, client_server.url)
    return JavaScript(tmp_path, f"{pages.origin}/token")


@pytest.fixture
def application(tmp_path: Path, node_packages: Path, client_server: ClientServer, pages: PageServer) -> str:
    """Build the application of the page for React."""
    return build_application(tmp_path, node_packages, client_server.url, pages)
