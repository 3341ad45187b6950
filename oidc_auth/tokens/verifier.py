"""The order of the checks, on one screen: header, issuer, key, claims, signature. No rule lives here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import OIDCAuthError, TokenError, UpstreamError
from ..keys.jwk import check_signature
from ..keys.source import refuse_unknown_kid
from .checks import CLAIM_CHECKS, check_algorithm, check_critical, check_key_id, check_type, select_issuer
from .diagnose import attribute, configured_providers, diagnose, diagnose_algorithm, diagnose_text
from .jws import decode_base64url, parse_object, split_token
from .states import UnverifiedClaims, VerifiedToken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..keys.source import KeySource
    from .jws import Segments
    from .policy import TokenPolicy
    from .states import Presented


_CLAIM_RULES = tuple(check.rule for check in CLAIM_CHECKS)
SHORT_HEADER = 512
"""Bytes; providers' headers are shorter. Only such are remembered, so that strangers cannot fill the memory."""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer whose tokens are accepted: what they must look like, and whose signature counts."""

    policy: TokenPolicy
    keys: KeySource


class Admitted(NamedTuple):
    """A token whose header is good enough to look further: its segments, header and key id. Nothing is verified yet."""

    segments: Segments
    header: Mapping[str, object]
    kid: str | None

    def __repr__(self) -> str:
        """Return no part of the token."""
        return f"Admitted(kid={self.kid!r})"


class Verifier:
    """Checks that a token is genuine.

    Args:
        issuers: the issuers that are trusted; each with keys, audience and algorithms of its own.
        max_depth: how deeply a token's JSON may nest.
    """

    def __init__(self, issuers: Sequence[TrustedIssuer], *, max_depth: int) -> None:
        self._issuers = {issuer.policy.issuer: issuer for issuer in issuers}
        self._algorithms = frozenset(name for issuer in issuers for name in issuer.policy.algorithms)
        self._providers = configured_providers(issuer.policy for issuer in issuers)
        self._max_depth = max_depth

    def admit(self, presented: Presented, now: float) -> Admitted:
        """Return a token that may be genuine, in its parts.

        These are the cheap refusals: before a stranger's token is hashed, or its payload decoded (but for the log's
        sake, where a secret and not a key signed it).

        Raises:
            TokenError: it is not three parts, or its header can be no configured issuer's.
        """
        segments = self._split(presented.token)
        read = _read_header if segments.first <= SHORT_HEADER else _read_header.__wrapped__
        header = read(segments.header, self._max_depth)
        try:
            check_algorithm(header, self._algorithms)
        except TokenError as error:
            raise diagnose_algorithm(error, header, segments, self._max_depth, self._providers) from None
        check_critical(header)
        kid = check_key_id(header)
        self._refuse_hopeless(kid, now)
        return Admitted(segments, header, kid)

    async def verify(self, admitted: Admitted, now: float) -> VerifiedToken | None:
        """Return what a genuine token says; None after a wait for its issuer's first keys: ask again.

        A thousand requests may have waited with it, many of them with the same token: the first may verify it for all.

        Args:
            admitted: the token, as ``admit`` returned it.
            now: wall time in seconds, the same for all checks.

        Raises:
            TokenError: one of the rows of ``CHECKS``.
            UpstreamError: the issuer's keys cannot be had.
        """
        segments, header, kid = admitted
        claims, policy = self._read(segments), None
        try:
            issuer = select_issuer(claims, self._issuers)
            policy = issuer.policy
            algorithm = check_algorithm(header, policy.algorithms)
            check_type(header, policy)
            if not issuer.keys.known:
                # What a thousand tokens say would fill 12 MB meanwhile.
                claims = UnverifiedClaims({})
            try:
                key, generation = await issuer.keys.find(algorithm, kid, now)
            except OIDCAuthError:
                claims = claims or self._read(segments)
                raise
            if not claims:
                return None
            for rule in _CLAIM_RULES:
                rule(claims, policy, now)
            check_signature(key, algorithm, segments.signing_input, decode_base64url(segments.signature))
            return _verified(claims, policy, generation)
        except TokenError as error:
            raise attribute(diagnose(error, header, claims, self._issuers, policy), claims, policy) from None
        except UpstreamError as error:
            attribute(error, claims, policy)
            raise

    def _split(self, token: str) -> Segments:
        try:
            return split_token(token)
        except TokenError as error:
            raise diagnose_text(error, token, self._providers) from None

    def _read(self, segments: Segments) -> UnverifiedClaims:
        return UnverifiedClaims(parse_object(decode_base64url(segments.payload), self._max_depth))

    def _refuse_hopeless(self, kid: str | None, now: float) -> None:
        if kid is None:
            return
        for issuer in self._issuers.values():
            if issuer.keys.may_hold(kid, now):
                return
        raise refuse_unknown_kid(kid)


@lru_cache(maxsize=256)
def _read_header(segment: str, max_depth: int) -> Mapping[str, object]:
    """Return a header's members. An issuer signs all its tokens under a few headers: each is parsed once."""
    return parse_object(decode_base64url(segment), max_depth)


def _verified(claims: UnverifiedClaims, policy: TokenPolicy, generation: int) -> VerifiedToken:
    """Seal the claims: everything above has passed, among it that ``exp`` and ``iat`` are numbers."""
    expires_at: Any = claims["exp"]
    valid_until = expires_at
    if policy.max_age is not None:
        issued_at: Any = claims["iat"]
        valid_until = min(expires_at, issued_at + policy.max_age)
    return VerifiedToken(policy.issuer, claims, expires_at, valid_until, generation)
