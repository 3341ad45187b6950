"""What a server with introspection sees of users and sessions at Keycloak."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from kit.clock import OffsetClock
from real_providers.keycloak.process import KeycloakError
from real_providers.keycloak.realm import AUDIENCE, AUDIENCE_MAPPER, created, decoded

from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from real_providers.keycloak.conftest import Guarded
    from real_providers.keycloak.realm import Realm

CACHE_SECONDS = 2
"""Short, because this test runs in real time."""
REFUSED_WITHIN = 10.0


@pytest.fixture
def introspection(realm: Realm) -> dict[str, Any]:
    """Return the setting for the client that is the audience of all tokens."""
    secret = realm.admin("GET", f"{realm.client(AUDIENCE)}/client-secret").json()["value"]
    return {"mode": "always", "client_id": AUDIENCE, "client_secret": secret, "cache_seconds": CACHE_SECONDS}


@pytest.fixture
def user(realm: Realm) -> Iterator[str]:
    """Make a user who may do what alice may, and is gone after the test."""
    credentials = [{"type": "password", "value": "erin"}]
    names = {"email": "erin@acme.test", "firstName": "Erin", "lastName": "Acme"}
    user = {"username": "erin", "enabled": True, "credentials": credentials, **names}
    path = f"/users/{created(realm.admin('POST', '/users', user))}"
    realm.admin("POST", f"{path}/role-mappings/realm", [realm.admin("GET", "/roles/agent-user").json()])
    yield path
    # A test may have deleted the user.
    with suppress(KeycloakError):
        realm.admin("DELETE", path)


def seconds_until_refused(guarded: Guarded, token: str) -> float:
    """Use a token until it is refused, as a busy client would."""
    started = time.monotonic()
    while time.monotonic() < started + REFUSED_WITHIN:
        answer = guarded.request("POST", "/threads", token, {})
        if answer.status_code == 401:
            assert answer.json()["detail"].startswith("token_inactive:")
            return time.monotonic() - started
        time.sleep(0.1)
    pytest.fail(f"the token still works after {REFUSED_WITHIN:g} s")


@pytest.mark.parametrize("how", ["disabled", "logged out", "session deleted", "user deleted"])
def test_ended_access_is_refused_within_seconds(
    guarded: Guarded, realm: Realm, user: str, introspection: dict[str, Any], how: str
) -> None:
    guarded.configure(introspection=introspection)
    token = realm.direct("erin")["access_token"]
    assert guarded.create(token) == 200
    if how == "disabled":
        realm.change(user, enabled=False)
    elif how == "logged out":
        realm.admin("POST", f"{user}/logout")
    elif how == "session deleted":
        realm.admin("DELETE", f"/sessions/{decoded(token)[1]['sid']}")
    else:
        realm.admin("DELETE", user)
    assert seconds_until_refused(guarded, token) < CACHE_SECONDS + 2


def test_lightweight_token_gets_roles_from_introspection(
    guarded: Guarded, realm: Realm, introspection: dict[str, Any], add_client: Callable[..., None]
) -> None:
    add_client(
        "agents-light",
        AUDIENCE_MAPPER,
        attributes={"client.use.lightweight.access.token.enabled": "true"},
        publicClient=True,
        directAccessGrantsEnabled=True,
        serviceAccountsEnabled=False,
    )
    token = realm.user("alice", "agents-light")
    _, claims = decoded(token)
    assert not {"aud", "sub", "realm_access"} & set(claims)
    assert guarded.create(token) == 401
    guarded.configure(introspection=introspection)
    assert guarded.create(token) == 200


def test_removed_role_is_missing_within_seconds(
    guarded: Guarded, realm: Realm, user: str, introspection: dict[str, Any]
) -> None:
    clock = OffsetClock()
    guarded.configure(clock, introspection=introspection)
    token = realm.direct("erin")["access_token"]
    assert guarded.create(token) == 200
    realm.admin("DELETE", f"{user}/role-mappings/realm", [realm.admin("GET", "/roles/agent-user").json()])
    clock.offset = CACHE_SECONDS
    assert guarded.create(token) == 403


def test_client_outside_audience_sees_no_active_token(
    guarded: Guarded, realm: Realm, add_client: Callable[..., None]
) -> None:
    add_client("agents-other")
    guarded.configure(introspection={"mode": "always", "client_id": "agents-other", "client_secret": "worker-secret"})
    answer = guarded.request("POST", "/threads", realm.machine(), {})
    assert (answer.status_code, answer.json()["detail"].partition(":")[0]) == (401, "token_inactive")


def test_private_key_authenticates_client(
    guarded: Guarded, realm: Realm, add_client: Callable[..., None], tmp_path: Path
) -> None:
    key, file = SigningKey.make("client", "RS256"), tmp_path / "client.pem"
    file.write_bytes(key.pem())
    attributes = {"use.jwks.string": "true", "jwks.string": json.dumps({"keys": [key.jwk()]})}
    config: dict[str, str] = {"included.client.audience": "agents-key", "access.token.claim": "true"}
    audience = {**AUDIENCE_MAPPER, "name": "own", "config": config}
    add_client("agents-key", clientAuthenticatorType="client-jwt", attributes=attributes)
    add_client("agents-caller", AUDIENCE_MAPPER, audience)
    guarded.configure(
        introspection={"mode": "always", "client_id": "agents-key", "client_assertion_key_file": str(file)},
        permission_map={"claim": "azp", "values": {"agents-caller": ["threads:write"]}},
    )
    assert [guarded.create(realm.machine("agents-caller")) for _ in range(2)] == [200, 200]


def test_wrong_secret_is_503(guarded: Guarded, realm: Realm, introspection: dict[str, Any]) -> None:
    guarded.configure(introspection={**introspection, "client_secret": "wrong"})
    answer = guarded.request("POST", "/threads", realm.machine(), {})
    assert (answer.status_code, answer.json()["detail"].partition(":")[0]) == (503, "introspection_unavailable")
