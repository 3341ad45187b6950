"""The real MCP clients, each in its own process, with a browser without a window."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from kit.node_packages import install_packages, node_executable
from mcp_clients.install import TYPESCRIPT, install_python
from mcp_clients.page import program

from oidc_auth.cli.dev_server import _free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

DRIVERS = Path(__file__).parent / "drivers"
TESTS = Path(__file__).parents[1]
RUN_SECONDS = 40.0

CLIENTS = ("python", "fastmcp", "typescript")
HEADINGS = {"python": "Python", "fastmcp": "FastMCP", "typescript": "TypeScript"}


class ClientError(Exception):
    """The client ended with an error. The message is its output."""


@dataclass(frozen=True)
class Session:
    """What a client did.

    Attributes:
        output: Its standard output.
        logins: The parameters of each authorization request (RFC 6749 §4.1.1).
    """

    output: str
    logins: list[Mapping[str, str]]

    @property
    def results(self) -> list[dict[str, Any]]:
        """The result of each step."""
        results: list[dict[str, Any]] = json.loads(self.output.splitlines()[-1])
        return results


class McpClient:
    """An MCP client program for one user.

    Args:
        name: One of ``CLIENTS``.
        url: The address of the MCP endpoint.
        folder: An empty folder.
        user: The user who logs in.
    """

    def __init__(self, name: str, url: str, folder: Path, user: str = "alice") -> None:
        self._name, self._url, self._folder, self._user = name, url, folder, user
        self._port = _free_port()
        self._logins = folder / "logins"
        self._browser = folder / "browser"
        command = f'PYTHONPATH={TESTS}:{TESTS.parent} exec {sys.executable} -m mcp_clients.browser "$1"'
        self._browser.write_text(f"#!/bin/sh\n{command}\n", "utf-8")
        self._browser.chmod(0o700)

    def run_page(self) -> Session:
        """Run the program of the documentation page as it is."""
        definitions, main = program(HEADINGS[self._name], self._url, self._port)
        return self._run(f"{definitions}\n\n{main}")

    def run(self, *steps: tuple[Any, ...], **job: Any) -> Session:
        """Connect and run steps: ``("list",)``, ``("call", tool, arguments)`` or ``("wait", seconds)``."""
        definitions, _ = program(HEADINGS[self._name], self._url, self._port)
        job |= {"steps": steps, "url": self._url, "port": self._port}
        if self._name == "typescript":
            return self._run(f"{definitions}\n{(DRIVERS / 'typescript.mjs').read_text('utf-8')}", json.dumps(job))
        (self._folder / "page_program.py").write_text(definitions, "utf-8")
        driver = DRIVERS / {"python": "python_sdk.py", "fastmcp": "fast_mcp.py"}[self._name]
        return self._run(driver.read_text("utf-8"), json.dumps(job))

    def fail(self, **job: Any) -> Session:
        """Connect and list the tools, which must fail. The output is the error."""
        with pytest.raises(ClientError) as failed:
            self.run(("list",), **job)
        return self._session(str(failed.value))

    def _run(self, text: str, *arguments: str) -> Session:
        file = self._folder / ("program.mjs" if self._name == "typescript" else "program.py")
        file.write_text(text, "utf-8")
        self._logins.write_text("", "utf-8")
        done = subprocess.run(  # noqa: S603 - our own arguments
            [self._interpreter(), str(file), *arguments],
            cwd=self._folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        if done.returncode:
            raise ClientError(f"{done.stdout}\n{done.stderr}"[-8000:])
        return self._session(done.stdout)

    def _session(self, output: str) -> Session:
        logins = self._logins.read_text("utf-8").splitlines()
        return Session(output, [dict(httpx.URL(address).params) for address in logins])

    def _interpreter(self) -> str:
        if self._name != "typescript":
            return str(install_python())
        packages = self._folder / "node_modules"
        if not packages.exists():
            # Node looks for packages in the folder of the program.
            packages.symlink_to(install_packages(*TYPESCRIPT) / "node_modules")
        return node_executable() or "node"

    def _environment(self) -> dict[str, str]:
        # Python's webbrowser module waits for the browser to end, unless the command ends with an ampersand.
        browser = str(self._browser) if self._name == "typescript" else f"{self._browser} %s &"
        return {
            **os.environ,
            "BROWSER": browser,
            "LOGIN_USER": self._user,
            "LOGIN_LOG": str(self._logins),
            "NO_PROXY": "*",
        }
