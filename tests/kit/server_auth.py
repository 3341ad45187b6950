"""The one Auth object that the server under test loads: it reads its configuration once, at import.

Its registry of handlers is swapped between tests, so that the server's own precedence is what is tested; only
``authenticate`` delegates.
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
    """Let the server use another Auth object's hook and handlers from now on."""
    assert another._authenticate_handler is not None
    _installed[:] = [another._authenticate_handler]
    auth._handlers = another._handlers
    auth._global_handlers = another._global_handlers
    auth._handler_cache = {}
