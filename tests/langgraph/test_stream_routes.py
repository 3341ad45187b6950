"""Every stream of the server is recognized by its request, before a run is created."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from oidc_auth.langgraph.request_kind import find_request_kind
from oidc_auth.tokens.resource import RequestKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def leaves(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    for route in routes:
        yield from leaves(route.routes or ()) if isinstance(route, Mount) else (route,)


def kind_of(path: str, accept: str = "*/*", root_path: str = "", **more: Any) -> RequestKind:
    scope = {
        "type": "http",
        "path": root_path + path,
        "root_path": root_path,
        "headers": [(b"accept", accept.encode())],
    }
    return find_request_kind({**scope, **more})


@pytest.mark.usefixtures("server")
def test_every_event_stream_of_server_is_recognized() -> None:
    from langgraph_api.server import app

    routes = [route for route in leaves(app.routes) if isinstance(route, Route)]
    streams = [route.path for route in routes if "EventSourceResponse(" in inspect.getsource(route.endpoint)]
    assert len(streams) >= 5
    assert {path: kind_of(path) for path in streams} == dict.fromkeys(streams, RequestKind.STREAM)
    others = {route.path for route in routes} - set(streams)
    # With A2A, the body decides. Only clients of a stream name its type (langgraph_api 0.16.7, api/a2a.py).
    assert [path for path in others if kind_of(path) is RequestKind.STREAM] == []
    assert any(isinstance(route, WebSocketRoute) for route in leaves(app.routes))


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/runs/stream", "application/json", RequestKind.STREAM),
        ("/threads/1/stream/events", "*/*", RequestKind.STREAM),
        ("/a2a/agent", "text/event-stream", RequestKind.STREAM),
        ("/a2a/agent", "application/json, Text/Event-Stream;q=0.5", RequestKind.STREAM),
        ("/own", "text/event-stream", RequestKind.STREAM),
        ("/own", "text/plain", RequestKind.ANSWER),
        # MCP clients name both types on each call (MCP 2025-06-18, Streamable HTTP).
        ("/mcp", "application/json, text/event-stream", RequestKind.ANSWER),
        ("/mcp/", "application/json, text/event-stream", RequestKind.ANSWER),
        ("/assistants/1/subgraphs/mcp", "text/event-stream", RequestKind.STREAM),
        ("/runs/wait", "*/*", RequestKind.ANSWER),
        ("/threads/1/commands", "*/*", RequestKind.ANSWER),
    ],
)
@pytest.mark.parametrize("root_path", ["", "/agents"])
def test_path_and_accepted_type_tell_streams(path: str, accept: str, root_path: str, kind: RequestKind) -> None:
    assert kind_of(path, accept, root_path) is kind
    assert kind_of(path, accept, root_path, type="websocket") is RequestKind.WEBSOCKET


def test_request_without_scope_is_answer() -> None:
    assert find_request_kind({}) is RequestKind.ANSWER
