"""The states of a token on its road: presented, unverified, verified. Trust is in the type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, NewType

UnverifiedClaims = NewType("UnverifiedClaims", Mapping[str, object])
"""What a token says before its signature was checked. Nothing may be granted from these."""


class PresentedToken(NamedTuple):
    """A token as a request carried it, and what of the request proofs of possession will need.

    Attributes:
        scheme: the authorization scheme, lower case: ``bearer``.
        token: the token's text; never in a repr.
        method: the request's HTTP method, or None.
        url: the request's URL, or None.
        certificate: the client's certificate (DER), or None; never in a repr.
        header: the request header that carried it, lower case.
    """

    scheme: str
    token: str
    method: str | None = None
    url: str | None = None
    certificate: bytes | None = None
    header: str = "authorization"

    def __repr__(self) -> str:
        """Return no part of the token."""
        return f"Presented(scheme={self.scheme!r}, method={self.method!r}, url={self.url!r}, header={self.header!r})"


CACHED_CLAIMS = ("sub", "sid", "jti", "iat", "auth_time", "acr", "cnf")
"""The claims by which a session or a token is revoked, an authentication aged, or a proof of possession checked."""


class VerifiedToken(NamedTuple):
    """What a genuine token says, without its text.

    Attributes:
        issuer: the issuer, exactly as configured.
        claims: its claims; never in a repr.
        expires_at: its ``exp``, seconds since the epoch.
        valid_until: until when it may be remembered as verified: ``exp``, or earlier where ``max_token_age`` ends
            first.
        key_generation: the generation of the issuer's key set that its signature was checked with.
    """

    issuer: str
    claims: Mapping[str, object]
    expires_at: float
    valid_until: float
    key_generation: int

    def __repr__(self) -> str:
        """Return no claim."""
        return f"VerifiedToken(issuer={self.issuer!r}, expires_at={self.expires_at!r})"

    def for_cache(self) -> VerifiedToken:
        """Return the same token with the few claims that checks of a later request may ask for; thousands are kept."""
        kept = {name: self.claims[name] for name in CACHED_CLAIMS if name in self.claims}
        # Not _replace, which goes by names and takes twice as long.
        return VerifiedToken(self.issuer, kept, self.expires_at, self.valid_until, self.key_generation)
