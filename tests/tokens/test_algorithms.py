"""Every algorithm end to end, and which key of a set a token may be checked with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from world.tokens import Door, rsa_key, rsa_private

from oidc_auth.errors import Code
from oidc_auth.keys.jwk import ASYMMETRIC
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Sequence

RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES = ("ES256", "ES384", "ES512", "EdDSA")


def key_for(algorithm: str, kid: str = "key-1") -> SigningKey:
    return rsa_key(kid, algorithm) if algorithm in RSA else SigningKey.make(kid, algorithm)


def without(jwk: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in names}


def hears(published: Sequence[dict[str, Any]], signs: SigningKey, **header: Any) -> Code | None:
    """Return what a door with these published keys says to a token that this key signed."""
    door = Door()
    door.issuer.published = list(published)
    return door.knock(door.issuer.token(key=signs, header=header))


def test_all_algorithms_have_a_test() -> None:
    assert {*RSA, *CURVES, "Ed25519"} == ASYMMETRIC


@pytest.mark.parametrize("algorithm", [*RSA, *CURVES])
def test_a_token_of_each_algorithm_is_admitted(algorithm: str) -> None:
    key = key_for(algorithm)
    assert hears([key.jwk()], key) is None


@pytest.mark.parametrize("named", ["EdDSA", "Ed25519", None])
@pytest.mark.parametrize("said", ["EdDSA", "Ed25519"])
def test_eddsa_and_ed25519_are_two_names_of_one_algorithm(said: str, named: str | None) -> None:
    key = key_for("EdDSA")
    published = {**key.jwk(), "alg": named} if named else without(key.jwk(), "alg")
    assert hears([published], key, alg=said) is None


@pytest.mark.parametrize("allowed", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("said", ["EdDSA", "Ed25519"])
def test_an_issuer_that_allows_one_of_the_two_names_allows_both(said: str, allowed: str) -> None:
    door = Door(algorithm="EdDSA", algorithms=allowed)
    assert door.knock(door.issuer.token(header={"alg": said})) is None


def test_an_ed448_key_verifies_eddsa_and_is_no_ed25519_key() -> None:
    key = SigningKey("key-1", "EdDSA", ed448.Ed448PrivateKey.generate())
    assert hears([key.jwk()], key) is None
    assert hears([without(key.jwk(), "alg", "use")], key) is None
    assert hears([key.jwk()], key, alg="Ed25519") is Code.KEY_UNFIT


@pytest.mark.parametrize("algorithm", [*RSA, *CURVES])
def test_a_key_without_alg_takes_every_algorithm_of_its_type(algorithm: str) -> None:
    key = key_for(algorithm)
    assert hears([without(key.jwk(), "alg", "use")], key) is None


@pytest.mark.parametrize("algorithm", [*RSA, *CURVES])
def test_a_key_without_alg_takes_no_algorithm_of_another_type(algorithm: str) -> None:
    key, curve = key_for(algorithm), "ES512" if algorithm != "ES512" else "ES256"
    strangers = [curve] if algorithm in RSA else ["RS256", "PS256", curve]
    heard = [hears([without(key.jwk(), "alg")], key, alg=stranger) for stranger in strangers]
    assert heard == [Code.KEY_UNFIT] * len(strangers)


@pytest.mark.parametrize("published", RSA)
def test_an_rsa_key_bound_to_one_algorithm_takes_no_other(published: str) -> None:
    heard = {signs: hears([rsa_key(algorithm=published).jwk()], rsa_key(algorithm=signs)) for signs in RSA}
    assert heard == {signs: None if signs == published else Code.KEY_UNFIT for signs in RSA}


def test_keys_with_one_kid_are_told_apart_by_their_type() -> None:
    keys = [rsa_key("key"), *(SigningKey.make("key", algorithm) for algorithm in CURVES)]
    published = [key.jwk() for key in keys]
    assert [hears(published, key) for key in keys] == [None] * len(keys)


def test_keys_with_one_kid_are_told_apart_by_their_alg() -> None:
    published = [rsa_key("key", algorithm).jwk() for algorithm in RSA]
    assert [hears(published, rsa_key("key", algorithm)) for algorithm in RSA] == [None] * len(RSA)


def test_a_key_for_encryption_with_the_same_kid_does_not_disturb() -> None:
    key, other = SigningKey.make("key", "ES256"), SigningKey.make("key", "ES256")
    assert hears([{**other.jwk(), "use": "enc"}, key.jwk()], key) is None


def test_a_key_that_is_published_twice_is_one_key() -> None:
    key = SigningKey.make("key", "ES256")
    assert hears([key.jwk(), key.jwk()], key) is None


def test_without_a_kid_the_one_key_that_fits_is_used() -> None:
    key = SigningKey.make("key-1", "ES256")
    others = [rsa_key("key-2"), SigningKey.make("key-3", "EdDSA"), SigningKey.make("key-4", "ES384")]
    assert hears([*(other.jwk() for other in others), key.jwk()], key, kid=None) is None


def test_without_a_kid_two_keys_that_fit_are_ambiguous() -> None:
    keys = [SigningKey.make(f"key-{number}", "ES256") for number in range(2)]
    assert [hears([key.jwk() for key in keys], key, kid=None) for key in keys] == [Code.KEY_AMBIGUOUS] * 2


def test_without_a_kid_no_key_that_fits_is_unfit() -> None:
    assert hears([SigningKey.make("key", "ES384").jwk()], key_for("ES256"), kid=None) is Code.KEY_UNFIT


def test_a_key_without_a_kid_is_used_for_tokens_without_one() -> None:
    key = SigningKey.make("key", "ES256")
    published = [without(key.jwk(), "kid")]
    assert hears(published, key, kid=None) is None
    assert hears(published, key) is Code.KEY_UNKNOWN


def test_keys_of_the_configuration_need_no_network() -> None:
    key = SigningKey.make("key", "ES256")
    door = Door(jwks={"keys": [key.jwk()]})
    assert door.knock(door.issuer.token(key=key)) is None
    assert door.knock(door.issuer.token(key=key, jti="another")) is None
    assert door.knock(door.issuer.token(key=key, header={"kid": "other"})) is Code.KEY_UNKNOWN
    assert door.knock(door.issuer.token(key=key, header={"kid": None})) is None
    assert door.issuer.fetched == []


def test_a_token_under_keys_of_the_configuration_is_verified_once() -> None:
    key = SigningKey.make("key", "ES256")
    door = Door(jwks={"keys": [key.jwk()]})
    token = door.issuer.token(key=key)
    assert [door.knock(token), door.knock(token)] == [None, None]
    assert door.cached == [False, True]


def test_keys_at_a_configured_address_need_no_discovery() -> None:
    door = Door(jwks_url="https://issuer.test/keys")
    assert door.knock(door.issuer.token()) is None
    assert door.issuer.fetched == ["https://issuer.test/keys"]


def test_an_ecdsa_signature_over_another_curve_s_hash_is_wrong() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key, liar = SigningKey("key-1", "ES256", private), SigningKey("key-1", "ES384", private)
    assert hears([key.jwk()], liar, alg="ES256") is Code.SIGNATURE_INVALID


def test_a_pss_signature_is_no_pkcs1_signature() -> None:
    published = [without(rsa_key().jwk(), "alg")]
    assert hears(published, SigningKey("key-1", "PS256", rsa_private()), alg="RS256") is Code.SIGNATURE_INVALID
    assert hears(published, SigningKey("key-1", "RS256", rsa_private()), alg="PS256") is Code.SIGNATURE_INVALID


def test_the_caller_is_whom_the_token_names() -> None:
    door = Door()
    assert asyncio.run(door.admit(door.issuer.token("bob"))).identity == "bob"
