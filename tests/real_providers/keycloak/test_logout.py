"""Back-channel logout of a real Keycloak at the web application of a real LangGraph server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from real_providers.keycloak.conftest import ROLES
from real_providers.keycloak.realm import AUDIENCE, WEB_CLIENT, Realm, decoded
from real_providers.receiver import WITHIN, Receiver, captured_notices, running_receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def receiver(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """Run a server, and register its address as the guide does."""
    issuer = {"preset": "keycloak", "url": realm.issuer, "audience": AUDIENCE, "permission_map": [ROLES]}
    table = {**issuer, "logout_clients": [WEB_CLIENT]}
    with running_receiver(tmp_path_factory.mktemp("server"), table) as receiver:
        register(realm, receiver.address)
        yield receiver
        register(realm, "")


def register(realm: Realm, address: str) -> None:
    attributes = {"backchannel.logout.url": address, "backchannel.logout.session.required": "true"}
    realm.change(realm.client(WEB_CLIENT), frontchannelLogout=False, attributes=attributes)


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
