"""The log of the library."""

from __future__ import annotations

import hashlib
import logging
from traceback import format_tb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..errors import OIDCAuthError

logger = logging.getLogger("oidc_auth")
"""The only logger of the library. It logs refusals and failures of providers, never a token and never claims."""
LOGGED_FIELDS = ("code", "issuer", "user", "expected", "found", "hint")
"""The fields of a refusal that a log record has as attributes, such as ``oidc_code``. Empty ones are omitted."""


def format_trace(error: BaseException) -> str:
    """Return where an error was raised, and its type. Its message may hold claims, so it is omitted."""
    # Only places in the code, and no values.
    return f"{type(error).__name__}\n{''.join(format_tb(error.__traceback__))}"


def pseudonym(identity: str) -> str:
    """Return a stable pseudonym of an identity for the log."""
    # The same user has the same pseudonym in all log lines and processes, so the hash has no salt.
    return hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:12]


def log_refusal(refusal: OIDCAuthError, event: str = "") -> None:
    """Log a refusal on one line.

    The record has the same values as attributes, for formatters: those of ``LOGGED_FIELDS``, and ``oidc_event``.

    Args:
        refusal: the refusal.
        event: the event that was denied, or "" for a refused authentication.
    """
    if not logger.isEnabledFor(logging.WARNING):
        return
    extra = {f"oidc_{name}": str(getattr(refusal, name)) for name in LOGGED_FIELDS if getattr(refusal, name)}
    extra |= {"oidc_event": event} if event else {}
    names = ("issuer", "user")
    source = ", ".join(f"{name} {getattr(refusal, name)}" for name in names if getattr(refusal, name))
    title = f"denied {event}" if event else "refused"
    # Log text, not the error: handlers may keep records, and the traceback of an error holds the token.
    logger.warning("%s: %s%s", title, str(refusal), f" ({source})" if source else "", extra=extra)
