"""One ASGI exchange with ``WebMiddleware``, without a server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oidc_auth.langgraph.hook import CALLER_KEY, TOKEN_KEY
from oidc_auth.permissions.caller import Caller
from oidc_auth.tokens.states import VerifiedToken
from oidc_auth.web.middleware import WebMiddleware
from oidc_auth.web.open_streams import OpenStreams

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message

    from oidc_auth import OIDCAuth

EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8")]
DISCONNECT = {"http": "http.disconnect", "websocket": "websocket.disconnect"}


ISSUER_URL = "https://issuer.test"


async def is_current(now: float) -> bool:
    del now
    return True


class Exchange:
    """What an application and a client send each other.

    Args:
        oidc: The authenticator.
        kind: ``http`` or ``websocket``.
        lasts: Seconds until the token ends.
        claims: Claims of the token, which a revocation can name.
        scope: More of the ASGI scope.
    """

    def __init__(
        self, oidc: OIDCAuth, kind: str = "http", *, lasts: float | None = 600, claims: Any = None, **scope: Any
    ) -> None:
        self.oidc = oidc
        self.streams = OpenStreams()
        self.sent: list[Message] = []
        self.changed = asyncio.Event()
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.reads = asyncio.Event()
        """Cleared for a client that does not read."""
        self.reads.set()
        if kind == "http":
            self.incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        headers: list[tuple[bytes, bytes]] = []
        self.scope = {"type": kind, "method": "GET", "path": "/own", "headers": headers, "asgi": {}, **scope}
        if lasts is not None:
            until = oidc.clock() + lasts
            self.scope[CALLER_KEY] = Caller(identity="alice", expires_at=until)
            self.scope[TOKEN_KEY] = VerifiedToken(ISSUER_URL, claims or {}, until, until, is_current)
        if oidc.revocation is not None:
            # As ``install`` does it.
            oidc.revocation.store.live.listeners.add(self.streams.check_revoked)

    async def run(self, app: ASGIApp) -> None:
        """Run the application behind the middleware, at most 20 seconds."""
        middleware = WebMiddleware(app, oidc=self.oidc, streams=self.streams)
        async with asyncio.timeout(20):
            await middleware(self.scope, self.incoming.get, self.send)

    async def send(self, message: Message) -> None:
        """Receive a message of the application, as a server that waits for its client."""
        await self.reads.wait()
        self.sent.append(message)
        self.changed.set()

    async def until(self, count: int) -> None:
        """Wait until so many messages were sent."""
        while len(self.sent) < count:
            self.changed.clear()
            async with asyncio.timeout(20):
                await self.changed.wait()

    @property
    def body(self) -> bytes:
        """The body of the response so far."""
        return b"".join(message.get("body", b"") for message in self.sent)


def start(status: int = 200, headers: Any = EVENTS) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def until_disconnect(receive: Any) -> Message:
    """Receive until the client has gone, as servers do for a stream."""
    while True:
        message: Message = await receive()
        if message["type"] in DISCONNECT.values():
            return message
