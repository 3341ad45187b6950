"""Measure what revocations cost: memory, load time, time per request, and the delay between two processes.

Run ``python benchmarks/revocation.py [ENTRIES]``. It starts ``redis-server`` on a free port and ends it. Times of the
load are CPU times, so other programs do not change them. The cost per request is a ratio within one run.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import resource
import shutil
import socket
import statistics
import subprocess
import time
from argparse import ArgumentParser
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from redis.asyncio import Redis
from verify import CLAIMS, headers, table

from oidc_auth import OIDCAuth
from oidc_auth.revocation.entries import Kind, Revocation
from oidc_auth.revocation.live_set import LiveRevocations, Retention
from oidc_auth.revocation.redis import FIELD, STREAM, RedisStore
from oidc_auth.revocation.store import OutageRule
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Generator
    from multiprocessing.connection import Connection

ENTRIES = 1_000_000
LIVE = 100_000
"""Revocations in memory while requests are measured."""
ROUNDS, CALLS = 40, 2_000
PUBLICATIONS = 100
DAY = 86_400.0
ISSUER = "https://sso.acme.com/realms/acme"


def revocation(number: int) -> Revocation:
    """Return the revocation of a user with an id of the usual length."""
    return Revocation(
        issuer=ISSUER, kind=Kind.SUBJECT, value=f"{number:08x}-7a9a-4c2e-9d1b-6f7c8d9e0a1b", time=time.time()
    )


def open_store(address: str) -> RedisStore:
    """Return a store as a server has it."""
    live = LiveRevocations(Retention(tokens=DAY, subjects=DAY))
    return RedisStore(address, live, time.time, OutageRule(grace=300, serves=False))


@contextmanager
def running_redis() -> Generator[str]:
    """Run a Redis server without persistence, and yield its address."""
    program = shutil.which("redis-server")
    assert program is not None, "redis-server is not installed"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with TemporaryDirectory() as folder:
        command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own arguments
        try:
            address = f"redis://127.0.0.1:{port}"
            asyncio.run(wait_for(address))
            yield address
        finally:
            server.kill()
            server.wait()


async def wait_for(address: str) -> None:
    """Wait until the server answers."""
    store = open_store(address)
    await store.load(10)
    assert store.is_current(time.time()), "redis-server did not start"
    await store.aclose()


async def fill(address: str, count: int) -> None:
    """Add entries to the stream."""
    async with Redis.from_url(address) as client:
        for start in range(0, count, 5_000):
            pipeline = client.pipeline(transaction=False)
            for number in range(start, min(count, start + 5_000)):
                pipeline.xadd(STREAM, {FIELD: revocation(number).encode()})
            await pipeline.execute()


def resident() -> int:
    """Return the resident set size in bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


async def measure_load(address: str, count: int) -> None:
    """Print memory, load time, and the longest time for which the load blocks other tasks."""
    store, before, gaps, loads = open_store(address), resident(), list[float](), True

    async def probe() -> None:
        while loads:
            start = time.thread_time()
            await asyncio.sleep(0)
            gaps.append(time.thread_time() - start)

    probing = asyncio.create_task(probe())
    wall, cpu = time.perf_counter(), time.thread_time()
    await store.load(600)
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    loads = False
    await probing
    assert len(store.live) == count
    print(f"load of {count:,} entries: {wall:.1f} s, {cpu:.1f} s of CPU time")
    print(f"memory: {(resident() - before) / count:.0f} bytes per entry")
    gaps.sort()
    print(f"longest blocks of the event loop: {', '.join(f'{gap * 1e3:.1f}' for gap in gaps[-3:])} ms of CPU time")
    await store.aclose()


async def time_requests(oidc: OIDCAuth, token: str) -> float:
    """Return the time of one request with a cached token, in microseconds of CPU time."""
    given = headers(token)
    start = time.thread_time()
    for _ in range(CALLS):
        await oidc.authenticate(given)
    return (time.thread_time() - start) / CALLS * 1e6


async def measure_requests(address: str) -> None:
    """Print the time of a request with and without revocations."""
    issuer = LocalIssuer()
    plain = OIDCAuth.from_dict(table(issuer), fetcher=issuer)
    checked = OIDCAuth.from_dict({**table(issuer), "revocation": {"store": address}}, fetcher=issuer)
    assert checked.revocation is not None
    store, now = checked.revocation.store, time.time()
    await store.load(60)
    for number in range(LIVE):
        store.live.add(Revocation(issuer=issuer.url, kind=[*Kind][number % 4], value=f"v-{number}", time=now), now)
    token = issuer.token("alice", jti="t1", **CLAIMS)
    times: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        # The store reads its stream between the rounds, as on a server. Otherwise it counts as silent.
        await asyncio.sleep(0.02)
        assert store.is_current(time.time())
        times.append((await time_requests(plain, token), await time_requests(checked, token)))
    ratios = sorted(with_store / without for without, with_store in times)
    without, with_store = (statistics.median(column) for column in zip(*times, strict=True))
    low, high = ratios[ROUNDS // 4], ratios[3 * ROUNDS // 4]
    print(f"repeated token: {without:.1f} us without, {with_store:.1f} us with {LIVE:,} live revocations (CPU time)")
    print(f"ratio: median {statistics.median(ratios):.3f}, quartiles {low:.3f}-{high:.3f}")
    await checked.aclose()


def follow(address: str, connection: Connection) -> None:
    """Send the time at which each revocation arrives. This is the other process."""

    async def run() -> None:
        store = open_store(address)
        await store.load(60)
        store.live.listeners.add(lambda heard: connection.send((heard.value, time.time())))
        connection.send("ready")
        await asyncio.sleep(600)

    asyncio.run(run())


async def measure_delay(address: str) -> None:
    """Print the delay until another process knows a revocation."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    other = context.Process(target=follow, args=(address, theirs), daemon=True)
    other.start()
    try:
        assert ours.poll(60)
        assert ours.recv() == "ready"
        store, delays = open_store(address), list[float]()
        for number in range(PUBLICATIONS):
            sent = revocation(ENTRIES + number)
            started = time.time()
            await store.publish([sent])
            assert ours.poll(10)
            value, arrived = ours.recv()
            assert value == sent.value
            delays.append((arrived - started) * 1e3)
            await asyncio.sleep(0.02)
        print(f"delay between two processes: median {statistics.median(delays):.1f} ms, longest {max(delays):.1f} ms")
    finally:
        other.kill()
        other.join()


def main() -> None:
    """Print all figures."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("entries", nargs="?", type=int, default=ENTRIES, help="live revocations (default: %(default)s)")
    count = parser.parse_args().entries
    logging.disable(logging.CRITICAL)
    with running_redis() as address:
        asyncio.run(measure_delay(address))
        asyncio.run(measure_requests(address))
    with running_redis() as address:
        asyncio.run(fill(address, count))
        asyncio.run(measure_load(address, count))


if __name__ == "__main__":
    main()
