"""Streams of a real server end with their token, and their clients go on with a new one."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from kit.web_server import SETUPS, WebServer, running_web_server
from langgraph_sdk import get_client
from langgraph_sdk.errors import AuthenticationError
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from oidc_auth.errors import ERROR_DETAILS, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.sync.client import ClientConnection

# The server's own: it runs what a socket starts with a beta of LangGraph.
pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol")

TICKS = 30
LIFETIME = 2.0
"""Seconds until the token of a stream ends. The ticks take longer."""
RUN = {"assistant_id": "ticking", "input": {"ticks": TICKS}, "stream_mode": "custom"}
MESSAGE = ERROR_DETAILS[ErrorCode.TOKEN_EXPIRED].client_message
EXPIRED = {"type": "error", "id": None, "error": "token_expired", "message": MESSAGE}

ONE_ORDER = pytest.mark.parametrize("server", ["middleware_first"], indirect=True)
"""For behaviour that does not depend on the order."""

STREAMS = [
    ("POST", "/runs/stream"),
    ("POST", "{thread}/runs/stream"),
    ("GET", "{thread}/runs/{run}/stream"),
    ("GET", "{thread}/stream"),
    ("POST", "{thread}/stream/events"),
]


@pytest.fixture(scope="module", params=list(SETUPS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Return a real server, with the hook and the middleware in each order."""
    folder = tmp_path_factory.mktemp("streams")
    with running_web_server(folder, SETUPS[request.param], stream_expiry="close") as running:
        yield running


def until(condition: Callable[[], Any]) -> Any:
    """Wait for a run of the server's worker, at most 15 seconds."""
    for _ in range(150):
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen")


def read_stream(server: WebServer, method: str, path: str, token: str, body: Any = None) -> tuple[int, list[Any]]:
    """Return the status and the events of a stream, each with its name and data."""
    headers = {"authorization": f"Bearer {token}"}
    with httpx.stream(method, f"{server.url}{path}", json=body, headers=headers, timeout=30) as response:
        # A stream that is cut in the middle of a chunk raises an error here.
        text = "".join(response.iter_text())
    events = [dict(line.split(": ", 1) for line in part.split("\r\n")) for part in text.split("\r\n\r\n") if part]
    return response.status_code, [(event["event"], json.loads(event["data"])) for event in events if "event" in event]


def status_of_run(server: WebServer, path: str) -> str:
    (run,) = server.call("GET", f"{path}/runs", server.token()).json()
    return "" if run["status"] in ("pending", "running") else run["status"]


@pytest.mark.parametrize(("on_disconnect", "status"), [("continue", "success"), ("cancel", "interrupted")])
def test_stream_ends_with_named_error(server: WebServer, on_disconnect: str, status: str) -> None:
    path = server.thread(server.token())
    body = {**RUN, "on_disconnect": on_disconnect}
    opened, events = read_stream(server, "POST", f"{path}/runs/stream", server.short_token(LIFETIME), body)
    assert (opened, events[-1]) == (200, ("error", EXPIRED))
    ticks = [data["tick"] for name, data in events if name == "custom"]
    assert ticks == list(range(len(ticks)))
    assert len(ticks) < TICKS
    assert until(lambda: status_of_run(server, path)) == status


@ONE_ORDER
def test_joined_and_thread_streams_end_too(server: WebServer) -> None:
    path = server.thread(server.token())
    run = server.call("POST", f"{path}/runs", server.token(), {**RUN, "input": {"ticks": 150}}).json()["run_id"]
    for method, route in STREAMS[2:]:
        token = server.short_token(LIFETIME)
        body = {"channels": ["custom"]} if method == "POST" else None
        opened, events = read_stream(server, method, route.format(thread=path, run=run), token, body)
        assert (opened, events[-1]) == (200, ("error", EXPIRED)), route


def test_no_stream_opens_after_the_end(server: WebServer) -> None:
    path = server.thread(server.token())
    run = server.call("POST", f"{path}/runs", server.token(), {**RUN, "input": {"ticks": 1}}).json()["run_id"]
    late = server.short_token(-1)
    for method, route in STREAMS:
        refused = server.call(method, route.format(thread=path, run=run), late, {**RUN, "channels": ["custom"]})
        assert refused.status_code == 401, route
        assert refused.json()["detail"].startswith("token_expired"), route
        assert 'error="invalid_token"' in refused.headers["www-authenticate"], route
    with pytest.raises(InvalidStatus) as handshake, server.socket(f"{path}/stream/events", ["bearer", late]):
        pass
    assert handshake.value.response.status_code == 401
    # A refused stream has created no run, and other requests still have the leeway.
    assert len(server.call("GET", f"{path}/runs", late).json()) == 1


def read_all(socket: ClientConnection) -> None:
    """Read until the socket is closed."""
    while True:
        socket.recv(timeout=30)


def test_websocket_closes_with_its_token(server: WebServer) -> None:
    path = server.thread(server.token())
    token = server.short_token(LIFETIME)
    with server.socket(f"{path}/stream/events", ["bearer", token]) as socket:
        params = {"assistant_id": "ticking", "input": {"ticks": TICKS}}
        socket.send(json.dumps({"id": 7, "method": "run.start", "params": params}))
        with pytest.raises(ConnectionClosedError) as closed:
            read_all(socket)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "token_expired")
    assert until(lambda: status_of_run(server, path)) == "success"


@ONE_ORDER
def test_pending_answer_is_not_ended(server: WebServer) -> None:
    body = {"assistant_id": "ticking", "input": {"ticks": 12}}
    answer = server.call("POST", "/runs/wait", server.short_token(0.7), body)
    assert (answer.status_code, answer.json()["sent"]) == (200, 12)


def client_of(server: WebServer, token: str) -> Any:
    """Return a client of the SDK."""
    return get_client(url=server.url, headers={"Authorization": f"Bearer {token}"})


@ONE_ORDER
def test_sdk_continues_with_new_token_without_loss(server: WebServer) -> None:
    path = server.thread(server.token())
    thread = path.rpartition("/")[2]

    async def read() -> tuple[Any, list[Any]]:
        runs: list[str] = []
        async with client_of(server, server.short_token(LIFETIME)) as client:
            stream = client.runs.stream(
                thread,
                "ticking",
                input={"ticks": TICKS},
                stream_mode="custom",
                stream_resumable=True,
                on_run_created=lambda run: runs.append(run["run_id"]),
            )
            parts: list[Any] = [part async for part in stream]
        end = parts.pop()
        last = next((part.id for part in reversed(parts) if part.id), None)
        async with client_of(server, server.token()) as client:
            stream = client.runs.join_stream(thread, runs[0], last_event_id=last)
            return end, [*parts, *[part async for part in stream]]

    end, parts = asyncio.run(read())
    assert (end.event, end.data) == ("error", EXPIRED)
    assert [part.data["tick"] for part in parts if part.event == "custom"] == list(range(TICKS))
    assert status_of_run(server, path) == "success"


@ONE_ORDER
def test_sdk_does_not_repeat_with_old_token(server: WebServer) -> None:
    thread = server.thread(server.token()).rpartition("/")[2]

    async def read() -> None:
        async with client_of(server, server.short_token(-1)) as client:
            async for _ in client.runs.stream(thread, "ticking", input={"ticks": 1}):
                pass

    with pytest.raises(AuthenticationError):
        asyncio.run(read())
