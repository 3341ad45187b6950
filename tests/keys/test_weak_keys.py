"""Keys that anyone could sign with: points of small order, and RSA moduli that are easy to factor."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from keys.test_key_sets import rsa_jwk
from kit.auth_harness import AuthHarness
from kit.tokens import claims_of, json_text

from oidc_auth.errors import ErrorCode
from oidc_auth.keys.jwk import UnusableKeyError, read_key
from oidc_auth.keys.strength import edwards_weakness
from oidc_auth.testing.signing import SigningKey, encode_base64url

if TYPE_CHECKING:
    from kit.snapshots import Messages

PRIMES = {"Ed25519": 2**255 - 19, "Ed448": 2**448 - 2**224 - 1}
LENGTHS = {"Ed25519": 32, "Ed448": 57}
TYPES: dict[str, Any] = {"Ed25519": Ed25519PublicKey, "Ed448": Ed448PublicKey}
ORDER_EIGHT = [
    # The list of libsodium.
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
]


def encoded(curve: str, y: int, sign: int) -> bytes:
    """Return an encoded point (RFC 8032 §5.1.2, §5.2.2). y may also be too large."""
    length = LENGTHS[curve]
    return (y | sign << (8 * length - 1)).to_bytes(length, "little")


def small_points(curve: str) -> list[bytes]:
    """Return all encodings of all points of small order, canonical or not."""
    prime = PRIMES[curve]
    heights = [0, 1, prime - 1, prime, prime + 1]
    if curve == "Ed25519":
        heights += [int.from_bytes(bytes.fromhex(point), "little") for point in ORDER_EIGHT]
    return [encoded(curve, y, sign) for y, sign in product(heights, (0, 1))]


SMALL = [(curve, point) for curve in TYPES for point in small_points(curve)]
# OpenSSL itself rejects the other points of Ed448.
FORGEABLE = [(curve, point) for curve, point in SMALL if curve == "Ed25519" or point[:-1] == bytes(56)]


def name(value: str | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else value


def verifies(curve: str, point: bytes, signature: bytes, message: bytes) -> bool:
    try:
        TYPES[curve].from_public_bytes(point).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def forge(curve: str, point: bytes, harness: AuthHarness) -> str | None:
    """Return a token with a forged signature that fits the key, or None."""
    header = encode_base64url(json_text({"alg": "EdDSA", "kid": "weak", "typ": "at+jwt"}))
    for number, commitment in product(range(64), small_points(curve)):
        payload = encode_base64url(json_text(claims_of(harness.issuer, jti=str(number))))
        # With S = 0, only the two points must fit.
        signature = commitment + bytes(LENGTHS[curve])
        if verifies(curve, point, signature, f"{header}.{payload}".encode()):
            return f"{header}.{payload}.{encode_base64url(signature)}"
    return None


def weak_jwk(curve: str, point: bytes) -> dict[str, str]:
    return {"kty": "OKP", "crv": curve, "x": encode_base64url(point), "kid": "weak"}


@pytest.mark.parametrize(("curve", "point"), SMALL, ids=name)
def test_point_of_small_order_is_no_key(curve: str, point: bytes) -> None:
    with pytest.raises(UnusableKeyError, match=r"small order|canonical"):
        read_key(weak_jwk(curve, point))


@pytest.mark.parametrize(("curve", "point"), FORGEABLE, ids=name)
def test_forged_signature_is_rejected(curve: str, point: bytes) -> None:
    harness = AuthHarness(algorithm="EdDSA")
    token = forge(curve, point, harness)
    assert token is not None
    harness.issuer.published = [weak_jwk(curve, point), harness.issuer.keys[0].jwk()]
    assert harness.authenticate(harness.issuer.token()) is None
    assert harness.authenticate(token) is ErrorCode.KEY_NOT_FOUND


@pytest.mark.parametrize("curve", TYPES)
@pytest.mark.parametrize("y", range(2, 19))
def test_point_with_two_encodings_has_one(curve: str, y: int, messages: Messages) -> None:
    assert edwards_weakness(encoded(curve, y, 0)) is None
    messages.check(edwards_weakness(encoded(curve, PRIMES[curve] + y, 0)))


def test_ordinary_points_are_keys() -> None:
    for _ in range(100):
        assert edwards_weakness(Ed25519PrivateKey.generate().public_key().public_bytes_raw()) is None
        assert edwards_weakness(Ed448PrivateKey.generate().public_key().public_bytes_raw()) is None


def test_even_modulus_is_refused_although_cryptography_accepts_it(messages: Messages) -> None:
    even = 2**2047 + 2
    assert RSAPublicNumbers(65_537, even).public_key().key_size == 2048
    with pytest.raises(UnusableKeyError) as refused:
        read_key(rsa_jwk(even))
    messages.check(refused.value)


@pytest.mark.parametrize("factor", [3, 5, 17, 743, 751])
def test_modulus_with_small_factor_is_refused(factor: int, messages: Messages) -> None:
    modulus = (2**2047 // factor + 1) * factor
    modulus += 0 if modulus % 2 else factor
    with pytest.raises(UnusableKeyError) as refused:
        read_key(rsa_jwk(modulus))
    messages.check(refused.value)


def test_real_rsa_keys_are_accepted() -> None:
    assert read_key(SigningKey.make("key-1", "RS256").jwk()).kid == "key-1"
