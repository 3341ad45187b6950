"""Create signing keys and sign tokens for tests.

The plugin imports it on first use only, because the import of cryptography takes long.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import get_default_algorithms

if TYPE_CHECKING:
    from collections.abc import Mapping

_CURVES: Mapping[str, type[ec.EllipticCurve]] = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of a local issuer.

    Attributes:
        kid: the key id.
        algorithm: the signature algorithm, such as ``RS256``.
    """

    kid: str
    algorithm: str
    # Not in the repr: pytest prints the arguments of failing tests, and CI keeps its log.
    _private: Any = field(repr=False)

    @classmethod
    def make(cls, kid: str, algorithm: str, *, bits: int = 2048) -> SigningKey:
        """Create a key.

        Args:
            kid: the key id.
            algorithm: RS256 to RS512, PS256 to PS512, ES256 to ES512, or EdDSA (with Ed25519).
            bits: the size of an RSA key.
        """
        return cls(kid, algorithm, _generate(algorithm, bits))

    @property
    def public_key(self) -> Any:  # noqa: ANN401 - one of the key types of the cryptography library
        """The public key, as the cryptography library represents it."""
        return self._private.public_key()

    def pem(self) -> bytes:
        """Return the private key in PEM, without encryption."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[no-any-return]

    def jwk(self) -> dict[str, Any]:
        """Return the public key as a JWK."""
        public = get_default_algorithms()[self.algorithm].to_jwk(self.public_key, as_dict=True)
        # use and key_ops should not be used together (RFC 7517 §4.3), and providers publish use.
        public.pop("key_ops", None)
        return {**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def sign(self, signing_input: bytes) -> bytes:
        """Return the signature of a signing input (RFC 7515 §5.1)."""
        # PyJWT signs, so that a mistake in the code of this library does not cancel itself.
        return get_default_algorithms()[self.algorithm].sign(signing_input, self._private)


def _generate(algorithm: str, bits: int) -> object:
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm]())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def compact(header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes, key: SigningKey) -> str:
    """Return a compact JWS (RFC 7515 §7.1).

    Args:
        header: the header. Bytes are used without JSON encoding, so a test can sign malformed JSON.
        payload: the payload, in the same way.
        key: the signing key.
    """
    signing_input = f"{_segment(header)}.{_segment(payload)}"
    return f"{signing_input}.{encode_base64url(key.sign(signing_input.encode()))}"


def _segment(part: Mapping[str, Any] | bytes) -> str:
    # Without spaces, as providers encode it.
    return encode_base64url(part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode())


def encode_base64url(raw: bytes) -> str:
    """Return base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
