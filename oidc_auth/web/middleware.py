"""The ASGI middleware of the web application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .callers import OIDC_KEY

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ..authentication import OIDCAuth
    from ..config.schema import WebTable


class WebMiddleware:
    """Makes the ``OIDCAuth`` object known to the routes.

    Args:
        app: The application.
        oidc: The authenticator.
        web: The ``[web]`` table.
    """

    def __init__(self, app: ASGIApp, oidc: OIDCAuth, web: WebTable) -> None:
        self._app = app
        self._oidc = oidc
        self._web = web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        scope[OIDC_KEY] = self._oidc
        await self._app(scope, receive, send)
