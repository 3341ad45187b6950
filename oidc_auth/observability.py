"""Events for metrics and audit, the observer that receives them, and the log.

Events are frozen and hold plain values. They never hold a token or claims.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, field
from traceback import format_tb
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .errors import OIDCAuthError

logger = logging.getLogger("oidc_auth")
"""The only logger of the library. It logs refusals and failures of providers, never a token and never claims."""
LOGGED_FIELDS = ("code", "issuer", "user", "expected", "found", "hint")
"""The fields of a refusal that a log record has as attributes, such as ``oidc_code``. Empty ones are omitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationDecided:
    """A request was authenticated or refused.

    Attributes:
        outcome: the result.
        code: the ``ErrorCode`` of a refusal, or "".
        issuer: the configured issuer of the token, or "" if the token names none of them.
        cached: whether the token had been verified before.
        duration: seconds, including a fetch of keys.
    """

    outcome: Literal["succeeded", "failed"]
    code: str = ""
    issuer: str = ""
    cached: bool = False
    duration: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationDecided:
    """An event of the server was allowed or denied.

    Identity, tenant and filter are personal data. They are for an audit record, not for metrics, and not part of the
    repr.

    Attributes:
        outcome: the result, after the operator's own rule.
        code: the ``ErrorCode`` of a denial, or "".
        event: such as ``threads:create``.
        permission: the permission that allowed the event, or that is missing.
        filter: the metadata that objects must have to be touched. None: any object, or the event was denied.
        issuer: the issuer of the user, or "".
        duration: seconds, including the operator's own rule.
        identity: the user, or "".
        tenant: the tenant of the user, or "".
        thread_id: the thread that the request names, or "".
        run_id: the run that the request names, or "".
        assistant_id: the assistant or graph that the request names, or "".
        cron_id: the cron that the request names, or "".
    """

    outcome: Literal["allowed", "denied"]
    code: str = ""
    event: str
    permission: str = ""
    filter: Mapping[str, Any] | None = field(default=None, repr=False, hash=False)
    issuer: str = ""
    duration: float = 0
    identity: str = field(default="", repr=False)
    tenant: str = field(default="", repr=False)
    thread_id: str = ""
    run_id: str = ""
    assistant_id: str = ""
    cron_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysFetched:
    """An attempt to fetch the key set of an issuer ended.

    Attributes:
        outcome: the result.
        issuer: the issuer.
        duration: seconds.
    """

    outcome: Literal["succeeded", "failed"]
    issuer: str
    duration: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIntrospected:
    """The provider was asked whether a token is active (RFC 7662). Answers from the cache are not reported.

    Attributes:
        outcome: the answer, or "failed" if there was none.
        issuer: the configured issuer.
        duration: seconds.
    """

    outcome: Literal["active", "inactive", "failed"]
    issuer: str
    duration: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationReceived:
    """This process learned of a revocation. Those that it reads at its start are reported too.

    Attributes:
        outcome: always the same. Every event has one.
        issuer: the issuer of the revoked token, session or user.
        kind: what is revoked: ``subject``, ``subject_without_session``, ``session`` or ``token``.
        delay: seconds since the time of the revocation.
    """

    outcome: Literal["received"] = "received"
    issuer: str
    kind: str
    delay: float


Event = AuthenticationDecided | AuthorizationDecided | KeysFetched | TokenIntrospected | RevocationReceived


class Observer(Protocol):
    """Receives events. It runs on the event loop and must not block. Its exceptions are logged and change nothing."""

    def __call__(self, event: Event, /) -> None:
        """Receive one event."""
        ...


def ignore_event(event: Event, /) -> None:
    """Ignore the event; the default observer."""
    del event


@dataclass(frozen=True, slots=True)
class EventReporter:
    """Measures durations and reports events; costs nothing without an observer.

    Attributes:
        observer: receives the events.
        timer: a monotonic clock in seconds.
    """

    observer: Observer = ignore_event
    timer: Callable[[], float] = time.perf_counter

    @property
    def is_silent(self) -> bool:
        """Whether events are ignored."""
        return self.observer is ignore_event

    def start(self) -> float:
        """Return the start of a duration."""
        return 0 if self.is_silent else self.timer()

    def elapsed(self, started: float) -> float:
        """Return the seconds since a start."""
        return 0 if self.is_silent else self.timer() - started

    def report(self, event: Event) -> None:
        """Give an event to the observer. A failing observer allows and denies nothing."""
        try:
            # The observer is the operator's code. Its failure must not refuse users or let them in.
            self.observer(event)
        except Exception:
            logger.exception("the observer failed")


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
