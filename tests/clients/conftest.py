"""A LangGraph server for the clients of ``docs/clients``, and the web server of a browser application."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kit.node_packages import install_packages, missing_node, node_executable
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

PACKAGES = ("clients", Path(__file__).parent / "package.json")
NODE_SECONDS = 30
# The origin of the application in the pages.
DOCUMENTED_ORIGIN = "https://app.acme.com"


@dataclass(frozen=True)
class ClientServer:
    """A protected server and its provider."""

    url: str
    issuer: LocalIssuer

    def token(self, name: str = "alice", role: str = "editor", lifetime: float = 300) -> str:
        """Return a token that expires after a number of seconds, which may be negative."""
        now = time.time()
        return user_token(self.issuer, name, role, iat=now - 600, exp=now + lifetime)


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
    folder = tmp_path_factory.mktemp("client-server")
    (http,) = [json.loads(code)["http"] for code in code_blocks("clients/index.md", "json") if "cors" in code]
    assert http["cors"]["allow_origins"] == [DOCUMENTED_ORIGIN]
    http["cors"]["allow_origins"] = [page_server.origin]
    graphs = {"agent": f"{HERE / 'steps_graph.py'}:graph"}
    environ = {
        **environment(folder, clients_issuer, **http),
        "LANGSERVE_GRAPHS": json.dumps(graphs),
        # As `oidc-auth init` writes it.
        "LANGGRAPH_AUTH": json.dumps({"path": ZERO_CODE, "disable_studio_auth": True}),
    }
    with running_uvicorn(folder, environ, "auto") as (host, port):
        yield ClientServer(f"http://{host}:{port}", clients_issuer)


@pytest.fixture(scope="session")
def node_packages() -> Path:
    """Install the client libraries from npm, and return their folder."""
    skip_or_fail("node", missing_node(*PACKAGES))
    return install_packages(*PACKAGES) / "node_modules"


@dataclass(frozen=True)
class JavaScript:
    """A folder with the files of a page, in which scripts run."""

    folder: Path
    token_url: str

    def run(self, script: str, **environ: str) -> list[Any]:
        """Run a module in node, and return the JSON values that it prints, one per line."""
        file = self.folder / "test.js"
        file.write_text(script, "utf-8")
        node = node_executable()
        assert node is not None
        done = subprocess.run(  # noqa: S603 - our own arguments
            [node, str(file)],
            capture_output=True,
            text=True,
            timeout=NODE_SECONDS,
            check=False,
            env={"TOKEN_URL": self.token_url, **environ},
        )
        assert done.returncode == 0, done.stderr or done.stdout
        return [json.loads(line) for line in done.stdout.splitlines()]


# The pages import the function of the reader's OpenID Connect library from this file.
TOKEN_MODULE = """
export const getAccessToken = async () => await (await fetch(process.env.TOKEN_URL)).text();
"""


@pytest.fixture
def javascript(tmp_path: Path, node_packages: Path, client_server: ClientServer, pages: PageServer) -> JavaScript:
    """Write the files of the page for JavaScript."""
    (tmp_path / "package.json").write_text('{"type": "module"}', "utf-8")
    (tmp_path / "node_modules").symlink_to(node_packages)
    (tmp_path / "token.js").write_text(TOKEN_MODULE, "utf-8")
    write_files("clients/javascript.md", tmp_path, client_server.url)
    return JavaScript(tmp_path, f"{pages.origin}/token")


BROWSER_TOKEN_MODULE = """
export const getAccessToken = async () => await (await fetch("/token")).text();
"""
MAIN_MODULE = """
import { createRoot } from "react-dom/client";
import { Chat } from "./chat.jsx";
createRoot(document.getElementById("root")).render(<Chat />);
"""
HTML = '<!doctype html><div id="root"></div><script src="{bundle}"></script>'


def build_application(folder: Path, node_packages: Path, server: str, pages: PageServer, name: str) -> str:
    """Bundle the files of the pages into a browser application, and return its address."""
    (folder / "node_modules").symlink_to(node_packages)
    for page in ("clients/javascript.md", "clients/react.md"):
        write_files(page, folder, server)
    (folder / "token.js").write_text(BROWSER_TOKEN_MODULE, "utf-8")
    (folder / "main.jsx").write_text(MAIN_MODULE, "utf-8")
    bundle = pages.folder / f"{name}.js"
    subprocess.run(  # noqa: S603 - our own arguments
        [
            node_executable() or "node",
            str(node_packages / "esbuild" / "bin" / "esbuild"),
            "main.jsx",
            "--bundle",
            "--jsx=automatic",
            f"--outfile={bundle}",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=NODE_SECONDS,
    )
    (pages.folder / f"{name}.html").write_text(HTML.format(bundle=bundle.name), "utf-8")
    return f"{pages.origin}/{name}.html"


@pytest.fixture
def application(tmp_path: Path, node_packages: Path, client_server: ClientServer, pages: PageServer) -> str:
    """Build the application of the page for React."""
    return build_application(tmp_path, node_packages, client_server.url, pages, "application")
