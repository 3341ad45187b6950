"""A new route or event of the server or the SDK fails here, before it can be used without a check."""

from __future__ import annotations

import inspect
import re
import uuid
from itertools import chain
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest
from kit import custom_app
from kit.routes import OPEN, OPEN_IN_DEVELOPMENT, ROUTES, ROWS, TOKEN_ONLY
from langgraph_sdk import Auth
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import WebSocketDenialResponse

from oidc_auth.observability import AuthorizationDecided
from oidc_auth.permissions.names import ACTIONS, EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kit.live_server import LiveServer, SampleUser
    from kit.server import Server
    from starlette.routing import BaseRoute

CUSTOM = {route.path for route in custom_app.app.routes if isinstance(route, Route)}


def routes_of(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """Yield the routes of a router. The function of a GET also answers HEAD."""
    for route in routes:
        if isinstance(route, Mount) and route.routes:
            yield from routes_of(route.routes)
        elif isinstance(route, Mount):
            yield f"GET {route.path}/{{path}}"
        elif isinstance(route, WebSocketRoute):
            yield f"WS {route.path}"
        elif isinstance(route, Route):
            yield from (f"{method} {route.path}" for method in (route.methods or {"ANY"}) - {"HEAD"})
        else:
            yield f"{type(route).__name__} of an unknown kind"


def documented(server: Server) -> set[str]:
    """Return the routes in the server's OpenAPI document."""
    paths: dict[str, Any] = server.request("GET", "/openapi.json").json()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def test_every_server_route_is_in_table(server: Server) -> None:
    from langgraph_api.server import app

    there = {route for route in routes_of(app.routes) if route.partition(" ")[2] not in CUSTOM}
    assert len(there) > 70
    assert there - ROUTES == set()
    assert {route for route in documented(server) if route.partition(" ")[2] not in CUSTOM} - ROUTES == set()
    assert ROUTES - there == {"GET /mcp/", "POST /mcp/", "DELETE /mcp/"}, "only the description spells it so"


def test_every_sdk_event_is_in_table() -> None:
    on, context = Auth.types.on, get_type_hints(Auth.types.AuthContext)
    known = {
        f"{resource}:{action}"
        for resource, kind in vars(on).items()
        if inspect.isclass(kind)
        for action, value in vars(kind).items()
        if inspect.isclass(value)
    }
    assert known == set(EVENTS)
    # No server sends events of "runs". Runs have the events of their thread.
    assert set(get_args(context["resource"])) - {"runs"} == set(ACTIONS)
    assert set(get_args(context["action"])) == set(chain(*ACTIONS.values()))
    assert {event for row in ROWS for event in (*row.events, *row.worker)} == set(EVENTS)


PROTECTED = sorted(ROUTES - set(OPEN) - set(OPEN_IN_DEVELOPMENT))


@pytest.mark.parametrize("route", PROTECTED)
def test_protected_route_requires_token(live_server: LiveServer, route: str) -> None:
    method, _, path = route.partition(" ")
    path = re.sub(r"\{\w+\}", str(uuid.uuid4()), path)
    if method == "WS":
        with pytest.raises(WebSocketDenialResponse) as refused, live_server.server.client.websocket_connect(path):
            pass
        assert refused.value.status_code == 401
    else:
        answer = live_server.server.request(method, path, None, {})
        assert (answer.status_code, answer.headers["www-authenticate"][:6]) == (401, "Bearer")


@pytest.mark.parametrize("route", sorted(set(OPEN) - {"GET /ui/{path}"}))
def test_open_route_reveals_no_user_data(live_server: LiveServer, alice: SampleUser, route: str) -> None:
    thread = alice.thread(title="secret")
    answer = live_server.server.request(*route.split(" "))
    assert answer.status_code == 200
    assert not any(word in answer.text for word in (thread.rpartition("/")[2], "secret"))


def test_token_only_route_dispatches_no_event(live_server: LiveServer, alice: SampleUser) -> None:
    for route in TOKEN_ONLY:
        method, _, path = route.partition(" ")
        assert alice(method, re.sub(r"\{\w+\}", "agent", path), {}).status_code in (404, 405)
    assert [event for event in live_server.observed_events if isinstance(event, AuthorizationDecided)] == []


@pytest.mark.parametrize("path", ["", "/state", "/history", "/runs", "/storage"])
def test_head_is_denied_like_get(alice: SampleUser, bob: SampleUser, path: str) -> None:
    thread = alice.thread()
    assert (bob("HEAD", thread + path).status_code, alice("HEAD", thread + path).status_code) == (404, 200)
