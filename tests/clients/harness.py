"""A protected server, scripts in node and a bundled browser application."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.node_packages import node_executable
from kit.sample_users import user_token
from kit.snippets import SERVER_ADDRESS, code_blocks, write_files

if TYPE_CHECKING:
    from kit.page_server import PageServer

    from oidc_auth.testing import LocalIssuer

PACKAGES = ("clients", Path(__file__).parent / "package.json")
NODE_SECONDS = 30

# The question of the pages, and the graph's answer.
CONVERSATION = ["hello", "you said hello"]
# What the examples return for a thread of another user.
NOT_FOUND = "the thread does not exist, or it belongs to another user"

# The pages import the function of the reader's OpenID Connect library from token.js.
NODE_TOKEN = "export const getAccessToken = async () => await (await fetch(process.env.TOKEN_URL)).text();"
BROWSER_TOKEN = 'export const getAccessToken = async () => await (await fetch("/token")).text();'
MAIN = """
import { createRoot } from "react-dom/client";
import { Chat } from "./chat.jsx";
createRoot(document.getElementById("root")).render(<Chat />);
"""
HTML = '<!doctype html><div id="root"></div><script type="module" src="{bundle}"></script>'


@dataclass(frozen=True)
class ClientServer:
    """A protected server and its provider."""

    url: str
    issuer: LocalIssuer

    def token(self, name: str = "alice", role: str = "editor", lifetime: float = 300) -> str:
        """Return a token that expires after a number of seconds, which may be negative."""
        now = time.time()
        return user_token(self.issuer, name, role, iat=now - 600, exp=now + lifetime)


@dataclass(frozen=True)
class JavaScript:
    """A folder with the files of a page, in which scripts run."""

    folder: Path
    token_url: str

    def run(self, script: str, **environ: str) -> list[Any]:
        """Run a module in node, and return the JSON values that it prints, one per line."""
        file = self.folder / "test.js"
        file.write_text(script, "utf-8")
        done = subprocess.run(  # noqa: S603 - our own arguments
            [node_executable() or "node", str(file)],
            capture_output=True,
            text=True,
            timeout=NODE_SECONDS,
            check=False,
            env={"TOKEN_URL": self.token_url, **environ},
        )
        assert done.returncode == 0, done.stderr or done.stdout
        return [json.loads(line) for line in done.stdout.splitlines()]


def prepare_javascript(
    folder: Path, node_packages: Path, server: ClientServer, page_server: PageServer, *pages: str
) -> JavaScript:
    """Write the files of pages into an empty folder, for scripts that call a server."""
    (folder / "package.json").write_text('{"type": "module"}', "utf-8")
    (folder / "node_modules").symlink_to(node_packages)
    (folder / "token.js").write_text(NODE_TOKEN, "utf-8")
    for page in pages:
        write_files(page, folder, server.url)
    return JavaScript(folder, f"{page_server.origin}/token")


def read_names(server: str, *pages: str) -> Any:
    """Run the Python blocks of pages, and return the names that they define."""
    names: dict[str, Any] = {"__name__": "page"}
    for page in pages:
        for code in code_blocks(page, "python"):
            exec(code.replace(SERVER_ADDRESS, server), names)  # noqa: S102 - our own page
    return names


def build_application(folder: Path, node_packages: Path, server: str, pages: PageServer, main: str = MAIN) -> str:
    """Bundle the files of the pages into a browser application, and return its address.

    Args:
        folder: An empty folder for the files.
        node_packages: The folder node_modules.
        server: The address of the LangGraph server.
        pages: Serves the application.
        main: The module with which the application starts.
    """
    (folder / "node_modules").symlink_to(node_packages)
    for page in ("clients/javascript.md", "clients/react.md"):
        write_files(page, folder, server)
    (folder / "token.js").write_text(BROWSER_TOKEN, "utf-8")
    (folder / "main.jsx").write_text(main, "utf-8")
    bundle = pages.folder / f"{folder.name}.js"
    esbuild = [node_executable() or "node", str(node_packages / "esbuild" / "bin" / "esbuild")]
    subprocess.run(  # noqa: S603 - our own arguments
        [*esbuild, "main.jsx", "--bundle", "--format=esm", "--jsx=automatic", f"--outfile={bundle}"],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=NODE_SECONDS,
    )
    page_file = bundle.with_suffix(".html")
    page_file.write_text(HTML.format(bundle=bundle.name), "utf-8")
    return f"{pages.origin}/{page_file.name}"
