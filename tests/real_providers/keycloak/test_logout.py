"""Back-channel logout of a real Keycloak at the web application of a real LangGraph server."""

from __future__ import annotations

import json
import queue
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx
import pytest
from kit.uvicorn_server import environment, running_uvicorn
from real_providers.keycloak.conftest import ROLES
from real_providers.keycloak.realm import AUDIENCE, WEB_CLIENT, Realm, decoded

from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WITHIN = 5.0
"""Seconds in which a logout must arrive. Measured: less than 0.1."""


class Receiver:
    """A running server with ``[revocation]``."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.address = str(client.base_url.join("/auth/backchannel-logout"))

    def ask(self, token: str) -> tuple[int, str]:
        """Send one request, and return the status and the error code."""
        answer = self._client.post("/threads/search", json={}, headers={"authorization": f"Bearer {token}"})
        return answer.status_code, "" if answer.is_success else answer.json()["detail"].partition(":")[0]

    def notify(self, token: str) -> int:
        """Send a logout token, and return the status."""
        return self._client.post(self.address, data={"logout_token": token}).status_code

    def wait_until_revoked(self, token: str) -> float:
        """Wait until a token is refused, and return the seconds. The token was accepted before."""
        started = time.monotonic()
        while (found := self.ask(token)) == (200, ""):
            assert time.monotonic() < started + WITHIN, "no logout token arrived"
        assert found == (401, "token_revoked")
        return time.monotonic() - started


@pytest.fixture(scope="module")
def receiver(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """Run a server, and register its address as the guide does."""
    folder = tmp_path_factory.mktemp("server")
    environ = environment(folder, LocalIssuer(algorithm="ES256"), app="oidc_auth.web:app")
    issuer = {"preset": "keycloak", "url": realm.issuer, "audience": AUDIENCE, "permission_map": [ROLES]}
    document = {
        "issuer": {**issuer, "logout_clients": [WEB_CLIENT]},
        "web": {"public_url": "https://agents.test"},
        "revocation": {"store": "memory"},
    }
    (folder / "oidc-auth.json").write_text(json.dumps(document), "utf-8")
    with (
        running_uvicorn(folder, environ, "asyncio") as (host, port),
        httpx.Client(base_url=f"http://{host}:{port}", timeout=30, trust_env=False) as client,
    ):
        receiver = Receiver(client)
        register(realm, receiver.address)
        yield receiver
        register(realm, "")


def register(realm: Realm, address: str) -> None:
    attributes = {"backchannel.logout.url": address, "backchannel.logout.session.required": "true"}
    realm.change(realm.client(WEB_CLIENT), frontchannelLogout=False, attributes=attributes)


@contextmanager
def captured_notices() -> Iterator[tuple[str, queue.Queue[str]]]:
    """Serve an address that accepts logout tokens, and return it with a queue of them."""
    notices: queue.Queue[str] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            notices.put(parse_qs(body.decode())["logout_token"][0])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Write nothing to the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", notices
        server.shutdown()
        thread.join()


@pytest.fixture
def dora(realm: Realm) -> Iterator[str]:
    """Create a user, who is deleted after the test."""
    path = realm.add_user("dora")
    yield path
    if realm.admin("GET", "/users", username="dora", exact="true").json():
        realm.admin("DELETE", path)


ENDINGS: dict[str, Callable[[Realm, str, dict[str, Any]], object]] = {
    "user logs out": lambda realm, _, tokens: realm.log_out(id_token_hint=tokens["id_token"]),
    "client ends session": lambda realm, _, tokens: realm.log_out(
        client_id=WEB_CLIENT, refresh_token=tokens["refresh_token"]
    ),
    "admin logs user out": lambda realm, path, _: realm.admin("POST", f"{path}/logout"),
    "admin deletes session": lambda realm, _, tokens: realm.admin(
        "DELETE", f"/sessions/{decoded(tokens['access_token'])[1]['sid']}"
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_logout_ends_cached_token(receiver: Receiver, realm: Realm, dora: str, ending: str) -> None:
    ended, other = realm.login("dora"), realm.login("alice")
    tokens = [each["access_token"] for each in (ended, other)]
    assert [receiver.ask(token) for token in tokens] == [(200, ""), (200, "")]
    ENDINGS[ending](realm, dora, ended)
    receiver.wait_until_revoked(tokens[0])
    assert receiver.ask(tokens[1]) == (200, "")
    # A new login works at once.
    assert receiver.ask(realm.login("dora")["access_token"]) == (200, "")


def test_logout_of_one_session_keeps_other(receiver: Receiver, realm: Realm, dora: str) -> None:
    first, second = realm.login("dora"), realm.login("dora")
    assert [receiver.ask(each["access_token"])[0] for each in (first, second)] == [200, 200]
    realm.log_out(id_token_hint=first["id_token"])
    receiver.wait_until_revoked(first["access_token"])
    assert receiver.ask(second["access_token"]) == (200, "")


def wait_for_later_logout(receiver: Receiver, realm: Realm) -> None:
    """Wait for the logout of another user. An earlier logout would have arrived before it."""
    marker = realm.login("alice")
    assert receiver.ask(marker["access_token"]) == (200, "")
    realm.log_out(id_token_hint=marker["id_token"])
    receiver.wait_until_revoked(marker["access_token"])


SILENT: dict[str, Callable[[Realm, str, dict[str, Any]], object]] = {
    "user disabled": lambda realm, path, _: realm.change(path, enabled=False),
    "user deleted": lambda realm, path, _: realm.admin("DELETE", path),
    "all sessions ended": lambda realm, _path, _tokens: realm.admin("POST", "/logout-all"),
    "password reset": lambda realm, path, _: realm.admin(
        "PUT", f"{path}/reset-password", {"type": "password", "value": "new", "temporary": False}
    ),
    "access token revoked": lambda realm, _, tokens: realm.revoke(tokens["access_token"]),
    "refresh token revoked": lambda realm, _, tokens: realm.revoke(tokens["refresh_token"]),
    "role removed": lambda realm, path, _: realm.admin(
        "DELETE", f"{path}/role-mappings/realm", [realm.admin("GET", "/roles/agent-user").json()]
    ),
}


@pytest.mark.parametrize("change", SILENT)
def test_keycloak_sends_nothing(receiver: Receiver, realm: Realm, dora: str, change: str) -> None:
    tokens = realm.login("dora")
    assert receiver.ask(tokens["access_token"]) == (200, "")
    SILENT[change](realm, dora, tokens)
    wait_for_later_logout(receiver, realm)
    assert receiver.ask(tokens["access_token"]) == (200, "")


def test_real_logout_token_counts_once_and_gives_no_access(receiver: Receiver, realm: Realm, dora: str) -> None:
    tokens = realm.login("dora")
    with captured_notices() as (address, notices):
        register(realm, address)
        realm.log_out(id_token_hint=tokens["id_token"])
        logout_token = notices.get(timeout=WITHIN)
        register(realm, receiver.address)
    header, claims = decoded(logout_token)
    assert (header["typ"], claims["typ"], claims["aud"]) == ("logout+jwt", "Logout", WEB_CLIENT)
    assert {"sub", "sid", "exp", "iat", "jti", "events"} < claims.keys()
    assert receiver.ask(logout_token) == (401, "typ_not_allowed")
    assert receiver.ask(tokens["access_token"]) == (200, "")
    # The other tokens of the login end no session.
    assert [receiver.notify(tokens[name]) for name in ("access_token", "id_token")] == [400, 400]
    assert receiver.ask(tokens["access_token"]) == (200, "")
    assert [receiver.notify(logout_token) for _ in range(2)] == [200, 400]
    assert receiver.ask(tokens["access_token"]) == (401, "token_revoked")


def test_offline_session_outlives_logout(receiver: Receiver, realm: Realm, dora: str) -> None:
    offline = realm.login("dora", scope="openid offline_access")
    assert receiver.ask(offline["access_token"]) == (200, "")
    realm.log_out(id_token_hint=offline["id_token"])
    wait_for_later_logout(receiver, realm)
    refreshed = realm.tokens(grant_type="refresh_token", client_id=WEB_CLIENT, refresh_token=offline["refresh_token"])
    assert [receiver.ask(each["access_token"])[0] for each in (offline, refreshed)] == [200, 200]
