"""Events of a WebSocket end with its token. A run that it started continues."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from langgraph_sdk.auth.types import StudioUser
from starlette.exceptions import HTTPException

from oidc_auth import OIDCAuth
from oidc_auth.langgraph.handlers import build_handler
from oidc_auth.langgraph.server_context import RequestOrigin, read_request_origin
from oidc_auth.observability import AuthorizationDecided
from oidc_auth.testing import Clock, LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kit.live_server import LiveServer, SampleUser
    from starlette.testclient import WebSocketTestSession

# The server uses a beta of LangGraph for runs from a WebSocket.
pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol")

LIFETIME, LEEWAY = 300, 30


@pytest.fixture
def clock(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(time.time())
    # One clock for both. Otherwise a second could pass between them, and the token would expire later.
    monkeypatch.setattr(live_server.issuer, "clock", clock)
    live_server.enforce(clock=clock, web={"public_url": "https://agents.test"})
    return clock


@pytest.fixture
def path(alice: SampleUser) -> str:
    return alice.thread()


@pytest.fixture(params=["authorization", "subprotocol"])
def socket(
    request: pytest.FixtureRequest, live_server: LiveServer, clock: Clock, alice: SampleUser, path: str
) -> Iterator[WebSocketTestSession]:
    as_subprotocol = request.param == "subprotocol"
    headers = {} if as_subprotocol else {"authorization": f"Bearer {alice.token}"}
    offered = ["bearer", alice.token] if as_subprotocol else None
    connect = live_server.server.client.websocket_connect
    with connect(f"{path}/stream/events", offered, headers=headers) as opened:
        yield opened


def command(socket: WebSocketTestSession, method: str, **params: Any) -> Any:
    """Send a command, and return its answer. Events before it are ignored."""
    socket.send_json({"id": 7, "method": method, "params": params})
    for _ in range(100):
        answer = socket.receive_json()
        if answer.get("id") == 7:
            return answer
    raise AssertionError("the command was not answered")


def start(socket: WebSocketTestSession, **more: Any) -> Any:
    return command(socket, "run.start", **{"assistant_id": "agent", "input": {"text": "hello"}, **more})


def decided(live_server: LiveServer) -> list[AuthorizationDecided]:
    return [event for event in live_server.observed_events if isinstance(event, AuthorizationDecided)]


@pytest.mark.parametrize(("seconds", "kind"), [(LIFETIME + LEEWAY - 2, "success"), (LIFETIME + LEEWAY, "error")])
def test_socket_starts_no_run_with_expired_token(
    socket: WebSocketTestSession, clock: Clock, alice: SampleUser, seconds: float, kind: str
) -> None:
    assert start(socket)["type"] == "success"
    clock.advance(seconds)
    answer = start(socket)
    assert answer["type"] == kind
    assert kind == "success" or answer["message"].startswith("401: token_expired")


def test_every_event_of_expired_socket_is_refused(
    live_server: LiveServer, socket: WebSocketTestSession, clock: Clock, alice: SampleUser
) -> None:
    assert start(socket)["type"] == "success"
    clock.advance(LIFETIME + LEEWAY)
    live_server.observed_events.clear()
    params = {"interrupt_id": "x", "namespace": [], "response": "yes", "assistant_id": "agent", "input": {}}
    for method in ("run.start", "input.respond", "agent.getTree"):
        command(socket, method, **params)
    assert {event.event for event in decided(live_server)} == {"threads:read", "threads:create_run"}
    assert {event.code for event in decided(live_server)} == {"token_expired"}


def until(condition: Callable[[], Any]) -> Any:
    """Wait for a run, within a time limit. A worker of the server runs it."""
    for _ in range(150):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def created_runs(live_server: LiveServer) -> int:
    return sum(event.event == "threads:create_run" for event in decided(live_server))


def test_websocket_run_continues_after_expiry(
    live_server: LiveServer, socket: WebSocketTestSession, clock: Clock, path: str
) -> None:
    slow = {"path": "/runs/wait", "json": {"assistant_id": "agent", "input": {"text": "slow", "wait": 1}}}
    requests = [slow, {"path": "/threads/search", "json": {}}, {"path": f"{path}/history", "json": {}}]
    live_server.observed_events.clear()
    assert start(socket, assistant_id="loop", input={"requests": requests})["type"] == "success"
    until(lambda: created_runs(live_server) == 2)  # the graph has sent its first request
    clock.advance(LIFETIME + LEEWAY)
    later = live_server.user("alice", "editor", exp=clock() + LIFETIME, iat=clock())
    values = until(lambda: later("GET", path).json()["values"])
    assert values["answers"] == ["allowed"] * 3


def test_temporary_thread_is_deleted_after_expiry(live_server: LiveServer, clock: Clock) -> None:
    tim = live_server.user("tim", "editor")
    assert tim("POST", "/runs", {"assistant_id": "agent", "input": {"text": "slow", "wait": 1}}).status_code == 200
    clock.advance(LIFETIME + LEEWAY)
    later = live_server.user("tim", "editor", exp=clock() + LIFETIME, iat=clock())
    assert later.search("threads")
    until(lambda: not later.search("threads"))


def in_socket(user: object, now: float) -> str:
    """Return the code with which an event of a socket is denied, or ""."""
    from langgraph_api.logging import worker_config

    issuer, events = LocalIssuer("https://issuer.test"), list[Any]()
    table = {
        "issuer": {"preset": "generic", "issuer": issuer.url, "audience": "agents"},
        "langgraph": {"studio": "own"},
    }
    oidc = OIDCAuth.from_dict(table, fetcher=issuer, clock=lambda: now, observer=events.append)
    handle = build_handler("threads:read", oidc)

    def run() -> None:
        worker_config.set({"method": "WEBSOCKET"})
        with contextlib.suppress(HTTPException):
            asyncio.run(cast("Any", handle)(ctx=SimpleNamespace(user=user), value={"thread_id": "t"}))

    contextvars.Context().run(run)
    (event,) = events
    assert isinstance(event, AuthorizationDecided)
    return event.code


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("fields", "now", "code"),
    [
        ({"expires_at": 100, "issuer": "https://issuer.test"}, 129, ""),
        ({"expires_at": 100, "issuer": "https://issuer.test"}, 130, "token_expired"),
        ({"expires_at": 100, "issuer": "https://another.test"}, 100, "token_expired"),
        ({"expires_at": 100}, 99, ""),
        ({"expires_at": None}, 0, "token_expired"),
        ({}, 0, "token_expired"),
    ],
)
def test_websocket_event_needs_unexpired_user(fields: dict[str, Any], now: float, code: str) -> None:
    user = SimpleNamespace(identity="alice", permissions=["threads:read"], graphs=None, **fields)
    assert in_socket(user, now) == code


@pytest.mark.usefixtures("server")
def test_studio_user_does_not_expire() -> None:
    assert in_socket(StudioUser("langgraph-studio-user"), 1e12) == ""


def origin_with(note: dict[str, object] | None) -> RequestOrigin:
    from langgraph_api.logging import worker_config

    context = contextvars.Context()
    context.run(worker_config.set, note)
    return context.run(read_request_origin)


@pytest.mark.usefixtures("server")
def test_server_context_tells_request_origin() -> None:
    assert origin_with(None) == RequestOrigin(in_request=False, in_websocket=False)
    assert origin_with({"path": "/"}) == RequestOrigin(in_request=False, in_websocket=False)
    assert origin_with({"method": "GET"}) == RequestOrigin(in_request=True, in_websocket=False)
    assert origin_with({"method": "WEBSOCKET"}) == RequestOrigin(in_request=True, in_websocket=True)


@pytest.mark.usefixtures("server")
def test_missing_context_counts_as_websocket(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names are private to the server. Without them, every event counts as one of a WebSocket."""
    from langgraph_api import logging

    monkeypatch.delattr(logging, "worker_config")
    assert read_request_origin() == RequestOrigin(in_request=True, in_websocket=True)
    monkeypatch.setitem(sys.modules, "langgraph_api.logging", None)
    assert read_request_origin() == RequestOrigin(in_request=True, in_websocket=False)
