"""The real langgraph-api in the test's own process, driven through starlette's TestClient.

Never through a plain ``ASGITransport``: in one task it lets the first user's identity authorize all later requests
(measured on 0.16.7).
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from langgraph_sdk import Auth
    from starlette.testclient import TestClient

GRAPH = Path(__file__).parents[2] / "examples" / "quickstart" / "graph.py"
HERE = Path(__file__).parent
GRAPHS = {
    "agent": GRAPH,
    "other": GRAPH,
    "loop": HERE / "loopback_graph.py",
    "chat": HERE / "chat_graph.py",
}

ENVIRONMENT = {
    "MIGRATIONS_PATH": "__inmem",
    "DATABASE_URI": ":memory:",
    "REDIS_URI": "fake",
    "LANGGRAPH_RUNTIME_EDITION": "inmem",
    "N_JOBS_PER_WORKER": "2",
    "LANGSMITH_TRACING": "false",
    # Its thread writes into the working directory, which other tests change.
    "LANGGRAPH_DISABLE_FILE_PERSISTENCE": "true",
    "LANGGRAPH_NO_VERSION_CHECK": "1",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    # A fire each second, not each five.
    "CRON_SCHEDULER_SLEEP_TIME": "1",
    # Studio's way round authentication is open, so that our own rule for it is what is tested.
    "LANGSMITH_LANGGRAPH_API_VARIANT": "local_dev",
    # The server's own rule for webhooks is off, so that ours is what is tested.
    "LANGGRAPH_WEBHOOKS": json.dumps({"url": {"disable_loopback": False, "require_https": False}}),
    "LANGGRAPH_AUTH": json.dumps({"path": "world.server_auth:auth"}),
    "LANGSERVE_GRAPHS": json.dumps({name: f"{file}:graph" for name, file in GRAPHS.items()}),
    "LANGGRAPH_HTTP": json.dumps({"app": f"{HERE / 'custom_app.py'}:app", "enable_custom_route_auth": True}),
}


class Call:
    """One exchange with an ASGI application, ended by the caller after the first event."""

    def __init__(self, body: bytes) -> None:
        self.status, self.body = 0, b""
        self._sent = [{"type": "http.request", "body": body, "more_body": False}]
        self._heard = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if not self._sent:
            await self._heard.wait()
            return {"type": "http.disconnect"}
        return self._sent.pop()

    async def send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")
        if b"event:" in self.body:
            self._heard.set()


class Server:
    """The running server; ``install`` an Auth object, then talk to it as somebody."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def install(self, auth: Auth) -> None:
        from world import server_auth

        server_auth.install(auth)

    def run(self, function: Callable[[], Awaitable[Any]]) -> Any:
        """Run an async function on the server's own event loop."""
        assert self.client.portal is not None
        return self.client.portal.call(function)

    def ask(self, method: str, path: str, token: str | None = None, body: Any = None, **headers: str) -> Any:
        """Send one request, as the bearer of a token."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        return self.client.request(method, path, json=body, headers=sent)

    @contextmanager
    def served(self) -> Iterator[str]:
        """Answer at a real address too, for a client that is a program of its own."""
        import uvicorn
        from langgraph_api.server import app

        web = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
        assert self.client.portal is not None
        done = self.client.portal.start_task_soon(web.serve)
        while not web.started:
            time.sleep(0.01)
        host, port = web.servers[0].sockets[0].getsockname()
        yield f"http://{host}:{port}"
        web.should_exit = True
        done.result()

    def first_event(self, method: str, path: str, token: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
        """Send a request whose answer does not end, and hang up once an event came: TestClient would wait for ever."""
        from langgraph_api.server import app

        sent = {"host": "testserver", "content-type": "application/json", "authorization": f"Bearer {token}", **headers}
        call = Call(b"" if body is None else json.dumps(body).encode())
        route, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": route,
            "raw_path": route.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), text.encode()) for name, text in sent.items()],
            "client": ("testclient", 50000),
            "server": ("testserver", 80),
            "state": self.client.app_state,
        }
        self.run(lambda: asyncio.create_task(app(scope, call.receive, call.send), context=contextvars.Context()))
        return httpx.Response(call.status, content=call.body)


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """Start the server in a folder of its own: it writes its state into the working directory."""
    before = Path.cwd()
    os.environ.update(ENVIRONMENT)
    os.chdir(folder)
    from langgraph_api.server import app
    from starlette.testclient import TestClient

    with TestClient(app, raise_server_exceptions=False) as client:
        yield Server(client)
    os.chdir(before)
