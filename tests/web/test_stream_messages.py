"""What the middleware does to the messages of a stream that ends early, and what it leaves alone."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kit.asgi_exchange import EVENTS, Exchange, part, start, until_disconnect
from kit.sample_users import configuration_for

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode
from oidc_auth.langgraph.hook import note_caller
from oidc_auth.observability import ignore_event
from oidc_auth.testing import Clock, LocalIssuer
from oidc_auth.web import streams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ISSUER = LocalIssuer(algorithm="ES256")
EXPIRED = ErrorCode.TOKEN_EXPIRED
ERROR = (
    b'event: error\r\ndata: {"type": "error", "id": null, "error": "token_expired", '
    b'"message": "the token has expired"}\r\n\r\n'
)


def build(clock: Callable[[], float] = time.time, observer: Any = ignore_event, **web: Any) -> OIDCAuth:
    table = {"public_url": "https://agents.test", "stream_expiry": "close", **web}
    return OIDCAuth.from_dict(
        {**configuration_for(ISSUER), "web": table}, fetcher=ISSUER, clock=clock, observer=observer
    )


def drive(scenario: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(scenario())  # type: ignore[arg-type]


class Application:
    """Sends parts of a stream when it is told to, and waits for the disconnect as servers do."""

    def __init__(self, *parts: bytes, headers: Any = EVENTS) -> None:
        self.parts = parts
        self.headers = headers
        self.disconnect: Any = None
        self.may_send_on = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        waiting = asyncio.ensure_future(until_disconnect(receive))
        await send(start(headers=self.headers))
        for number, body in enumerate(self.parts):
            if number:
                await self.may_send_on.wait()
            await send(part(body))
        self.disconnect = await waiting
        await send(part(b"event: late\n\n"))
        await send(part(b"", more=False))


async def end_after(exchange: Exchange, app: Application, count: int, code: ErrorCode = EXPIRED) -> None:
    """Run an application, and end its stream after so many messages."""
    running = asyncio.ensure_future(exchange.run(app))
    await exchange.until(count)
    (stream,) = exchange.streams
    stream.end(code)
    app.may_send_on.set()
    await running


def test_stream_ends_with_its_token() -> None:
    async def scenario() -> None:
        exchange = Exchange(build(), lasts=0.05)
        app = Application(b"event: a\r\ndata: 1\r\n\r\n")
        await exchange.run(app)
        assert exchange.body == b"event: a\r\ndata: 1\r\n\r\n" + ERROR
        assert [message.get("more_body") for message in exchange.sent] == [None, True, False]
        assert app.disconnect == {"type": "http.disconnect"}
        assert len(exchange.streams) == 0
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    drive(scenario)


def test_ended_stream_is_released() -> None:
    async def scenario() -> None:
        exchange, app = Exchange(build()), Application(b"data: 1\n\n")
        running = asyncio.ensure_future(exchange.run(app))
        await exchange.until(2)
        (stream,) = exchange.streams
        released = weakref.ref(stream)
        stream.end(EXPIRED)
        del stream
        await running
        # Its timer is cancelled. The loop would hold it until the token ends.
        gc.collect()
        assert released() is None

    drive(scenario)


def test_clock_decides_when_token_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer that is early, or a host that was suspended, must not change the end."""
    monkeypatch.setattr(streams, "LONGEST_TIMER", 0.01)

    async def scenario() -> None:
        clock, checks = Clock(1000), asyncio.Queue[float]()

        def read() -> float:
            checks.put_nowait(clock())
            return clock()

        exchange, app = Exchange(build(read), lasts=100), Application(b"data: 1\n\n")
        running = asyncio.ensure_future(exchange.run(app))
        await exchange.until(2)
        clock.advance(99.9)
        while not checks.empty():
            checks.get_nowait()
        for _ in range(3):
            await checks.get()
        assert len(exchange.streams) == 1
        clock.advance(0.1)
        await running
        assert exchange.body == b"data: 1\n\n" + ERROR

    drive(scenario)


def test_documented_event_is_real() -> None:
    page = (Path(__file__).parents[2] / "docs" / "web.md").read_text("utf-8")
    assert ERROR.decode().replace("\r\n", "\n").strip() in page


def test_reason_is_in_the_event() -> None:
    async def scenario() -> None:
        exchange = Exchange(build())
        await end_after(exchange, Application(b"data: 1\n\n"), 2, ErrorCode.KEYS_UNAVAILABLE)
        name, data, *_ = exchange.body.removeprefix(b"data: 1\n\n").split(b"\r\n")
        assert (name, json.loads(data.removeprefix(b"data: "))["error"]) == (b"event: error", "keys_unavailable")

    drive(scenario)


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"\r"])
def test_event_is_completed_before_the_end(line: bytes) -> None:
    first, rest, following = b"data: 1" + line, b"data: 2" + line + line, b"data: next"

    async def scenario() -> None:
        exchange = Exchange(build())
        await end_after(exchange, Application(first, rest + following, b" event" + line + line), 2)
        assert exchange.body == first + rest + ERROR

    drive(scenario)


def test_line_end_in_two_parts_is_one() -> None:
    async def scenario() -> None:
        exchange = Exchange(build())
        await end_after(exchange, Application(b"data: 1\r", b"\ndata: 2\r\n\r\ndata: 3"), 2)
        assert exchange.body == b"data: 1\r\ndata: 2\r\n\r\n" + ERROR

    drive(scenario)


def test_event_without_end_is_left_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client discards it. An event after it would become a part of it."""
    monkeypatch.setattr(streams.GuardedStream.__init__, "__defaults__", (0.05,))

    async def scenario() -> None:
        exchange = Exchange(build())
        await end_after(exchange, Application(b"data: 1"), 2)
        assert exchange.body == b"data: 1"
        assert exchange.sent[-1]["more_body"] is False

    drive(scenario)


def test_stream_ends_for_client_that_stops_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.GuardedStream.__init__, "__defaults__", (0.05,))

    async def scenario() -> None:
        exchange, gone = Exchange(build()), asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start())
            sending = asyncio.ensure_future(send(part(b"data: 1\n\n")))
            await until_disconnect(receive)
            gone.set()
            # As a server does: the disconnect cancels what still waits for the client.
            sending.cancel()
            await asyncio.wait([sending])

        exchange.reads.set()
        running = asyncio.ensure_future(exchange.run(app))
        await exchange.until(1)
        exchange.reads.clear()
        await asyncio.sleep(0)
        (stream,) = exchange.streams
        stream.end(EXPIRED)
        async with asyncio.timeout(20):
            await gone.wait()
        assert not running.done()
        exchange.reads.set()
        await running
        assert exchange.body == ERROR

    drive(scenario)


@pytest.mark.parametrize("parts", [(b"data: 2\n\n", b"data: 3\n\n"), (b"data: 2", b"\n\n", b"data: 3\n\n")])
def test_event_in_transit_is_not_cut(parts: tuple[bytes, ...]) -> None:
    async def scenario() -> None:
        exchange, app = Exchange(build()), Application(b"data: 1\n\n", *parts)
        running = asyncio.ensure_future(exchange.run(app))
        await exchange.until(2)
        exchange.reads.clear()
        app.may_send_on.set()
        for _ in range(5):
            await asyncio.sleep(0)
        (stream,) = exchange.streams
        stream.end(EXPIRED)
        exchange.reads.set()
        await running
        assert exchange.body == b"data: 1\n\ndata: 2\n\n" + ERROR

    drive(scenario)


def test_second_end_has_no_effect() -> None:
    async def scenario() -> None:
        exchange, app = Exchange(build()), Application(b"data: 1\n\n")
        running = asyncio.ensure_future(exchange.run(app))
        await exchange.until(2)
        (stream,) = exchange.streams
        stream.end(EXPIRED)
        stream.end(ErrorCode.KEYS_UNAVAILABLE)
        await running
        stream.end(EXPIRED)
        assert exchange.body == b"data: 1\n\n" + ERROR

    drive(scenario)


@pytest.mark.parametrize(("version", "fails"), [("2.0", False), ("2.3", False), ("2.4", True), ("2.10", True)])
def test_late_sends_fail_as_after_disconnect(version: str, *, fails: bool) -> None:
    async def scenario() -> None:
        exchange = Exchange(build(), lasts=0.05, asgi={"version": "3.0", "spec_version": version})
        failed = False

        async def app(scope: Any, receive: Any, send: Any) -> None:
            nonlocal failed
            await send(start())
            await until_disconnect(receive)
            try:
                await send(part(b"data: late\n\n"))
            except OSError:
                failed = True

        await exchange.run(app)
        assert (exchange.body, failed) == (ERROR, fails)

    drive(scenario)


def test_application_that_ends_needs_no_end() -> None:
    async def scenario() -> None:
        exchange = Exchange(build())

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start())
            await send(part(b"data: 1\n\n"))
            (stream,) = exchange.streams
            await send(part(b"", more=False))
            stream.end(EXPIRED)

        await exchange.run(app)
        assert exchange.sent == [start(), part(b"data: 1\n\n"), part(b"", more=False)]
        assert len(exchange.streams) == 0

    drive(scenario)


def test_exception_of_application_is_raised() -> None:
    async def scenario() -> None:
        exchange = Exchange(build())

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start())
            raise RuntimeError("broken")

        with pytest.raises(RuntimeError, match="broken"):
            await exchange.run(app)
        assert len(exchange.streams) == 0

    drive(scenario)


def test_cancellation_reaches_application() -> None:
    async def scenario() -> None:
        exchange, app, cancelled = Exchange(build()), Application(b"data: 1\n\n"), False

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            nonlocal cancelled
            try:
                await app(scope, receive, send)
            except asyncio.CancelledError:
                cancelled = True
                raise

        running = asyncio.ensure_future(exchange.run(watched))
        await exchange.until(2)
        running.cancel()
        await asyncio.wait([running])
        assert (cancelled, len(exchange.streams)) == (True, 0)
        assert exchange.body == b"data: 1\n\n"

    drive(scenario)


def test_disconnect_of_client_reaches_application() -> None:
    async def scenario() -> None:
        exchange, app = Exchange(build()), Application(b"data: 1\n\n")
        running = asyncio.ensure_future(exchange.run(app))
        await exchange.until(2)
        exchange.incoming.put_nowait({"type": "http.disconnect", "by": "client"})
        await running
        assert app.disconnect["by"] == "client"
        assert len(exchange.streams) == 0

    drive(scenario)


UNTOUCHED: dict[str, tuple[list[tuple[bytes, bytes]], dict[str, Any]]] = {
    "json": ([(b"content-type", b"application/json")], {}),
    "no_type": ([], {}),
    "compressed": ([*EVENTS, (b"content-encoding", b"gzip")], {}),
    "with_length": ([*EVENTS, (b"Content-Length", b"9")], {}),
    "head": (EVENTS, {"method": "HEAD"}),
    "nobody": (EVENTS, {"lasts": None}),
}


@pytest.mark.parametrize("name", list(UNTOUCHED))
def test_other_responses_are_not_ended(name: str) -> None:
    headers, more = UNTOUCHED[name]

    async def scenario() -> None:
        exchange = Exchange(build(), **{"lasts": -1, **more})

        async def app(scope: Any, receive: Any, send: Any) -> None:
            waiting = asyncio.ensure_future(until_disconnect(receive))
            await send(start(headers=headers))
            assert len(exchange.streams) == 0
            await send(part(b"first"))
            await asyncio.sleep(0)
            assert not waiting.done()
            exchange.incoming.put_nowait({"type": "http.disconnect"})
            await waiting
            await send(part(b"last", more=False))

        await exchange.run(app)
        assert exchange.sent == [start(headers=headers), part(b"first"), part(b"last", more=False)]

    drive(scenario)


def test_body_of_request_is_read_unchanged() -> None:
    async def scenario() -> None:
        exchange = Exchange(build(), method="POST")
        parts = [{"type": "http.request", "body": body, "more_body": body != b"c"} for body in (b"a", b"b", b"c")]
        exchange.incoming.get_nowait()
        for message in parts:
            exchange.incoming.put_nowait(message)
        read: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            read.extend([await receive() for _ in parts])
            await send(start(204, []))
            await send(part(b"", more=False))

        await exchange.run(app)
        assert read == parts

    drive(scenario)


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_finish_leaves_request_alone(kind: str) -> None:
    async def scenario() -> None:
        exchange, given = Exchange(build(stream_expiry="finish"), kind, lasts=-1), list[Any]()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            given.extend([receive, send])

        await exchange.run(app)
        assert given == [exchange.incoming.get, exchange.send]

    drive(scenario)


def test_lifespan_is_left_alone() -> None:
    async def scenario() -> None:
        exchange, given = Exchange(build(), "lifespan"), list[Any]()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            given.extend([receive, send])

        await exchange.run(app)
        assert given == [exchange.incoming.get, exchange.send]

    drive(scenario)


def test_unannounced_stream_is_refused_after_the_end() -> None:
    async def scenario() -> None:
        events: list[Any] = []
        exchange, app = Exchange(build(observer=events.append), lasts=-1), Application(b"data: secret\n\n")
        app.headers = [*EVENTS, (b"access-control-allow-origin", b"*"), (b"x-own", b"1")]
        await exchange.run(app)
        head, *_ = exchange.sent
        headers = dict(head["headers"])
        assert (head["status"], json.loads(exchange.body)["detail"][:13]) == (401, "token_expired")
        assert headers[b"www-authenticate"].startswith(b'Bearer error="invalid_token"')
        assert (headers[b"access-control-allow-origin"], headers[b"content-type"]) == (b"*", b"application/json")
        assert b"x-own" not in headers
        assert app.disconnect == {"type": "http.disconnect"}
        assert [(event.outcome, event.code, event.identity) for event in events] == [
            ("failed", "token_expired", "alice")
        ]

    drive(scenario)


def test_announced_stream_opens_and_ends_at_once() -> None:
    """Its request was checked in time. The client learns from the headers which run it has started."""

    async def scenario() -> None:
        exchange = Exchange(build(), lasts=-1, path="/runs/stream")
        app = Application(headers=[*EVENTS, (b"location", b"/runs/1/stream")])
        await exchange.run(app)
        assert exchange.sent[0] == start(headers=app.headers)
        assert exchange.body == ERROR

    drive(scenario)


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_caller_in_copy_of_scope_counts(kind: str) -> None:
    """A middleware between ours and the hook may pass a copy on."""

    async def scenario() -> None:
        oidc = build()
        exchange, inner = Exchange(oidc, kind, lasts=0.05), Application() if kind == "http" else Socket()
        caller = exchange.scope.pop("oidc_auth.caller")
        exchange.incoming.put_nowait({"type": "websocket.connect"})

        async def app(scope: Any, receive: Any, send: Any) -> None:
            copied = dict(scope)
            note_caller(copied, caller, None, oidc)
            await inner(copied, receive, send)

        await exchange.run(app)
        assert exchange.body == ERROR if kind == "http" else exchange.sent[-1]["code"] == 4401

    drive(scenario)


class Socket:
    """Accepts a WebSocket, and waits for its end."""

    def __init__(self, *, authenticate_late: bool = False) -> None:
        self.disconnect: Any = None
        self.authenticate_late = authenticate_late

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        caller = scope.pop("oidc_auth.caller") if self.authenticate_late else None
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        if caller is not None:
            scope["oidc_auth.caller"] = caller
        self.disconnect = await until_disconnect(receive)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("lasts", [0.05, -1])
def test_websocket_closes_with_its_token(lasts: float, *, late: bool) -> None:
    async def scenario() -> None:
        exchange, app = Exchange(build(), "websocket", lasts=lasts), Socket(authenticate_late=late)
        exchange.incoming.put_nowait({"type": "websocket.connect"})
        await exchange.run(app)
        close = {"type": "websocket.close", "code": 4401, "reason": "token_expired"}
        assert exchange.sent == [{"type": "websocket.accept"}, close]
        assert app.disconnect == {"type": "websocket.disconnect", "code": 4401, "reason": "token_expired"}
        assert len(exchange.streams) == 0

    drive(scenario)


def test_messages_of_websocket_pass_unchanged() -> None:
    async def scenario() -> None:
        exchange, received = Exchange(build(), "websocket"), list[Any]()
        messages: list[Any] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "x"}]
        answers: list[Any] = [
            {"type": "websocket.accept"},
            {"type": "websocket.send", "text": "y"},
            {"type": "websocket.close", "code": 1000},
        ]
        for message in messages:
            exchange.incoming.put_nowait(message)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            received.append(await receive())
            await send(answers[0])
            assert len(exchange.streams) == 1
            received.append(await receive())
            await send(answers[1])
            await send(answers[2])
            assert len(exchange.streams) == 0

        await exchange.run(app)
        assert (received, exchange.sent) == (messages, answers)

    drive(scenario)


def test_websocket_without_caller_is_not_ended() -> None:
    async def scenario() -> None:
        exchange, app = Exchange(build(), "websocket", lasts=None), Socket()
        exchange.incoming.put_nowait({"type": "websocket.connect"})
        exchange.incoming.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await exchange.run(app)
        assert (app.disconnect["code"], len(exchange.sent)) == (1001, 1)

    drive(scenario)
