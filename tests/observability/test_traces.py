"""The spans of OpenTelemetry, with the in-memory exporter."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from kit.auth_harness import bearer
from kit.telemetry import Collected
from opentelemetry.trace import StatusCode

from oidc_auth import OIDCAuth, OIDCAuthError
from oidc_auth.observability import (
    AuthenticationDecided,
    AuthorizationDecided,
    KeysFetched,
    NoticeDecided,
    RevocationReceived,
    TokenIntrospected,
)
from oidc_auth.observability.traces import SPANS, TraceObserver
from oidc_auth.testing import Fault, LocalIssuer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from oidc_auth.observability import Event

ISSUER = "https://issuer.test"
NOW = 1_800_000_000_000_000_000


@pytest.fixture
def collected() -> Collected:
    return Collected()


def span_of(collected: Collected, event: Event) -> ReadableSpan:
    """Return the one span of an event."""
    TraceObserver(collected.tracer, lambda: NOW)(event)
    (span,) = collected.spans()
    return span


@pytest.mark.parametrize(
    ("event", "name", "attributes"),
    [
        (
            AuthenticationDecided(outcome="succeeded", issuer=ISSUER, cached=True, duration=0.25, identity="alice"),
            "oidc_auth.authenticate",
            {"oidc_auth.outcome": "succeeded", "oidc_auth.issuer": ISSUER, "oidc_auth.token_cache.hit": True},
        ),
        (
            AuthenticationDecided(outcome="failed", code="token_missing", duration=0.25),
            "oidc_auth.authenticate",
            {"oidc_auth.outcome": "failed", "error.type": "token_missing"},
        ),
        (
            AuthorizationDecided(
                outcome="denied",
                code="permission_missing",
                event="crons:create",
                permission="crons:create",
                duration=0.25,
                identity="alice",
                tenant="acme",
                thread_id="t",
            ),
            "oidc_auth.authorize",
            {
                "oidc_auth.outcome": "denied",
                "oidc_auth.event": "crons:create",
                "oidc_auth.permission": "crons:create",
                "error.type": "permission_missing",
            },
        ),
        (
            KeysFetched(outcome="succeeded", issuer=ISSUER, duration=0.25),
            "oidc_auth.jwks.fetch",
            {"oidc_auth.outcome": "succeeded", "oidc_auth.issuer": ISSUER},
        ),
        (
            TokenIntrospected(outcome="inactive", issuer=ISSUER, duration=0.25),
            "oidc_auth.introspect",
            {"oidc_auth.outcome": "inactive", "oidc_auth.issuer": ISSUER},
        ),
    ],
)
def test_span_has_times_and_attributes(
    collected: Collected, event: Event, name: str, attributes: dict[str, object]
) -> None:
    span = span_of(collected, event)
    assert (span.name, dict(span.attributes or {})) == (name, attributes)
    assert (span.start_time, span.end_time) == (NOW - 250_000_000, NOW)
    assert name in SPANS


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (KeysFetched(outcome="failed", issuer=ISSUER), StatusCode.ERROR),
        (TokenIntrospected(outcome="failed", issuer=ISSUER), StatusCode.ERROR),
        (TokenIntrospected(outcome="inactive", issuer=ISSUER), StatusCode.UNSET),
        (AuthenticationDecided(outcome="failed", code="token_expired"), StatusCode.UNSET),
    ],
)
def test_only_faults_have_status_error(collected: Collected, event: Event, status: StatusCode) -> None:
    assert span_of(collected, event).status.status_code is status


@pytest.mark.parametrize(
    "event",
    [
        NoticeDecided(outcome="accepted", event="security-events"),
        RevocationReceived(issuer=ISSUER, kind="token", delay=0),
    ],
)
def test_events_without_duration_have_no_span(collected: Collected, event: Event) -> None:
    TraceObserver(collected.tracer)(event)
    assert collected.spans() == []


def test_spans_are_children_of_the_request(collected: Collected) -> None:
    issuer = LocalIssuer(ISSUER, algorithm="ES256")
    table = {"preset": "generic", "issuer": ISSUER, "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=issuer, observer=TraceObserver(collected.tracer))
    token = issuer.token("alice")

    async def request() -> None:
        with collected.tracer.start_as_current_span("GET /threads/{thread_id}"):
            await oidc.authenticate(bearer(token))

    asyncio.run(request())
    spans = {span.name: span for span in collected.spans()}
    root = spans.pop("GET /threads/{thread_id}")
    assert set(spans) == {"oidc_auth.jwks.fetch", "oidc_auth.authenticate"}
    for span in spans.values():
        assert span.parent is not None
        assert root.context is not None
        assert (span.parent.span_id, span.parent.trace_id) == (root.context.span_id, root.context.trace_id)
        assert "alice" not in span.to_json()
    assert root.start_time is not None
    assert min(span.start_time or 0 for span in spans.values()) >= root.start_time


def test_outage_is_a_failed_fetch(collected: Collected) -> None:
    issuer = LocalIssuer(ISSUER, algorithm="ES256")
    issuer.fault = Fault.DOWN
    table = {"preset": "generic", "issuer": ISSUER, "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=issuer, observer=TraceObserver(collected.tracer))
    with suppress(OIDCAuthError):
        asyncio.run(oidc.authenticate(bearer(issuer.token("alice"))))
    fetch, refused = collected.spans()
    assert (fetch.name, fetch.status.status_code) == ("oidc_auth.jwks.fetch", StatusCode.ERROR)
    assert (refused.attributes or {})["error.type"] == "keys_unavailable"
