"""Run a real langgraph-api server in the test process.

Requests go through starlette's TestClient. With a plain ``ASGITransport`` all requests run in one task, and the server
then uses the identity of the first user for all of them (measured on 0.16.7).
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from langgraph_sdk import Auth
    from starlette.testclient import TestClient

GRAPH = Path(__file__).parents[2] / "examples" / "quickstart" / "graph.py"
HERE = Path(__file__).parent
GRAPHS = {
    "agent": GRAPH,
    "other": GRAPH,
    "loop": HERE / "loopback_graph.py",
    "chat": HERE / "chat_graph.py",
    "memory": HERE / "memory_graph.py",
    "approval": HERE / "approval_graph.py",
    "breakpoint": HERE / "breakpoint_graph.py",
}

ENVIRONMENT = {
    "MIGRATIONS_PATH": "__inmem",
    "DATABASE_URI": ":memory:",
    "REDIS_URI": "fake",
    "LANGGRAPH_RUNTIME_EDITION": "inmem",
    "N_JOBS_PER_WORKER": "2",
    "LANGSMITH_TRACING": "false",
    # The persistence thread writes into the working directory, which other tests change.
    "LANGGRAPH_DISABLE_FILE_PERSISTENCE": "true",
    "LANGGRAPH_NO_VERSION_CHECK": "1",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    # The server lets Studio skip authentication, so that tests check our own rule.
    "LANGSMITH_LANGGRAPH_API_VARIANT": "local_dev",
    # The server's rules for webhooks are off, so that tests check our own rule.
    "LANGGRAPH_WEBHOOKS": json.dumps({"url": {"disable_loopback": False, "require_https": False}}),
    "LANGGRAPH_AUTH": json.dumps({"path": "kit.server_auth:auth"}),
    "LANGSERVE_GRAPHS": json.dumps({name: f"{file}:graph" for name, file in GRAPHS.items()}),
    "LANGGRAPH_HTTP": json.dumps({"app": f"{HERE / 'custom_app.py'}:app", "enable_custom_route_auth": True}),
}


class Server:
    """A running server. Call ``install`` with an Auth object, then send requests."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def install(self, auth: Auth) -> None:
        from kit import server_auth

        server_auth.install(auth)

    def run(self, function: Callable[[], Awaitable[Any]]) -> Any:
        """Run an async function in the event loop of the server."""
        assert self.client.portal is not None
        return self.client.portal.call(function)

    def request(self, method: str, path: str, token: str | None = None, body: Any = None, **headers: str) -> Any:
        """Send a request with a token."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        return self.client.request(method, path, json=body, headers=sent)

    @contextmanager
    def served(self) -> Iterator[str]:
        """Also serve on a real address, for clients in other processes."""
        import uvicorn
        from langgraph_api.server import app

        web = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
        assert self.client.portal is not None
        done = self.client.portal.start_task_soon(web.serve)
        while not web.started:
            time.sleep(0.01)
        host, port = web.servers[0].sockets[0].getsockname()
        try:
            yield f"http://{host}:{port}"
        finally:
            web.should_exit = True
            done.result()


def shorten_pauses() -> None:
    """Let the server look for new runs and due crons sooner. Its pauses were half the time of the tests."""
    from langgraph_api import cron_scheduler
    from langgraph_runtime_inmem.ops import Runs

    find_runs = Runs.next

    async def find_runs_soon(*, wait: bool, limit: int) -> AsyncIterator[Any]:
        if wait:
            await asyncio.sleep(0.02)
        async for found in find_runs(wait=False, limit=limit):
            yield found

    # The environment has no setting for the first, and only whole seconds for the second.
    Runs.next = find_runs_soon
    cron_scheduler.SLEEP_TIME = 0.05


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """Start the server in a folder, because it writes state into the working directory."""
    previous = Path.cwd()
    os.environ.update(ENVIRONMENT)
    os.chdir(folder)
    from langgraph_api.server import app
    from starlette.testclient import TestClient

    shorten_pauses()
    try:
        with TestClient(app, raise_server_exceptions=False) as client:
            yield Server(client)
    finally:
        os.chdir(previous)
