"""One key: what it may verify, and how strong it is (RFC 7517, RFC 7518, RFC 8037, RFC 9864)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

from ..errors import Code, TokenError
from ..json_values import is_object
from .edwards import refused_point

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

RSA_MIN_BITS = 2048
RSA_MAX_BITS = 16_384
"""A larger key costs milliseconds a signature: a way to stop the loop, not a need."""
RSA_MAX_EXPONENT = 2**32
"""A large public exponent makes each verification slow; NIST and every provider use 65537."""
RSA_SMALLEST_FACTOR = 752
"""A modulus with a smaller prime factor is broken: NIST SP 800-89 §5.3.3, to which SP 800-56B §6.4.2.2 refers."""

ASYMMETRIC = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
"""Every algorithm we verify: no HS*, whose key would have to be shared, and no ``none``."""

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_BY_CURVE: Mapping[str, frozenset[str]] = {
    "EC P-256": frozenset({"ES256"}),
    "EC P-384": frozenset({"ES384"}),
    "EC P-521": frozenset({"ES512"}),
    # One algorithm, two names: EdDSA (RFC 8037) and Ed25519 (RFC 9864).
    "OKP Ed25519": frozenset({"EdDSA", "Ed25519"}),
    "OKP Ed448": frozenset({"EdDSA"}),
}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_VALUE_MEMBERS = ("kty", "crv", "n", "e", "x", "y")

# PyJWT knows Ed25519 by its older name only.
_VERIFIERS = get_default_algorithms()
_VERIFIERS["Ed25519"] = _VERIFIERS["EdDSA"]


class UnusableKeyError(Exception):
    """This member of a key set cannot be used; its neighbours can."""


@dataclass(frozen=True, slots=True)
class Key:
    """One public key.

    Attributes:
        kid: its id, or None.
        algorithms: the algorithms it may verify: those of its type and curve, or the one its ``alg`` names.
        names_algorithm: whether the JWK has ``alg``, so that the key is limited to it.
        thumbprint: the SHA-256 of its value: two keys are the same key when these are equal.
    """

    kid: str | None
    algorithms: frozenset[str]
    names_algorithm: bool
    thumbprint: str
    _public: Any = field(repr=False, compare=False)

    def verifies(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        """Tell whether ``signature`` is this key's over ``signing_input`` (RFC 7515 §5.2)."""
        return _VERIFIERS[algorithm].verify(signing_input, self._public, signature)


def check_signature(key: Key, algorithm: str, signing_input: bytes, signature: bytes) -> None:
    """Refuse a signature that is not this key's (RFC 7515 §5.2).

    Raises:
        TokenError: ``signature_invalid``.
    """
    if not key.verifies(algorithm, signing_input, signature):
        raise TokenError(Code.SIGNATURE_INVALID, expected=f"a signature of key {key.kid!r}")


def read_key(jwk: object) -> Key:
    """Return the key that a JWK describes (RFC 7517 §4).

    Raises:
        UnusableKeyError: no object, a symmetric or private key, not for signatures, too weak, or broken.
    """
    if not is_object(jwk):
        raise UnusableKeyError("it is not an object")
    algorithms = _algorithms(jwk)
    _check_purpose(jwk)
    public = _public_key(jwk, algorithms)
    _check_strength(public)
    return Key(_key_id(jwk), algorithms, jwk.get("alg") is not None, _thumbprint(public), public)


def exposed_thumbprint(jwk: object) -> str | None:
    """Return the thumbprint of a private key that was published, or None."""
    if not is_object(jwk) or not _PRIVATE_MEMBERS.intersection(jwk):
        return None
    try:
        return read_key({name: jwk[name] for name in _VALUE_MEMBERS if name in jwk}).thumbprint
    except UnusableKeyError:
        return None


def _algorithms(jwk: Mapping[str, object]) -> frozenset[str]:
    possible = _RSA if jwk.get("kty") == "RSA" else _BY_CURVE.get(f"{jwk.get('kty')} {jwk.get('crv')}")
    if not possible:
        raise UnusableKeyError(f"kty {jwk.get('kty')!r} with crv {jwk.get('crv')!r} is not for signatures we verify")
    named = jwk.get("alg")
    if named is None:
        return possible
    if not isinstance(named, str) or named not in possible:
        raise UnusableKeyError(f"alg {named!r} does not fit kty {jwk.get('kty')!r}")
    # A key named EdDSA also verifies tokens that say Ed25519: the same algorithm.
    return possible if jwk.get("kty") == "OKP" else frozenset({named})


def _check_purpose(jwk: Mapping[str, object]) -> None:
    if private := sorted(_PRIVATE_MEMBERS.intersection(jwk)):
        raise UnusableKeyError(f"it carries private members ({', '.join(private)}): anybody could sign with it")
    use, operations = jwk.get("use"), jwk.get("key_ops")
    if use not in (None, "sig"):
        raise UnusableKeyError(f"use is {use!r}, not 'sig'")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        raise UnusableKeyError("key_ops does not list 'verify'")


def _key_id(jwk: Mapping[str, object]) -> str | None:
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise UnusableKeyError("kid is not a string")
    return kid


def _public_key(jwk: Mapping[str, object], algorithms: frozenset[str]) -> PublicKeyTypes:
    algorithm = min(algorithms - {"Ed25519"})
    try:
        public: PublicKeyTypes = jwt.PyJWK(dict(jwk), algorithm=algorithm).key
    except Exception as error:
        # Whatever one broken member makes the parser do, it must not hurt its neighbours.
        raise UnusableKeyError(f"it cannot be read ({type(error).__name__})") from error
    return public


def _check_strength(public: object) -> None:
    if isinstance(public, RSAPublicKey):
        _check_rsa_strength(public)
    elif isinstance(public, Ed25519PublicKey | Ed448PublicKey) and (why := refused_point(public.public_bytes_raw())):
        raise UnusableKeyError(why)
    # cryptography refuses points that are not on P-256, P-384 or P-521. These curves have no points of small order.


def _product_of_small_primes() -> int:
    primes = (n for n in range(2, RSA_SMALLEST_FACTOR) if all(n % divisor for divisor in range(2, math.isqrt(n) + 1)))
    return math.prod(primes)


_SMALL_PRIMES = _product_of_small_primes()


def _check_rsa_strength(key: RSAPublicKey) -> None:
    if not RSA_MIN_BITS <= key.key_size <= RSA_MAX_BITS:
        raise UnusableKeyError(f"RSA with {key.key_size} bits; {RSA_MIN_BITS} to {RSA_MAX_BITS} are accepted")
    # cryptography itself refuses an even exponent, and 1.
    numbers = key.public_numbers()
    if numbers.e > RSA_MAX_EXPONENT:
        raise UnusableKeyError("RSA with an unusual public exponent")
    # cryptography accepts an even modulus, for example. That it is no prime would take too long to check.
    if math.gcd(numbers.n, _SMALL_PRIMES) != 1:
        raise UnusableKeyError("RSA with a modulus that is easy to factor")


def _thumbprint(public: PublicKeyTypes) -> str:
    """Return the SHA-256 of a key's value, however the JWK spells it (leading zeros, padding, other members)."""
    return sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
