"""Building of the audit log, the metrics and the traces."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from ..errors import ConfigError, Problem
from ..keys.remote import RemoteKeys
from ..observability import EventReporter, combine_observers
from ..observability.audit import AuditLog
from ..observability.audit_target import open_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..observability import Observer
    from ..observability.metrics import StateMetrics
    from ..revocation.store import RevocationStore
    from ..tokens.issuers import TrustedIssuer
    from .schema import Document
    from .schema_observability import ObservabilityTable

SCOPE = "oidc_auth"
"""The name of the meter and of the tracer."""


def build_reporter(
    document: Document, observer: Observer, timer: Callable[[], float], clock: Callable[[], float]
) -> EventReporter:
    """Return what receives all events: the operator's observer and what ``[observability]`` configures.

    It opens no file.
    """
    table = document.observability
    recorder = None
    if table.audit is not None:
        key = None if table.audit_key is None else table.audit_key.encode()
        recorder = AuditLog(open_target(table.audit), clock, key)
    return EventReporter(combine_observers([observer, *_build_telemetry(table)]), timer, recorder)


def _build_telemetry(table: ObservabilityTable) -> Iterator[Observer]:
    # Only a deployment with OpenTelemetry has the package.
    if table.metrics:
        from opentelemetry.metrics import get_meter  # noqa: PLC0415

        from ..observability.metrics import MetricsObserver  # noqa: PLC0415

        yield MetricsObserver(get_meter(SCOPE, _find_version()))
    if table.traces:
        from opentelemetry.trace import get_tracer  # noqa: PLC0415

        from ..observability.traces import TraceObserver  # noqa: PLC0415

        yield TraceObserver(get_tracer(SCOPE, _find_version()))


def _find_version() -> str:
    # Only with metrics or traces, because it reads files.
    with suppress(PackageNotFoundError):
        return version("langgraph-oidc-auth")
    return ""


class ServerState:
    """What the observable metrics read: the state of one ``OIDCAuth``.

    Args:
        issuers: The trusted issuers.
        store: The revocations, or None.
        reporter: Has the audit log.
        clock: Returns the time, in seconds since the epoch.
    """

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer],
        store: RevocationStore | None,
        reporter: EventReporter,
        clock: Callable[[], float],
    ) -> None:
        self._issuers = issuers
        self._store = store
        self._reporter = reporter
        self._clock = clock

    def key_ages(self) -> Mapping[str, float]:
        """Return the age of the keys of each issuer, in seconds."""
        now = self._clock()
        ages = {each.policy.issuer: each.keys.age(now) for each in self._issuers if isinstance(each.keys, RemoteKeys)}
        return {issuer: age for issuer, age in ages.items() if age is not None}

    def revocation_lag(self) -> float | None:
        """Return the seconds since all revocations were known, or None if they never were."""
        state = None if self._store is None else self._store.state(self._clock())
        return state.lag if state is not None and state.is_loaded else None

    def dropped_records(self) -> int:
        """Return the number of dropped audit records."""
        return 0 if self._reporter.recorder is None else self._reporter.recorder.dropped


@cache
def _state_metrics() -> StateMetrics:
    from opentelemetry.metrics import get_meter  # noqa: PLC0415

    from ..observability.metrics import StateMetrics  # noqa: PLC0415

    return StateMetrics(get_meter(SCOPE, _find_version()))


def measure_state(document: Document, state: ServerState) -> ServerState:
    """Add a state to the observable metrics for as long as the caller keeps it."""
    if document.observability.metrics:
        _state_metrics().sources.add(state)
    return state


def open_audit_log(reporter: EventReporter, source: str) -> None:
    """Open the audit log at the start of a server, so that a wrong path stops it.

    Raises:
        ConfigError: The file cannot be opened.
    """
    if reporter.recorder is None:
        return
    try:
        reporter.recorder.open()
    except OSError as error:
        message = f"cannot be opened: {error.strerror or type(error).__name__}"
        hint = 'write a path in a folder that this process can write to, or "stdout"'
        raise ConfigError([Problem("observability.audit", message, hint)], source=source) from None
