"""Limits that the operator sets for all callers: crons, webhooks and delays."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import ErrorCode
from ..quoting import quote
from .decision import Decision, deny

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .access_request import AccessRequest
    from .settings import EnforcementSettings

WEBHOOK_SCHEMES: Mapping[str, tuple[str, ...]] = {"https": ("https",), "any": ("https", "http"), "deny": ()}
"""The URL schemes that each value of ``webhooks`` allows."""


def check_request_limits(request: AccessRequest, settings: EnforcementSettings) -> Decision | None:
    """Return the denial if the operator's settings do not allow a request."""
    if request.writes_cron and settings.crons == "deny":
        return deny(request.event, ErrorCode.CRONS_DISABLED)
    for webhook in request.webhooks:
        if not _is_webhook_allowed(webhook, settings):
            return deny(request.event, ErrorCode.WEBHOOK_NOT_ALLOWED)
    for delay in request.delays:
        if not _is_delay_allowed(delay, settings.max_delay):
            return _deny_delay(request.event, delay, settings.max_delay)
    return None


def _is_webhook_allowed(webhook: object, settings: EnforcementSettings) -> bool:
    try:
        parts = urlsplit(str(webhook))
    except ValueError:
        return False
    # A relative address would call the server itself, without authentication.
    return parts.scheme in WEBHOOK_SCHEMES[settings.webhooks] and bool(parts.hostname)


def _is_delay_allowed(delay: object, longest: float) -> bool:
    # NaN is not in the range, because every comparison with it is false. A boolean is an int in Python.
    return isinstance(delay, (int, float)) and not isinstance(delay, bool) and 0 <= delay <= longest


def _deny_delay(event: str, delay: object, longest: float) -> Decision:
    expected = f"a number of seconds from 0 to {longest:g}"
    return deny(
        event,
        ErrorCode.DELAY_NOT_ALLOWED,
        f"after_seconds must be {expected}",
        expected=expected,
        found=quote(delay),
    )
