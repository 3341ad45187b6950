"""The application of ``examples/react-chat`` with its server, built and served as a user would."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from kit.examples import EXAMPLES
from kit.node_packages import node_executable
from kit.uvicorn_server import environment_for, running_uvicorn

from oidc_auth.cli.dev_server import _free_port
from oidc_auth.testing.issuer import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EXAMPLE = EXAMPLES / "react-chat"
PACKAGES = ("react-chat", EXAMPLE / "package.json")
CLIENT = "spa"
SCRIPT_SECONDS = 55
"""The limit for a script of package.json. Each takes about three seconds."""


class ChatServer:
    """The LangGraph server of the example. It can be stopped, and started again at the same address.

    Args:
        folder: An empty folder.
        tables: The configuration.
        origin: The address of the application.
    """

    def __init__(self, folder: Path, tables: Mapping[str, Any], origin: str) -> None:
        self._folder = folder
        self._port = _free_port()
        self._exit = ExitStack()
        self.url = f"http://{LOOPBACK}:{self._port}"
        self._environ = self._environment(tables, origin)

    def _environment(self, tables: Mapping[str, Any], origin: str) -> dict[str, str]:
        settings = json.loads((EXAMPLE / "server" / "langgraph.json").read_text("utf-8"))
        settings["http"]["cors"]["allow_origins"] = [origin]
        graphs = {name: str(EXAMPLE / "server" / path) for name, path in settings["graphs"].items()}
        return {
            **environment_for(self._folder, tables, **settings["http"]),
            "LANGGRAPH_AUTH": json.dumps(settings["auth"]),
            "LANGSERVE_GRAPHS": json.dumps(graphs),
        }

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._exit.enter_context(running_uvicorn(self._folder, self._environ, port=self._port))

    def stop(self) -> None:
        """Stop the server."""
        self._exit.close()


def example_tables(issuer: str) -> dict[str, Any]:
    """Return the configuration of the example for the local provider, and with revocation, which a test needs."""
    tables = tomllib.loads((EXAMPLE / "server" / "oidc-auth.toml").read_text("utf-8"))
    (table,) = tables["issuer"]
    return {
        **tables,
        "issuer": {**table, "issuer": issuer, "logout_clients": [CLIENT]},
        "revocation": {"store": "memory"},
    }


def copy_example(folder: Path, node_modules: Path) -> Path:
    """Copy the application, and give it the installed packages."""
    copy = folder / "react-chat"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("node_modules", "dist", ".env.local", "server"))
    (copy / "node_modules").symlink_to(node_modules)
    return copy


def run_script(example: Path, script: str, *arguments: str) -> None:
    """Run a script of package.json, without npm."""
    program, *fixed = json.loads((example / "package.json").read_text("utf-8"))["scripts"][script].split()
    package = (example / "node_modules" / ".bin" / program).resolve()
    done = subprocess.run(  # noqa: S603 - our own arguments
        [node_executable() or "node", str(package), *fixed, *arguments],
        cwd=example,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SCRIPT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def build(example: Path, output: Path, **settings: str) -> None:
    """Build the application with these settings, and with the others of `.env.example`."""
    lines = (example / ".env.example").read_text("utf-8").splitlines()
    kept = [line for line in lines if line.partition("=")[0] not in settings]
    assert len(lines) - len(kept) == len(settings)
    (example / ".env.local").write_text("\n".join([*kept, *map("=".join, settings.items())]), "utf-8")
    run_script(example, "build", "--outDir", str(output), "--emptyOutDir", "--logLevel", "warn")


class ChatPage:
    """The application in a browser.

    Args:
        page: A page of Playwright.
        address: The address of the application.
    """

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.address = address
        self.requests: list[Any] = []
        self.console: list[str] = []
        page.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108 - Playwright needs a function
        page.on("console", lambda message: self.console.append(message.text))

    async def open_login(self, path: str = "/") -> None:
        """Open the application, and go to the page of the provider."""
        await self.page.goto(f"{self.address}{path}")
        await self.press("Log in")

    async def log_in(self, name: str, path: str = "/") -> None:
        """Open the application, and log in at the local provider."""
        await self.open_login(path)
        await self.choose(name)

    async def choose(self, name: str) -> None:
        """Choose a user on the page of the local provider."""
        await self.page.click(f"button[value={name}]")
        await self.page.wait_for_selector("textarea")

    async def press(self, button: str) -> None:
        """Press a button."""
        await self.page.get_by_role("button", name=button, exact=True).click()

    async def send(self, text: str) -> None:
        """Write a message, and send it with Enter."""
        await self.page.fill("textarea", text)
        await self.page.keyboard.press("Enter")

    async def wait_for_answer(self) -> str:
        """Wait until the agent has answered, and return the answer."""
        await self.page.wait_for_selector("[data-from=ai]")
        await self.page.get_by_role("button", name="Send", exact=True).wait_for()
        text: str = await self.page.locator("[data-from=ai] p").last.inner_text()
        return text

    async def messages(self) -> list[str]:
        """Return the messages of the conversation."""
        texts: list[str] = await self.page.locator(".message p").all_inner_texts()
        return texts

    async def alert(self) -> str:
        """Wait for a problem, and return its text."""
        text: str = await self.page.get_by_role("alert").inner_text()
        return text

    async def log_out(self, name: str) -> None:
        """Log out."""
        await self.press(f"Account: {name}")
        await self.press("Log out")
        await self.page.get_by_text("Log in to talk to your agent.").wait_for()
