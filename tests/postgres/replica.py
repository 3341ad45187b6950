"""A replica of a LangGraph server on PostgreSQL and Redis, in its own process."""

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

from oidc_auth.cli.dev_server import ENVIRONMENT, _free_port, _stop
from oidc_auth.testing.issuer import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).parent
FILES = ("app.py", "graph.py")
READY_SECONDS = 90.0
DEPLOYMENT = {
    "dependencies": ["."],
    "graphs": {"agent": "./graph.py:graph"},
    "auth": {"path": "oidc_auth.langgraph:auth", "disable_studio_auth": True},
    "http": {"app": "./app.py:app"},
}


class Replica:
    """A running replica.

    Attributes:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def request(self, method: str, path: str, token: str | None = None, body: Any = None, **headers: str) -> Any:
        """Send a request with a token."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        return self._client.request(method, path, json=body, headers=sent)

    def send_notice(self, logout_token: str) -> httpx.Response:
        """Send a logout token."""
        return self._client.post("/auth/backchannel-logout", data={"logout_token": logout_token})

    def close(self) -> None:
        """Close the connections of the test."""
        self._client.close()


@contextmanager
def running_replica(
    python: Path, folder: Path, configuration: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[Replica]:
    """Run a replica until the end of the block.

    Args:
        python: The interpreter of langhost.
        folder: An empty folder.
        configuration: The configuration of the library.
        environ: The addresses of PostgreSQL and Redis.
    """
    folder.mkdir()
    for name in FILES:
        shutil.copy(HERE / name, folder / name)
    (folder / "langgraph.json").write_text(json.dumps(DEPLOYMENT), "utf-8")
    (folder / "oidc-auth.json").write_text(json.dumps(configuration), "utf-8")
    port, log_file = _free_port(), folder / "server.log"
    replica = Replica(f"http://{LOOPBACK}:{port}")
    options = ["serve", "-c", "langgraph.json", "--host", LOOPBACK, "--port", str(port), "--no-browser"]
    variables = {
        **os.environ,
        **ENVIRONMENT,
        "OIDC_AUTH_CONFIG": "oidc-auth.json",
        "PYTHONPATH": str(HERE.parents[1]),
        **environ,
    }
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            [str(python), str(HERE / "serve.py"), *options],
            cwd=folder,
            env=variables,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(replica, process, log_file)
            yield replica
        finally:
            replica.close()
            _stop(process)


def _wait_until_ready(replica: Replica, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            # This wait is also the pause between two requests.
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            assert time.monotonic() < end, log.read_text("utf-8", "replace")
        else:
            raise AssertionError(log.read_text("utf-8", "replace"))
        try:
            if replica.request("GET", "/auth/ready").is_success:
                return
        except httpx.TransportError:
            continue
