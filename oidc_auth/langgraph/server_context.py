"""Read and reset the context variables of langgraph-api.

``read_request_origin`` tells where an event comes from. langgraph-api notes the method of each request for its log
(``langgraph_api.logging.worker_config``). A WebSocket has the method "WEBSOCKET" (langgraph_api 0.16.7, route.py). The
scheduler and the workers have no method. A call of a graph to the server has the method of that call.

``reset_server_context`` removes the user of an earlier request. The server stores the user in ``AuthContext`` and does
not remove it when the request ends. A later request on the same connection can run in a copy of that context.
``ApiRoute.handle`` prefers ``AuthContext`` to the user that was just authenticated, so this request would act as the
earlier user. See "Users who share a connection" in docs/enforcement.md.

The hook resets the variables. The server does not call the hook for requests of LangGraph Studio, so the method that
decides between the two is wrapped as well.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from functools import wraps
from importlib import import_module
from operator import attrgetter
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from ..errors import ErrorCode, ServerNotSupportedError
from .server_version import installed_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOADED = ("langgraph_api.config", "langgraph_api.server")
"""Modules of a server process. The first is loaded at start, the second at the latest on the first request."""

USER_VARIABLE = ("langgraph_api.utils", "AuthContext")
LOG_VARIABLE = ("langgraph_api.logging", "worker_config")
BACKEND_MODULE, BACKEND_CLASS, BACKEND_METHOD = "langgraph_api.auth.custom", "CustomAuthBackend", "authenticate"
RESETS = "oidc_auth_resets"
"""Marks the wrapped method, so that a second hook does not wrap it again."""

COPY_ROUTE = "/threads/{thread_id}/copy"
"""The route that copies a thread, as the server notes it (langgraph_api 0.16.7, api/threads.py)."""

REQUEST_ID = "request_id"
REQUEST_ID_HEADER = b"x-request-id"


T = TypeVar("T")


class Connection(Protocol):
    """A request as starlette's authentication sees it."""

    @property
    def scope(self) -> Mapping[str, Any]:
        """Return the ASGI scope."""
        ...


class ServerContext(NamedTuple):
    """The context variables of langgraph-api that outlive a request.

    Attributes:
        user: the authenticated user, for the resource handlers.
        log: what the server adds to its log lines: path, method and request id.
    """

    user: ContextVar[object]
    log: ContextVar[Mapping[str, object] | None]


def prepare_server() -> ServerContext | None:
    """Return the variables of the server in this process, or None if no langgraph-api is loaded.

    Raises:
        ServerNotSupportedError: the server does not have them, so it could mix the users of one connection.
    """
    # No import here: the import of a server reads its environment, which commands and tests do not have.
    if not any(name in sys.modules for name in LOADED):
        return None
    context = ServerContext(_find(*USER_VARIABLE, ContextVar), _find(*LOG_VARIABLE, ContextVar))
    _wrap_backend(context)
    return context


def reset_server_context(context: ServerContext, scope: Mapping[str, Any]) -> None:
    """Forget the earlier request of this connection; ``scope`` is the ASGI scope of the current one."""
    # Without a value, the server uses the user that it has just authenticated.
    context.user.set(None)
    context.log.set(_own_entries(context.log.get(), scope.get("headers", ())))


def _own_entries(
    logged: Mapping[str, object] | None, headers: Iterable[tuple[bytes, bytes]]
) -> dict[str, object] | None:
    # The server's RequestIdMiddleware runs before authentication: its id belongs to this request, if a header has it.
    request_id = (logged or {}).get(REQUEST_ID)
    sent = {value for name, value in headers if name == REQUEST_ID_HEADER}
    return {REQUEST_ID: request_id} if isinstance(request_id, str) and request_id.encode() in sent else None


def _wrap_backend(context: ServerContext) -> None:
    original = _find(BACKEND_MODULE, f"{BACKEND_CLASS}.{BACKEND_METHOD}", FunctionType)
    if hasattr(original, RESETS):
        return

    @wraps(original)
    async def authenticate(backend: object, connection: Connection) -> object:
        reset_server_context(context, connection.scope)
        return await original(backend, connection)

    setattr(authenticate, RESETS, True)
    setattr(_find(BACKEND_MODULE, BACKEND_CLASS, type), BACKEND_METHOD, authenticate)


def _find(module: str, path: str, kind: type[T]) -> T:
    try:
        found: object = attrgetter(path)(import_module(module))
    except (ImportError, AttributeError):
        found = None
    if isinstance(found, kind):
        return found
    raise ServerNotSupportedError(
        ErrorCode.SERVER_NOT_COMPATIBLE,
        expected=f"{module}.{path} ({kind.__name__})",
        found=f"none in langgraph-api {installed_server() or '(unknown version)'}",
    )


class RequestOrigin(NamedTuple):
    """Where an event comes from.

    Attributes:
        in_request: it belongs to a request. LangChain's context would show the run of a graph too, but not on a server
            with the operator's own app, which replaces the context (measured).
        in_websocket: the request is a WebSocket, which the server authenticates only when it opens.
        copies_thread: the request copies a thread. A graph's own calls have this note too, but no mark of the hook.
    """

    in_request: bool
    in_websocket: bool
    copies_thread: bool = False


REQUEST = RequestOrigin(in_request=True, in_websocket=False)
WEBSOCKET = RequestOrigin(in_request=True, in_websocket=True)
COPY_REQUEST = RequestOrigin(in_request=True, in_websocket=False, copies_thread=True)
NO_REQUEST = RequestOrigin(in_request=False, in_websocket=False)
"""The scheduler or a worker."""


def read_request_origin() -> RequestOrigin:
    """Return where the current event comes from; a server without the note gets the strictest answer."""
    module_name, name = LOG_VARIABLE
    module = sys.modules.get(module_name)
    if module is None:
        # Without a server, an event comes neither from a WebSocket nor from the scheduler.
        return REQUEST
    variable = getattr(module, name, None)
    if variable is None:
        return WEBSOCKET
    note: dict[str, object] = variable.get() or {}
    if "method" not in note:
        return NO_REQUEST
    if note["method"] == "WEBSOCKET":
        return WEBSOCKET
    return COPY_REQUEST if note.get("path") == COPY_ROUTE else REQUEST
