"""The states of a token: presented, unverified, verified.

Extraction, verification and permissions exchange these types, so the module imports none of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, NewType

UnverifiedClaims = NewType("UnverifiedClaims", Mapping[str, object])
"""Claims of a token before its signature is verified. They must not grant anything."""


class PresentedToken(NamedTuple):
    """A token as a request carried it.

    Attributes:
        scheme: The authorization scheme in lower case, ``bearer``.
        token: The token's text. It is never in a repr.
        method: The request's HTTP method, or None.
        url: The request's URL, or None.
        certificate: The client's certificate (DER), or None. It is never in a repr.
        header: The name of the request header that carried the token, in lower case.
    """

    scheme: str
    token: str
    method: str | None = None
    url: str | None = None
    certificate: bytes | None = None
    header: str = "authorization"

    def __repr__(self) -> str:
        """Return no part of the token."""
        # Tracebacks and debuggers print reprs, and logs keep them.
        request = f"method={self.method!r}, url={self.url!r}, header={self.header!r}"
        return f"PresentedToken(scheme={self.scheme!r}, {request})"


CACHED_CLAIMS = ("sub", "sid", "jti", "iat", "auth_time", "acr", "cnf")
"""Claims that checks of a later request need: revocation, age of the login, proof of possession."""


class VerifiedToken(NamedTuple):
    """A token that passed every check, without its text.

    Attributes:
        issuer: The issuer, exactly as configured.
        claims: The claims. They are never in a repr.
        expires_at: The claim ``exp``, in seconds since the epoch.
        valid_until: The end of the time in which it may be cached: ``exp``, or earlier if ``max_token_age`` ends first.
        is_current: Tells whether the token is still valid at a time, for a JWT whether its key is still published. It
            may wait for a refresh that is due, and raises UpstreamError if that is impossible.
    """

    issuer: str
    claims: Mapping[str, object]
    expires_at: float
    valid_until: float
    is_current: Callable[[float], Awaitable[bool]]

    def __repr__(self) -> str:
        """Return no claim."""
        return f"VerifiedToken(issuer={self.issuer!r}, expires_at={self.expires_at!r})"

    def for_cache(self) -> VerifiedToken:
        """Return the token with the claims in ``CACHED_CLAIMS`` only, because thousands of tokens are cached."""
        kept = {name: self.claims[name] for name in CACHED_CLAIMS if name in self.claims}
        # _replace() takes twice as long.
        return VerifiedToken(self.issuer, kept, self.expires_at, self.valid_until, self.is_current)
