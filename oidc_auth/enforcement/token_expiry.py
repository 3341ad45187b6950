"""Token expiry on connections that outlive their authentication, such as WebSockets."""

from __future__ import annotations

from ..errors import ErrorCode
from .decision import Decision, deny


def check_expiry(user: object, event: str, now: float, leeway: float) -> Decision | None:
    """Return the denial if the token of a connection has expired.

    The rule is the same as for a new connection: ``exp`` plus the issuer's leeway (RFC 7519 §4.1.4).

    Args:
        user: the server's user object.
        event: the event of the connection.
        now: seconds since the epoch.
        leeway: seconds by which the issuer's clock may differ.
    """
    expires_at: object = getattr(user, "expires_at", None)
    if not isinstance(expires_at, (int, float)):
        # Fail closed: without an expiry the connection could stay open forever.
        return deny(event, ErrorCode.TOKEN_EXPIRED, expected="expires_at", found="none")
    if now < expires_at + leeway:
        return None
    found = f"{now - expires_at:.1f} s past expires_at"
    return deny(event, ErrorCode.TOKEN_EXPIRED, expected=f"leeway {leeway:g} s", found=found)
