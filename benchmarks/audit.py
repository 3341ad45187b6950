"""Measure what the audit log adds to a decision.

Run ``python benchmarks/audit.py``. Servers with and without the audit log take turns within a round, and the ratio is
computed within a round, so a change of the machine's speed does not affect it. No test runs this script.

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
from verify import CLAIMS, headers

from oidc_auth import OIDCAuth
from oidc_auth.langgraph.handlers import build_handler
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Decide = Callable[[], Awaitable[object]]

ROUNDS = 200
CALLS = 500
"""Decisions in each measurement. Their records fit into the queue."""


class Server:
    """A server with a table ``[observability]``, or without one."""

    def __init__(self, issuer: LocalIssuer, observability: dict[str, Any]) -> None:
        permission_map = {"claim": "scope", "accept": ["threads:*", "assistants:*", "crons:*", "store:*"]}
        table = {"issuer": issuer.url, "audience": "agents", "tenant": "org", "permission_map": permission_map}
        self.oidc = OIDCAuth.from_dict({"issuer": table, "observability": observability}, fetcher=issuer)
        self.read = build_handler("threads:read", self.oidc)
        self.thread = uuid4()

    async def start(self, sent: list[tuple[bytes, bytes]]) -> dict[str, Decide]:
        """Return the decisions that are measured."""
        ctx = SimpleNamespace(user=SimpleNamespace(**(await self.oidc.authenticate(sent)).user()))

        async def authenticate() -> None:
            await self.oidc.authenticate(sent)

        async def authorize() -> None:
            await self.read(ctx=ctx, value={"thread_id": self.thread})

        async def request() -> None:
            await authenticate()
            await authorize()

        return {"authenticate (cached token)": authenticate, "threads:read": authorize, "both (a request)": request}

    def flush(self) -> None:
        """Write the records of a measurement."""
        if self.oidc.reporter.recorder is not None:
            self.oidc.reporter.recorder.flush()


async def measure(decide: Decide, server: Server) -> tuple[float, float]:
    """Return the CPU time of one decision on the event loop and in the process, in microseconds."""
    process, loop = time.process_time(), time.thread_time()
    for _ in range(CALLS):
        await decide()
    took = time.thread_time() - loop
    server.flush()
    return took / CALLS * 1e6, (time.process_time() - process) / CALLS * 1e6


async def compare(name: str, plain: tuple[Server, Decide], audited: tuple[Server, Decide]) -> None:
    """Print one row."""
    without: list[tuple[float, float]] = []
    with_log: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        # The order changes, because the second one of a round has a warmer cache.
        for server, decide in (plain, audited) if number % 2 else (audited, plain):
            (without if server is plain[0] else with_log).append(await measure(decide, server))
    columns = [statistics.median(each[0] for each in found) for found in (without, with_log)]
    ratios = [
        statistics.median(after[which] / before[which] for before, after in zip(without, with_log, strict=True))
        for which in (0, 1)
    ]
    print(f"{name:28}{columns[0]:10.1f}{columns[1]:10.1f}{ratios[0]:10.2f}{ratios[1]:12.2f}")


async def main() -> None:
    """Print the table."""
    ArgumentParser(description=__doc__).parse_args()
    logging.disable(logging.CRITICAL)
    issuer = LocalIssuer()
    sent = headers(issuer.token("alice", org="acme", **{**CLAIMS, "scope": SCOPES}))
    with TemporaryDirectory() as folder:
        servers = [Server(issuer, {}), Server(issuer, {"audit": str(Path(folder) / "audit.jsonl")})]
        decisions = [await server.start(sent) for server in servers]
        print(f"{ROUNDS} rounds of {CALLS} decisions, median CPU times in us\n")
        print(f"{'':28}{'without':>10}{'with':>10}{'ratio':>10}{'process':>12}")
        for name in decisions[0]:
            plain, audited = ((server, each[name]) for server, each in zip(servers, decisions, strict=True))
            await compare(name, plain, audited)


if __name__ == "__main__":
    asyncio.run(main())
