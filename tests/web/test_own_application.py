"""``install`` in a user's own Starlette or FastAPI application."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, WebSocket
from kit.web import METADATA, PUBLIC_URL, bearer, web_auth, web_client, web_document
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse

from oidc_auth import Caller, OIDCAuth
from oidc_auth.errors import ConfigError
from oidc_auth.langgraph.hook import build_hook
from oidc_auth.observability import AuthorizationDecided
from oidc_auth.testing import Fault
from oidc_auth.web import current_caller, install, require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from oidc_auth.observability import Event
    from oidc_auth.testing import LocalIssuer

API = f'resource_metadata="{PUBLIC_URL}{METADATA}"'


class Marking:
    """A middleware of the user."""

    def __init__(self, app: ASGIApp, mark: str) -> None:
        self.app, self.mark = app, mark

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-mark", self.mark.encode())]
            await send(message)

        await self.app(scope, receive, marked)


class MistakeError(Exception):
    """An exception of the user."""


async def fail(_request: Request) -> JSONResponse:
    raise MistakeError


async def on_mistake(_request: Request, _error: Exception) -> PlainTextResponse:
    return PlainTextResponse("my mistake", status_code=418)


async def state(request: Request) -> JSONResponse:
    return JSONResponse({"opened": request.state.opened, "on_app": request.app.state.mine})


async def who(request: Request) -> JSONResponse:
    caller = await current_caller(request)
    return JSONResponse({"identity": caller.identity})


async def socket(websocket: WebSocket) -> None:
    caller = await current_caller(websocket)
    await websocket.accept()
    await websocket.send_json({"identity": caller.identity})
    await websocket.close()


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
    app.state.mine = "open"
    yield {"opened": True}
    app.state.mine = "closed"


def starlette_app() -> Starlette:
    """Return an application with routes, middleware, lifespan and handlers."""
    return Starlette(
        routes=[
            Route("/who", who),
            Route("/fail", fail),
            Route("/state", state),
            Route("/guarded", guarded),
            WebSocketRoute("/socket", socket),
            Route("/{path:path}", everything),
        ],
        middleware=[Middleware(Marking, mark="mine")],
        lifespan=lifespan,
        exception_handlers={MistakeError: on_mistake},
    )


async def everything(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"mine: {request.url.path}")


async def guarded(request: Request) -> JSONResponse:
    caller = await require("threads:read")(request)
    return JSONResponse({"identity": caller.identity})


def fastapi_app() -> FastAPI:
    """Return the same with FastAPI."""
    app = FastAPI(
        lifespan=lifespan, middleware=[Middleware(Marking, mark="mine")], exception_handlers={MistakeError: on_mistake}
    )

    @app.get("/who")
    async def caller_of(caller: Annotated[Caller, Depends(current_caller)]) -> dict[str, str]:
        return {"identity": caller.identity}

    @app.get("/guarded")
    async def guarded(caller: Annotated[Caller, Depends(require("threads:read"))]) -> dict[str, str]:
        return {"identity": caller.identity}

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, caller: Annotated[Caller, Depends(current_caller)]) -> None:
        await websocket.accept()
        await websocket.send_json({"identity": caller.identity})
        await websocket.close()

    app.add_route("/fail", fail)
    app.add_route("/state", state)
    app.add_route("/{path:path}", everything)
    return app


APPS = pytest.mark.parametrize("build", [starlette_app, fastapi_app])


@APPS
def test_routes_of_both_are_answered(issuer: LocalIssuer, build: Any) -> None:
    client = web_client(web_auth(issuer), build())
    assert client.get("/any/path").text == "mine: /any/path"
    # The user's route for any path does not hide the built-in ones.
    assert client.get(METADATA).json()["resource"] == PUBLIC_URL
    assert client.get(f"/files{METADATA}").text == f"mine: /files{METADATA}"
    assert client.get("/auth/ready").json()["ready"] is True


@APPS
def test_own_middleware_sees_all_routes(issuer: LocalIssuer, build: Any) -> None:
    client = web_client(web_auth(issuer), build())
    for path in (METADATA, "/auth/ready", "/any"):
        assert client.get(path).headers["x-mark"] == "mine"


@APPS
def test_own_exception_handler_is_kept(issuer: LocalIssuer, build: Any) -> None:
    answer = web_client(web_auth(issuer), build()).get("/fail")
    assert (answer.status_code, answer.text) == (418, "my mistake")


@APPS
def test_own_lifespan_and_state_are_kept(issuer: LocalIssuer, build: Any) -> None:
    app = build()
    install(app, web_auth(issuer))
    with TestClient(app) as client:
        assert client.get("/state").json() == {"opened": True, "on_app": "open"}
    assert app.state.mine == "closed"


def test_failing_lifespan_closes_http_client(issuer: LocalIssuer) -> None:
    closed: list[bool] = []

    class Noting(OIDCAuth):
        async def aclose(self) -> None:
            closed.append(True)
            await super().aclose()

    @asynccontextmanager
    async def failing(app: Any) -> AsyncIterator[None]:
        yield app.missing

    app = Starlette(lifespan=failing)
    install(app, Noting.from_dict(web_document(issuer), fetcher=issuer))
    with pytest.raises(AttributeError), TestClient(app):
        pass
    assert closed == [True]


@APPS
def test_current_caller_of_own_route(issuer: LocalIssuer, build: Any) -> None:
    client = web_client(web_auth(issuer), build())
    answer = client.get("/who", headers=bearer(issuer.token("alice", scope="threads:read")))
    assert (answer.status_code, answer.json()) == (200, {"identity": "alice"})
    refused = client.get("/who")
    assert (refused.status_code, API in refused.headers["www-authenticate"]) == (401, True)
    issuer.fault = Fault.DOWN
    other = web_client(web_auth(issuer, audience="else"), build())
    refused = other.get("/who", headers=bearer(issuer.token("alice", audience="else", scope="threads:read")))
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)


@pytest.mark.parametrize(("audience", "status"), [("agents", 200), ("other", 401)], ids=["same", "other"])
def test_caller_of_other_configuration_is_authenticated_again(issuer: LocalIssuer, audience: str, status: int) -> None:
    hook = build_hook(web_auth(issuer, audience=audience))

    async def who(request: Request) -> JSONResponse:
        # As the server does it with enable_custom_route_auth.
        user = await hook(headers={}, method="GET", path="/who", scope=request.scope)
        return JSONResponse({"same": (await current_caller(request)).identity == user["identity"]})

    client = web_client(web_auth(issuer), Starlette(routes=[Route("/who", who)]))
    token = issuer.token(audience=audience, scope="threads:read")
    assert client.get("/who", headers=bearer(token)).status_code == status


@APPS
def test_required_permission_of_own_route(issuer: LocalIssuer, build: Any) -> None:
    client = web_client(web_auth(issuer), build())
    statuses = [
        client.get("/guarded", headers=headers).status_code
        for headers in ({}, bearer(issuer.token(scope="assistants:read")), bearer(issuer.token(scope="threads:read")))
    ]
    assert statuses == [401, 403, 200]


@APPS
def test_websocket_of_own_route(issuer: LocalIssuer, build: Any) -> None:
    client = web_client(web_auth(issuer), build())
    token = bearer(issuer.token("alice", scope="threads:read"))
    with client.websocket_connect("/socket", headers=token) as opened:
        assert opened.receive_json() == {"identity": "alice"}
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/socket"):
        pass
    assert (refused.value.status_code, API in refused.value.headers["www-authenticate"]) == (401, True)


def test_all_required_permissions_are_checked(issuer: LocalIssuer) -> None:
    check = require("threads:read", "assistants:read")

    async def guarded(request: Request) -> JSONResponse:
        await check(request)
        return JSONResponse({})

    client = web_client(web_auth(issuer), Starlette(routes=[Route("/guarded", guarded)]))
    codes = [
        client.get("/guarded", headers=bearer(issuer.token(scope=scope))).status_code
        for scope in ("threads:read", "assistants:read", "threads:read assistants:read")
    ]
    assert codes == [403, 403, 200]


def test_decisions_about_own_routes_are_reported(issuer: LocalIssuer) -> None:
    events: list[Event] = []
    oidc = OIDCAuth.from_dict(web_document(issuer), fetcher=issuer, observer=events.append)
    check = require("threads:read", "assistants:read")

    async def guarded(request: Request) -> JSONResponse:
        await check(request)
        return JSONResponse({})

    client = web_client(oidc, Starlette(routes=[Route("/guarded", guarded)]))
    for scope in ("threads:read", "threads:read assistants:read"):
        client.get("/guarded", headers=bearer(issuer.token("alice", scope=scope)))
    decided = [event for event in events if isinstance(event, AuthorizationDecided)]
    assert [(each.outcome, each.code, each.event, each.permission) for each in decided] == [
        ("denied", "permission_missing", "custom_route", "assistants:read"),
        ("allowed", "", "custom_route", "threads:read assistants:read"),
    ]
    assert {(each.identity, each.issuer, each.duration > 0) for each in decided} == {("alice", issuer.url, True)}


@pytest.mark.parametrize("names", [(), ("threads:raed",), ("threads:read", "*"), ("threads:read@all",)])
def test_require_refuses_unknown_permissions(names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        require(*names)


def test_caller_without_install_names_missing_call() -> None:
    with pytest.raises(RuntimeError, match="install"):
        asyncio.run(current_caller(HTTPConnection({"type": "http", "headers": [], "path": "/"})))


def test_install_needs_web_table(issuer: LocalIssuer) -> None:
    document = web_document(issuer)
    del document["web"]
    with pytest.raises(ConfigError) as refused:
        install(Starlette(), OIDCAuth.from_dict(document))
    assert [problem.where for problem in refused.value.problems] == ["web"]


def test_fastapi_description_has_own_routes_only(issuer: LocalIssuer) -> None:
    described = json.loads(web_client(web_auth(issuer), fastapi_app()).get("/openapi.json").text)["paths"]
    assert set(described) == {"/who", "/guarded"}


class Conflict(httpx.HTTPStatusError):
    """A subclass, as the SDK has them."""


def status_error(kind: type[httpx.HTTPStatusError], host: str = "backend", status: int = 403) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", f"http://{host}/threads/search")
    body = {"detail": "denied by a rule"}
    return kind("denied", request=request, response=httpx.Response(status, json=body, request=request))


def raising(error: Exception) -> Route:
    async def endpoint(_request: Request) -> JSONResponse:
        raise error

    return Route("/mcp", endpoint)


def handled(_request: Request, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(type(error).__name__, status_code=418)


async def handled_async(request: Request, error: Exception) -> PlainTextResponse:
    return handled(request, error)


@pytest.mark.parametrize("handler", [handled, handled_async])
@pytest.mark.parametrize("registered", [httpx.HTTPStatusError, Conflict, httpx.HTTPError, Exception])
@pytest.mark.parametrize("before", [True, False])
def test_own_handler_gets_other_status_errors(
    issuer: LocalIssuer, handler: Any, registered: type[Exception], *, before: bool
) -> None:
    app = Starlette(routes=[raising(status_error(Conflict))])
    if before:
        app.add_exception_handler(registered, handler)
    install(app, web_auth(issuer))
    if not before:
        app.add_exception_handler(registered, handler)
    answer = TestClient(app, raise_server_exceptions=False).get("/mcp")
    assert (answer.status_code, answer.text) == (418, "Conflict")


def test_nearest_own_handler_is_called(issuer: LocalIssuer) -> None:
    async def nearest(_request: Request, _error: Exception) -> PlainTextResponse:
        return PlainTextResponse("nearest")

    app = Starlette(routes=[raising(status_error(Conflict))])
    app.add_exception_handler(httpx.HTTPStatusError, handled)
    app.add_exception_handler(Conflict, nearest)
    assert web_client(web_auth(issuer), app).get("/mcp").text == "nearest"


def test_blocking_handler_runs_in_thread(issuer: LocalIssuer) -> None:
    threads: list[int] = []

    def blocking(request: Request, error: Exception) -> PlainTextResponse:
        threads.append(threading.get_ident())
        return handled(request, error)

    async def loop(_request: Request) -> JSONResponse:
        threads.append(threading.get_ident())
        raise status_error(Conflict)

    app = Starlette(routes=[Route("/x", loop)], exception_handlers={httpx.HTTPStatusError: blocking})
    web_client(web_auth(issuer), app).get("/x")
    assert len(set(threads)) == 2


@pytest.mark.parametrize("kind", [httpx.HTTPStatusError, Conflict])
@pytest.mark.parametrize("own", [True, False])
def test_denied_mcp_call_is_json_rpc(issuer: LocalIssuer, kind: Any, *, own: bool) -> None:
    app = Starlette(routes=[raising(status_error(kind, "api"))])
    if own:
        app.add_exception_handler(kind, handled)
    answer = web_client(web_auth(issuer), app).get("/mcp")
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == f'Bearer resource_metadata="{PUBLIC_URL}{METADATA}/mcp"'
    assert answer.json() == {"jsonrpc": "2.0", "id": None, "error": {"code": -32003, "message": "denied by a rule"}}


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/other", "api", 403),
        ("/mcp", "backend", 403),
        ("/mcp", "api", 404),
        ("/mcp", "api", 500),
        ("/mcp", "api", 422),
    ],
)
def test_other_errors_stay_errors(issuer: LocalIssuer, path: str, host: str, status: int) -> None:
    async def endpoint(_request: Request) -> JSONResponse:
        raise status_error(httpx.HTTPStatusError, host, status)

    app = Starlette(routes=[Route(path, endpoint)])
    assert web_client(web_auth(issuer), app).get(path).status_code == 500


def test_scope_of_inner_denial_is_kept(issuer: LocalIssuer) -> None:
    error = status_error(httpx.HTTPStatusError, "api")
    inner = f'Bearer error="insufficient_scope", scope="threads:read threads:write", {API}, error_description="x"'
    error.response.headers["www-authenticate"] = inner
    answer = web_client(web_auth(issuer), Starlette(routes=[raising(error)])).get("/mcp")
    assert answer.headers["www-authenticate"] == inner.replace(API, f'{API[:-1]}/mcp"')


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"detail": 5}', b'{"detail": null}', b"\xff"])
def test_unreadable_denial_is_still_json_rpc(issuer: LocalIssuer, body: bytes) -> None:
    request = httpx.Request("POST", "http://api/runs")
    error = httpx.HTTPStatusError("x", request=request, response=httpx.Response(401, content=body, request=request))
    answer = web_client(web_auth(issuer), Starlette(routes=[raising(error)])).get("/mcp")
    assert (answer.status_code, answer.json()["error"]) == (401, {"code": -32003, "message": "denied"})


def test_unread_denial_is_still_json_rpc(issuer: LocalIssuer) -> None:
    request = httpx.Request("POST", "http://api/runs/stream")
    response = httpx.Response(403, stream=httpx.ByteStream(b"never read"), request=request)
    error = httpx.HTTPStatusError("x", request=request, response=response)
    answer = web_client(web_auth(issuer), Starlette(routes=[raising(error)])).get("/mcp")
    assert (answer.status_code, answer.json()["error"]["message"]) == (403, "denied")
