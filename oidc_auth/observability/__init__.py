"""Events for the audit log and for metrics, the observers that receive them, and the log."""

from __future__ import annotations

from .events import (
    AuthenticationDecided,
    AuthorizationDecided,
    Event,
    EventReporter,
    KeysFetched,
    NoticeDecided,
    Observer,
    RevocationReceived,
    TokenIntrospected,
    combine_observers,
    ignore_event,
)
from .log import LOGGED_FIELDS, format_trace, log_refusal, logger, pseudonym

__all__ = [
    "LOGGED_FIELDS",
    "AuthenticationDecided",
    "AuthorizationDecided",
    "Event",
    "EventReporter",
    "KeysFetched",
    "NoticeDecided",
    "Observer",
    "RevocationReceived",
    "TokenIntrospected",
    "combine_observers",
    "format_trace",
    "ignore_event",
    "log_refusal",
    "logger",
    "pseudonym",
]
