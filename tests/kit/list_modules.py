"""The hook without the web application, and a route that lists the loaded modules."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from oidc_auth.langgraph import auth

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["app", "auth"]


async def modules(_request: Request) -> JSONResponse:
    return JSONResponse({"oidc_auth": sorted(name for name in sys.modules if name.startswith("oidc_auth"))})


app = Starlette(routes=[Route("/modules", modules)])
