"""Users who share one connection to a real uvicorn. Each request acts as its own user."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

import pytest
from kit.keep_alive import Connection, Request
from kit.sample_users import user_token
from kit.uvicorn_server import environment, running_uvicorn
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

    Address = tuple[str, int]

PADDING = "x" * 70_000
"""After 64 KiB, uvicorn pauses the connection. It continues in the context of the request that reads the body."""

NEEDS_UVLOOP = pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")
AUTH_FIRST = {"app": "kit.middleware_app:app", "middleware_order": "auth_first", "enable_custom_route_auth": True}

SETUPS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "asyncio": ("asyncio", "oidc_auth.langgraph:auth", {}),
    "uvloop": ("uvloop", "oidc_auth.langgraph:auth", {}),
    "auth_first": ("asyncio", "kit.hook_only:auth", AUTH_FIRST),
}


class Service:
    """A running server and the provider of its users."""

    def __init__(self, issuer: LocalIssuer, address: Address) -> None:
        self.issuer = issuer
        self.address = address

    def token(self, name: str, *roles: str) -> str:
        return user_token(self.issuer, name, *(roles or ("editor",)))

    def round(self) -> list[tuple[Request, tuple[int, str | None]]]:
        """Return requests of several users, each with the expected status and owner."""
        alice, bob, guest = self.token("alice"), self.token("bob"), self.token("guest", "unprivileged")
        return [
            (create(alice), (200, "alice")),
            (create(bob), (200, "bob")),
            (create(alice, PADDING), (200, "alice")),
            (create(bob), (200, "bob")),
            (create(alice), (200, "alice")),
            (create(None), (401, None)),
            (create(bob, PADDING), (200, "bob")),
            (create("not.a.token"), (401, None)),
            (create(guest), (403, None)),
            (create(bob, PADDING), (200, "bob")),
            (create(guest, PADDING), (403, None)),
            (create(alice), (200, "alice")),
            (create(None, PADDING), (401, None)),
        ]


def create(bearer: str | None, padding: str = "") -> Request:
    return Request("POST", "/threads", bearer, {"metadata": {"padding": padding}})


@pytest.fixture(scope="module", params=["asyncio", pytest.param("uvloop", marks=NEEDS_UVLOOP), "auth_first"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    loop, auth, http = SETUPS[request.param]
    folder, issuer = tmp_path_factory.mktemp("service"), LocalIssuer(algorithm="ES256")
    with running_uvicorn(folder, environment(folder, issuer, auth, **http), loop) as address:
        yield Service(issuer, address)


@pytest.mark.parametrize("together", [1, 5, 13], ids=["in turn", "five pipelined", "all pipelined"])
def test_each_request_acts_as_its_own_user(service: Service, together: int) -> None:
    with Connection(service.address) as connection:
        for _ in range(5):
            pairs = service.round()
            answers = []
            for start in range(0, len(pairs), together):
                answers += connection.send(*(request for request, _ in pairs[start : start + together]))
            seen = [(answer.status, answer.body.get("metadata", {}).get("owner")) for answer in answers]
            assert seen == [expected for _, expected in pairs]


def is_refused(websocket: ClientConnection, command: dict[str, Any]) -> bool:
    """Send a command, and tell whether the server refuses it with an error or by closing the connection."""
    try:
        websocket.send(json.dumps(command))
        return bool(json.loads(websocket.recv(timeout=10))["type"] == "error")
    except ConnectionClosedError:
        return True


def test_websocket_acts_as_its_own_user(service: Service) -> None:
    alice, bob = service.token("alice"), service.token("bob")
    with Connection(service.address) as connection:
        (made,) = connection.send(create(alice, PADDING))
        path = f"/threads/{made.body['thread_id']}/stream/events"
        headers = {"authorization": f"Bearer {bob}"}
        with connect(f"ws://localhost{path}", sock=connection.socket, additional_headers=headers) as websocket:
            assert is_refused(websocket, {"id": 1, "method": "run.start", "params": {"assistant_id": "agent"}})
    with Connection(service.address) as connection:
        (runs,) = connection.send(Request("GET", f"/threads/{made.body['thread_id']}/runs", alice))
        assert (runs.status, runs.body) == (200, [])


@pytest.mark.parametrize("together", [False, True], ids=["in turn", "pipelined"])
def test_studio_does_not_act_as_user(service: Service, *, together: bool) -> None:
    users = [create(service.token("alice")), create(service.token("bob"), PADDING)]
    studio = Request("POST", "/threads", None, {"metadata": {}}, {"x-auth-scheme": "langsmith"})
    requests = [*users, studio, *users]
    with Connection(service.address) as connection:
        batches = [requests] if together else [[request] for request in requests]
        answers = [answer for batch in batches for answer in connection.send(*batch)]
    assert [answer.status for answer in answers] == [200, 200, 403, 200, 200]


@pytest.mark.parametrize("service", ["auth_first"], indirect=True)
def test_log_context_is_of_this_request(service: Service) -> None:
    alice = service.token("alice")
    first, second = ({"x-request-id": "first"}, {"x-request-id": "second"})
    with Connection(service.address) as connection:
        connection.send(create(alice, PADDING))
        below = Request("GET", "/threads/log-context/now", alice, None, first)
        beside = Request("GET", "/log-context", alice, None, second)
        assert [answer.body for answer in connection.send(below, beside)] == [{"request_id": "first"}, None]
