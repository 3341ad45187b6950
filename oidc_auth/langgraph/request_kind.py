"""What a request to a LangGraph server is for and what it opens, and the token of a WebSocket.

Both are told from the request alone, because a run must not be created before a stream is refused.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

from ..errors import TokenError
from ..tokens.extract import AUTHORIZATION_HEADER, SUBPROTOCOL_HEADER, find_subprotocol_token
from ..tokens.resource import RequestKind, Resource, find_resource

STREAM_PATHS = ("/stream", "/stream/events")
"""How the paths of all streams end (langgraph_api 0.16.7, api/runs.py, api/threads.py, api/event_streaming.py)."""
EVENT_STREAM = b"text/event-stream"

COPY_PATH = re.compile(r"/threads/[^/]+/copy$")
"""How the path of a copy ends. Like starlette's routes, it allows a line break at the end."""

SUBPROTOCOL_KEY = "oidc_auth.subprotocol"
"""The key of the ASGI scope that tells that the token was a subprotocol."""

CONFIG_MODULE, MOUNT_PREFIX = "langgraph_api.config", "MOUNT_PREFIX"
"""Where the server keeps its mount prefix."""


def find_request_resource(scope: Mapping[str, Any]) -> Resource:
    """Return the part of the server that a request is for, from its ASGI scope."""
    # Not root_path alone. Inside a user's Mount("/files"), it would turn the path /files/mcp into /mcp.
    root_path = scope.get("app_root_path", scope.get("root_path", ""))
    prefix = getattr(sys.modules.get(CONFIG_MODULE), MOUNT_PREFIX, None) or ""
    return find_resource(scope.get("path", ""), root_path + prefix)


def find_request_kind(scope: Mapping[str, Any]) -> RequestKind:
    """Return what a request opens.

    A request that only might open a stream counts as one. It then needs a token without leeway, and nothing else.

    Args:
        scope: Its ASGI scope.
    """
    if scope.get("type") == "websocket":
        return RequestKind.WEBSOCKET
    path: str = scope.get("path", "")
    is_stream = path.endswith(STREAM_PATHS) or _expects_events(scope)
    return RequestKind.STREAM if is_stream else RequestKind.ANSWER


def is_copy_request(scope: Mapping[str, Any]) -> bool:
    """Tell whether a request copies a thread. Its read event looks like any other."""
    # The path of a mounted server begins with its prefix. A route of the operator that ends alike creates no copy.
    return COPY_PATH.search(scope.get("path", "")) is not None and scope.get("method") == "POST"


def _expects_events(scope: Mapping[str, Any]) -> bool:
    for name, value in scope.get("headers", ()):
        # A2A streams and those of the operator's own routes have any path, and their clients name the type.
        if name == b"accept" and EVENT_STREAM in value.lower():
            # MCP clients name it on each call, and the server answers with JSON (langgraph_api 0.16.7, api/mcp).
            return find_request_resource(scope) is not Resource.MCP
    return False


def move_subprotocol_token(scope: Mapping[str, Any]) -> None:
    """Move the token of a WebSocket from its subprotocols to Authorization.

    Servers and applications treat Authorization as a secret. They may log subprotocols, or copy them.

    A request with two credentials or with a malformed one stays as it is. Authentication refuses it.
    """
    if not isinstance(scope, MutableMapping) or scope.get("type") != "websocket":
        return
    fields: list[tuple[bytes, bytes]] = list(scope.get("headers", ()))
    authorization, subprotocol = AUTHORIZATION_HEADER.encode(), SUBPROTOCOL_HEADER.encode()
    if any(name == authorization for name, _ in fields):
        return
    try:
        token = find_subprotocol_token(fields)
    except TokenError:
        return
    if token is not None:
        others = [(name, value) for name, value in fields if name != subprotocol]
        scope["headers"] = [*others, (authorization, f"Bearer {token}".encode("latin-1"))]
        scope["subprotocols"] = []
        scope[SUBPROTOCOL_KEY] = True
