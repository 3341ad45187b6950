"""A real Aegra server in its own process, with its own database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from oidc_auth.cli.dev_server import _free_port, _stop
from oidc_auth.testing.issuer import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
ENTRY = "oidc_auth.aegra:auth"
AEGRA_JSON = "aegra.json"
CONFIGURATION = "oidc-auth.json"
READY_SECONDS = 60.0

ENVIRONMENT = {
    "CRON_POLL_INTERVAL_SECONDS": "1",
    "CRON_ALLOW_SECONDS_SCHEDULE": "true",
    "LOG_LEVEL": "WARNING",
    "LANGSMITH_TRACING": "false",
    "PYTHONUNBUFFERED": "1",
    "PYTHONPATH": str(REPOSITORY),
}


class AegraServer:
    """A running server.

    Attributes:
        folder: Its working directory, with aegra.json and the configuration.
        url: Its address.
        log: The file with its output.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.log = folder / "server.log"
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def request(self, method: str, path: str, token: str | None = None, body: Any = None, **headers: str) -> Any:
        """Send a request with a token."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        return self._client.request(method, path, json=body, headers=sent)

    def first_bytes(self, method: str, path: str, token: str | None, body: Any) -> httpx.Response:
        """Send a request with an endless response. Return its status, and its body if it is an error."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        with self._client.stream(method, path, json=body, headers=headers) as answer:
            content = b"" if answer.is_success else answer.read()
            return httpx.Response(answer.status_code, headers=answer.headers, content=content)

    def close(self) -> None:
        """Close the connections of the test."""
        self._client.close()


def write_configuration(folder: Path, tables: Mapping[str, Any]) -> None:
    """Write the configuration of a server."""
    (folder / CONFIGURATION).write_text(json.dumps(tables), "utf-8")


def write_aegra_json(folder: Path, auth: str = ENTRY) -> None:
    """Write the file that names the graphs and the hook."""
    graphs = {"agent": "./graph.py:graph", "other": "./graph.py:graph", "asking": "./graph.py:asking"}
    scopes = {"orgs": ["org_id"]}
    document = {"graphs": graphs, "auth": {"path": auth}, "store": {"scopes": scopes}}
    (folder / AEGRA_JSON).write_text(json.dumps(document), "utf-8")


@contextmanager
def running_aegra(
    python: Path, folder: Path, database: str, environ: Mapping[str, str], auth: str = ENTRY
) -> Iterator[AegraServer]:
    """Run ``uvicorn aegra_api.main:app`` until the end of the block.

    Args:
        python: The interpreter of Aegra.
        folder: The working directory. It may have a configuration, and an aegra.json with its graphs.
        database: The address of an empty database.
        environ: More environment variables.
        auth: The ``auth.path`` in a new aegra.json.
    """
    if not (folder / AEGRA_JSON).exists():
        shutil.copy(HERE / "graph.py", folder / "graph.py")
        write_aegra_json(folder, auth)
    port = _free_port()
    server = AegraServer(folder, f"http://{LOOPBACK}:{port}")
    command = [str(python), "-m", "uvicorn", "aegra_api.main:app", "--host", LOOPBACK, "--port", str(port)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OIDC_", "AEGRA_"))}
    variables = {**inherited, **ENVIRONMENT, "DATABASE_URL": database, **environ}
    with server.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            command, cwd=folder, env=variables, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_ready(server, process)
            yield server
        finally:
            server.close()
            _stop(process)


def _wait_until_ready(server: AegraServer, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            # This wait is also the pause between two requests.
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            assert time.monotonic() < end, server.log.read_text("utf-8", "replace")
        else:
            raise AssertionError(server.log.read_text("utf-8", "replace"))
        try:
            if server.request("GET", "/ready").is_success:
                return
        except httpx.TransportError:
            continue
