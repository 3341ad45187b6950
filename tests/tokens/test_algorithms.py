"""Every algorithm end to end, and which key of a set a token may be checked with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from kit.auth_harness import AuthHarness
from kit.tokens import rsa_key, rsa_private

from oidc_auth.errors import ErrorCode
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


def code_for(published: Sequence[dict[str, Any]], signs: SigningKey, **header: Any) -> ErrorCode | None:
    """Return the error code for a token that this key signed, with these published keys; None if it is valid."""
    harness = AuthHarness()
    harness.issuer.published = list(published)
    return harness.authenticate(harness.issuer.token(key=signs, header=header))


def test_every_algorithm_is_tested() -> None:
    assert {*RSA, *CURVES, "Ed25519", "Ed448"} == ASYMMETRIC


@pytest.mark.parametrize("algorithm", [*RSA, *CURVES])
def test_token_of_each_algorithm_is_accepted(algorithm: str) -> None:
    key = key_for(algorithm)
    assert code_for([key.jwk()], key) is None


@pytest.mark.parametrize("named", ["EdDSA", "Ed25519", None])
@pytest.mark.parametrize("said", ["EdDSA", "Ed25519"])
def test_eddsa_and_ed25519_are_one_algorithm(said: str, named: str | None) -> None:
    key = key_for("EdDSA")
    published = {**key.jwk(), "alg": named} if named else without(key.jwk(), "alg")
    assert code_for([published], key, alg=said) is None


@pytest.mark.parametrize("allowed", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("said", ["EdDSA", "Ed25519"])
def test_allowing_one_eddsa_name_allows_both(said: str, allowed: str) -> None:
    harness = AuthHarness(algorithm="EdDSA", algorithms=allowed)
    assert harness.authenticate(harness.issuer.token(header={"alg": said})) is None


@pytest.mark.parametrize("named", ["EdDSA", "Ed448", None])
def test_ed448_key_verifies_eddsa_and_ed448(named: str | None) -> None:
    key = SigningKey("key-1", "EdDSA", ed448.Ed448PrivateKey.generate())
    published = {**key.jwk(), "alg": named} if named else without(key.jwk(), "alg")
    assert code_for([published], key, alg="EdDSA") is None
    assert code_for([published], key, alg="Ed448") is None
    assert code_for([published], key, alg="Ed25519") is ErrorCode.KEY_ALG_MISMATCH


def test_ed25519_key_does_not_verify_ed448() -> None:
    key = key_for("EdDSA")
    assert code_for([key.jwk()], key, alg="Ed448") is ErrorCode.KEY_ALG_MISMATCH
    # RFC 9864: the JWK's alg must fit its curve.
    assert code_for([{**key.jwk(), "alg": "Ed448"}], key) is ErrorCode.KEYS_UNAVAILABLE


@pytest.mark.parametrize("allowed", ["EdDSA", "Ed448"])
@pytest.mark.parametrize("said", ["EdDSA", "Ed448"])
def test_allowing_eddsa_or_ed448_allows_both(said: str, allowed: str) -> None:
    harness = AuthHarness(algorithms=allowed)
    key = SigningKey("key-1", "EdDSA", ed448.Ed448PrivateKey.generate())
    harness.issuer.published = [key.jwk()]
    assert harness.authenticate(harness.issuer.token(key=key, header={"alg": said})) is None


def test_allowing_ed25519_forbids_ed448() -> None:
    harness = AuthHarness(algorithms="Ed25519")
    key = SigningKey("key-1", "EdDSA", ed448.Ed448PrivateKey.generate())
    harness.issuer.published = [key.jwk()]
    assert harness.authenticate(harness.issuer.token(key=key, header={"alg": "Ed448"})) is ErrorCode.ALG_NOT_ALLOWED


@pytest.mark.parametrize("algorithm", [*RSA, *CURVES])
def test_key_without_alg_accepts_its_type(algorithm: str) -> None:
    key = key_for(algorithm)
    assert code_for([without(key.jwk(), "alg", "use")], key) is None


@pytest.mark.parametrize("algorithm", [*RSA, *CURVES])
def test_key_without_alg_rejects_other_types(algorithm: str) -> None:
    key, curve = key_for(algorithm), "ES512" if algorithm != "ES512" else "ES256"
    foreign = [curve] if algorithm in RSA else ["RS256", "PS256", curve]
    codes = [code_for([without(key.jwk(), "alg")], key, alg=other) for other in foreign]
    assert codes == [ErrorCode.KEY_ALG_MISMATCH] * len(foreign)


@pytest.mark.parametrize("published", RSA)
def test_bound_rsa_key_rejects_other_algorithms(published: str) -> None:
    codes = {signs: code_for([rsa_key(algorithm=published).jwk()], rsa_key(algorithm=signs)) for signs in RSA}
    assert codes == {signs: None if signs == published else ErrorCode.KEY_ALG_MISMATCH for signs in RSA}


def test_same_kid_keys_differ_by_type() -> None:
    keys = [rsa_key("key"), *(SigningKey.make("key", algorithm) for algorithm in CURVES)]
    published = [key.jwk() for key in keys]
    assert [code_for(published, key) for key in keys] == [None] * len(keys)


def test_same_kid_keys_differ_by_alg() -> None:
    published = [rsa_key("key", algorithm).jwk() for algorithm in RSA]
    assert [code_for(published, rsa_key("key", algorithm)) for algorithm in RSA] == [None] * len(RSA)


def test_encryption_key_with_same_kid_is_ignored() -> None:
    key, other = SigningKey.make("key", "ES256"), SigningKey.make("key", "ES256")
    assert code_for([{**other.jwk(), "use": "enc"}, key.jwk()], key) is None


def test_duplicate_key_is_one_key() -> None:
    key = SigningKey.make("key", "ES256")
    assert code_for([key.jwk(), key.jwk()], key) is None


def test_single_matching_key_needs_no_kid() -> None:
    key = SigningKey.make("key-1", "ES256")
    others = [rsa_key("key-2"), SigningKey.make("key-3", "EdDSA"), SigningKey.make("key-4", "ES384")]
    assert code_for([*(other.jwk() for other in others), key.jwk()], key, kid=None) is None


def test_two_matching_keys_without_kid_are_ambiguous() -> None:
    keys = [SigningKey.make(f"key-{number}", "ES256") for number in range(2)]
    assert [code_for([key.jwk() for key in keys], key, kid=None) for key in keys] == [ErrorCode.KEY_AMBIGUOUS] * 2


def test_no_matching_key_without_kid_is_mismatch() -> None:
    assert code_for([SigningKey.make("key", "ES384").jwk()], key_for("ES256"), kid=None) is ErrorCode.KEY_ALG_MISMATCH


def test_key_without_kid_serves_tokens_without_kid() -> None:
    key = SigningKey.make("key", "ES256")
    published = [without(key.jwk(), "kid")]
    assert code_for(published, key, kid=None) is None
    assert code_for(published, key) is ErrorCode.KEY_NOT_FOUND


def test_inline_keys_need_no_network() -> None:
    key = SigningKey.make("key", "ES256")
    harness = AuthHarness(jwks={"keys": [key.jwk()]})
    assert harness.authenticate(harness.issuer.token(key=key)) is None
    assert harness.authenticate(harness.issuer.token(key=key, jti="another")) is None
    assert harness.authenticate(harness.issuer.token(key=key, header={"kid": "other"})) is ErrorCode.KEY_NOT_FOUND
    assert harness.authenticate(harness.issuer.token(key=key, header={"kid": None})) is None
    assert harness.issuer.fetched == []


def test_token_under_inline_keys_is_verified_once() -> None:
    key = SigningKey.make("key", "ES256")
    harness = AuthHarness(jwks={"keys": [key.jwk()]})
    token = harness.issuer.token(key=key)
    assert [harness.authenticate(token), harness.authenticate(token)] == [None, None]
    assert harness.cached == [False, True]


def test_configured_jwks_uri_needs_no_discovery() -> None:
    harness = AuthHarness(jwks_uri="https://issuer.test/keys")
    assert harness.authenticate(harness.issuer.token()) is None
    assert harness.issuer.fetched == ["https://issuer.test/keys"]


def test_ecdsa_signature_of_other_hash_is_invalid() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key, liar = SigningKey("key-1", "ES256", private), SigningKey("key-1", "ES384", private)
    assert code_for([key.jwk()], liar, alg="ES256") is ErrorCode.SIGNATURE_INVALID


def test_pss_and_pkcs1_signatures_differ() -> None:
    published = [without(rsa_key().jwk(), "alg")]
    assert code_for(published, SigningKey("key-1", "PS256", rsa_private()), alg="RS256") is ErrorCode.SIGNATURE_INVALID
    assert code_for(published, SigningKey("key-1", "RS256", rsa_private()), alg="PS256") is ErrorCode.SIGNATURE_INVALID


def test_caller_matches_token_subject() -> None:
    harness = AuthHarness()
    assert asyncio.run(harness.admit(harness.issuer.token("bob"))).identity == "bob"
