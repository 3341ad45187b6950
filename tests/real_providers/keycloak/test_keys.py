"""Keys of Keycloak change while the server runs. The tests show with which request old and new tokens work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from real_providers.keycloak.realm import created, decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kit.clock import OffsetClock
    from real_providers.keycloak.conftest import Guarded
    from real_providers.keycloak.realm import Realm

MINUTE = 60.0


class Keys:
    """The signing keys of the realm, which the administrator changes."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self.added: list[str] = []

    def add(self) -> None:
        """Add a key that signs from now on."""
        config = {"algorithm": "RS256", "keySize": "2048", "priority": f"{200 + len(self.added)}", "active": "true"}
        component = {
            "name": f"added-{len(self.added)}",
            "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
            "parentId": self._realm.admin("GET", "").json()["id"],
            "config": {name: [value] for name, value in config.items()},
        }
        self.added.append(created(self._realm.admin("POST", "/components", component)))

    def of(self, token: str) -> str:
        """Return the path of the component with the key that signed a token."""
        kid = decoded(token)[0]["kid"]
        (key,) = [key for key in self._realm.admin("GET", "/keys").json()["keys"] if key["kid"] == kid]
        return f"/components/{key['providerId']}"

    def published(self, token: str) -> bool:
        """Tell whether the key that signed a token is in the published set."""
        return decoded(token)[0]["kid"] in self._realm.kids()


@pytest.fixture
def keys(realm: Realm) -> Iterator[Keys]:
    keys = Keys(realm)
    yield keys
    left = {
        component["id"] for component in realm.admin("GET", "/components", type="org.keycloak.keys.KeyProvider").json()
    }
    for component in left.intersection(keys.added):
        realm.admin("DELETE", f"/components/{component}")


def test_new_key_works_with_first_token(guarded: Guarded, keys: Keys, lasting: Callable[[], str]) -> None:
    before = lasting()
    assert guarded.create(before) == 200
    keys.add()
    after = lasting()
    assert keys.of(after) != keys.of(before)
    assert [guarded.create(after), guarded.create(before)] == [200, 200]


def test_passive_key_still_verifies_tokens(
    guarded: Guarded, realm: Realm, keys: Keys, clock: OffsetClock, lasting: Callable[[], str]
) -> None:
    keys.add()
    before = lasting()
    assert guarded.create(before) == 200
    realm.change(keys.of(before), config={"active": ["false"]})
    after = lasting()
    assert keys.published(before)
    assert [guarded.create(after), guarded.create(before)] == [200, 200]
    clock.offset = 61 * MINUTE
    assert [guarded.create(after), guarded.create(before)] == [200, 200]


def withdrawn(guarded: Guarded, clock: OffsetClock, token: str, at: float) -> list[int]:
    """Return the answers to two concurrent requests, some seconds after the keys were fetched."""
    clock.offset = at
    return [guarded.create(token), guarded.create(token)]


@pytest.mark.parametrize("how", ["disabled", "deleted"])
def test_withdrawn_key_works_until_refresh(
    guarded: Guarded, realm: Realm, keys: Keys, clock: OffsetClock, lasting: Callable[[], str], how: str
) -> None:
    keys.add()
    before = lasting()
    assert guarded.create(before) == 200
    if how == "disabled":
        realm.change(keys.of(before), config={"enabled": ["false"]})
    else:
        realm.admin("DELETE", keys.of(before))
    assert not keys.published(before)
    assert withdrawn(guarded, clock, before, MINUTE) == [200, 200]
    # After an hour, the request waits for the new key set.
    assert withdrawn(guarded, clock, before, 61 * MINUTE) == [401, 401]


def test_old_keys_allow_one_more_request(
    guarded: Guarded, realm: Realm, keys: Keys, clock: OffsetClock, lasting: Callable[[], str]
) -> None:
    keys.add()
    before = lasting()
    assert (guarded.create(before), guarded.await_fetch()) == (200, True)
    realm.admin("DELETE", keys.of(before))
    clock.offset = 2 * MINUTE
    assert (guarded.create(before), guarded.await_fetch()) == (200, True)
    assert guarded.create(before) == 401


def test_token_of_new_key_drops_withdrawn_key(
    guarded: Guarded, realm: Realm, keys: Keys, lasting: Callable[[], str]
) -> None:
    keys.add()
    before = lasting()
    assert guarded.create(before) == 200
    realm.admin("DELETE", keys.of(before))
    keys.add()
    # Its kid is unknown, so the key set is fetched again. Keys that are not in it are removed.
    assert [guarded.create(lasting()), guarded.create(before)] == [200, 401]


def test_reenabled_key_works_again(
    guarded: Guarded, realm: Realm, keys: Keys, clock: OffsetClock, lasting: Callable[[], str]
) -> None:
    keys.add()
    before = lasting()
    component = keys.of(before)
    realm.change(component, config={"enabled": ["false"]})
    assert guarded.create(before) == 401
    realm.change(component, config={"enabled": ["true"]})
    clock.offset = 31.0
    assert guarded.create(before) == 200
