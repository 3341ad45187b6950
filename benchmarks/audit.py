"""Measure what the audit log, metrics and traces add to a decision.

Run ``python benchmarks/audit.py``. Servers with and without them take turns within a round, and the ratio is computed
within a round, so a change of the machine's speed does not affect it. No test runs this script.

All times are CPU times. The first ratio is about the thread of the event loop, on which decisions wait for each other.
The second one is about the process, with the thread that writes the file.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from decide import SCOPES
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from verify import CLAIMS, headers

from oidc_auth import OIDCAuth
from oidc_auth.langgraph.handlers import build_handler
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Headers = list[tuple[bytes, bytes]]
    Decide = Callable[[Headers], Awaitable[object]]

ROUNDS = 100
CALLS = 250
"""Decisions in each measurement. Their records fit into the queue."""


class Server:
    """A server with a table ``[observability]``, or without one."""

    def __init__(self, issuer: LocalIssuer, observability: dict[str, Any]) -> None:
        permission_map = {"claim": "scope", "accept": ["threads:*", "assistants:*", "crons:*", "store:*"]}
        table = {"issuer": issuer.url, "audience": "agents", "tenant": "org", "permission_map": permission_map}
        self.oidc = OIDCAuth.from_dict({"issuer": table, "observability": observability}, fetcher=issuer)
        self.read = build_handler("threads:read", self.oidc)
        self.thread = uuid4()
        self.ctx = SimpleNamespace()

    async def start(self, sent: Headers) -> dict[str, Decide]:
        """Return the decisions that are measured."""
        self.ctx.user = SimpleNamespace(**(await self.oidc.authenticate(sent)).user())
        return {
            "authenticate, cached token": self.oidc.authenticate,
            "threads:read": self.authorize,
            "both, cached token": self.request,
            "both, new token": self.request,
        }

    async def authorize(self, _sent: Headers) -> None:
        """Decide one event."""
        await self.read(ctx=self.ctx, value={"thread_id": self.thread})

    async def request(self, sent: Headers) -> None:
        """Decide a whole request."""
        await self.oidc.authenticate(sent)
        await self.authorize(sent)

    def flush(self) -> None:
        """Write the records of a measurement."""
        if self.oidc.reporter.recorder is not None:
            self.oidc.reporter.recorder.flush()


async def measure(decide: Decide, server: Server, sent: list[Headers]) -> tuple[float, float]:
    """Return the time of one decision on the event loop and in the process, in microseconds."""
    process, loop = time.process_time(), time.thread_time()
    for each in sent:
        await decide(each)
    took = time.thread_time() - loop
    server.flush()
    return took / len(sent) * 1e6, (time.process_time() - process) / len(sent) * 1e6


async def compare(name: str, servers: list[Server], decisions: list[Decide], issuer: LocalIssuer) -> None:
    """Print one row for each server but the first."""
    found: list[list[tuple[float, float]]] = [[] for _ in servers]
    cached = [make_headers(issuer)] * CALLS
    for number in range(ROUNDS if "new" not in name else ROUNDS // 5):
        # Each server sees a token for the first time. The first server of a round changes, because later ones have a
        # warmer processor cache.
        sent = cached if "new" not in name else [make_headers(issuer) for _ in range(CALLS)]
        for offset in range(len(servers)):
            which = (number + offset) % len(servers)
            found[which].append(await measure(decisions[which], servers[which], sent))
    for label, each in zip(("audit", "metrics", "traces"), found[1:], strict=True):
        plain, added = (statistics.median(loop for loop, _ in times) for times in (found[0], each))
        loop, process = (
            statistics.median(after[n] / before[n] for before, after in zip(found[0], each, strict=True))
            for n in (0, 1)
        )
        print(f"{name:28}{label:10}{plain:10.1f}{added:10.1f}{loop:10.2f}{process:10.2f}")


def make_headers(issuer: LocalIssuer) -> Headers:
    """Return the headers of a request with a new token."""
    return headers(issuer.token("alice", org="acme", jti=uuid4().hex, **{**CLAIMS, "scope": SCOPES}))


async def main() -> None:
    """Print the table."""
    ArgumentParser(description=__doc__).parse_args()
    logging.disable(logging.CRITICAL)
    metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
    # Spans are recorded, and no exporter takes them.
    trace.set_tracer_provider(TracerProvider())
    issuer = LocalIssuer()
    with TemporaryDirectory() as folder:
        tables: list[dict[str, Any]] = [
            {},
            {"audit": str(Path(folder) / "audit.jsonl")},
            {"metrics": True},
            {"traces": True},
        ]
        servers = [Server(issuer, table) for table in tables]
        decisions = [await server.start(make_headers(issuer)) for server in servers]
        print(f"{ROUNDS} rounds of {CALLS} decisions, median CPU times in us\n")
        print(f"{'':28}{'':10}{'without':>10}{'with':>10}{'ratio':>10}{'process':>10}")
        for name in decisions[0]:
            await compare(name, servers, [each[name] for each in decisions], issuer)


if __name__ == "__main__":
    asyncio.run(main())
