"""A custom app with a ``BaseHTTPMiddleware``, which runs the request in a new task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.middleware.base import RequestResponseEndpoint
    from starlette.requests import Request
    from starlette.responses import Response


class PassThrough(BaseHTTPMiddleware):
    """Middleware that changes nothing. The base class starts the task."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


async def log_context(request: Request) -> JSONResponse:
    """Return the log context of this request."""
    from langgraph_api.logging import worker_config

    return JSONResponse(worker_config.get())


app = Starlette(
    # The server sets a request id only for paths below /threads.
    routes=[Route("/log-context", log_context), Route("/threads/log-context/now", log_context)],
    middleware=[Middleware(PassThrough)],
)
