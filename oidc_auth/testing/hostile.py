"""Tokens that must never be accepted, each as an attacker or a mistake would make it, and the code that refuses it."""

from __future__ import annotations

import hashlib
import hmac
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import Code
from .issuer import DEFAULT_LIFETIME
from .signing import SigningKey, encode_base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .issuer import LocalIssuer


class Hostile(StrEnum):
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
    def code(self) -> Code:
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
        return _MAKERS[self](_Wish(issuer, subject, audience, claims))


CODES: Mapping[Hostile, Code] = {
    Hostile.WRONG_KEY: Code.SIGNATURE_INVALID,
    Hostile.TAMPERED: Code.SIGNATURE_INVALID,
    # Its signature is empty, which is seen before its algorithm is.
    Hostile.ALG_NONE: Code.SEGMENTS_WRONG,
    Hostile.KEY_AS_SECRET: Code.ALGORITHM_REFUSED,
    Hostile.EXPIRED: Code.EXPIRED,
    Hostile.NOT_YET_VALID: Code.NOT_YET_VALID,
    Hostile.OTHER_AUDIENCE: Code.AUDIENCE_MISMATCH,
    Hostile.OTHER_ISSUER: Code.ISSUER_UNKNOWN,
}


class _Wish(NamedTuple):
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


FAR = 3600.0
"""Seconds; more than any leeway."""


def _by_another_key(wish: _Wish) -> str:
    """Sign with a stranger's key under the published key's id."""
    known = wish.issuer.keys[0]
    return wish.token(key=SigningKey.make(known.kid, known.algorithm))


def _tampered(wish: _Wish) -> str:
    """Put another subject under a good signature."""
    header, _, signature = wish.token().split(".")
    return f"{header}.{wish.token(subject=f'{wish.subject}x').split('.')[1]}.{signature}"


def _unsigned(wish: _Wish) -> str:
    """RFC 8725 §2.1: the token says itself that it needs no signature."""
    return f"{wish.header('none')}.{wish.payload()}."


def _signed_with_the_public_key(wish: _Wish) -> str:
    """RFC 8725 §2.1: an HMAC whose secret is what everybody can fetch, the public key."""
    signing_input = f"{wish.header('HS256')}.{wish.payload()}"
    secret = json.dumps(wish.issuer.keys[0].jwk()).encode()
    return f"{signing_input}.{encode_base64url(hmac.new(secret, signing_input.encode(), hashlib.sha256).digest())}"


def _early(wish: _Wish) -> str:
    return wish.token(lifetime=2 * FAR, nbf=int(wish.issuer.clock() + FAR))


def _of_another_issuer(wish: _Wish) -> str:
    return wish.token(iss=f"{wish.issuer.url.rstrip('/')}/another")


_MAKERS: Mapping[Hostile, Callable[[_Wish], str]] = {
    Hostile.WRONG_KEY: _by_another_key,
    Hostile.TAMPERED: _tampered,
    Hostile.ALG_NONE: _unsigned,
    Hostile.KEY_AS_SECRET: _signed_with_the_public_key,
    Hostile.EXPIRED: lambda wish: wish.token(lifetime=-FAR),
    Hostile.NOT_YET_VALID: _early,
    Hostile.OTHER_AUDIENCE: lambda wish: wish.token(audience="another-api"),
    Hostile.OTHER_ISSUER: _of_another_issuer,
}
