"""Denials of MCP tool calls: HTTP 403 with a JSON-RPC error.

The server answers ``/mcp`` by calls to its own API in the same process. Without this handler a denied call is an
internal error, status 500, which ends the session of MCP clients. A middleware could do the same, but its response
would have no CORS headers.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, cast

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from ..errors import FORBIDDEN, UNAUTHENTICATED
from ..json_values import is_object
from ..langgraph.request_kind import find_request_resource
from ..tokens.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from starlette.applications import Starlette
    from starlette.requests import Request

    from ..tokens.resource import ProtectedResource

    Handler = Callable[[Any, Any], Response | Awaitable[Response | None] | None]

LOOPBACK_HOST = "api"
"""The host of the server's calls to itself (langgraph_sdk.client, base_url http://api)."""
DENIED = -32003
"""The JSON-RPC code. -32000 to -32099 are for the application (JSON-RPC 2.0 §5.1)."""


def handle_mcp_denials(app: Starlette, resource: ProtectedResource) -> None:
    """Answer denied MCP calls. The handlers of the application still get all other exceptions."""
    build = app.build_middleware_stack

    def build_middleware_stack() -> Any:  # noqa: ANN401 - an ASGI application
        # Only now are all handlers registered, also those after install().
        handlers = cast("MutableMapping[Any, Handler]", app.exception_handlers)
        kinds: set[type[Exception]] = {httpx.HTTPStatusError}
        kinds |= {kind for kind in handlers if isinstance(kind, type) and issubclass(kind, httpx.HTTPStatusError)}
        # All are looked up before the first is replaced.
        own = {kind: _find_own(handlers, kind) for kind in kinds}
        handlers.update({kind: _build_handler(resource, each) for kind, each in own.items()})
        return build()

    app.build_middleware_stack = build_middleware_stack  # type: ignore[method-assign]


def _find_own(handlers: Mapping[Any, Handler], kind: type[Exception]) -> Handler | None:
    """Return the handler that starlette would choose: that of the nearest class."""
    # Starlette handles Exception outside of all middleware. It gets what the handler raises.
    nearest = (each for each in kind.__mro__ if each in handlers and each is not Exception)
    return next((handlers[each] for each in nearest), None)


def _build_handler(resource: ProtectedResource, own: Handler | None) -> Handler:
    async def handle(request: Request, error: httpx.HTTPStatusError) -> Response | None:
        if _is_mcp_denial(request, error):
            return _respond(error.response, resource)
        if own is None:
            raise error
        # As starlette does it: a function that is not async may block.
        if iscoroutinefunction(own) or iscoroutinefunction(getattr(own, "__call__", None)):  # noqa: B004
            return await cast("Awaitable[Response | None]", own(request, error))
        return cast("Response | None", await run_in_threadpool(own, request, error))

    return handle


def _is_mcp_denial(request: Request, error: httpx.HTTPStatusError) -> bool:
    return (
        find_request_resource(request.scope) is Resource.MCP
        and error.request.url.host == LOOPBACK_HOST
        and error.response.status_code in (UNAUTHENTICATED, FORBIDDEN)
    )


def _respond(denial: httpx.Response, resource: ProtectedResource) -> Response:
    # The handler that denied could not know that the request came through /mcp.
    own, mcp = (f'resource_metadata="{resource.metadata_url(each)}"' for each in (Resource.API, Resource.MCP))
    challenge = denial.headers.get("www-authenticate", "")
    challenge = challenge.replace(own, mcp) if challenge else f"Bearer {mcp}"
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": DENIED, "message": _message(denial)}}
    return JSONResponse(body, status_code=denial.status_code, headers={"WWW-Authenticate": challenge})


def _message(denial: httpx.Response) -> str:
    try:
        body = denial.json()
    # A streamed response may not be read, and a rule of the operator may have answered with anything.
    except (ValueError, httpx.StreamError):
        body = None
    detail = body.get("detail") if is_object(body) else None
    return detail if isinstance(detail, str) else "denied"
