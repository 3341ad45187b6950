"""Create tokens that must be rejected, with the error code that each must cause."""

from __future__ import annotations

import hashlib
import hmac
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ErrorCode
from .issuer import DEFAULT_LIFETIME
from .signing import SigningKey, encode_base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .issuer import LocalIssuer


class InvalidToken(StrEnum):
    """What is wrong with a token."""

    WRONG_KEY = "wrong_key"
    TAMPERED = "tampered"
    ALG_NONE = "alg_none"
    KEY_AS_SECRET = "key_as_secret"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    OTHER_AUDIENCE = "other_audience"
    OTHER_ISSUER = "other_issuer"

    @property
    def code(self) -> ErrorCode:
        """The error code that the token must cause."""
        return CODES[self]

    def token(
        self, issuer: LocalIssuer, subject: str = "alice", *, audience: str | Sequence[str] = "agents", **claims: object
    ) -> str:
        """Return a token that is invalid for this reason only.

        Args:
            issuer: the issuer that a server under test trusts.
            subject: the claim ``sub``.
            audience: the claim ``aud``.
            **claims: other claims, as for ``LocalIssuer.token``.
        """
        return _FACTORIES[self](_TokenRequest(issuer, subject, audience, claims))


CODES: Mapping[InvalidToken, ErrorCode] = {
    InvalidToken.WRONG_KEY: ErrorCode.SIGNATURE_INVALID,
    InvalidToken.TAMPERED: ErrorCode.SIGNATURE_INVALID,
    # The empty signature is rejected before the algorithm.
    InvalidToken.ALG_NONE: ErrorCode.TOKEN_MALFORMED,
    InvalidToken.KEY_AS_SECRET: ErrorCode.ALG_NOT_ALLOWED,
    InvalidToken.EXPIRED: ErrorCode.TOKEN_EXPIRED,
    InvalidToken.NOT_YET_VALID: ErrorCode.TOKEN_NOT_YET_VALID,
    InvalidToken.OTHER_AUDIENCE: ErrorCode.AUDIENCE_MISMATCH,
    InvalidToken.OTHER_ISSUER: ErrorCode.ISSUER_NOT_TRUSTED,
}


class _TokenRequest(NamedTuple):
    """The valid token from which an invalid one is made."""

    issuer: LocalIssuer
    subject: str
    audience: str | Sequence[str]
    claims: Mapping[str, Any]

    def token(self, *, lifetime: float = DEFAULT_LIFETIME, key: SigningKey | None = None, **changed: Any) -> str:  # noqa: ANN401 - any claim
        """Return the token with some changes."""
        claims: dict[str, Any] = {"audience": self.audience, "subject": self.subject, **self.claims, **changed}
        return self.issuer.token(lifetime=lifetime, key=key, **claims)

    def payload(self) -> str:
        """Return the encoded payload of the valid token."""
        return self.token().split(".")[1]

    def header(self, algorithm: str) -> str:
        """Return the encoded header with another algorithm."""
        # A known kid and a valid typ, so that the algorithm is the only fault.
        header = {"alg": algorithm, "kid": self.issuer.keys[0].kid, "typ": "at+jwt"}
        return encode_base64url(json.dumps(header).encode())


BEYOND_LEEWAY = 3600.0
"""More than any leeway, in seconds."""


def _sign_with_other_key(request: _TokenRequest) -> str:
    """Sign with another key, under the key id of the published key."""
    # An unknown kid would cause key_not_found, and the signature would not be checked at all.
    known = request.issuer.keys[0]
    return request.token(key=SigningKey.make(known.kid, known.algorithm))


def _tamper_payload(request: _TokenRequest) -> str:
    """Replace the payload of a signed token."""
    # The new payload is that of another valid token, so that only the signature can refuse it.
    header, _, signature = request.token().split(".")
    return f"{header}.{request.token(subject=f'{request.subject}x').split('.')[1]}.{signature}"


def _remove_signature(request: _TokenRequest) -> str:
    """Remove the signature and set ``alg: none`` (RFC 8725 §2.1)."""
    return f"{request.header('none')}.{request.payload()}."


def _sign_with_public_key(request: _TokenRequest) -> str:
    """Sign with HS256, with the public key as the secret (RFC 8725 §2.1)."""
    signing_input = f"{request.header('HS256')}.{request.payload()}"
    # Some libraries used the public key, which everyone can read, as the secret of HS256.
    secret = json.dumps(request.issuer.keys[0].jwk()).encode()
    return f"{signing_input}.{encode_base64url(hmac.new(secret, signing_input.encode(), hashlib.sha256).digest())}"


def _start_later(request: _TokenRequest) -> str:
    # exp is later than nbf, because a token that is expired too would have another code.
    return request.token(lifetime=2 * BEYOND_LEEWAY, nbf=int(request.issuer.clock() + BEYOND_LEEWAY))


def _change_issuer(request: _TokenRequest) -> str:
    # It begins with the trusted issuer, so that a comparison by prefix would accept it.
    return request.token(iss=f"{request.issuer.url.rstrip('/')}/another")


_FACTORIES: Mapping[InvalidToken, Callable[[_TokenRequest], str]] = {
    InvalidToken.WRONG_KEY: _sign_with_other_key,
    InvalidToken.TAMPERED: _tamper_payload,
    InvalidToken.ALG_NONE: _remove_signature,
    InvalidToken.KEY_AS_SECRET: _sign_with_public_key,
    InvalidToken.EXPIRED: lambda request: request.token(lifetime=-BEYOND_LEEWAY),
    InvalidToken.NOT_YET_VALID: _start_later,
    InvalidToken.OTHER_AUDIENCE: lambda request: request.token(audience="another-api"),
    InvalidToken.OTHER_ISSUER: _change_issuer,
}
