"""Collect metrics and spans in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.metrics.export import Metric
    from opentelemetry.sdk.trace import ReadableSpan

Labels = frozenset[tuple[str, Any]]


class Collected:
    """A meter and a tracer, and what they recorded."""

    def __init__(self) -> None:
        self._reader, self._exporter = InMemoryMetricReader(), InMemorySpanExporter()
        self.meter = MeterProvider([self._reader]).get_meter("test")
        self._spans = TracerProvider()
        self._spans.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self._spans.get_tracer("test")

    def metrics(self) -> Mapping[str, Metric]:
        """Return all metrics by name."""
        data: Any = self._reader.get_metrics_data()
        scopes = [] if data is None else [scope for each in data.resource_metrics for scope in each.scope_metrics]
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def points(self, name: str) -> dict[Labels, Any]:
        """Return the value of each combination of attributes. That of a histogram is its count."""
        found = self.metrics().get(name)
        points: Any = [] if found is None else found.data.data_points
        return {
            frozenset(point.attributes.items()): point.count if hasattr(point, "count") else point.value
            for point in points
        }

    def spans(self) -> list[ReadableSpan]:
        """Return the ended spans, and forget them."""
        found = [*self._exporter.get_finished_spans()]
        self._exporter.clear()
        return found


def labels(**named: Any) -> Labels:
    """Return attributes: ``error_type`` is ``error.type``, and all others are our own."""
    return frozenset(
        ("error.type" if name == "error_type" else f"oidc_auth.{name}", value) for name, value in named.items()
    )
