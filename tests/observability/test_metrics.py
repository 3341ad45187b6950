"""The metrics of OpenTelemetry, with the in-memory reader."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from kit.auth_harness import AuthHarness, bearer
from kit.telemetry import Collected, labels
from starlette.exceptions import HTTPException

from oidc_auth import OIDCAuth, OIDCAuthError
from oidc_auth.config.build_observability import ServerState
from oidc_auth.langgraph.handlers import build_handler
from oidc_auth.observability import (
    AuthenticationDecided,
    AuthorizationDecided,
    EventReporter,
    NoticeDecided,
    RevocationReceived,
    TokenIntrospected,
)
from oidc_auth.observability.metrics import BUCKETS, INSTRUMENTS, MetricsObserver, StateMetrics
from oidc_auth.revocation.store import StoreState
from oidc_auth.testing import Clock, Fault, LocalIssuer

if TYPE_CHECKING:
    from oidc_auth.observability import Event

ISSUER = "https://issuer.test"
USER = SimpleNamespace(
    identity="alice", issuer=ISSUER, tenant="acme", permissions=["threads:read", "threads:search"], graphs=None
)


@pytest.fixture
def collected() -> Collected:
    return Collected()


class Measured:
    """An ``OIDCAuth`` with metrics."""

    def __init__(self, collected: Collected) -> None:
        self.issuer = LocalIssuer(ISSUER, algorithm="ES256")
        table = {"preset": "generic", "issuer": ISSUER, "audience": "agents", "tenant": "org"}
        self.oidc = OIDCAuth.from_dict(
            {"issuer": table}, fetcher=self.issuer, observer=MetricsObserver(collected.meter)
        )

    def authenticate(self, sent: dict[str, str]) -> None:
        with suppress(OIDCAuthError):
            asyncio.run(self.oidc.authenticate(sent))

    def handle(self, event: str) -> None:
        with suppress(HTTPException):
            asyncio.run(cast("Any", build_handler(event, self.oidc))(ctx=SimpleNamespace(user=USER), value={}))


def test_authentications_have_outcome_code_and_issuer(collected: Collected) -> None:
    measured = Measured(collected)
    token = measured.issuer.token("alice")
    for sent in (bearer(token), bearer(token), {}, bearer(measured.issuer.token("alice", aud="other"))):
        measured.authenticate(sent)
    assert collected.points("oidc_auth.authentications") == {
        labels(outcome="succeeded", issuer=ISSUER): 2,
        labels(outcome="failed", error_type="token_missing"): 1,
        labels(outcome="failed", error_type="audience_mismatch", issuer=ISSUER): 1,
    }
    assert collected.points("oidc_auth.authentication.duration") == {
        labels(outcome="succeeded"): 2,
        labels(outcome="failed"): 2,
    }


def test_cache_lookups_are_hits_and_misses(collected: Collected) -> None:
    measured = Measured(collected)
    token = measured.issuer.token("alice")
    # A request without a token looks for none, and a refused token is looked for.
    for sent in (bearer(token), bearer(token), bearer(token), {}, bearer(measured.issuer.token(aud="other"))):
        measured.authenticate(sent)
    assert collected.points("oidc_auth.token_cache.lookups") == {labels(outcome="hit"): 2, labels(outcome="miss"): 2}


def test_decisions_have_outcome_code_and_event(collected: Collected) -> None:
    measured = Measured(collected)
    for event in ("threads:read", "threads:read", "crons:create"):
        measured.handle(event)
    assert collected.points("oidc_auth.decisions") == {
        labels(outcome="allowed", event="threads:read"): 2,
        labels(outcome="denied", event="crons:create", error_type="permission_missing"): 1,
    }
    assert collected.points("oidc_auth.decision.duration") == {
        labels(outcome="allowed"): 2,
        labels(outcome="denied"): 1,
    }


def test_key_fetches_have_outcome(collected: Collected) -> None:
    measured = Measured(collected)
    measured.issuer.fault = Fault.DOWN
    measured.authenticate(bearer(measured.issuer.token()))
    measured.issuer.fault = None
    measured.oidc = Measured(collected).oidc
    measured.authenticate(bearer(measured.issuer.token()))
    fetches = collected.points("oidc_auth.jwks.fetches")
    assert fetches[labels(outcome="failed", issuer=ISSUER)] == 1


@pytest.mark.parametrize(
    ("event", "name", "expected"),
    [
        (
            TokenIntrospected(outcome="inactive", issuer=ISSUER),
            "oidc_auth.introspections",
            labels(outcome="inactive", issuer=ISSUER),
        ),
        (
            NoticeDecided(outcome="refused", code="notice_malformed", event="security-events"),
            "oidc_auth.notices",
            labels(outcome="refused", event="security-events", error_type="notice_malformed"),
        ),
        (
            RevocationReceived(issuer=ISSUER, kind="session", delay=1),
            "oidc_auth.revocations",
            labels(kind="session", issuer=ISSUER),
        ),
    ],
)
def test_other_events_are_counted(collected: Collected, event: Event, name: str, expected: object) -> None:
    MetricsObserver(collected.meter)(event)
    assert collected.points(name) == {expected: 1}


def test_revocations_read_at_start_are_not_counted(collected: Collected) -> None:
    MetricsObserver(collected.meter)(RevocationReceived(issuer=ISSUER, kind="session", delay=1, at_start=True))
    assert collected.metrics() == {}


def test_attributes_hold_no_persons(collected: Collected) -> None:
    observer = MetricsObserver(collected.meter)
    secret: dict[str, Any] = {"identity": "secret-alice", "tenant": "secret-acme"}
    observer(AuthenticationDecided(outcome="succeeded", issuer=ISSUER, cached=True, **secret))
    ids: dict[str, Any] = {
        "thread_id": "secret-t",
        "run_id": "secret-r",
        "assistant_id": "secret-a",
        "cron_id": "secret-c",
    }
    where = {"owner": "secret-alice"}
    observer(AuthorizationDecided(outcome="allowed", event="threads:read", filter=where, **secret, **ids))
    assert len(collected.metrics()) == 5
    assert "secret" not in str(collected.metrics())


def test_instruments_have_declared_units_and_kinds(collected: Collected) -> None:
    observer, state = MetricsObserver(collected.meter), StateMetrics(collected.meter)
    clock = Clock(100)
    store = cast("Any", SimpleNamespace(state=lambda now: StoreState(lag=2.5)))
    source = ServerState([], store, EventReporter(), clock)
    state.sources.add(source)
    for event in (
        AuthenticationDecided(outcome="failed", code="token_expired", issuer=ISSUER, cached=False),
        AuthorizationDecided(outcome="denied", code="no_permissions", event="threads:read"),
        TokenIntrospected(outcome="active", issuer=ISSUER),
        NoticeDecided(outcome="refused", code="notice_malformed", event="security-events"),
        RevocationReceived(issuer=ISSUER, kind="token", delay=0),
    ):
        observer(event)
    harness = AuthHarness()
    asyncio.run(harness.admit(harness.issuer.token()))
    for fetched in harness.events:
        observer(fetched)
    ages = ServerState(harness.oidc._settings.issuers, None, EventReporter(), harness.clock)
    state.sources.add(ages)
    metrics = collected.metrics()
    assert [*metrics] != []
    kinds = {
        "counter": "Sum",
        "histogram": "Histogram",
        "observable gauge": "Gauge",
        "observable counter": "Sum",
    }
    for each in INSTRUMENTS:
        found = metrics[each.name]
        assert (found.unit, found.description) == (each.unit, each.description)
        assert type(found.data).__name__ == kinds[each.kind]
        attributes = {name for point in found.data.data_points for name in point.attributes or {}}
        assert attributes == set(each.attributes), each.name
    assert set(metrics) == {each.name for each in INSTRUMENTS}
    histogram: Any = metrics["oidc_auth.decision.duration"].data.data_points[0]
    assert tuple(histogram.explicit_bounds) == BUCKETS


def test_key_age_follows_the_clock(collected: Collected) -> None:
    harness, state = AuthHarness(), StateMetrics(collected.meter)
    source = ServerState(harness.oidc._settings.issuers, None, EventReporter(), harness.clock)
    state.sources.add(source)
    # No keys, no age.
    assert collected.points("oidc_auth.jwks.age") == {}
    asyncio.run(harness.admit(harness.issuer.token()))
    harness.clock.advance(60)
    assert collected.points("oidc_auth.jwks.age") == {labels(issuer=harness.issuer.url): 60}
    assert collected.points("oidc_auth.revocation.lag") == {}


def test_oldest_state_of_several_configurations_counts(collected: Collected) -> None:
    state, lags = StateMetrics(collected.meter), (1.5, 4.0, 2.0)
    stores = [cast("Any", SimpleNamespace(state=lambda now, lag=lag: StoreState(lag=lag))) for lag in lags]
    sources = [ServerState([], store, EventReporter(), Clock(0)) for store in stores]
    for source in sources:
        state.sources.add(source)
    assert collected.points("oidc_auth.revocation.lag") == {labels(): 4.0}


def test_unloaded_revocations_have_no_lag(collected: Collected) -> None:
    state = StateMetrics(collected.meter)
    store = cast("Any", SimpleNamespace(state=lambda now: StoreState(is_loaded=False)))
    source = ServerState([], store, EventReporter(), Clock(0))
    state.sources.add(source)
    assert collected.points("oidc_auth.revocation.lag") == {}


def test_dropped_records_are_counted(collected: Collected) -> None:
    state = StateMetrics(collected.meter)
    reporter = EventReporter(recorder=cast("Any", SimpleNamespace(dropped=7, keep=print)))
    source = ServerState([], None, reporter, Clock(0))
    state.sources.add(source)
    assert collected.points("oidc_auth.audit.dropped") == {labels(): 7}


def test_state_ends_with_its_configuration(collected: Collected) -> None:
    state = StateMetrics(collected.meter)
    state.sources.add(ServerState([], None, EventReporter(), Clock(0)))
    gc.collect()
    assert len(state.sources) == 0
