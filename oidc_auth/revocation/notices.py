"""Receive notices of a provider that a user, a session or an account has ended.

Two kinds exist: logout tokens (OpenID Connect Back-Channel Logout 1.0) and security event tokens (RFC 8417). Both are
JWTs of the provider, and neither is an access token.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cachetools import LRUCache

from ..errors import ErrorCode, TokenError
from ..observability import logger
from ..tokens.checks import CLAIM_CHECKS
from ..tokens.states import PresentedToken
from ..tokens.verifier import JwtVerifier
from .entries import Revocation
from .logout_tokens import LOGOUT_TYPES, read_logout
from .notice_claims import read_name
from .security_events import EVENT_TYPES, read_events

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from ..tokens.checks import Check
    from ..tokens.issuers import TrustedIssuer
    from .notice_claims import EndedTarget
    from .store import RevocationStore

MAX_CLAIMED = 1_024
"""Logout tokens whose copies are refused without the store. The store knows all of them."""
_TIMED = {ErrorCode.TOKEN_NOT_YET_VALID, ErrorCode.TOKEN_ISSUED_IN_FUTURE}
_EVENT_CODES = {ErrorCode.AUDIENCE_MISMATCH, *_TIMED}
# A security event token has no exp, because the event stays true (RFC 8417 §2.2). A logout token must have one
# (Back-Channel Logout §2.4).
_LOGOUT_CODES = {*_EVENT_CODES, ErrorCode.TOKEN_EXPIRED}

_TYP_HINT = (
    "Register two addresses at the provider, below public_url and prefix of [web]: backchannel-logout for logout "
    "tokens, and security-events for security event tokens. Access and ID tokens are neither."
)
_HINTS = {
    ErrorCode.TOKEN_MALFORMED: "Let the provider send a signed JWT that is not encrypted.",
    ErrorCode.TYP_NOT_ALLOWED: _TYP_HINT,
    # The default hint tests the claims as those of an access token.
    ErrorCode.SIGNATURE_INVALID: "Check that no other provider uses the same kid. Anyone can send such a request.",
}
LOGOUT_HINTS: Mapping[ErrorCode, str] = {
    **_HINTS,
    ErrorCode.AUDIENCE_MISMATCH: "Add the client that logs users in, which is the aud of a logout token, to the "
    "issuer's logout_clients.",
    ErrorCode.TOKEN_EXPIRED: "Check the clocks of both hosts. A logout token without exp is refused (Back-Channel "
    "Logout §2.4).",
}
"""Hints for logout tokens, where those for access tokens do not fit."""
EVENT_HINTS: Mapping[ErrorCode, str] = {
    **_HINTS,
    ErrorCode.AUDIENCE_MISMATCH: "Set the audience of the stream at the provider to web.public_url, to the issuer's "
    "audience, or to one of its logout_clients.",
}
"""Hints for security event tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """An issuer that may send notices.

    Attributes:
        issuer: The issuer, with the policy of its access tokens.
        names: All names of the same provider. Tokens may have any of them in ``iss``.
        logout_clients: The clients that log users in, which are the ``aud`` of logout tokens.
        receivers: The names of this server, which are the ``aud`` of security event tokens.
    """

    issuer: TrustedIssuer
    names: tuple[str, ...]
    logout_clients: frozenset[str]
    receivers: frozenset[str]


class NoticeReceiver:
    """Verifies notices and publishes what they revoke.

    Args:
        senders: The issuers that may send notices.
        store: The store.
        clock: Returns the time, in seconds since the epoch.
        max_depth: The deepest nesting of a token's JSON.
    """

    def __init__(
        self, senders: Sequence[Sender], *, store: RevocationStore, clock: Callable[[], float], max_depth: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._claimed: LRUCache[str, bool] = LRUCache(MAX_CLAIMED)
        self._names = {each.issuer.policy.issuer: each.names for each in senders}
        logout = [_trust(each.issuer, each.logout_clients, LOGOUT_TYPES) for each in senders]
        events = [_trust(each.issuer, each.receivers, EVENT_TYPES) for each in senders]
        # Each notice has its own audience and typ (RFC 8725 §3.12), and the issuer's own keys and algorithms.
        self._logout = JwtVerifier(logout, clock=clock, max_depth=max_depth, checks=_checks(_LOGOUT_CODES))
        self._events = JwtVerifier(events, clock=clock, max_depth=max_depth, checks=_checks(_EVENT_CODES))

    def is_sender(self, issuer: str) -> bool:
        """Tell whether an issuer may send notices."""
        return issuer in self._names

    async def receive_logout(self, token: str) -> str:
        """Revoke the session or the user of a logout token, and return its issuer.

        Raises:
            TokenError: The token is not a valid logout token, or was received before.
            UpstreamError: The keys or the store are not available.
        """
        issuer, claims = await self._verify(self._logout, token, LOGOUT_HINTS)
        with _issuer_in_log(issuer):
            targets, token_id = [*read_logout(claims)], read_name(claims, "jti")
        was_new = await self._publish(issuer, targets)
        # After the publication. If that fails, the provider sends the notice again, and it must count then.
        is_first = await self._claim(f"{issuer} {token_id}")
        if not is_first and not was_new:
            refusal = TokenError(ErrorCode.NOTICE_REPLAYED)
            refusal.issuer = issuer
            raise refusal
        return issuer

    async def _claim(self, key: str) -> bool:
        """Return True for the first logout token with a name, on all replicas."""
        # Copies of one token, sent many times, must not cause as many connections to the store.
        if key in self._claimed:
            return False
        is_first = await self._store.claim_once(key, self._store.live.retention.tokens)
        self._claimed[key] = True
        return is_first

    async def receive_event(self, token: str) -> str:
        """Revoke the user or the session of a security event token, and return its issuer. Other events change nothing.

        A repeated one is accepted and changes nothing (RFC 8935 §2.2).

        Raises:
            TokenError: The token is not a valid security event token.
            UpstreamError: The keys or the store are not available.
        """
        issuer, claims = await self._verify(self._events, token, EVENT_HINTS)
        with _issuer_in_log(issuer):
            read_name(claims, "jti")
            targets = [*read_events(claims, self._names[issuer])]
        await self._publish(issuer, targets)
        return issuer

    async def _verify(
        self, verifier: JwtVerifier, token: str, hints: Mapping[ErrorCode, str]
    ) -> tuple[str, Mapping[str, object]]:
        try:
            verified = await verifier.verify_claims(PresentedToken("notice", token), self._clock())
        except TokenError as refusal:
            if (hint := hints.get(refusal.code)) is not None:
                refusal.defer_hint(lambda _refusal: hint)
            raise
        return verified.issuer.policy.issuer, verified.claims

    async def _publish(self, issuer: str, targets: Sequence[EndedTarget]) -> bool:
        """Publish what is not revoked yet, and tell whether anything was."""
        live, now = self._store.live, self._clock()
        revocations = [
            Revocation(issuer=name, kind=kind, value=value, time=time)
            for name in self._names[issuer]
            for kind, value, time in targets
            # Anyone who has seen a notice can send it again, as often as they like. That must not fill the store.
            if time + live.retention.of(kind) >= now
        ]
        # During an outage this process knows a revocation that no other has. So the provider must send it again.
        new = [each for each in revocations if not (live.includes(each) and self._store.is_confirmed(each))]
        if new:
            await self._store.publish(new)
        kinds = ", ".join(sorted({each.kind.value for each in new})) or "nothing new"
        logger.info("a notice revoked: %s (issuer %s)", kinds.replace("_", " "), issuer)
        return bool(new)


def _trust(issuer: TrustedIssuer, audiences: frozenset[str], types: frozenset[str]) -> TrustedIssuer:
    return replace(issuer, policy=replace(issuer.policy, audiences=audiences, accepted_typ=types, introspected=False))


def _checks(codes: set[ErrorCode]) -> tuple[Check, ...]:
    return tuple(check for check in CLAIM_CHECKS if check.code in codes)


@contextmanager
def _issuer_in_log(issuer: str) -> Generator[None]:
    try:
        yield
    except TokenError as refusal:
        refusal.issuer = issuer
        raise
