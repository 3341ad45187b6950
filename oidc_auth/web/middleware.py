"""The ASGI middleware of the web application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..langgraph.request_kind import SUBPROTOCOL_KEY, move_subprotocol_token
from ..tokens.extract import SUBPROTOCOL
from .callers import OIDC_KEY
from .streams import GuardedEvents, GuardedSocket

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ..authentication import OIDCAuth
    from .open_streams import OpenStreams


class WebMiddleware:
    """Accepts the tokens of WebSockets, ends streams, and makes the ``OIDCAuth`` object known to the routes.

    Args:
        app: The application.
        oidc: The authenticator.
        streams: The open streams.
    """

    def __init__(self, app: ASGIApp, oidc: OIDCAuth, streams: OpenStreams) -> None:
        self._app = app
        self._oidc = oidc
        self._streams = streams
        self._guards_streams = oidc.ends_streams or oidc.revocation is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        scope[OIDC_KEY] = self._oidc
        if scope["type"] == "websocket" and self._oidc.accepts_subprotocol:
            # The hook does the same. So no other code sees the token as a subprotocol.
            move_subprotocol_token(scope)
            if SUBPROTOCOL_KEY in scope:
                send = _answer_subprotocol(send)
        if self._guards_streams and scope["type"] in ("http", "websocket"):
            await self._guard(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = GuardedSocket if scope["type"] == "websocket" else GuardedEvents
        stream = kind(scope, receive, send, self._oidc, self._streams)
        try:
            await self._app(scope, stream.receive, stream.send)
        finally:
            await stream.finish()


def _answer_subprotocol(send: Send) -> Send:
    """Return a function that accepts the subprotocol ``bearer``, unless the application accepts one."""

    async def answer(message: Message) -> None:
        # A browser closes a socket if none of its subprotocols was accepted (RFC 6455 §4.1).
        if message["type"] == "websocket.accept" and not message.get("subprotocol"):
            message = {**message, "subprotocol": SUBPROTOCOL}
        await send(message)

    return answer
