"""``langgraph dev`` as a child process, with a copy of an example."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from ..testing.issuer import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

READY_WITHIN = 60.0
"""Seconds until the server must answer. It takes two or three."""

URL_VARIABLE = "DEV_SERVER_URL"
"""The environment variable with the address of the server, for a configuration that needs it."""
STOP_WITHIN = 3.0
"""Seconds until the server is killed. It has nothing to save, because its folder is a copy."""

ENVIRONMENT = {
    # Without these, the server asks hosts on the internet, and the demo must work without a network.
    "LANGGRAPH_NO_VERSION_CHECK": "1",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    # A variable of the user's shell must not send the runs to LangSmith.
    "LANGSMITH_TRACING": "false",
    # The server looks for due crons each second, so that the demo is fast.
    "CRON_SCHEDULER_SLEEP_TIME": "1",
    # Otherwise the last lines of the log are missing if the server is killed.
    "PYTHONUNBUFFERED": "1",
}


class ServerError(Exception):
    """The server did not start. The message is its log."""


@dataclass(frozen=True, slots=True)
class DevServer:
    """A running server.

    Attributes:
        url: Its address.
        log: The file with its output.
    """

    url: str
    log: Path


def quickstart_folder() -> Path:
    """Return the example of the demo."""
    return example_folder("quickstart")


def example_folder(name: str) -> Path:
    """Return an example of a demo, from the installed package or the repository."""
    package = Path(str(files("oidc_auth")))
    # The wheel contains the examples. In a checkout, they are next to the package.
    return package / name if (package / name).is_dir() else package.parent / "examples" / name


@contextmanager
def running_dev_server(example: Path, folder: Path, environ: Mapping[str, str]) -> Generator[DevServer]:
    """Run ``langgraph dev`` with a copy of an example.

    Args:
        example: A folder with a langgraph.json.
        folder: An empty folder for the copy, the state of the server and its log.
        environ: More environment variables.

    Raises:
        ServerError: The server did not become ready.
    """
    app = folder / "app"
    # A copy, because the server writes its state into the folder of langgraph.json.
    shutil.copytree(example, app, ignore=shutil.ignore_patterns("__pycache__", ".langgraph_api"))
    server = DevServer(f"http://{LOOPBACK}:{_free_port()}", folder / "server.log")
    with server.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            _command(server, app),
            cwd=app,
            env={**os.environ, **ENVIRONMENT, URL_VARIABLE: server.url, **environ},
            # A file and not a pipe, because a full pipe without a reader stops the server.
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(server, process)
            yield server
        finally:
            _stop(process)


def _command(server: DevServer, app: Path) -> list[str]:
    port = server.url.rpartition(":")[2]
    # No browser, because it would open Studio. No reload, because that starts one more process, which must be stopped
    # too.
    options = [
        "--no-browser",
        "--no-reload",
        "--host",
        LOOPBACK,
        "--port",
        port,
        "--config",
        str(app / "langgraph.json"),
    ]
    # The server of this environment, and not the first langgraph in PATH.
    return [sys.executable, "-m", "langgraph_cli", "dev", *options]


def _free_port() -> int:
    with socket.socket() as probe:
        # Another process can take the port before the server has it. The start then fails with its log.
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(server: DevServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        try:
            # This wait is also the pause between two requests.
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            if _answers(server):
                return
        else:
            break
    # It ended, or it is not ready in time. The log has the reason in both cases.
    raise ServerError(server.log.read_text("utf-8", "replace"))


def _answers(server: DevServer) -> bool:
    try:
        return httpx.get(f"{server.url}/ok", timeout=1).is_success
    except httpx.HTTPError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        # A run in progress or an open page can hold the server.
        process.kill()
        process.wait()
