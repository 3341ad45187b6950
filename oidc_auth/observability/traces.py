"""OpenTelemetry traces. Only ``traces = true`` imports this module, because it needs the API of OpenTelemetry.

A span is created when its event is reported, with the time at which the work began. Its parent is the current span,
which is that of the request if the server is instrumented.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry.trace import Status, StatusCode

from .events import AuthenticationDecided, AuthorizationDecided, KeysFetched, TokenIntrospected
from .metrics import EVENT, ISSUER, OUTCOME, error_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import Tracer

    from .events import Event

CACHED, PERMISSION = "oidc_auth.token_cache.hit", "oidc_auth.permission"
"""Attributes that only spans have."""
SPANS: Mapping[str, str] = {
    "oidc_auth.authenticate": "An authentication.",
    "oidc_auth.authorize": "A decision of a handler.",
    "oidc_auth.jwks.fetch": "A fetch of the discovery document and the key set.",
    "oidc_auth.introspect": "A question to the provider whether a token is active.",
}
"""All spans."""
AUTHENTICATE, AUTHORIZE, FETCH, INTROSPECT = SPANS


class TraceObserver:
    """Records a span for each event with a duration. Attributes never hold persons, tokens or key ids.

    Args:
        tracer: creates the spans.
        clock: returns the time in nanoseconds since the epoch, as OpenTelemetry counts it.
    """

    def __init__(self, tracer: Tracer, clock: Callable[[], int] = time.time_ns) -> None:
        self._tracer = tracer
        self._clock = clock

    def __call__(self, event: Event, /) -> None:
        """Record the span of one event."""
        if isinstance(event, AuthorizationDecided):
            attributes = {EVENT: event.event, PERMISSION: event.permission, **error_type(event.code)}
            self._record(AUTHORIZE, event, attributes)
        elif isinstance(event, AuthenticationDecided):
            cached = {} if event.cached is None else {CACHED: event.cached}
            self._record(AUTHENTICATE, event, {ISSUER: event.issuer, **cached, **error_type(event.code)})
        elif isinstance(event, KeysFetched):
            self._record(FETCH, event, {ISSUER: event.issuer}, is_fault=event.outcome == "failed")
        elif isinstance(event, TokenIntrospected):
            self._record(INTROSPECT, event, {ISSUER: event.issuer}, is_fault=event.outcome == "failed")

    def _record(
        self,
        name: str,
        event: AuthenticationDecided | AuthorizationDecided | KeysFetched | TokenIntrospected,
        attributes: Mapping[str, str | bool],
        *,
        is_fault: bool = False,
    ) -> None:
        ended = self._clock()
        found = {OUTCOME: event.outcome, **{key: value for key, value in attributes.items() if value != ""}}
        span = self._tracer.start_span(name, attributes=found, start_time=ended - int(event.duration * 1e9))
        # A refused request is not an error of the server, as for a server span with status 4xx.
        if is_fault:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)
