"""Read security event tokens (RFC 8417) with the events of CAEP 1.0 and RISC 1.0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..json_values import is_object
from ..quoting import quote
from .entries import Kind
from .logout_tokens import end_session
from .notice_claims import describe, invalid_notice, read_name, read_time

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from .notice_claims import EndedTarget

EVENT_TYPES = frozenset({"secevent+jwt"})
"""``typ`` of security event tokens (RFC 8417 §2.3)."""

SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
_RISC = "https://schemas.openid.net/secevent/risc/event-type/"
ACCOUNT_EVENTS = tuple(
    _RISC + name for name in ("account-disabled", "account-purged", "account-credential-change-required")
)
"""Events after which no earlier token of the account counts."""

ISS_SUB, OPAQUE, COMPLEX = "iss_sub", "opaque", "complex"
"""Formats of subject identifiers (RFC 9493 §3.2, OpenID Shared Signals Framework 1.0)."""


def read_events(claims: Mapping[str, object], issuers: Collection[str]) -> Iterator[EndedTarget]:
    """Yield what a security event token ends. Its signature, ``iss``, ``aud`` and ``iat`` are valid.

    Args:
        claims: The claims.
        issuers: The names of the provider that sent it.

    Raises:
        TokenError: ``notice_invalid``. It is not a security event token, or names another issuer's subject.
    """
    issued, events = read_time(claims, "iat"), claims.get("events")
    # An event does not expire. Logout tokens and ID tokens have exp, and must not be taken for events (Shared Signals
    # Framework 1.0, RFC 8417 §4.5).
    if "exp" in claims:
        raise invalid_notice("a security event token without exp", "exp")
    if not is_object(events) or not events:
        raise invalid_notice("events as an object with an event", describe(claims, "events"))
    for name, event in events.items():
        if not is_object(event):
            raise invalid_notice("each event as an object", type(event).__name__)
        # A receiver ignores events that it does not know (RFC 8417 §2.2), such as those that test the connection.
        if name == SESSION_REVOKED or name in ACCOUNT_EVENTS:
            stated = read_time(event, "event_timestamp") if "event_timestamp" in event else issued
            # An event is never later than its token. It could otherwise revoke tokens that do not exist yet.
            yield from _read_subject(claims, issuers, min(stated, issued), is_session=name == SESSION_REVOKED)


def _read_subject(
    claims: Mapping[str, object], issuers: Collection[str], time: float, *, is_session: bool
) -> Iterator[EndedTarget]:
    """Yield what an event about the subject in ``sub_id`` ends (RFC 9493)."""
    subject = claims.get("sub_id")
    if not is_object(subject):
        raise invalid_notice("sub_id as an object", describe(claims, "sub_id"))
    if subject.get("format") != COMPLEX:
        name = _identify(subject, issuers)
        yield Kind.SUBJECT, name, time
        # The identifier of a session is opaque too, as in the first example of CAEP 1.0 §3.1.
        if is_session and subject.get("format") == OPAQUE:
            yield Kind.SESSION, name, time
        return
    parts = {part: subject[part] for part in ("user", "session") if part in subject}
    found = {part: _identify(value, issuers) for part, value in parts.items() if is_object(value)}
    # A device or a group alone cannot be found in tokens. The event is refused, because it would have no effect.
    if len(found) != len(parts) or not found.keys() & ({"user", "session"} if is_session else {"user"}):
        raise invalid_notice("a user in sub_id, or for session-revoked a session", quote(sorted(subject)))
    yield from end_session(found.get("user", ""), found.get("session", "") if is_session else "", time)


def _identify(subject: Mapping[str, object], issuers: Collection[str]) -> str:
    form = subject.get("format")
    if form == OPAQUE:
        return read_name(subject, "id")
    if form != ISS_SUB:
        raise invalid_notice(f"a subject with the format {ISS_SUB} or {OPAQUE}", quote(form))
    # An issuer speaks for its own subjects only. It could otherwise lock out the users of another one.
    if subject.get("iss") not in issuers:
        raise invalid_notice(f"a subject of {' or '.join(issuers)}", quote(subject.get("iss")))
    return read_name(subject, "sub")
