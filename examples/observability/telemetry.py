"""Set up OpenTelemetry before the server starts. The server then shows the metrics at its own `/metrics`."""

from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider

from oidc_auth.langgraph import auth

# The reader adds the metrics to the registry of prometheus_client, which the server exports. The server already exports
# target_info, which must not be there twice.
metrics.set_meter_provider(MeterProvider([PrometheusMetricReader(disable_target_info=True)]))

# langgraph.json names it as the path of `auth`.
__all__ = ["auth"]
