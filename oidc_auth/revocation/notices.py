"""Notices of a provider that a user, a session or an account has ended.

Two kinds exist: logout tokens (OpenID Connect Back-Channel Logout 1.0) and security event tokens (RFC 8417). Both are
JWTs of the provider, and neither is an access token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import ErrorCode, TokenError
from ..json_values import is_object
from ..tokens.checks import CLAIM_CHECKS
from ..tokens.states import PresentedToken
from ..tokens.verifier import JwtVerifier
from .entries import MAX_NAME, Kind, Revocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..tokens.issuers import TrustedIssuer
    from .store import RevocationStore

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
"""The member of ``events`` in a logout token (Back-Channel Logout §2.4)."""
LOGOUT_TYPES = frozenset({"logout+jwt", "jwt", ""})
"""``typ`` of logout tokens. It is only recommended (§2.4), and the claim ``events`` tells them from ID tokens."""
EVENT_TYPES = frozenset({"secevent+jwt"})
"""``typ`` of security event tokens (RFC 8417 §2.3)."""

SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
_RISC = "https://schemas.openid.net/secevent/risc/event-type/"
ACCOUNT_EVENTS = frozenset(
    _RISC + name for name in ("account-disabled", "account-purged", "account-credential-change-required")
)
"""Events after which no earlier token of the account counts."""

_TIMED = {ErrorCode.AUDIENCE_MISMATCH, ErrorCode.TOKEN_EXPIRED, ErrorCode.TOKEN_ISSUED_IN_FUTURE}
_LOGOUT_CHECKS = tuple(check for check in CLAIM_CHECKS if check.code in _TIMED)
# A security event token has no exp, because the event stays true (RFC 8417 §2.2).
_EVENT_CHECKS = tuple(check for check in _LOGOUT_CHECKS if check.code is not ErrorCode.TOKEN_EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """An issuer that may send notices.

    Attributes:
        issuer: The issuer, with the policy of its access tokens.
        logout_clients: The clients that log users in, which are the ``aud`` of logout tokens.
        receivers: The names of this server, which are the ``aud`` of security event tokens.
    """

    issuer: TrustedIssuer
    logout_clients: frozenset[str]
    receivers: frozenset[str]


class NoticeReceiver:
    """Verifies notices and publishes what they revoke.

    Args:
        senders: The issuers that may send notices.
        store: The store.
        clock: Returns the time, in seconds since the epoch.
        max_depth: The deepest nesting of a token's JSON.
        retention: Seconds for which a notice is remembered, so that it counts once.
    """

    def __init__(
        self,
        senders: Sequence[Sender],
        *,
        store: RevocationStore,
        clock: Callable[[], float],
        max_depth: int,
        retention: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        logout = [_trust(each.issuer, each.logout_clients, LOGOUT_TYPES) for each in senders]
        events = [_trust(each.issuer, each.receivers, EVENT_TYPES) for each in senders]
        self._logout = JwtVerifier(logout, clock=clock, max_depth=max_depth, checks=_LOGOUT_CHECKS)
        self._events = JwtVerifier(events, clock=clock, max_depth=max_depth, checks=_EVENT_CHECKS)

    async def receive_logout(self, token: str) -> None:
        """Revoke the session or the user of a logout token.

        Raises:
            TokenError: The token is not a valid logout token, or was received before.
            UpstreamError: The keys or the store are not available.
        """
        issuer, claims = await _verify(self._logout, token, self._clock())
        await self._publish(issuer, claims, read_logout(issuer, claims, self._clock()), is_new_required=True)

    async def receive_event(self, token: str) -> None:
        """Revoke the user or the session of a security event token. Other events change nothing.

        Raises:
            TokenError: The token is not a valid security event token.
            UpstreamError: The keys or the store are not available.
        """
        issuer, claims = await _verify(self._events, token, self._clock())
        await self._publish(issuer, claims, read_events(issuer, claims, self._clock()), is_new_required=False)

    async def _publish(
        self, issuer: str, claims: Mapping[str, object], revocations: Iterable[Revocation], *, is_new_required: bool
    ) -> None:
        found = list(revocations)
        token_id = _name(claims, "jti")
        await self._store.publish(found)
        # After the publication. If that fails, the provider sends the notice again, and it must count then. A notice
        # that counts twice changes nothing, because its time is its own.
        is_new = await self._store.claim_once(f"{issuer} {token_id}", self._retention)
        if is_new_required and not is_new:
            raise _malformed("a jti that was not received before", "one that was")


def _trust(issuer: TrustedIssuer, audiences: frozenset[str], types: frozenset[str]) -> TrustedIssuer:
    return replace(issuer, policy=replace(issuer.policy, audiences=audiences, accepted_typ=types))


async def _verify(verifier: JwtVerifier, token: str, now: float) -> tuple[str, Mapping[str, object]]:
    verified = await verifier.verify_claims(PresentedToken("notice", token), now)
    return verified.issuer.policy.issuer, verified.claims


def read_logout(issuer: str, claims: Mapping[str, object], now: float) -> list[Revocation]:
    """Return what a logout token revokes (Back-Channel Logout §2.6). Its signature, times and ``aud`` are valid.

    Raises:
        TokenError: ``token_use_not_allowed``. It is not a logout token.
    """
    events = claims.get("events")
    if not is_object(events) or not is_object(events.get(LOGOUT_EVENT)):
        raise _malformed("the logout event in the claim events", "none")
    # With a nonce, an ID token could be passed off as a logout token (§2.6 step 6).
    if "nonce" in claims:
        raise _malformed("no nonce", "a nonce")
    subject, session = (_name(claims, name) if name in claims else "" for name in ("sub", "sid"))
    if not subject and not session:
        raise _malformed("sub, sid or both", "neither")
    # The time of the logout and not of its arrival. A delayed notice must not end a newer session.
    time = _time(claims.get("iat"), now)
    if not session:
        return [Revocation(issuer=issuer, kind=Kind.SUBJECT, value=subject, time=time)]
    ended = [Revocation(issuer=issuer, kind=Kind.SESSION, value=session, time=time)]
    # Some providers put no sid into access tokens. Those of the same user that are older than the logout end too.
    if subject:
        ended.append(Revocation(issuer=issuer, kind=Kind.SUBJECT_WITHOUT_SESSION, value=subject, time=time))
    return ended


def read_events(issuer: str, claims: Mapping[str, object], now: float) -> Iterator[Revocation]:
    """Yield what a security event token revokes. Its signature and ``aud`` are valid.

    Raises:
        TokenError: ``token_use_not_allowed``. It is not a security event token, or it names another issuer's subject.
    """
    events = claims.get("events")
    if not is_object(events) or not all(map(is_object, events.values())):
        raise _malformed("an object of events", "none")
    for name, event in events.items():
        if name != SESSION_REVOKED and name not in ACCOUNT_EVENTS:
            continue
        stated = event.get("event_timestamp") if is_object(event) else None
        time = _time(claims.get("iat") if stated is None else stated, now)
        yield _ended(issuer, claims.get("sub_id"), time, has_session=name == SESSION_REVOKED)


def _ended(issuer: str, subject: object, time: float, *, has_session: bool) -> Revocation:
    """Return the revocation of a subject identifier (RFC 9493)."""
    if not is_object(subject):
        raise _malformed("sub_id", "none")
    if subject.get("format", "complex") == "complex":
        session = subject.get("session")
        if has_session and is_object(session):
            return Revocation(issuer=issuer, kind=Kind.SESSION, value=_identifier(issuer, session), time=time)
        user = subject.get("user")
        subject = user if is_object(user) else {}
    return Revocation(issuer=issuer, kind=Kind.SUBJECT, value=_identifier(issuer, subject), time=time)


def _identifier(issuer: str, subject: Mapping[str, object]) -> str:
    form = subject.get("format")
    if form == "iss_sub":
        # An issuer speaks for its own subjects only.
        if subject.get("iss") != issuer:
            raise _malformed("a subject of the issuer", "another issuer's")
        return _name(subject, "sub")
    if form == "opaque":
        return _name(subject, "id")
    raise _malformed("a subject of the format iss_sub or opaque", "another format")


def _name(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME:
        return value
    raise _malformed(f"a string in {name}", "none")


def _time(value: object, now: float) -> float:
    """Return a time that is not later than now. Otherwise an event could revoke tokens that do not exist yet."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return min(float(value), now)
    raise _malformed("a time in iat", "none")


def _malformed(expected: str, found: str) -> TokenError:
    return TokenError(ErrorCode.TOKEN_USE_NOT_ALLOWED, expected=expected, found=found)
