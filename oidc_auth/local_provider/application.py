"""The web application: routes, CORS, and the refusal of other hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from ..observability import logger
from .addresses import LOOPBACK_ORIGIN, is_loopback_host
from .endpoints import (
    AUTHORIZE,
    END_SESSION,
    INTROSPECTION,
    KEYS,
    OAUTH_METADATA,
    OPENID_METADATA,
    REVOCATION,
    TOKEN,
    USERINFO,
    Endpoints,
)
from .forms import MalformedRequestError
from .login import LOGIN_PATH, Login
from .logout import CONFIRM_PATH, Logout
from .oauth import NOT_STORED
from .pages import message_page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .activity import Report
    from .oauth import OAuthServer

MISDIRECTED = 421
PAGES = frozenset({"/", AUTHORIZE, LOGIN_PATH, END_SESSION, CONFIRM_PATH})


def make_application(server: OAuthServer, logout: Logout, report: Report) -> ASGIApp:
    """Return the application of a provider."""
    endpoints, login = Endpoints(server), Login(server, report)
    routes = [
        *(_for_scripts(path, endpoints.metadata, ["GET"]) for path in (OPENID_METADATA, OAUTH_METADATA)),
        _for_scripts(KEYS, endpoints.keys, ["GET"]),
        _for_scripts(TOKEN, endpoints.token, ["POST"]),
        _for_scripts(USERINFO, endpoints.userinfo, ["GET", "POST"]),
        _for_scripts(INTROSPECTION, endpoints.introspect, ["POST"]),
        _for_scripts(REVOCATION, endpoints.revoke, ["POST"]),
        # Without CORS: scripts of other origins must not read these answers.
        Route(AUTHORIZE, login.authorize, methods=["GET", "POST"]),
        Route(LOGIN_PATH, login.login, methods=["POST"]),
        Route(END_SESSION, logout.end_session, methods=["GET", "POST"]),
        Route(CONFIRM_PATH, logout.confirm, methods=["POST"]),
        Route("/", _start_page, methods=["GET"]),
    ]
    return LocalOnly(Starlette(routes=routes, exception_handlers={MalformedRequestError: _malformed}))


def _for_scripts(path: str, endpoint: Callable[[Request], Awaitable[Response]], methods: Sequence[str]) -> Route:
    """Return a route that scripts of pages on this computer may call."""
    cors = Middleware(
        CORSMiddleware,
        allow_origin_regex=LOOPBACK_ORIGIN.pattern,
        allow_methods=list(methods),
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["WWW-Authenticate"],
    )
    return Route(path, endpoint, methods=[*methods, "OPTIONS"], middleware=[cors])


async def _start_page(request: Request) -> Response:
    del request
    return message_page("Local OpenID provider", f"Metadata: {OPENID_METADATA}")


async def _malformed(request: Request, error: Exception) -> Response:
    if request.url.path in PAGES:
        return message_page("Request not valid", str(error), status=400)
    body = {"error": "invalid_request", "error_description": str(error)}
    return JSONResponse(body, 400, headers=NOT_STORED)


class LocalOnly:
    """Refuses requests for other hosts, and hides the details of failures."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        hosts = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        # A page of another host name that resolves to 127.0.0.1 would have the rights of this origin (DNS rebinding).
        if len(hosts) != 1 or not is_loopback_host(hosts[0]):
            await PlainTextResponse("Host must be 127.0.0.1, localhost or [::1].", MISDIRECTED)(scope, receive, send)
            return
        started = False

        async def note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception as error:  # noqa: BLE001 - the message of any error could contain a token
            logger.error("local provider: %s in %s", type(error).__name__, scope["path"])
            if not started:
                await PlainTextResponse("Internal Server Error", 500)(scope, receive, send)
