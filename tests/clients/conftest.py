"""A LangGraph server for the clients of ``docs/clients``, and the web server of a browser application."""

from __future__ import annotations

import json
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from clients.harness import PACKAGES, ClientServer, JavaScript, build_application, prepare_javascript
from kit.examples import started
from kit.node_packages import install_packages, missing_node
from kit.page_server import running_page_server
from kit.requirements import skip_or_fail
from kit.sample_users import configuration_for, user_token
from kit.server import HERE
from kit.snippets import code_blocks
from kit.uvicorn_server import ZERO_CODE, environment, environment_for, running_uvicorn

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
def sharing_server(tmp_path_factory: pytest.TempPathFactory, clients_issuer: LocalIssuer) -> Iterator[ClientServer]:
    """Run a server with the role of the page about sharing."""
    (configuration,) = code_blocks("sharing.md", "toml")
    roles = {**tomllib.loads(configuration)["roles"], "everything": ["*", "threads:share", "threads:resume"]}
    permission_map = {"claim": "roles", "values": {role: [role] for role in roles}}
    tables = configuration_for(clients_issuer, roles=roles)
    tables["issuer"] |= {"jwks": clients_issuer.key_set(), "permission_map": permission_map}
    folder = tmp_path_factory.mktemp("sharing-server")
    environ = environment_for(folder, tables)
    environ["LANGSERVE_GRAPHS"] = json.dumps({"agent": f"{HERE / 'steps_graph.py'}:graph"})
    with running_uvicorn(folder, environ) as (host, port):
        yield ClientServer(f"http://{host}:{port}", clients_issuer)


@pytest.fixture(scope="session")
def approvals_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientServer]:
    """Run the example of the page about approvals."""
    # Its address changes when it is served, so it is not the issuer of the other servers.
    issuer = LocalIssuer(algorithm="ES256")
    with issuer.served(), started("approvals", issuer, tmp_path_factory.mktemp("approvals")) as (server, _):
        yield ClientServer(server.url, issuer)


@pytest.fixture(scope="session")
def node_packages() -> Path:
    """Install the client libraries from npm, and return their folder."""
    skip_or_fail("node", missing_node(*PACKAGES))
    return install_packages(*PACKAGES) / "node_modules"


@pytest.fixture
def javascript(tmp_path: Path, node_packages: Path, client_server: ClientServer, pages: PageServer) -> JavaScript:
    """Write the files of the page for JavaScript."""
    return prepare_javascript(tmp_path, node_packages, client_server, pages, "clients/javascript.md")


@pytest.fixture
def application(tmp_path: Path, node_packages: Path, client_server: ClientServer, pages: PageServer) -> str:
    """Build the application of the page for React."""
    return build_application(tmp_path, node_packages, client_server.url, pages)
