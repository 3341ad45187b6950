"""Read one JSON Web Key (RFC 7517, RFC 7518, RFC 8037, RFC 9864)."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

from ..errors import ErrorCode, TokenError
from ..json_values import is_list, is_object
from ..quoting import quote
from .strength import find_weakness

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_BY_CURVE: Mapping[str, frozenset[str]] = {
    "EC P-256": frozenset({"ES256"}),
    "EC P-384": frozenset({"ES384"}),
    "EC P-521": frozenset({"ES512"}),
    # EdDSA (RFC 8037) names both curves. Ed25519 and Ed448 (RFC 9864) name one curve each.
    "OKP Ed25519": frozenset({"EdDSA", "Ed25519"}),
    "OKP Ed448": frozenset({"EdDSA", "Ed448"}),
}

ASYMMETRIC = _RSA.union(*_BY_CURVE.values())
"""All supported algorithms. HS* is not supported, because a verifier's secret could also sign. Nor is ``none``."""

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_VALUE_MEMBERS = ("kty", "crv", "n", "e", "x", "y")

# PyJWT has only the older name for the algorithms of RFC 9864.
_VERIFIERS = get_default_algorithms()
_VERIFIERS.update(dict.fromkeys(("Ed25519", "Ed448"), _VERIFIERS["EdDSA"]))


class UnusableKeyError(Exception):
    """A JWK or a key set cannot be used."""


@dataclass(frozen=True, slots=True)
class Key:
    """One public key.

    Attributes:
        kid: the key id, or None.
        algorithms: the algorithms that it may verify. These fit its type and curve, and its ``alg`` if it has one.
        names_algorithm: whether the JWK has ``alg``. Such a key verifies only that algorithm.
        thumbprint: the SHA-256 of its public value. Entries with equal thumbprints are the same key.
    """

    kid: str | None
    algorithms: frozenset[str]
    names_algorithm: bool
    thumbprint: str
    _public: Any = field(repr=False, compare=False)

    def verifies(self, algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        """Tell whether the signature is valid (RFC 7515 §5.2)."""
        return _VERIFIERS[algorithm].verify(signing_input, self._public, signature)


def check_signature(key: Key, algorithm: str, signing_input: bytes, signature: bytes) -> None:
    """Reject an invalid signature (RFC 7515 §5.2).

    Raises:
        TokenError: ``signature_invalid``.
    """
    if not key.verifies(algorithm, signing_input, signature):
        raise TokenError(ErrorCode.SIGNATURE_INVALID, expected=f"a signature of key {quote(key.kid)}")


def read_key(jwk: object) -> Key:
    """Return the public key of a JWK (RFC 7517 §4).

    Raises:
        UnusableKeyError: not an object, a symmetric or private key, not for signatures, too weak, or malformed.
    """
    if not is_object(jwk):
        raise UnusableKeyError("it is not an object")
    algorithms = _algorithms(jwk)
    _check_purpose(jwk)
    public = _public_key(jwk, algorithms)
    if (weakness := find_weakness(public)) is not None:
        raise UnusableKeyError(weakness)
    return Key(_key_id(jwk), algorithms, jwk.get("alg") is not None, _thumbprint(public), public)


def exposed_thumbprint(jwk: object) -> str | None:
    """Return the thumbprint of a published private key, or None."""
    if not is_object(jwk) or not _PRIVATE_MEMBERS.intersection(jwk):
        return None
    # The public members alone give the same thumbprint as a public entry for the key.
    try:
        return read_key({name: jwk[name] for name in _VALUE_MEMBERS if name in jwk}).thumbprint
    except UnusableKeyError:
        return None


def _algorithms(jwk: Mapping[str, object]) -> frozenset[str]:
    key_type, curve = jwk.get("kty"), jwk.get("crv")
    possible = _RSA if key_type == "RSA" else _BY_CURVE.get(f"{key_type} {curve}")
    if not possible:
        raise UnusableKeyError(f"kty {quote(key_type)} with crv {quote(curve)} is not supported")
    named = jwk.get("alg")
    if named is None:
        return possible
    # The algorithm comes from the key, not only from the token's header (RFC 8725 §3.1, RFC 7517 §4.4).
    if not isinstance(named, str) or named not in possible:
        raise UnusableKeyError(f"alg {quote(named)} does not fit kty {quote(key_type)}")
    # EdDSA and the name of RFC 9864 mean the same algorithm for a given curve, so the key verifies both.
    return possible if key_type == "OKP" else frozenset({named})


def _check_purpose(jwk: Mapping[str, object]) -> None:
    # RFC 7517 §9.2: private members must not be published. Anyone who reads the set can sign with them.
    if private := sorted(_PRIVATE_MEMBERS.intersection(jwk)):
        raise UnusableKeyError(f"it has private members ({', '.join(private)}): anyone could sign with it")
    # RFC 7517 §4.2 and §4.3: a key for encryption, or for another protocol, must not verify tokens.
    use, operations = jwk.get("use"), jwk.get("key_ops")
    if use not in (None, "sig"):
        raise UnusableKeyError(f"use is {quote(use)}, not 'sig'")
    if operations is not None and not (is_list(operations) and "verify" in operations):
        raise UnusableKeyError("key_ops does not list 'verify'")


def _key_id(jwk: Mapping[str, object]) -> str | None:
    # RFC 7517 §4.5: kid is optional, and it is a string.
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise UnusableKeyError("kid is not a string")
    return kid


def _public_key(jwk: Mapping[str, object], algorithms: frozenset[str]) -> PublicKeyTypes:
    algorithm = "EdDSA" if "EdDSA" in algorithms else min(algorithms)
    try:
        public: PublicKeyTypes = jwt.PyJWK(dict(jwk), algorithm=algorithm).key
    except Exception as error:
        # One malformed key must not make the other keys of the set unusable. The parser may raise any exception.
        raise UnusableKeyError(f"it cannot be read ({type(error).__name__})") from error
    return public


def _thumbprint(public: PublicKeyTypes) -> str:
    # Of the encoded key, not of the JWK: leading zeros, padding and other members make no difference.
    return sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
