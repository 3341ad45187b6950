"""A real LangGraph server that receives the logout tokens of a real provider."""

from __future__ import annotations

import json
import queue
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx
from kit.uvicorn_server import environment, running_uvicorn

from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

WITHIN = 5.0
"""Seconds in which a logout must arrive. Measured: less than 0.1."""


class Receiver:
    """A running server with ``[revocation]``."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.address = str(client.base_url.join("/auth/backchannel-logout"))

    def ask(self, token: str) -> tuple[int, str]:
        """Send one request, and return the status and the error code."""
        answer = self._client.post("/threads/search", json={}, headers={"authorization": f"Bearer {token}"})
        return answer.status_code, "" if answer.is_success else answer.json()["detail"].partition(":")[0]

    def notify(self, token: str) -> int:
        """Send a logout token, and return the status."""
        return self._client.post(self.address, data={"logout_token": token}).status_code

    def wait_until_revoked(self, token: str) -> float:
        """Wait until a token is refused, and return the seconds. The token was accepted before."""
        started = time.monotonic()
        while (found := self.ask(token)) == (200, ""):
            assert time.monotonic() < started + WITHIN, "no logout token arrived"
        assert found == (401, "token_revoked")
        return time.monotonic() - started


@contextmanager
def running_receiver(folder: Path, issuer: Mapping[str, Any]) -> Iterator[Receiver]:
    """Run a server for one issuer."""
    # The server asks the real provider for its keys, and not this one.
    environ = environment(folder, LocalIssuer(algorithm="ES256"), app="oidc_auth.web:app")
    document = {"issuer": issuer, "web": {"public_url": "https://agents.test"}, "revocation": {"store": "memory"}}
    (folder / "oidc-auth.json").write_text(json.dumps(document), "utf-8")
    with (
        running_uvicorn(folder, environ, "asyncio") as (host, port),
        httpx.Client(base_url=f"http://{host}:{port}", timeout=30, trust_env=False) as client,
    ):
        yield Receiver(client)


@contextmanager
def captured_notices() -> Iterator[tuple[str, queue.Queue[str]]]:
    """Serve an address that accepts logout tokens, and return it with a queue of them."""
    notices: queue.Queue[str] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            notices.put(parse_qs(body.decode())["logout_token"][0])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Write nothing to the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", notices
        server.shutdown()
        thread.join()
