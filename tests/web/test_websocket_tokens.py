"""WebSockets of browsers, which send their token as a subprotocol."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from kit.doctor import JWK, examined, write_configuration
from kit.sample_users import configuration_for, user_token
from kit.web_server import SETUPS, WebServer, running_web_server
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from oidc_auth import OIDCAuth
from oidc_auth.langgraph.hook import build_hook
from oidc_auth.testing import LocalIssuer
from oidc_auth.web import current_caller, install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.websockets import WebSocket

COPY_ALL = {"configurable_headers": {"includes": ["*"]}, "logging_headers": {"includes": ["*"]}}
"""Settings of langgraph.json that copy headers into run records and log lines."""


@pytest.fixture(scope="module", params=list(SETUPS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Return a real server, with the hook and the middleware in each order."""
    folder = tmp_path_factory.mktemp("sockets")
    with running_web_server(folder, {**SETUPS[request.param], **COPY_ALL}) as running:
        yield running


def refuse(server: WebServer, path: str, *args: Any) -> tuple[int, str]:
    """Return the status and the body of a refused handshake."""
    with pytest.raises(InvalidStatus) as refused, server.socket(path, *args):
        pass
    response = refused.value.response
    return response.status_code, (response.body or b"").decode()


def test_browser_opens_socket_with_token(server: WebServer) -> None:
    token = server.token()
    path = server.thread(token)
    with server.socket(f"{path}/stream/events", ["bearer", token]) as socket:
        assert socket.subprotocol == "bearer"
        params = {"assistant_id": "agent", "input": {"text": "hello"}}
        socket.send(json.dumps({"id": 7, "method": "run.start", "params": params}))
        answer = json.loads(socket.recv(timeout=30))
        while answer.get("id") != 7:
            answer = json.loads(socket.recv(timeout=30))
    assert answer["type"] == "success", answer
    # The token is in no place where others can read it.
    run_id = answer["result"]["run_id"]
    assert server.call("GET", f"{path}/runs/{run_id}/join", token).status_code == 200
    records = [server.call("GET", path + part, token).text for part in ("", "/runs", f"/runs/{run_id}", "/state")]
    assert "alice" in records[0]
    written = server.log.read_text("utf-8") + "".join(records)
    assert not any(part in written for part in token.split("."))
    assert "sec-websocket-protocol" not in written


def test_socket_acts_as_the_user_of_its_token(server: WebServer) -> None:
    path = server.thread(server.token("alice"))
    params = {"assistant_id": "agent", "input": {"text": "hello"}}
    command = json.dumps({"id": 7, "method": "run.start", "params": params})
    answers = {}
    for name in ("bob", "alice"):
        with server.socket(f"{path}/stream/events", ["bearer", server.token(name)]) as socket:
            try:
                socket.send(command)
                answers[name] = json.loads(socket.recv(timeout=30))["type"]
            except ConnectionClosedError as closed:
                # The server may close the socket of a foreign thread before it reads a command.
                answers[name] = "error" if closed.rcvd is not None and closed.rcvd.code == 1011 else "closed"
    assert answers["bob"] == "error"
    assert answers["alice"] != "error"


def test_refused_handshake_has_status_and_code(server: WebServer) -> None:
    token = server.token()
    path = f"{server.thread(token)}/stream/events"
    refused = {
        "token_missing": refuse(server, path),
        "token_expired": refuse(server, path, ["bearer", server.short_token(-60)]),
        "header_repeated": refuse(server, path, ["bearer", token], token),
        "header_malformed": refuse(server, path, ["bearer", token, "graphql-ws"]),
    }
    assert all(status == 401 for status, _ in refused.values())
    assert all(body.startswith(f'{{"detail":"{code}:') for code, (_, body) in refused.items())


@pytest.mark.parametrize("name", ["token", "access_token", "authorization", "bearer"])
def test_token_in_query_string_is_refused(server: WebServer, name: str) -> None:
    token = server.token()
    path = server.thread(token)
    status, body = refuse(server, f"{path}/stream/events?{name}={token}")
    assert (status, "token_missing" in body) == (401, True)


def test_header_still_works_and_gets_no_subprotocol(server: WebServer) -> None:
    token = server.token()
    path = server.thread(token)
    with server.socket(f"{path}/stream/events", None, token) as socket:
        assert socket.subprotocol is None


def auth_with(issuer: LocalIssuer, **web: Any) -> OIDCAuth:
    document = {**configuration_for(issuer), "web": {"public_url": "https://agents.test", **web}}
    return OIDCAuth.from_dict(document, fetcher=issuer)


async def show(websocket: WebSocket) -> None:
    """Answer with what a route can see of its request, and with the caller."""
    fields = websocket.scope["headers"]
    seen: dict[str, Any] = {
        "subprotocols": websocket.scope["subprotocols"],
        "headers": sorted(name.decode() for name, _ in fields if name.decode() in ("authorization", PROTOCOL)),
    }
    if "anonymous" not in websocket.url.path:
        seen["identity"] = (await current_caller(websocket)).identity
    await websocket.accept(websocket.query_params.get("accept"))
    await websocket.send_json(seen)
    await websocket.close()


PROTOCOL = "sec-websocket-protocol"


def application(oidc: OIDCAuth) -> TestClient:
    """Return a client of an application with routes of the operator."""
    app = Starlette(routes=[WebSocketRoute("/own", show), WebSocketRoute("/anonymous", show)])
    install(app, oidc)
    return TestClient(app, raise_server_exceptions=False)


def connect(client: TestClient, path: str, *offered: str, **headers: str) -> tuple[str | None, dict[str, Any]]:
    """Return the accepted subprotocol and what the route saw."""
    with client.websocket_connect(path, subprotocols=offered or None, headers=headers) as socket:
        seen: dict[str, Any] = socket.receive_json()
        return socket.accepted_subprotocol, seen


@pytest.fixture
def issuer() -> LocalIssuer:
    return LocalIssuer(algorithm="ES256")


@pytest.fixture
def token(issuer: LocalIssuer) -> str:
    return user_token(issuer, "alice", "editor")


def test_own_route_gets_the_caller(issuer: LocalIssuer, token: str) -> None:
    client = application(auth_with(issuer))
    accepted, seen = connect(client, "/own", "bearer", token)
    assert (accepted, seen["identity"]) == ("bearer", "alice")
    assert seen["subprotocols"] == []
    assert seen["headers"] == ["authorization"]


def test_anonymous_route_never_sees_subprotocol(issuer: LocalIssuer, token: str) -> None:
    client = application(auth_with(issuer))
    accepted, seen = connect(client, "/anonymous", "bearer", token)
    assert (accepted, seen["subprotocols"], seen["headers"]) == ("bearer", [], ["authorization"])


def test_subprotocol_of_application_stays(issuer: LocalIssuer, token: str) -> None:
    client = application(auth_with(issuer))
    assert connect(client, "/own?accept=chat", "bearer", token)[0] == "chat"
    headers = {"authorization": f"Bearer {token}"}
    accepted, seen = connect(client, "/own?accept=chat", "chat", "graphql-ws", **headers)
    assert (accepted, seen["subprotocols"]) == ("chat", ["chat", "graphql-ws"])
    assert connect(client, "/own", "chat", **headers)[0] is None


@pytest.mark.parametrize("offered", [["bearer"], ["bearer", "{token}", "chat"], ["chat", "bearer", "{token}"]])
def test_own_route_refuses_malformed_subprotocols(issuer: LocalIssuer, token: str, offered: list[str]) -> None:
    client = application(auth_with(issuer))
    assert not opens(client, *(value.format(token=token) for value in offered))


def test_own_route_refuses_two_credentials(issuer: LocalIssuer, token: str) -> None:
    client = application(auth_with(issuer))
    assert not opens(client, "bearer", token, authorization=f"Bearer {token}")


def test_setting_turns_subprotocols_off(issuer: LocalIssuer, token: str) -> None:
    client = application(auth_with(issuer, websocket_tokens=False))
    assert not opens(client, "bearer", token)
    accepted, seen = connect(client, "/anonymous", "bearer", token)
    assert (accepted, seen["subprotocols"]) == (None, ["bearer", token])


def opens(client: TestClient, *offered: str, **headers: str) -> bool:
    try:
        connect(client, "/own", *offered, **headers)
    except (WebSocketDenialResponse, WebSocketDisconnect):
        return False
    return True


def scope_with(*fields: tuple[bytes, bytes], kind: str = "websocket", **more: Any) -> dict[str, Any]:
    return {"type": kind, "path": "/threads/1/stream/events", "root_path": "", "headers": list(fields), **more}


def test_hook_alone_moves_the_token(issuer: LocalIssuer, token: str) -> None:
    # With auth_first, the hook runs before the middleware.
    hook: Any = build_hook(auth_with(issuer))
    offered = (PROTOCOL.encode(), f"bearer, {token}".encode())
    scope = scope_with(offered, (b"host", b"x"), subprotocols=["bearer", token])
    user: dict[str, Any] = asyncio.run(hook(dict(scope["headers"]), scope=scope, method="GET", path=scope["path"]))
    assert user["identity"] == "alice"
    assert scope["headers"] == [(b"host", b"x"), (b"authorization", f"Bearer {token}".encode())]
    assert scope["subprotocols"] == []
    assert token not in json.dumps(user)


@pytest.mark.parametrize(
    ("offered", "more", "code"),
    [
        ("bearer, {token}", [(b"authorization", b"Bearer x")], "header_repeated"),
        ("bearer, {token}, chat", [], "header_malformed"),
    ],
)
def test_hook_leaves_refused_request_as_it_is(
    issuer: LocalIssuer, token: str, offered: str, more: list[tuple[bytes, bytes]], code: str
) -> None:
    hook: Any = build_hook(auth_with(issuer))
    scope = scope_with((PROTOCOL.encode(), offered.format(token=token).encode()), *more)
    before = dict(scope)
    with pytest.raises(Exception, match=code):
        asyncio.run(hook({}, scope=scope, method="GET", path=scope["path"]))
    assert scope == before


def test_own_route_checks_end_of_token(issuer: LocalIssuer) -> None:
    late = user_token(issuer, "alice", "editor", exp=time.time() - 1)
    assert opens(application(auth_with(issuer)), "bearer", late)
    assert not opens(application(auth_with(issuer, stream_expiry="close")), "bearer", late)


def test_hook_reads_subprotocol_of_websocket_only(issuer: LocalIssuer, token: str) -> None:
    hook: Any = build_hook(auth_with(issuer))
    scope = scope_with((PROTOCOL.encode(), f"bearer, {token}".encode()), kind="http", method="GET")
    with pytest.raises(Exception, match="token_missing"):
        asyncio.run(hook({}, scope=scope, method="GET", path=scope["path"]))


@pytest.mark.parametrize(
    ("web", "patterns", "status"),
    [
        ("", ["sec-*"], "ok"),
        ("websocket_tokens = false", ["sec-*"], "ok"),
        ("websocket_tokens = true", ["x-*"], "ok"),
        ("websocket_tokens = true", ["sec-*"], "error"),
    ],
)
@pytest.mark.parametrize("setting", list(COPY_ALL))
def test_doctor_finds_copied_subprotocols(
    tmp_path: Path, setting: str, web: str, patterns: list[str], status: str
) -> None:
    http = {setting: {"includes": patterns}}
    (tmp_path / "langgraph.json").write_text(json.dumps({"auth": {"path": "x:auth"}, "http": http}), "utf-8")
    table = f'[web]\npublic_url = "https://agents.test"\n{web}\n' if web else ""
    keys = f"jwks = {{ keys = [{JWK}] }}"
    file = write_configuration(tmp_path, "https://unknown.invalid", keys, limits=table)
    assert examined(file)["token-not-copied"]["status"] == status
