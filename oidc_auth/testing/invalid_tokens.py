"""Tokens that must never be accepted, each as an attacker or a mistake would make it, and the code that refuses it."""

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
    """What is wrong with a token; ``code`` is the refusal it must get."""

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
        """The code of its refusal."""
        return CODES[self]

    def token(
        self, issuer: LocalIssuer, subject: str = "alice", *, audience: str | Sequence[str] = "agents", **claims: object
    ) -> str:
        """Return such a token; without the one thing that is wrong it would be good.

        Args:
            issuer: whose token it pretends to be.
            subject: ``sub``.
            audience: ``aud``.
            **claims: as for ``LocalIssuer.token``.
        """
        return _MAKERS[self](_TokenRequest(issuer, subject, audience, claims))


CODES: Mapping[InvalidToken, ErrorCode] = {
    InvalidToken.WRONG_KEY: ErrorCode.SIGNATURE_INVALID,
    InvalidToken.TAMPERED: ErrorCode.SIGNATURE_INVALID,
    # Its signature is empty, which is seen before its algorithm is.
    InvalidToken.ALG_NONE: ErrorCode.TOKEN_MALFORMED,
    InvalidToken.KEY_AS_SECRET: ErrorCode.ALG_NOT_ALLOWED,
    InvalidToken.EXPIRED: ErrorCode.TOKEN_EXPIRED,
    InvalidToken.NOT_YET_VALID: ErrorCode.TOKEN_NOT_YET_VALID,
    InvalidToken.OTHER_AUDIENCE: ErrorCode.AUDIENCE_MISMATCH,
    InvalidToken.OTHER_ISSUER: ErrorCode.ISSUER_NOT_TRUSTED,
}


class _TokenRequest(NamedTuple):
    """The good token that a hostile one is nearly."""

    issuer: LocalIssuer
    subject: str
    audience: str | Sequence[str]
    claims: Mapping[str, Any]

    def token(self, *, lifetime: float = DEFAULT_LIFETIME, key: SigningKey | None = None, **changed: Any) -> str:  # noqa: ANN401 - any claim
        """Return it, but for what is changed."""
        claims: dict[str, Any] = {"audience": self.audience, "subject": self.subject, **self.claims, **changed}
        return self.issuer.token(lifetime=lifetime, key=key, **claims)

    def payload(self) -> str:
        """Return the good token's payload, encoded."""
        return self.token().split(".")[1]

    def header(self, algorithm: str) -> str:
        """Return the good token's header with another algorithm, encoded."""
        header = {"alg": algorithm, "kid": self.issuer.keys[0].kid, "typ": "at+jwt"}
        return encode_base64url(json.dumps(header).encode())


BEYOND_LEEWAY = 3600.0
"""Seconds; more than any leeway."""


def _sign_with_other_key(request: _TokenRequest) -> str:
    """Sign with a stranger's key under the published key's id."""
    known = request.issuer.keys[0]
    return request.token(key=SigningKey.make(known.kid, known.algorithm))


def _tamper_payload(request: _TokenRequest) -> str:
    """Put another subject under a good signature."""
    header, _, signature = request.token().split(".")
    return f"{header}.{request.token(subject=f'{request.subject}x').split('.')[1]}.{signature}"


def _remove_signature(request: _TokenRequest) -> str:
    """RFC 8725 §2.1: the token says itself that it needs no signature."""
    return f"{request.header('none')}.{request.payload()}."


def _sign_with_public_key(request: _TokenRequest) -> str:
    """RFC 8725 §2.1: an HMAC whose secret is what everybody can fetch, the public key."""
    signing_input = f"{request.header('HS256')}.{request.payload()}"
    secret = json.dumps(request.issuer.keys[0].jwk()).encode()
    return f"{signing_input}.{encode_base64url(hmac.new(secret, signing_input.encode(), hashlib.sha256).digest())}"


def _start_later(request: _TokenRequest) -> str:
    return request.token(lifetime=2 * BEYOND_LEEWAY, nbf=int(request.issuer.clock() + BEYOND_LEEWAY))


def _change_issuer(request: _TokenRequest) -> str:
    return request.token(iss=f"{request.issuer.url.rstrip('/')}/another")


_MAKERS: Mapping[InvalidToken, Callable[[_TokenRequest], str]] = {
    InvalidToken.WRONG_KEY: _sign_with_other_key,
    InvalidToken.TAMPERED: _tamper_payload,
    InvalidToken.ALG_NONE: _remove_signature,
    InvalidToken.KEY_AS_SECRET: _sign_with_public_key,
    InvalidToken.EXPIRED: lambda request: request.token(lifetime=-BEYOND_LEEWAY),
    InvalidToken.NOT_YET_VALID: _start_later,
    InvalidToken.OTHER_AUDIENCE: lambda request: request.token(audience="another-api"),
    InvalidToken.OTHER_ISSUER: _change_issuer,
}
