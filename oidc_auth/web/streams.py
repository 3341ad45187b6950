"""End streams of events and WebSockets, with their token or after its revocation.

The server sees the end as a disconnect of the client, so that it treats the run as it does then. The client gets a
named error, so that it can connect again with a new token.
"""

from __future__ import annotations

import asyncio
import json
import re
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from ..errors import ERROR_DETAILS, ErrorCode, TokenError
from ..langgraph.hook import CALLER_KEY, CALLERS_KEY, TOKEN_KEY
from ..langgraph.request_kind import EVENT_STREAM, find_request_kind, find_request_resource
from ..observability import log_refusal
from ..permissions.caller import Caller
from ..permissions.reports import report_authentication
from ..tokens.resource import RequestKind, check_stream_start
from ..tokens.states import VerifiedToken
from .open_streams import find_targets

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from ..authentication import OIDCAuth
    from .open_streams import OpenStreams, Target

CLOSE_CODE = 4401
"""The close code of a WebSocket. LangGraph's SDKs read 4000 plus the HTTP status, and do not retry this one."""
GRACE = 5.0
"""Seconds that an application has to complete an event that it has begun."""
LONGEST_TIMER = 3600.0
"""Seconds. Event loops limit their timers, and a host can be suspended."""
DROPPED_SENDS_FAIL = (2, 4)
"""From this version of ASGI, sending after a disconnect raises OSError. Applications of older ones read a message."""
CORS_HEADERS = (b"access-control-", b"vary")
FIXED_BODY_HEADERS = frozenset({b"content-length", b"content-encoding"})
_EVENT_END = re.compile(rb"(?>\r\n|\n|\r){2}")
"""A line without text ends an event. A line ends in three ways (HTML standard, server-sent events)."""
_LONGEST_END = 4


class GuardedStream(ABC):
    """One request that is, or may become, a stream.

    Args:
        scope: The ASGI scope.
        receive: Receives from the server.
        send: Sends to the server.
        oidc: Has the clock and the challenges.
        streams: Holds this stream while it is open.
        grace: Seconds to wait for the end of an event.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, oidc: OIDCAuth, streams: OpenStreams, grace: float = GRACE
    ) -> None:
        self.caller: Caller | None = None
        """The caller, once the stream is open."""
        self.targets: tuple[Target, ...] = ()
        """What revocations can name, once the stream is open."""
        self._token: VerifiedToken | None = None
        self._loop = asyncio.get_running_loop()
        self._scope = scope
        self._callers: list[tuple[Caller, VerifiedToken | None]] = []
        scope[CALLERS_KEY] = self._callers
        self._receive = receive
        self._send = send
        self._oidc = oidc
        self._streams = streams
        self._grace = grace
        self._lock = asyncio.Lock()
        self._stopped = asyncio.Event()
        # For the application the client is gone.
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._is_over = False
        self._code: ErrorCode | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    def end(self, code: ErrorCode) -> None:
        """End the stream, after the event that is being sent. Only the first call has an effect.

        Args:
            code: The reason, for the client.
        """
        if self._code is not None or self._is_over:
            return
        self._code = code
        if not self._lock.locked() and self._is_between_events():
            self._stopped.set()
        self._closing = asyncio.create_task(self._close())

    async def finish(self) -> None:
        """Clean up after the application has returned."""
        try:
            if self._closing is not None:
                await self._closing
        finally:
            self._set_over()

    async def receive(self) -> Message:
        """Receive for the application."""
        if self._gone.done():
            return self._disconnect()
        if self._is_over:
            return await self._receive()
        receiving = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait((receiving, self._gone), return_when=asyncio.FIRST_COMPLETED)
            return receiving.result() if receiving.done() else self._disconnect()
        finally:
            receiving.cancel()

    async def send(self, message: Message) -> None:
        """Send for the application."""
        if self._is_over and not self._stopped.is_set():
            await self._send(message)
            return
        # A server may send heartbeats and events at the same time.
        async with self._lock:
            if self._stopped.is_set():
                self._drop()
                return
            await self._send_guarded(message)
            if self._code is not None and (self._is_over or self._is_between_events()):
                self._stopped.set()

    @abstractmethod
    async def _send_guarded(self, message: Message) -> None: ...

    def _is_between_events(self) -> bool:
        return True

    @abstractmethod
    def _end_messages(self, code: ErrorCode) -> list[Message]: ...

    @abstractmethod
    def _disconnect(self) -> Message: ...

    def _find_caller(self) -> Caller | None:
        if self._callers:
            caller, self._token = self._callers[-1]
            return caller
        # With auth_first, the hook ran before.
        found, token = self._scope.get(CALLER_KEY), self._scope.get(TOKEN_KEY)
        self._token = token if isinstance(token, VerifiedToken) else None
        return found if isinstance(found, Caller) else None

    def _open(self, caller: Caller) -> None:
        self.caller = caller
        if self._oidc.revocation is not None and self._token is not None:
            self.targets = tuple(find_targets(self._token))
        self._streams.add(self)
        # After the addition, so that no revocation is missed. One may have come after the authentication.
        self._check_revoked()
        if self._oidc.ends_streams:
            self._check_time(caller)

    def request_check(self) -> None:
        """Let the stream end if its token is revoked. Any thread may call it."""
        # A loop that has ended has no more streams.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._check_revoked)

    def _check_revoked(self) -> None:
        revocation, token = self._oidc.revocation, self._token
        if revocation is not None and token is not None and revocation.store.live.find(token) is not None:
            self.end(ErrorCode.TOKEN_REVOKED)

    def _check_time(self, caller: Caller) -> None:
        # The clock decides. The timer of the loop can be early, and does not follow a changed clock.
        if (remaining := caller.expires_at - self._oidc.clock()) <= 0:
            self.end(ErrorCode.TOKEN_EXPIRED)
        else:
            self._timer = self._loop.call_later(min(remaining, LONGEST_TIMER), partial(self._check_time, caller))

    def _set_over(self) -> None:
        self._is_over = True
        self._streams.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(self._grace):
                await self._stopped.wait()
        except TimeoutError:
            # The application does not complete its event, or the client does not read.
            self._stopped.set()
        self._leave()
        # The server may report that the client has gone.
        with suppress(OSError):
            async with self._lock:
                await self._send_end()
        self._set_over()

    async def _send_end(self) -> None:
        if self._code is not None and not self._is_over:
            for message in self._end_messages(self._code):
                await self._send(message)

    def _leave(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)

    def _drop(self) -> None:
        version = self._scope.get("asgi", {}).get("spec_version", "2.0")
        if tuple(map(int, version.split("."))) >= DROPPED_SENDS_FAIL:
            raise OSError("the stream has ended")


class GuardedEvents(GuardedStream):
    """A response of events (``text/event-stream``). Other responses pass unchanged."""

    _reads_body = True
    _tail = b"\n\n"

    async def receive(self) -> Message:
        """Receive for the application."""
        if not self._reads_body:
            return await super().receive()
        # Only what follows the body is a wait for the end.
        message = await self._receive()
        self._reads_body = bool(message.get("more_body"))
        return message

    async def _send_guarded(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._start(message)
        elif message["type"] == "http.response.body":
            await self._send_body(message)
        else:
            await self._send(message)

    async def _start(self, message: Message) -> None:
        caller = self._find_caller() if _is_event_stream(self._scope, message) else None
        if caller is None:
            self._is_over = True
        elif refusal := self._refusal(caller):
            report_authentication(
                self._oidc.reporter, refusal.code, caller.issuer, self._oidc.reporter.start(), caller, cached=None
            )
            await self._refuse(refusal, message)
            return
        await self._send(message)
        if caller is not None:
            self._open(caller)

    def _refusal(self, caller: Caller) -> TokenError | None:
        """Return the refusal of a stream that its request did not announce.

        Any other request was checked before it had an effect. Its stream opens and ends immediately, so that the
        client learns which run it has started.
        """
        if self._oidc.ends_streams and find_request_kind(self._scope) is RequestKind.ANSWER:
            try:
                check_stream_start(caller.issuer, caller.expires_at, self._oidc.clock())
            except TokenError as refusal:
                return refusal
        return None

    async def _refuse(self, refusal: TokenError, start: Message) -> None:
        log_refusal(refusal)
        challenge = self._oidc.challenge(refusal, find_request_resource(self._scope))
        response = JSONResponse({"detail": challenge.detail}, challenge.status, challenge.headers())
        # Scripts of a page could not read the answer without the headers that a middleware of the application has set.
        response.raw_headers += [field for field in start["headers"] if field[0].lower().startswith(CORS_HEADERS)]
        await response(self._scope, self._receive, self._send)
        self._stopped.set()
        self._leave()
        self._set_over()

    async def _send_body(self, message: Message) -> None:
        body: bytes = message.get("body", b"")
        has_more: bool = message.get("more_body", False)
        if self._code is not None and has_more:
            message = {**message, "body": (body := _cut_event(self._tail, body))}
        await self._send(message)
        self._tail = (self._tail + body[-_LONGEST_END:])[-_LONGEST_END:]
        if not has_more:
            self._set_over()

    def _is_between_events(self) -> bool:
        return any(match.end() == len(self._tail) for match in _EVENT_END.finditer(self._tail))

    def _end_messages(self, code: ErrorCode) -> list[Message]:
        # Clients discard an incomplete event when the stream ends (HTML standard, server-sent events).
        event = _error_event(code) if self._is_between_events() else b""
        return [{"type": "http.response.body", "body": event, "more_body": False}]

    def _disconnect(self) -> Message:
        return {"type": "http.disconnect"}


class GuardedSocket(GuardedStream):
    """A WebSocket."""

    _is_accepted = False

    async def receive(self) -> Message:
        """Receive for the application."""
        self._find_late_caller()
        return await super().receive()

    async def _send_guarded(self, message: Message) -> None:
        if message["type"] in ("websocket.accept", "websocket.send"):
            await self._send(message)
            self._is_accepted = True
            self._find_late_caller()
        else:
            self._set_over()
            await self._send(message)

    def _find_late_caller(self) -> None:
        # A route of the application may accept the socket first, and authenticate it then.
        is_open = self._is_accepted and not self._is_over
        if is_open and self.caller is None and (caller := self._find_caller()) is not None:
            self._open(caller)

    def _end_messages(self, code: ErrorCode) -> list[Message]:
        return [{"type": "websocket.close", "code": CLOSE_CODE, "reason": str(code)}]

    def _disconnect(self) -> Message:
        return {"type": "websocket.disconnect", "code": CLOSE_CODE, "reason": str(self._code or "")}


def _is_event_stream(scope: Scope, start: Message) -> bool:
    """Tell whether an event can be added to a response."""
    headers = {name.lower(): value for name, value in start["headers"]}
    is_events = headers.get(b"content-type", b"").lower().startswith(EVENT_STREAM)
    # A response to HEAD has no body. A compressed one has no place for an event, and one with a length no space.
    return is_events and scope["method"] != "HEAD" and headers.keys().isdisjoint(FIXED_BODY_HEADERS)


def _error_event(code: ErrorCode) -> bytes:
    """Return the event for the client, with the fields of the server's own errors.

    ``type`` and ``id`` belong to the second version of the protocol, where only such an object is an error.
    """
    data = {"type": "error", "id": None, "error": code, "message": ERROR_DETAILS[code].client_message}
    return f"event: error\r\ndata: {json.dumps(data)}\r\n\r\n".encode()


def _cut_event(tail: bytes, body: bytes) -> bytes:
    """Return the start of a body up to the first end of an event, or all of it.

    Args:
        tail: The last bytes before it.
        body: The body.
    """
    for match in _EVENT_END.finditer(tail + body):
        if match.end() > len(tail):
            return body[: match.end() - len(tail)]
    return body
