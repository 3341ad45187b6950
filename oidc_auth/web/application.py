"""``install``: add the routes, the middleware and the exception handler to an application."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette

from ..config.build_observability import open_audit_log
from ..errors import ConfigError, Problem
from ..langgraph.server_entry import build_or_exit
from .mcp_errors import handle_mcp_denials
from .middleware import WebMiddleware
from .open_streams import OpenStreams
from .routes import build_routes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..authentication import OIDCAuth


def server_app() -> Starlette:
    """Return the application for the configuration in the environment.

    Raises:
        ConfigurationExit: the configuration is missing, wrong or not readable.
    """
    return build_or_exit(_build_app)


def _build_app(oidc: OIDCAuth) -> Starlette:
    app = Starlette()
    install(app, oidc)
    return app


def install(app: Starlette, oidc: OIDCAuth) -> None:
    """Add the web application to your own Starlette or FastAPI application.

    Your routes, middleware, lifespan and exception handlers work as before. Call it before the application starts.

    Args:
        app: The application that langgraph.json names in ``http.app``.
        oidc: The same object or the same configuration as that of ``auth``.

    Raises:
        ConfigError: The configuration has no ``[web]`` table, or the audit log cannot be opened.
    """
    web, resource = oidc.loaded.document.web, oidc.resource
    if web is None or resource is None:
        hint = 'add [web] with public_url = "https://agents.acme.com", the address of this server'
        raise ConfigError([Problem("web", "is missing, and oidc_auth.web needs it", hint)], source=oidc.source)
    open_audit_log(oidc.reporter, oidc.source)
    routes = build_routes(oidc, web, resource)
    # In front, so that a route of the application for any path does not hide them.
    app.router.routes[:0] = routes
    # The server checks tokens on custom routes with enable_custom_route_auth, and these must be reachable without one.
    oidc.anonymous_endpoints.update(route.endpoint for route in routes)
    streams = OpenStreams()
    app.add_middleware(WebMiddleware, oidc=oidc, streams=streams)
    if oidc.revocation is not None:
        oidc.revocation.store.live.listeners.add(streams.check_revoked)
    handle_mcp_denials(app, resource)
    _fetch_keys_at_start(app, oidc)


LONGEST_LOAD = 10.0
"""Seconds that the start of the server waits for the revocations. After that, it goes on in the background."""


def _fetch_keys_at_start(app: Starlette, oidc: OIDCAuth) -> None:
    """Fetch keys and revocations before the first request. A provider that is down does not stop the server."""
    original = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(scope_app: Any) -> AsyncGenerator[Any]:  # noqa: ANN401 - the state is the application's own
        await oidc.find_usable_keys(wait_for_all=True)
        if oidc.revocation is not None:
            # Requests and cron runs are refused until they are known. The server may start them before this ends.
            await oidc.revocation.store.load(LONGEST_LOAD)
        try:
            async with original(scope_app) as state:
                yield state
        finally:
            await oidc.aclose()

    app.router.lifespan_context = lifespan
