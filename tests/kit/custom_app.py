"""Routes of the operator's own, as ``http.app`` of langgraph.json adds them; the server asks for a token on each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph_sdk import get_client
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request


async def who(request: Request) -> JSONResponse:
    """Say who the server takes the caller for, and what they may do."""
    user: Any = request.scope.get("user")
    return JSONResponse(
        {"identity": getattr(user, "identity", None), "permissions": getattr(user, "permissions", None)}
    )


async def threads(request: Request) -> JSONResponse:
    """Search threads through the loopback client, as an unwary route would."""
    headers = {"authorization": request.headers.get("authorization", "")}
    metadata = await request.json()
    return JSONResponse(await get_client(headers=headers).threads.search(metadata=metadata))


app = Starlette(
    routes=[
        Route("/custom/who", who, methods=["GET"]),
        Route("/custom/threads", threads, methods=["POST"]),
        Route("/ui-custom/who", who, methods=["GET"]),
    ]
)
