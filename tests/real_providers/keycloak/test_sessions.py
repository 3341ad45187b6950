"""Changes of users, sessions and addresses at Keycloak, and what a server that only verifies JWTs sees of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from real_providers.keycloak.process import KeycloakError
from real_providers.keycloak.realm import decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kit.clock import OffsetClock
    from real_providers.keycloak.conftest import Guarded
    from real_providers.keycloak.process import KeycloakProcess
    from real_providers.keycloak.realm import Realm

HOUR = 3_600.0
PUBLIC = "https://sso.acme.test"


@pytest.fixture
def carol(realm: Realm) -> Iterator[str]:
    """Create a user with the permissions of alice. The user is deleted after the test."""
    path = realm.add_user("carol")
    yield path
    realm.admin("DELETE", path)


@pytest.mark.parametrize("how", ["disabled", "logged out"])
def test_token_outlives_user_and_session(guarded: Guarded, realm: Realm, carol: str, how: str) -> None:
    tokens = realm.direct("carol")
    assert guarded.create(tokens["access_token"]) == 200
    if how == "disabled":
        realm.change(carol, enabled=False)
    else:
        realm.admin("POST", f"{carol}/logout")
    # Keycloak issues no new token. The old one does not show this, so it is accepted for five minutes.
    with pytest.raises(KeycloakError, match="invalid_grant"):
        realm.tokens(grant_type="refresh_token", client_id="agents-cli", refresh_token=tokens["refresh_token"])
    assert guarded.create(tokens["access_token"]) == 200
    _, claims = decoded(tokens["access_token"])
    assert claims["exp"] - claims["iat"] == 300
    guarded.configure(lambda: claims["exp"] + 30.0)
    assert guarded.create(tokens["access_token"]) == 401


def test_removed_role_is_missing_in_next_token(guarded: Guarded, realm: Realm, carol: str) -> None:
    before = realm.direct("carol")
    role = realm.admin("GET", "/roles/agent-user").json()
    realm.admin("DELETE", f"{carol}/role-mappings/realm", [role])
    refreshed = realm.tokens(grant_type="refresh_token", client_id="agents-cli", refresh_token=before["refresh_token"])
    assert [guarded.create(tokens["access_token"]) for tokens in (before, refreshed)] == [200, 403]


@pytest.fixture
def public_name(realm: Realm) -> Iterator[str]:
    """Give the realm a public name that only its clients can reach, and return the issuer of its tokens."""
    realm.change("", attributes={"frontendUrl": PUBLIC})
    yield f"{PUBLIC}/realms/acme"
    realm.change("", attributes={"frontendUrl": ""})


def test_internal_jwks_uri_serves_public_issuer(guarded: Guarded, realm: Realm, public_name: str) -> None:
    token = realm.machine()
    assert decoded(token)[1]["iss"] == public_name
    guarded.configure(url=public_name, jwks_uri=f"{realm.endpoints}/certs")
    assert guarded.create(token) == 200


def test_issuer_under_other_name_is_explained(refusal: Callable[[str], str], realm: Realm, public_name: str) -> None:
    said = refusal(realm.machine())
    assert said.startswith("refused: issuer_not_trusted")
    assert all(name in said for name in (realm.issuer, f"'{public_name}'", "jwks_uri"))


def test_valid_token_works_during_keycloak_outage(
    guarded: Guarded, keycloak: KeycloakProcess, clock: OffsetClock, lasting: Callable[[], str]
) -> None:
    known, never_seen = lasting(), lasting()
    assert guarded.create(known) == 200
    keycloak.stop()
    try:
        at_once = [guarded.create(known), guarded.create(never_seen)]
        # Without the outage, the keys would have been fetched twice in this time.
        clock.offset = 2 * HOUR
        later = [guarded.create(known), guarded.create(never_seen)]
        fetched = guarded.await_fetch(), guarded.await_fetch()
    finally:
        keycloak.start()
        keycloak.wait()
    assert (at_once, later, fetched) == ([200, 200], [200, 200], (True, False))
    clock.offset += 11.0
    assert [guarded.create(token) for token in (known, never_seen, lasting())] == [200, 200, 200]
    assert guarded.await_fetch()
