"""The real ``langgraph dev`` as a child process, in a copy of an example, on a free port of 127.0.0.1."""

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
"""Seconds until the server must answer; it takes two or three."""

QUIET = {
    "LANGGRAPH_NO_VERSION_CHECK": "1",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGSMITH_TRACING": "false",
    # Crons are looked for each second, so that nobody has to wait for one.
    "CRON_SCHEDULER_SLEEP_TIME": "1",
    "PYTHONUNBUFFERED": "1",
}


class ServerError(Exception):
    """The server did not start; the message is what it said."""


@dataclass(frozen=True, slots=True)
class DevServer:
    """A running server.

    Attributes:
        url: its address.
        log: the file with all it prints.
    """

    url: str
    log: Path


def quickstart_folder() -> Path:
    """Return the example that the demo runs: in an installed wheel inside the package, else in the repository."""
    installed = Path(str(files("oidc_auth"))) / "quickstart"
    return installed if installed.is_dir() else Path(str(files("oidc_auth"))).parent / "examples" / "quickstart"


@contextmanager
def running_dev_server(example: Path, folder: Path, environ: Mapping[str, str]) -> Generator[DevServer]:
    """Run ``langgraph dev`` on a copy of ``example`` inside ``folder`` while the context lasts.

    Args:
        example: a folder with a langgraph.json.
        folder: an empty folder; the copy, the server's state and its log go there.
        environ: variables beside the process's own.

    Raises:
        ServerError: it did not become ready.
    """
    app = folder / "app"
    shutil.copytree(example, app, ignore=shutil.ignore_patterns("__pycache__", ".langgraph_api"))
    server = DevServer(f"http://{LOOPBACK}:{_free_port()}", folder / "server.log")
    with server.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            _command(server, app), cwd=app, env={**os.environ, **QUIET, **environ}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_ready(server, process)
            yield server
        finally:
            _stop(process)


def _command(server: DevServer, app: Path) -> list[str]:
    port = server.url.rpartition(":")[2]
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
    return [sys.executable, "-m", "langgraph_cli", "dev", *options]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(server: DevServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        try:
            # The wait also is the pause between two looks at a server that is not there yet.
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            if _answers(server):
                return
        else:
            break
    raise ServerError(server.log.read_text("utf-8", "replace"))


def _answers(server: DevServer) -> bool:
    try:
        return httpx.get(f"{server.url}/ok", timeout=1).is_success
    except httpx.HTTPError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
