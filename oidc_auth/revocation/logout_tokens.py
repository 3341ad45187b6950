"""Read logout tokens (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..json_values import is_object
from .entries import Kind
from .notice_claims import describe, invalid_notice, read_name, read_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .notice_claims import EndedTarget

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
"""The member of ``events`` in a logout token (§2.4)."""
LOGOUT_TYPES = frozenset({"logout+jwt", "jwt", ""})
"""``typ`` of logout tokens. It is only recommended (§2.4), and the claim ``events`` tells them from ID tokens."""


def read_logout(claims: Mapping[str, object]) -> Iterator[EndedTarget]:
    """Yield what a logout token ends (§2.6). Its signature, ``iss``, ``aud``, ``iat`` and ``exp`` are valid.

    Raises:
        TokenError: ``notice_invalid``. It is not a logout token.
    """
    # Step 6. Without this event, an ID token or an access token could end sessions.
    events = claims.get("events")
    if not is_object(events) or not is_object(events.get(LOGOUT_EVENT)):
        raise invalid_notice("the logout event in events", describe(claims, "events"))
    # Step 7. With a nonce, an ID token could be passed off as a logout token.
    if "nonce" in claims:
        raise invalid_notice("no nonce", "a nonce")
    # Step 5. A null or empty value is malformed, and not absent.
    subject, session = (read_name(claims, name) if name in claims else "" for name in ("sub", "sid"))
    if not subject and not session:
        raise invalid_notice("sub, sid or both", "neither")
    # The time of the logout and not of its arrival. A delayed or repeated notice must not end a newer login.
    yield from end_session(subject, session, read_time(claims, "iat"))


def end_session(subject: str, session: str, time: float) -> Iterator[EndedTarget]:
    """Yield what ends with a session, or with all sessions of a subject if no session is named."""
    if session:
        yield Kind.SESSION, session, time
    if subject:
        # Some providers put no sid into access tokens. Those of the same user that are older than the logout end too.
        yield Kind.SUBJECT_WITHOUT_SESSION if session else Kind.SUBJECT, subject, time
