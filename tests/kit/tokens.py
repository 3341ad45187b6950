"""Token makers for tests: parts of a token, whole tokens and RSA keys."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import rsa

from oidc_auth.testing.signing import SigningKey, compact, encode_base64url

from .clock import NOON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidc_auth.testing import LocalIssuer


def header_of(issuer: LocalIssuer, **members: Any) -> dict[str, Any]:
    """Return a valid token header with changes. None means JSON null."""
    return {"alg": issuer.keys[0].algorithm, "kid": issuer.keys[0].kid, "typ": "at+jwt", **members}


def claims_of(issuer: LocalIssuer, **claims: Any) -> dict[str, Any]:
    """Return valid claims with changes. ``...`` removes a claim, None means JSON null."""
    standard = {"iss": issuer.url, "sub": "alice", "aud": "agents", "iat": NOON, "exp": NOON + 300}
    return {name: value for name, value in {**standard, **claims}.items() if value is not ...}


def json_text(members: Mapping[str, Any], more: str = "") -> bytes:
    """Return the JSON text of an object, with ``more`` as the text of further members."""
    return f"{json.dumps(members)[:-1]}{f', {more}' if more else ''}}}".encode()


def sign_token(issuer: LocalIssuer, header: Mapping[str, Any] | None = None, /, **claims: Any) -> str:
    """Return a token of an issuer with changed header members and claims."""
    return compact(header_of(issuer, **(header or {})), claims_of(issuer, **claims), issuer.keys[0])


def sign_segments(header: str, payload: str, key: SigningKey) -> str:
    """Return a token with two encoded segments."""
    return f"{header}.{payload}.{encode_base64url(key.sign(f'{header}.{payload}'.encode()))}"


@cache
def rsa_private(bits: int = 2048, exponent: int = 65_537) -> rsa.RSAPrivateKey:
    """Return an RSA private key. It is cached, because it takes long to create."""
    return rsa.generate_private_key(public_exponent=exponent, key_size=bits)


def rsa_key(kid: str = "key-1", algorithm: str = "RS256", bits: int = 2048) -> SigningKey:
    """Return a key that signs with the shared RSA private key."""
    return SigningKey(kid, algorithm, rsa_private(bits))
