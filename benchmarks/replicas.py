"""Measure what several replicas cost, and how they behave together.

Run ``python benchmarks/replicas.py``. It takes about two minutes. The first part simulates 1,000 replicas with a moved
clock. The second part counts the memory of 10,000 users. The third part starts three ``langgraph dev`` processes with
one provider: it rotates a key, withdraws a key, and restarts one replica after the other while requests go on.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import statistics
import time
import tracemalloc
from collections import Counter
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from oidc_auth import OIDCAuth
from oidc_auth.cli.dev_server import DevServer, quickstart_folder, running_dev_server
from oidc_auth.keys.refresh import RefreshAges, RefreshingValue
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Mapping

REPLICAS, SIMULATED_SECONDS = 1_000, 3_600
USERS = 10_000
PROCESSES = 3
REFRESH_AFTER = 5.0
"""Seconds. Shorter than the default of 90, so that the measurement ends soon."""
REQUESTS = 3_000
PATIENCE = 60.0
CLAIMS: dict[str, Any] = {"roles": ["agent-user", "offline_access"], "email": "alice@acme.com", "azp": "agents-web"}


async def simulate() -> Counter[int]:
    """Return how many replicas ask the provider in each second, if each of them has one request per second."""
    asked: Counter[int] = Counter()

    async def load(now: float) -> str:
        asked[int(now)] += 1
        return "keys"

    replicas = [RefreshingValue(load, RefreshAges()) for _ in range(REPLICAS)]
    for second in range(SIMULATED_SECONDS):
        await asyncio.gather(*(each.get(second) for each in replicas if each.fresh_value(second) is None))
        # The refreshes in the background.
        await asyncio.sleep(0)
    return asked


def show_simulation() -> None:
    """Print the requests of 1,000 replicas that started in the same second."""
    asked = asyncio.run(simulate())
    first = max(asked[second] for second in range(1, 120))
    later = max(asked[second] for second in range(SIMULATED_SECONDS // 2, SIMULATED_SECONDS))
    each = (sum(asked.values()) - REPLICAS) / REPLICAS
    print(f"{REPLICAS} replicas: {each:.0f} key requests per replica and hour")
    print(f"most requests in one second: {asked[0]} at the start, {first} at the first refresh, {later} later")


def table(issuer: LocalIssuer, **more: object) -> dict[str, object]:
    """Return a configuration for the provider."""
    permission_map = {"claim": "roles", "values": {"agent-user": ["threads:write", "store:write"]}}
    return {"issuer": {"issuer": issuer.url, "audience": "agents", "permission_map": permission_map}, **more}


async def show_memory() -> None:
    """Print the memory of users whose token is in the cache."""
    issuer = LocalIssuer(algorithm="EdDSA")
    oidc = OIDCAuth.from_dict(table(issuer, limits={"token_cache_entries": USERS}), fetcher=issuer)

    async def admit(number: int) -> None:
        token = issuer.token(f"user-{number}", jti=f"{number:032x}", **CLAIMS)
        await oidc.authenticate({"authorization": f"Bearer {token}"})

    await admit(-1)
    gc.collect()
    tracemalloc.start()
    for number in range(USERS):
        await admit(number)
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{USERS} users with a cached token: {used / 1e6:.1f} MB in each process")


def application(folder: Path, issuer: LocalIssuer) -> Path:
    """Write an application with the graph of the quickstart."""
    folder.mkdir()
    (folder / "graph.py").write_text((quickstart_folder() / "graph.py").read_text("utf-8"), "utf-8")
    document = {
        "dependencies": ["."],
        "graphs": {"agent": "./graph.py:graph"},
        "auth": {"path": "oidc_auth.langgraph:auth", "disable_studio_auth": True},
        "http": {"app": "oidc_auth.web:app"},
    }
    (folder / "langgraph.json").write_text(json.dumps(document), "utf-8")
    limits = {"jwks_refresh_after": REFRESH_AFTER}
    # The configuration can be JSON, and JSON needs no escapes of its own here.
    text = json.dumps(table(issuer, limits=limits, web={"public_url": "http://localhost:2024"}))
    (folder / "oidc-auth.json").write_text(text, "utf-8")
    return folder


def ask(server: DevServer, method: str, path: str, token: str = "") -> int:
    """Return the status of a request, or 0 if the server does not answer."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=5)
    try:
        connection.request(method, path, None if method == "GET" else "{}", headers)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def wait_for(server: DevServer, status: int, method: str, path: str, token: str = "") -> float:
    """Return the seconds until a server answers with a status."""
    started = time.monotonic()
    while ask(server, method, path, token) != status:
        if time.monotonic() - started > PATIENCE:
            raise AssertionError(path, status)
        time.sleep(0.05)
    return time.monotonic() - started


class Fleet:
    """Three replicas with one provider."""

    def __init__(self, folder: Path, issuer: LocalIssuer) -> None:
        self._folder = folder
        self._issuer = issuer
        self._running: dict[int, ExitStack] = {}
        self.servers: dict[int, DevServer] = {}
        self._starts = 0

    def start(self, number: int) -> float:
        """Start a replica, and return the seconds until it is ready."""
        self._starts += 1
        folder = application(self._folder / f"{number}-{self._starts}", self._issuer)
        environment: Mapping[str, str] = {"OIDC_AUTH_CONFIG": str(folder / "oidc-auth.json")}
        started, stack = time.monotonic(), ExitStack()
        (folder / "run").mkdir()
        server = stack.enter_context(running_dev_server(folder, self._folder / f"run-{self._starts}", environment))
        wait_for(server, 200, "GET", "/auth/ready")
        self._running[number], self.servers[number] = stack, server
        return time.monotonic() - started

    def stop(self, number: int) -> None:
        """Take a replica out of the rotation, and stop it."""
        del self.servers[number]
        self._running.pop(number).close()

    def close(self) -> None:
        """Stop all replicas."""
        for number in list(self._running):
            self.stop(number)


def show_rotation(fleet: Fleet, issuer: LocalIssuer) -> None:
    """Print when all replicas accept a new key and refuse a withdrawn one."""
    old = issuer.token(**CLAIMS)
    assert {ask(server, "POST", "/threads", old) for server in fleet.servers.values()} == {200}
    issuer.rotate()
    new = issuer.token(**CLAIMS)
    accepted = [ask(server, "POST", "/threads", new) for server in fleet.servers.values()]
    print(f"new key: the first request with it was answered with {accepted}")
    issuer.keys = issuer.keys[:1]
    delays = [wait_for(server, 401, "POST", "/threads", old) for server in fleet.servers.values()]
    print(f"withdrawn key: refused by all within {max(delays):.1f} s, with jwks_refresh_after = {REFRESH_AFTER:g}")


def show_restart(fleet: Fleet, issuer: LocalIssuer) -> None:
    """Print what happens to requests while one replica after the other restarts."""
    token, asked = issuer.token(**CLAIMS), Counter[int]()
    fetched, starts = len(issuer.fetched), list[float]()
    for number in list(fleet.servers):
        fleet.stop(number)
        # The load balancer uses the replicas that are ready.
        for server in list(fleet.servers.values()) * 20:
            asked[ask(server, "POST", "/threads", token)] += 1
        starts.append(fleet.start(number))
        asked[ask(fleet.servers[number], "POST", "/threads", token)] += 1
    print(f"rolling restart: {sum(asked.values())} requests, answers {dict(asked)}, ready after {max(starts):.1f} s")
    print(f"requests to the provider in that time: {len(issuer.fetched) - fetched}")


def cpu_seconds(port: int) -> float:
    """Return the CPU time of the process that listens on a port."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            stat = (process / "stat").read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if b"--port" in command and str(port).encode() in command:
            return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    raise AssertionError(port)


def show_throughput(fleet: Fleet, issuer: LocalIssuer) -> None:
    """Print the requests that one core answers."""
    server = next(iter(fleet.servers.values()))
    token = issuer.token(**CLAIMS)
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    connection.request("POST", "/threads", "{}", headers)
    thread = json.loads(connection.getresponse().read())["thread_id"]
    rates = list[float]()
    for _ in range(3):
        before = cpu_seconds(urlsplit(server.url).port or 0)
        for _ in range(REQUESTS // 3):
            connection.request("GET", f"/threads/{thread}", None, headers)
            assert connection.getresponse().read()
        rates.append(REQUESTS / 3 / (cpu_seconds(urlsplit(server.url).port or 0) - before))
    connection.close()
    print(f"read a thread, cached token: {statistics.median(rates):.0f} requests per second of CPU time")


def main() -> None:
    """Print all figures."""
    logging.disable(logging.CRITICAL)
    show_simulation()
    asyncio.run(show_memory())
    issuer = LocalIssuer()
    with issuer.served(), TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), issuer)
        try:
            starts = [fleet.start(number) for number in range(PROCESSES)]
            print(f"{PROCESSES} processes: ready after {max(starts):.1f} s")
            print(f"requests to the provider in that time: {len(issuer.fetched)}")
            show_rotation(fleet, issuer)
            show_restart(fleet, issuer)
            show_throughput(fleet, issuer)
        finally:
            fleet.close()


if __name__ == "__main__":
    main()
