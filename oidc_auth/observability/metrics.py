"""OpenTelemetry metrics. Only ``metrics = true`` imports this module, because it needs the API of OpenTelemetry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol
from weakref import WeakSet

from opentelemetry.metrics import Observation

from .events import (
    AuthenticationDecided,
    AuthorizationDecided,
    KeysFetched,
    NoticeDecided,
    TokenIntrospected,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opentelemetry.metrics import CallbackOptions, Histogram, Meter
    from opentelemetry.metrics import Counter as OtelCounter

    from .events import Event

OUTCOME, EVENT, ISSUER, KIND = "oidc_auth.outcome", "oidc_auth.event", "oidc_auth.issuer", "oidc_auth.kind"
"""Our own attributes."""
ERROR_TYPE = "error.type"
"""The attribute of the semantic conventions for the reason of a failure. It is absent after a success."""
SECONDS = "s"
BUCKETS = (
    *(0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Bounds of the histograms in seconds: cached tokens take microseconds, and fetched keys up to seconds."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric.

    Attributes:
        name: its name.
        kind: its type.
        unit: its unit (UCUM), as in the semantic conventions.
        description: what it measures.
        attributes: the names of its attributes.
    """

    name: str
    kind: Literal["counter", "histogram", "observable gauge", "observable counter"]
    unit: str
    description: str
    attributes: tuple[str, ...] = ()


AUTHENTICATIONS = Instrument(
    "oidc_auth.authentications",
    "counter",
    "{request}",
    "Requests that were authenticated or refused.",
    (OUTCOME, ERROR_TYPE, ISSUER),
)
AUTHENTICATION_DURATION = Instrument(
    "oidc_auth.authentication.duration",
    "histogram",
    SECONDS,
    "Duration of an authentication, including a fetch of keys.",
    (OUTCOME,),
)
DECISIONS = Instrument(
    "oidc_auth.decisions",
    "counter",
    "{decision}",
    "Events of the server that were allowed or denied.",
    (OUTCOME, ERROR_TYPE, EVENT),
)
DECISION_DURATION = Instrument(
    "oidc_auth.decision.duration",
    "histogram",
    SECONDS,
    "Duration of a decision, including your own rule.",
    (OUTCOME,),
)
KEY_FETCHES = Instrument(
    "oidc_auth.jwks.fetches", "counter", "{fetch}", "Attempts to fetch a key set.", (OUTCOME, ISSUER)
)
KEY_AGE = Instrument(
    "oidc_auth.jwks.age",
    "observable gauge",
    SECONDS,
    "Age of a key set. Above `limits.jwks_max_stale` it is not used any more.",
    (ISSUER,),
)
INTROSPECTIONS = Instrument(
    "oidc_auth.introspections",
    "counter",
    "{request}",
    "Questions to a provider whether a token is active.",
    (OUTCOME, ISSUER),
)
LOOKUPS = Instrument(
    "oidc_auth.token_cache.lookups",
    "counter",
    "{lookup}",
    "Lookups of a token: `hit` if it was verified before, otherwise `miss`.",
    (OUTCOME,),
)
NOTICES = Instrument(
    "oidc_auth.notices",
    "counter",
    "{notice}",
    "Logout tokens and security event tokens of providers.",
    (OUTCOME, ERROR_TYPE, EVENT),
)
REVOCATIONS = Instrument(
    "oidc_auth.revocations",
    "counter",
    "{revocation}",
    "Revocations that this process learned of, without those that it read at its start.",
    (KIND, ISSUER),
)
REVOCATION_LAG = Instrument(
    "oidc_auth.revocation.lag",
    "observable gauge",
    SECONDS,
    "Time since this process last knew all revocations of the store.",
)
DROPPED = Instrument(
    "oidc_auth.audit.dropped",
    "observable counter",
    "{record}",
    "Records of the audit log that were dropped, because the queue was full.",
)

INSTRUMENTS = (
    AUTHENTICATIONS,
    AUTHENTICATION_DURATION,
    DECISIONS,
    DECISION_DURATION,
    KEY_FETCHES,
    KEY_AGE,
    INTROSPECTIONS,
    LOOKUPS,
    NOTICES,
    REVOCATIONS,
    REVOCATION_LAG,
    DROPPED,
)
"""All metrics, in the order of the documentation."""


class MetricsObserver:
    """Counts and measures events. Attributes never hold persons, tokens or key ids.

    Args:
        meter: creates the instruments.
    """

    def __init__(self, meter: Meter) -> None:
        self._authentications = _counter(meter, AUTHENTICATIONS)
        self._authentication_duration = _histogram(meter, AUTHENTICATION_DURATION)
        self._decisions = _counter(meter, DECISIONS)
        self._decision_duration = _histogram(meter, DECISION_DURATION)
        self._fetches = _counter(meter, KEY_FETCHES)
        self._introspections = _counter(meter, INTROSPECTIONS)
        self._lookups = _counter(meter, LOOKUPS)
        self._notices = _counter(meter, NOTICES)
        self._revocations = _counter(meter, REVOCATIONS)

    def __call__(self, event: Event, /) -> None:
        """Record one event."""
        outcome: dict[str, str] = {OUTCOME: event.outcome}
        if isinstance(event, AuthorizationDecided):
            self._decisions.add(1, {**outcome, EVENT: event.event, **error_type(event.code)})
            self._decision_duration.record(event.duration, outcome)
        elif isinstance(event, AuthenticationDecided):
            self._authentications.add(1, {**outcome, **_issuer(event.issuer), **error_type(event.code)})
            self._authentication_duration.record(event.duration, outcome)
            if event.cached is not None:
                self._lookups.add(1, {OUTCOME: "hit" if event.cached else "miss"})
        elif isinstance(event, KeysFetched):
            self._fetches.add(1, {**outcome, ISSUER: event.issuer})
        elif isinstance(event, TokenIntrospected):
            self._introspections.add(1, {**outcome, ISSUER: event.issuer})
        elif isinstance(event, NoticeDecided):
            self._notices.add(1, {**outcome, EVENT: event.event, **error_type(event.code)})
        elif not event.at_start:
            self._revocations.add(1, {KIND: event.kind, ISSUER: event.issuer})


def error_type(code: str) -> dict[str, str]:
    """Return the attribute with an error code, or nothing after a success."""
    return {ERROR_TYPE: str(code)} if code else {}


def _issuer(issuer: str) -> dict[str, str]:
    return {ISSUER: issuer} if issuer else {}


def _counter(meter: Meter, instrument: Instrument) -> OtelCounter:
    return meter.create_counter(instrument.name, instrument.unit, instrument.description)


def _histogram(meter: Meter, instrument: Instrument) -> Histogram:
    return meter.create_histogram(
        instrument.name, instrument.unit, instrument.description, explicit_bucket_boundaries_advisory=BUCKETS
    )


class StateSource(Protocol):
    """What a process knows, for the observable instruments. It is read in another thread."""

    def key_ages(self) -> Mapping[str, float]:
        """Return the age of the keys of each issuer, in seconds."""
        ...

    def revocation_lag(self) -> float | None:
        """Return the seconds since all revocations were known, or None without a store."""
        ...

    def dropped_records(self) -> int:
        """Return the number of dropped audit records."""
        ...


class StateMetrics:
    """The instruments that read a state when they are exported.

    A meter creates each instrument once, also for several configurations in a process. So they share the instruments.

    Args:
        meter: creates the instruments.
    """

    def __init__(self, meter: Meter) -> None:
        # Not kept alive by the meter, which lives as long as the process.
        self.sources: WeakSet[StateSource] = WeakSet()
        self._create(meter.create_observable_gauge, KEY_AGE, self._read_ages)
        self._create(meter.create_observable_gauge, REVOCATION_LAG, self._read_lags)
        self._create(meter.create_observable_counter, DROPPED, self._read_dropped)

    def _create(
        self,
        create: Callable[..., object],
        instrument: Instrument,
        read: Callable[[CallbackOptions], Iterable[Observation]],
    ) -> None:
        create(instrument.name, callbacks=[read], unit=instrument.unit, description=instrument.description)

    def _read_ages(self, _options: CallbackOptions) -> Iterator[Observation]:
        ages: dict[str, float] = {}
        for source in list(self.sources):
            for issuer, age in source.key_ages().items():
                # The oldest, because it is the one to worry about.
                ages[issuer] = max(age, ages.get(issuer, 0))
        return (Observation(age, {ISSUER: issuer}) for issuer, age in ages.items())

    def _read_lags(self, _options: CallbackOptions) -> Iterator[Observation]:
        lags = [lag for source in list(self.sources) if (lag := source.revocation_lag()) is not None]
        return (Observation(lag) for lag in ([max(lags)] if lags else []))

    def _read_dropped(self, _options: CallbackOptions) -> Iterator[Observation]:
        yield Observation(sum(source.dropped_records() for source in list(self.sources)))
