"""The Auth object of the server under test.

The server loads it once, on import. Tests replace its handlers, so that the server's own precedence of handlers
applies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph_sdk import Auth

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

auth = Auth()
_installed: list[Callable[..., Awaitable[Any]]] = []


@auth.authenticate
async def authenticate(headers: Any, method: Any = None, path: Any = None, scope: Any = None) -> Any:
    return await _installed[-1](headers=headers, method=method, path=path, scope=scope)


def install(another: Auth) -> None:
    """Use the hook and the handlers of another Auth object."""
    assert another._authenticate_handler is not None
    _installed[:] = [another._authenticate_handler]
    auth._handlers = another._handlers
    auth._global_handlers = another._global_handlers
    auth._handler_cache = {}
