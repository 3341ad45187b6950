"""Message texts that tests of several modules assert. A new wording changes one file."""

from __future__ import annotations

MISSING_THREADS_CREATE = "missing permission threads:create (threads:write includes it)"
LEEWAY_TEXT = "leeway 30 s"
PAST_EXPIRES_AT = "31.0 s past expires_at"
CANNOT_REFRESH_KEYS = "cannot be refreshed"
EMPTY_KEY_SET = "it is empty"
UNREADABLE_FILE = "cannot be read"
HTTP_ON_LOOPBACK_ONLY = "http is allowed for loopback only"
URL_WITHOUT_USER_NAME = "without user name"
EXPLAIN_REFUSED_EXPIRED = "REFUSED   token_expired: "
EXPLAIN_WITHOUT_REFUSAL = "Permissions without this refusal"


def unread_header(name: str) -> str:
    """Return what the log says about a token in a header that the server does not read."""
    return f"a header {name}, which is not read"
