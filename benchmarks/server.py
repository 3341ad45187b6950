"""Measure the time that authentication adds to a request of a real server.

Run ``python benchmarks/server.py [ROUNDS]``. Each variant is a separate ``langgraph dev`` process. With several CPUs,
all servers share one, and the client uses another one. A round sends 40 requests to each server over one connection.
The order of the servers is random. First all rounds get a thread, then all rounds search threads. The first two servers
both have a hook that returns a constant, so their difference is noise.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from verify import AUDIENCE, CLAIMS, table

from oidc_auth.cli.dev_server import quickstart_folder, running_dev_server
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
ROUNDS = 150
REQUESTS = 40
RESAMPLED = 200
"""Bootstrap samples for the 95 % confidence interval of the median difference."""

CONSTANT = """
from langgraph_sdk import Auth
auth = Auth()

@auth.authenticate
async def user(authorization: str | None):
    return {"identity": "alice", "permissions": ["threads:read", "threads:write"]}
"""
OURS = """
import json, os
from langgraph_sdk import Auth
from oidc_auth import OIDCAuth
from oidc_auth.langgraph import authenticate_hook, protect
oidc = OIDCAuth.from_dict(json.loads(os.environ["BENCHMARK"])["table"])
"""
HOOK = f"{OURS}\nauth = Auth()\nauth.authenticate(authenticate_hook(oidc))\n"
PROTECT = f"{OURS}\nauth = protect(oidc)\n"
PYJWT = """
import asyncio, json, os, jwt
from langgraph_sdk import Auth
auth, known = Auth(), json.loads(os.environ["BENCHMARK"])
client = jwt.PyJWKClient(known["keys"])

@auth.authenticate
async def user(authorization: str | None):
    token = (authorization or "").removeprefix("Bearer ")
    key = await asyncio.to_thread(client.get_signing_key_from_jwt, token)
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=known["audience"], issuer=known["issuer"])
    return {"identity": claims["sub"], "permissions": ["threads:read", "threads:write"]}
"""
VARIANTS = {
    "a constant": CONSTANT,
    "a constant again": CONSTANT,
    "our hook": HOOK,
    "our hook and handlers": PROTECT,
    "PyJWKClient in a thread": PYJWT,
}


class Client:
    """A connection to one server, with one token."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc)
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self.thread = json.loads(self.request("POST", "/threads", "{}"))["thread_id"]

    def request(self, method: str, path: str, body: str | None = None) -> bytes:
        """Return the body of a response with status 200."""
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        text = response.read()
        if response.status != 200:  # noqa: PLR2004 - OK
            raise AssertionError(response.status, text)
        return text

    def reconnect(self) -> None:
        """Open a new connection with the next request. The server closes idle ones."""
        self._connection.close()

    def get(self) -> None:
        """Get the thread."""
        self.request("GET", f"/threads/{self.thread}")

    def search(self) -> None:
        """Search threads."""
        self.request("POST", "/threads/search", '{"limit": 10}')

    def median(self, kind: str) -> float:
        """Return the median time of the requests in microseconds, without the first fifth."""
        call: Callable[[], None] = getattr(self, kind)
        times: list[float] = []
        # The first fifth of the requests fills the caches.
        self.reconnect()
        for _ in range(REQUESTS):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        return statistics.median(times[REQUESTS // 5 :]) * 1e6


def application(folder: Path, hook: str) -> Path:
    """Write an application with the quickstart's graph and another hook."""
    folder.mkdir()
    (folder / "auth.py").write_text(hook, "utf-8")
    (folder / "graph.py").write_text((quickstart_folder() / "graph.py").read_text("utf-8"), "utf-8")
    auth = {"path": "./auth.py:auth", "disable_studio_auth": True}
    document = {"dependencies": ["."], "graphs": {"agent": "./graph.py:graph"}, "auth": auth}
    (folder / "langgraph.json").write_text(json.dumps(document), "utf-8")
    return folder


def set_cpu(index: int) -> None:
    """Run this process and its new child processes on one CPU."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {CPUS[index]})


def measure(clients: Mapping[str, Client], rounds: int, kind: str) -> dict[str, list[float]]:
    """Return the median times of each server, in microseconds."""
    times: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(rounds):
        for name in random.sample(list(clients), len(clients)):
            times[name].append(clients[name].median(kind))
    return times


def show(kind: str, times: Mapping[str, Sequence[float]]) -> None:
    """Print how much longer each server takes than the first one."""
    constant = times[next(iter(VARIANTS))]
    for name, medians in times.items():
        more = [median - base for median, base in zip(medians, constant, strict=True)]
        resampled = sorted(statistics.median(random.choices(more, k=len(more))) for _ in range(RESAMPLED))  # noqa: S311
        low, high = resampled[RESAMPLED // 40], resampled[-RESAMPLED // 40 - 1]
        usual = statistics.median(medians)
        print(f"{kind:8}{name:26}{usual:8.0f}{statistics.median(more):+8.0f} ({low:+.0f} to {high:+.0f})")


def main() -> None:
    """Start a provider and the servers, and print the times."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS, help="number of rounds (default: %(default)s)")
    rounds = parser.parse_args().rounds
    issuer = LocalIssuer()
    set_cpu(-1)
    with ExitStack() as stack, issuer.served():
        known = {"table": table(issuer), "keys": f"{issuer.url}/keys", "audience": AUDIENCE, "issuer": issuer.url}
        token = issuer.token(lifetime=86_400, **CLAIMS)
        folder = Path(stack.enter_context(TemporaryDirectory()))
        clients: dict[str, Client] = {}
        for number, (name, hook) in enumerate(VARIANTS.items()):
            print(f"starting the server: {name}", file=sys.stderr)
            workspace = folder / str(number)
            running = running_dev_server(
                application(workspace, hook), workspace / "run", {"BENCHMARK": json.dumps(known)}
            )
            clients[name] = Client(stack.enter_context(running).url, token)
        set_cpu(0)
        print(f"{rounds} rounds of {REQUESTS} requests to each server; medians, in microseconds\n")
        print(f"{'':8}{'':26}{'request':>8}{'more':>8} (95 %)")
        for kind in ("get", "search"):
            measure(clients, 2, kind)
            show(kind, measure(clients, rounds, kind))


if __name__ == "__main__":
    main()
