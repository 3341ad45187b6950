"""Custom routes (``http.app`` in langgraph.json). The server requires a token for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph_sdk import get_client
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request


async def who(request: Request) -> JSONResponse:
    """Return the identity and the permissions of the caller."""
    user: Any = request.scope.get("user")
    return JSONResponse(
        {"identity": getattr(user, "identity", None), "permissions": getattr(user, "permissions", None)}
    )


async def threads(request: Request) -> JSONResponse:
    """Search threads with the loopback client."""
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
