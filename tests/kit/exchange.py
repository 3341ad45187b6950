"""Requests that the client ends, because some responses never end.

TestClient waits for the end of a response.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.server import Server

Message = dict[str, Any]
ABNORMAL = 1006
"""The close code of a WebSocket that ends without one (RFC 6455 §7.1.5)."""


class Exchange:
    """The messages of one request. The client disconnects when the response contains ``stop``."""

    def __init__(self, sent: list[Message], disconnect: Message, stop: bytes) -> None:
        self.status, self.body = 0, b""
        self._sent, self._disconnect, self._stop = sent, disconnect, stop
        self._stopped = asyncio.Event()

    async def receive(self) -> Message:
        if self._sent:
            return self._sent.pop(0)
        await self._stopped.wait()
        return self._disconnect

    async def send(self, message: Message) -> None:
        self.status = message.get("status") or message.get("code") or self.status
        self.body += message.get("body", b"") + message.get("text", "").encode()
        if self._stop in self.body:
            self._stopped.set()

    def with_server(self, server: Server, kind: str, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Run the request. The server ends it after the disconnect."""
        from langgraph_api.server import app

        route, _, query = path.partition("?")
        scope = {
            "type": kind,
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http" if kind == "http" else "ws",
            "path": route,
            "raw_path": route.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
            "client": ("testclient", 50000),
            "server": ("testserver", 80),
            "subprotocols": [],
            "state": server.client.app_state,
        }
        # In a new context. Otherwise the server would use the identity of the previous user.
        server.run(lambda: asyncio.create_task(app(scope, self.receive, self.send), context=contextvars.Context()))


def first_event(
    server: Server, method: str, path: str, body: Any, headers: Mapping[str, str], until: bytes = b"event:"
) -> httpx.Response:
    """Send a request, and disconnect when the response contains ``until`` or ends."""
    content = b"" if body is None else json.dumps(body).encode()
    request = {"type": "http.request", "body": content, "more_body": False}
    exchange = Exchange([request], {"type": "http.disconnect"}, until)
    sent = {"host": "testserver", "content-type": "application/json", **headers}
    exchange.with_server(server, "http", method, path, sent)
    return httpx.Response(exchange.status, content=exchange.body)


def first_answer(server: Server, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
    """Send a WebSocket message, and disconnect after its response or a close."""
    sent = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": json.dumps(body)}]
    exchange = Exchange(sent, {"type": "websocket.disconnect", "code": 1000}, f'"id":{body["id"]}'.encode())
    exchange.with_server(server, "websocket", "GET", path, {"host": "testserver", **headers})
    status = exchange.status or (httpx.codes.OK if exchange.body else ABNORMAL)
    return httpx.Response(status, content=exchange.body)
