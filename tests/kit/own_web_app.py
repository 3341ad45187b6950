"""A user's file with both ``auth`` and ``app``. The server executes it once for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from oidc_auth import OIDCAuth
from oidc_auth.langgraph import protect
from oidc_auth.langgraph.hook import find_oidc_auth
from oidc_auth.web import current_caller, install

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from oidc_auth import Caller


def keep(claims: Any, caller: Caller) -> Caller:
    """Change nothing. Both executions of this file must count as the same mapper."""
    del claims
    return caller


class Marking:
    """A middleware of the user."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-mark", b"mine")]
            await send(message)

        await self.app(scope, receive, marked)


async def who(request: Request) -> JSONResponse:
    caller = await current_caller(request)
    return JSONResponse({"identity": caller.identity})


async def shared(_request: Request) -> JSONResponse:
    from langgraph_api.auth.custom import get_auth_instance

    return JSONResponse({"shared": find_oidc_auth(get_auth_instance()) is oidc, "module": __name__})


async def file(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"file {request.url.path}")


oidc = OIDCAuth.from_env(mapper=keep)
auth = protect(oidc)
app = Starlette(
    routes=[
        Route("/own/who", who),
        Route("/own/shared", shared),
        Route("/files/{path:path}", file),
        Mount("/mounted", routes=[Route("/{path:path}", file, methods=["GET", "POST"])]),
    ],
    middleware=[Middleware(Marking)],
)
install(app, oidc)
