"""The web application, on a server that does not start with any application in ``http.app``.

A middleware of langgraph-api 0.11.1 asks for the store in the lifespan too, before the PostgreSQL runtime has opened
it. The repair is here and not in serve.py, because langgraph_api must not be imported before langhost has set its
variables.
"""

from __future__ import annotations

from typing import Any

from langgraph_api.middleware.ensure_store import EnsureStoreAccessible

from oidc_auth.web import app

__all__ = ["app"]

give_access_to_store = EnsureStoreAccessible.__call__


async def start_without_store(middleware: EnsureStoreAccessible, scope: Any, receive: Any, send: Any) -> None:
    """Give requests access to the store, but not the lifespan, which opens the store."""
    if scope["type"] == "lifespan":
        await middleware.app(scope, receive, send)
    else:
        await give_access_to_store(middleware, scope, receive, send)


EnsureStoreAccessible.__call__ = start_without_store
