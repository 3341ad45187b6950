"""The events, and the observers that receive them.

Events are frozen and hold plain values. They never hold a token or claims.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .log import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    ReportLazily = Callable[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationDecided:
    """A request was authenticated or refused.

    Identity and tenant are personal data. They are for an audit record, not for metrics, and not part of the repr.

    Attributes:
        outcome: the result.
        code: the ``ErrorCode`` of a refusal, or "".
        issuer: the configured issuer of the token, or "" if the token names none of them.
        cached: whether the token had been verified before. None if the request had no token to look for.
        duration: seconds, including a fetch of keys.
        identity: the user of a valid token, or "". It is also set if a valid token was refused, such as a revoked one.
        tenant: the tenant of that user, or "".
    """

    outcome: Literal["succeeded", "failed"]
    code: str = ""
    issuer: str = ""
    cached: bool | None = None
    duration: float = 0
    identity: str = field(default="", repr=False)
    tenant: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationDecided:
    """An event of the server was allowed or denied.

    Identity, tenant and filter are personal data. They are for an audit record, not for metrics, and not part of the
    repr.

    Attributes:
        outcome: the result, after the operator's own rule.
        code: the ``ErrorCode`` of a denial, or "".
        event: such as ``threads:create``, or ``custom_route`` for ``oidc_auth.web.require``.
        permission: the permission that allowed the event, with its reach, or the one that is missing.
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
        at_start: whether it was read before all revocations of the store were known.
    """

    outcome: Literal["received"] = "received"
    issuer: str
    kind: str
    delay: float
    at_start: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeDecided:
    """A provider's notice, a logout token or a security event token, was accepted or refused.

    Attributes:
        outcome: the result.
        code: the ``ErrorCode`` of a refusal, or "".
        issuer: the configured issuer of the notice, or "" if it names none of them.
        event: ``backchannel-logout`` or ``security-events``.
    """

    outcome: Literal["accepted", "refused"]
    code: str = ""
    issuer: str = ""
    event: str


Event = (
    AuthenticationDecided | AuthorizationDecided | KeysFetched | TokenIntrospected | RevocationReceived | NoticeDecided
)


class Observer(Protocol):
    """Receives events. It runs on the event loop and must not block. Its exceptions are logged and change nothing."""

    def __call__(self, event: Event, /) -> None:
        """Receive one event."""
        ...


def ignore_event(event: Event, /) -> None:
    """Ignore the event; the default observer."""
    del event


class Recorder(Protocol):
    """Keeps events, which another thread builds and writes."""

    def keep(self, build: Callable[..., Event], *parts: object) -> None:
        """Keep one event: the function that returns it, and its arguments."""
        ...

    def open(self) -> None:
        """Get ready to write.

        Raises:
            OSError: The events cannot be written.
        """
        ...

    def flush(self) -> None:
        """Wait until all events are written, for a limited time."""
        ...

    @property
    def dropped(self) -> int:
        """The number of events that were not kept."""
        ...


class EventReporter:
    """Measures durations and reports events; costs nothing without an observer.

    Args:
        observer: receives the events.
        timer: a monotonic clock in seconds.
        recorder: keeps the events for the audit log, or None without one.
    """

    __slots__ = ("_observer", "_timer", "has_recorder_only", "is_silent", "recorder", "report_lazily")

    def __init__(
        self,
        observer: Observer = ignore_event,
        timer: Callable[[], float] = time.perf_counter,
        recorder: Recorder | None = None,
    ) -> None:
        # None is faster to test for than a function, and every request does it.
        self._observer = None if observer is ignore_event else observer
        self._timer = timer
        self.recorder = recorder
        self.is_silent = self._observer is None and recorder is None
        """Whether events are ignored."""
        self.has_recorder_only = self._observer is None and recorder is not None
        """Whether only the audit log receives events. It does not need durations and filters."""
        # Bound here, because every decision calls it.
        self.report_lazily: ReportLazily = self._build_and_report
        if recorder is not None and self.has_recorder_only:
            self.report_lazily = recorder.keep
        """Report ``build(*parts)``. If only the audit log needs the event, its thread builds it."""

    def start(self) -> float:
        """Return the start of a duration."""
        return 0 if self._observer is None else self._timer()

    def elapsed(self, started: float) -> float:
        """Return the seconds since a start."""
        return 0 if self._observer is None else self._timer() - started

    def report(self, event: Event) -> None:
        """Give an event to the audit log and to the observer. If one fails, that allows and denies nothing."""
        if self.recorder is not None:
            self.recorder.keep(_return_event, event)
        if self._observer is not None:
            _notify(self._observer, event)

    def _build_and_report(self, build: Callable[..., Event], *parts: object) -> None:
        if self._observer is not None:
            self.report(build(*parts))

    async def flush(self) -> None:
        """Wait until the audit log is written, for a limited time."""
        if self.recorder is not None:
            await asyncio.to_thread(self.recorder.flush)


def _return_event(event: Event) -> Event:
    return event


def _notify(observer: Observer, event: Event) -> None:
    try:
        # The observer is the operator's code. Its failure must not refuse users or let them in.
        observer(event)
    except Exception:  # noqa: BLE001 - the code of the operator can raise anything
        logger.exception("the observer failed")


def combine_observers(observers: Sequence[Observer]) -> Observer:
    """Return an observer that calls all of these. One that fails does not stop the others."""
    active = tuple(each for each in observers if each is not ignore_event)
    if len(active) <= 1:
        return active[0] if active else ignore_event

    def notify_all(event: Event, /) -> None:
        for observer in active:
            _notify(observer, event)

    return notify_all
