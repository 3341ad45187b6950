"""One exchange with the server that the caller ends: TestClient waits for an answer's end, and some have none."""

from __future__ import annotations

import asyncio
import contextvars
import json
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

    from world.server import Server

Message = dict[str, Any]
ABNORMAL = 1006
"""What a client makes of a socket that ends without a word."""


class Exchange:
    """What is sent, what was heard, and when that is enough."""

    def __init__(self, sent: list[Message], goodbye: Message, enough: bytes) -> None:
        self.status, self.body = 0, b""
        self._sent, self._goodbye, self._enough = sent, goodbye, enough
        self._heard = asyncio.Event()

    async def receive(self) -> Message:
        if self._sent:
            return self._sent.pop(0)
        await self._heard.wait()
        return self._goodbye

    async def send(self, message: Message) -> None:
        self.status = message.get("status") or message.get("code") or self.status
        self.body += message.get("body", b"") + message.get("text", "").encode()
        if self._enough in self.body:
            self._heard.set()

    def with_server(self, server: Server, kind: str, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Let the server answer; return when it is done, which it is once it heard the goodbye."""
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
        # In a context of its own: in one context the first user's identity would serve for the next request.
        server.run(lambda: asyncio.create_task(app(scope, self.receive, self.send), context=contextvars.Context()))


def first_event(
    server: Server, method: str, path: str, body: Any, headers: Mapping[str, str], until: bytes = b"event:"
) -> httpx.Response:
    """Send a request, and hang up once an event came that holds ``until``, or the answer ended."""
    content = b"" if body is None else json.dumps(body).encode()
    request = {"type": "http.request", "body": content, "more_body": False}
    exchange = Exchange([request], {"type": "http.disconnect"}, until)
    sent = {"host": "testserver", "content-type": "application/json", **headers}
    exchange.with_server(server, "http", method, path, sent)
    return httpx.Response(exchange.status, content=exchange.body)


def first_answer(server: Server, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
    """Send a message through a socket, and hang up once it was answered, or the socket closed."""
    sent = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": json.dumps(body)}]
    exchange = Exchange(sent, {"type": "websocket.disconnect", "code": 1000}, f'"id":{body["id"]}'.encode())
    exchange.with_server(server, "websocket", "GET", path, {"host": "testserver", **headers})
    status = exchange.status or (httpx.codes.OK if exchange.body else ABNORMAL)
    return httpx.Response(status, content=exchange.body)
