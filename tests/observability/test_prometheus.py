"""``metrics`` and ``traces`` with the exporters that operators use, and the dashboard of the example."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from kit.examples import EXAMPLES, started
from prometheus_client.parser import text_string_to_metric_families

from oidc_auth import ConfigError
from oidc_auth.config import lint_observability
from oidc_auth.config.load import load_mapping
from oidc_auth.observability.metrics import INSTRUMENTS
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from pathlib import Path

DASHBOARD: Any = json.loads((EXAMPLES / "observability" / "dashboard.json").read_text("utf-8"))
PANELS = DASHBOARD["panels"]
SERIES = re.compile(r"\boidc_auth_\w+_(?:total|bucket|seconds)\b")
LABELS = re.compile(r"\bby \(([^)]*)\)|\{(\w+)=")

EXPORTED = """
import asyncio, os, sys
from contextlib import suppress
from types import SimpleNamespace
from opentelemetry import metrics, trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import generate_latest
from oidc_auth import OIDCAuth
from oidc_auth.langgraph import protect
from oidc_auth.observability import NoticeDecided, TokenIntrospected
from oidc_auth.testing import LocalIssuer

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
issuer = LocalIssuer("https://issuer.test", algorithm="ES256")
table = {"preset": "generic", "issuer": issuer.url, "audience": "agents", "logout_clients": ["web"]}
oidc = OIDCAuth.from_dict(
    {
        "issuer": table,
        "revocation": {"store": "memory"},
        "observability": {"metrics": True, "traces": True, "audit": os.devnull + "-missing/x"},
    },
    fetcher=issuer,
)
# After the configuration, as in a server with automatic instrumentation.
metrics.set_meter_provider(MeterProvider([PrometheusMetricReader(disable_target_info=True)]))
trace.set_tracer_provider(provider)

async def main():
    sent = {"authorization": "Bearer " + issuer.token("alice", scope="threads:read")}
    for _ in range(2):
        caller = await oidc.authenticate(sent)
    with suppress(Exception):
        await oidc.authenticate({})
    auth = __import__("oidc_auth.langgraph.handlers", fromlist=["build_handler"])
    for event in ("threads:read", "crons:create"):
        with suppress(Exception):
            await auth.build_handler(event, oidc)(ctx=SimpleNamespace(user=SimpleNamespace(**caller.user())), value={})
    await oidc.revocation.notices.receive_logout(issuer.logout_token("alice", client="web"))
    oidc.reporter.report(TokenIntrospected(outcome="active", issuer=issuer.url))
    oidc.reporter.report(NoticeDecided(outcome="refused", code="notice_replayed", event="security-events"))

asyncio.run(main())
print(generate_latest().decode())
print("# SPANS", *sorted(span.name for span in spans.get_finished_spans()))
"""


def run_python(code: str) -> str:
    """Run code in a fresh process, because a process has one provider of OpenTelemetry."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own code
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported() -> str:
    return run_python(EXPORTED)


def samples(text: str) -> dict[str, set[str]]:
    """Return the labels of each series."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_all_metrics_are_exported_to_prometheus(exported: str) -> None:
    series = samples(exported)
    names = {each.name.replace(".", "_") for each in INSTRUMENTS}
    for name in names:
        assert any(found.startswith(name) for found in series), name
    assert "oidc_auth_issuer" in series["oidc_auth_authentications_total"]
    assert "alice" not in exported


def test_spans_are_exported(exported: str) -> None:
    # A span of each request and decision, and one fetch for the first token.
    assert exported.splitlines()[-1].split() == [
        "#",
        "SPANS",
        *["oidc_auth.authenticate"] * 3,
        *["oidc_auth.authorize"] * 2,
        "oidc_auth.introspect",
        "oidc_auth.jwks.fetch",
    ]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_dashboard_names_exported_series_and_labels(exported: str, panel: dict[str, Any]) -> None:
    series = samples(exported)
    for target in panel["targets"]:
        expression = target["expr"]
        used = set(SERIES.findall(expression))
        assert used
        assert used <= set(series), expression
        labels = {
            label.strip()
            for found in LABELS.findall(expression)
            for part in found
            for label in part.split(",")
            if label.strip()
        }
        known = set().union(*(series[name] for name in used))
        assert labels <= known, expression
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels


def test_dashboard_shows_every_metric() -> None:
    text = json.dumps(PANELS)
    missing = [each.name for each in INSTRUMENTS if each.name.replace(".", "_") not in text]
    assert missing == []


def test_dashboard_has_structure_of_grafana() -> None:
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= set(DASHBOARD)
    assert [panel["id"] for panel in PANELS] == [*range(1, len(PANELS) + 1)]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in PANELS}
    assert len(places) == len(PANELS)
    for panel in PANELS:
        assert {"type", "title", "description", "datasource", "gridPos", "targets"} <= set(panel)
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_example_serves_metrics_and_writes_audit_log(tmp_path: Path) -> None:
    issuer = LocalIssuer()
    with issuer.served(), started("observability", issuer, tmp_path) as (server, client):
        token = {"authorization": f"Bearer {issuer.token('alice', roles=['editor'])}"}
        assert client.post("/threads", json={}).status_code == 401
        assert client.post("/threads", json={}, headers=token).status_code == 200
        text = client.get("/metrics").text
        log = server.log.read_text("utf-8")
    assert "Blocking call" not in log
    series = samples(text)
    assert {"oidc_auth_outcome", "error_type"} <= series["oidc_auth_authentications_total"]
    assert "oidc_auth_decisions_total" in series
    records = [json.loads(line) for line in (tmp_path / "run" / "app" / "audit.jsonl").read_text().splitlines()]
    assert [(each["event"], each["outcome"]) for each in records] == [
        ("authenticate", "failed"),
        ("authenticate", "succeeded"),
        ("threads:create", "allowed"),
    ]


@pytest.mark.parametrize("key", ["metrics", "traces"])
def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr(lint_observability, "find_spec", lambda name: None)
    issuer = {"preset": "generic", "issuer": "https://issuer.test", "audience": "agents"}
    with pytest.raises(ConfigError) as error:
        load_mapping({"issuer": issuer, "observability": {key: True}})
    assert [(each.where, each.hint) for each in error.value.problems] == [
        (f"observability.{key}", "pip install 'langgraph-oidc-auth[otel]'")
    ]
    assert load_mapping({"issuer": issuer, "observability": {key: False}}).warnings == ()


def test_nothing_of_opentelemetry_is_imported_without_setting() -> None:
    code = """
import sys
from oidc_auth import OIDCAuth
OIDCAuth.from_dict({
    "issuer": {"preset": "generic", "issuer": "https://issuer.test", "audience": "agents"},
    "observability": {"audit": "stdout"},
})
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    assert run_python(code).strip() == "[]"
