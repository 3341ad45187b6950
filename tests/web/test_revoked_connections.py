"""A logout at the provider ends the connections of a real server."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from subprocess import run
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from kit.web_server import SETUPS, WebServer, running_web_server
from web.test_stream_expiry import read_all, until
from websockets.exceptions import ConnectionClosedError

from oidc_auth.errors import ERROR_DETAILS, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kit.redis_server import RedisServer

# The server's own: it runs what a socket starts with a beta of LangGraph.
pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol")

RUN = {"assistant_id": "ticking", "input": {"ticks": 40}, "stream_mode": "custom"}
REVOKED = {
    "type": "error",
    "id": None,
    "error": "token_revoked",
    "message": ERROR_DETAILS[ErrorCode.TOKEN_REVOKED].client_message,
}
ONE_ORDER = pytest.mark.parametrize("server", ["middleware_first"], indirect=True)
"""For behaviour that does not depend on the order."""


@pytest.fixture(scope="module", params=["middleware_first", "auth_first"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Return a real server, with the hook and the middleware in each order."""
    folder = tmp_path_factory.mktemp("revoked")
    with running_web_server(folder, SETUPS[request.param], revocation={"store": "memory"}) as running:
        yield running


@contextmanager
def open_stream(server: WebServer, token: str, path: str, **more: Any) -> Iterator[Iterator[str]]:
    """Open the stream of a run, and yield its lines after the first event."""
    headers = {"authorization": f"Bearer {token}"}
    body = {**RUN, **more}
    with httpx.stream("POST", f"{server.url}{path}", json=body, headers=headers, timeout=30) as response:
        assert response.status_code == 200
        lines = response.iter_lines()
        while not next(lines).startswith("data:"):
            pass
        yield lines


def read_end(lines: Iterator[str]) -> tuple[str, Any]:
    """Return the name and the data of the last event."""
    # A stream that is cut in the middle of a chunk raises an error here.
    *_, name, data = [line for line in lines if line and not line.startswith(":")]
    return name, json.loads(data.removeprefix("data: "))


@pytest.mark.parametrize(("on_disconnect", "status"), [("continue", "success"), ("cancel", "interrupted")])
def test_logout_ends_stream(server: WebServer, on_disconnect: str, status: str) -> None:
    other, session = server.token(sid="other"), f"session-{on_disconnect}"
    token = server.token(sid=session)
    path = server.thread(other)
    with open_stream(server, token, f"{path}/runs/stream", on_disconnect=on_disconnect) as lines:
        assert server.log_out(sid=session, sub="alice").status_code == 200
        assert read_end(lines) == ("event: error", REVOKED)
    refused = server.call("GET", path, token)
    assert (refused.status_code, refused.json()["detail"][:13]) == (401, "token_revoked")
    assert until(lambda: _status(server, path, other)) == status


def _status(server: WebServer, path: str, token: str) -> str:
    (found,) = server.call("GET", f"{path}/runs", token).json()
    return "" if found["status"] in ("pending", "running") else found["status"]


def test_logout_closes_websocket(server: WebServer) -> None:
    token = server.token(sid="socket")
    path = server.thread(token)
    with server.socket(f"{path}/stream/events", ["bearer", token]) as socket:
        params = {"assistant_id": "ticking", "input": {"ticks": 40}}
        socket.send(json.dumps({"id": 7, "method": "run.start", "params": params}))
        socket.recv(timeout=30)
        assert server.log_out(sid="socket", sub="alice").status_code == 200
        with pytest.raises(ConnectionClosedError) as closed:
            read_all(socket)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "token_revoked")


@ONE_ORDER
def test_logout_ends_no_other_stream(server: WebServer) -> None:
    token = server.token(sid="stays")
    with open_stream(server, token, "/runs/stream", input={"ticks": 8}) as lines:
        assert server.log_out(sid="another", sub="alice").status_code == 200
        assert read_end(lines)[0] == "event: custom"


@ONE_ORDER
def test_pending_answer_outlives_logout(server: WebServer) -> None:
    """Documented: what computes is not ended."""
    token, other = server.token(sid="pending"), server.token(sid="other")
    path = server.thread(other)
    body = {"assistant_id": "ticking", "input": {"ticks": 10}}
    answer = run_in_thread(lambda: server.call("POST", f"{path}/runs/wait", token, body))
    until(lambda: server.call("GET", f"{path}/runs", other).json())
    assert server.log_out(sid="pending", sub="alice").status_code == 200
    assert server.call("GET", path, token).status_code == 401
    assert (answer().status_code, answer().json()["sent"]) == (200, 10)


def run_in_thread(action: Any) -> Any:
    """Start an action, and return a function that waits for its result."""
    executor = ThreadPoolExecutor(1)
    future = executor.submit(action)
    executor.shutdown(wait=False)
    return lambda: future.result(timeout=30)


def test_command_ends_stream(redis_server: RedisServer, tmp_path: Path) -> None:
    with running_web_server(
        tmp_path, SETUPS["middleware_first"], revocation={"store": redis_server.address}
    ) as running:
        token = running.token("bob")
        with open_stream(running, token, "/runs/stream") as lines:
            command = ["-m", "oidc_auth.cli", "revoke", "--issuer", running.issuer.url, "--subject", "bob"]
            command = [sys.executable, *command, "--redis", redis_server.address]
            done = run(command, capture_output=True, check=False)  # noqa: S603
            assert done.returncode == 0, done.stderr
            assert read_end(lines) == ("event: error", REVOKED)
        assert running.call("GET", "/threads/x", token).status_code == 401
