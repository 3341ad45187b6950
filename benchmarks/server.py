"""What authentication adds to a request: real servers, each with another hook, asked in turns.

``python benchmarks/server.py [ROUNDS]``. Each server is a ``langgraph dev`` of its own; where there are several CPUs,
all servers share one and the client has another. A round asks each of them 40 times over one connection, in a random
order: first all rounds for a thread, then all for a search. The first server's hook returns a constant, and so does the
second's: what they differ by is noise.
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
"""How often the differences are drawn again, with repetition, for the range in which 95 % of their medians lie."""

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
    """One connection to one server, with one token."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc)
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self.thread = json.loads(self.request("POST", "/threads", "{}"))["thread_id"]

    def request(self, method: str, path: str, body: str | None = None) -> bytes:
        """Return the body of an answer that must be 200."""
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:  # noqa: PLR2004 - OK
            raise AssertionError(answer.status, text)
        return text

    def get(self) -> None:
        """Get the thread."""
        self.request("GET", f"/threads/{self.thread}")

    def search(self) -> None:
        """Search threads."""
        self.request("POST", "/threads/search", '{"limit": 10}')

    def median(self, kind: str) -> float:
        """Return the median of some requests in microseconds, without the first fifth, which warms all caches again."""
        call: Callable[[], None] = getattr(self, kind)
        seen: list[float] = []
        # The server closes a connection that was idle for some seconds; the next request opens another.
        self._connection.close()
        for _ in range(REQUESTS):
            start = time.perf_counter()
            call()
            seen.append(time.perf_counter() - start)
        return statistics.median(seen[REQUESTS // 5 :]) * 1e6


def application(folder: Path, hook: str) -> Path:
    """Write the application of a server: the demo's graph behind another hook."""
    folder.mkdir()
    (folder / "auth.py").write_text(hook, "utf-8")
    (folder / "graph.py").write_text((quickstart_folder() / "graph.py").read_text("utf-8"), "utf-8")
    auth = {"path": "./auth.py:auth", "disable_studio_auth": True}
    document = {"dependencies": ["."], "graphs": {"agent": "./graph.py:graph"}, "auth": auth}
    (folder / "langgraph.json").write_text(json.dumps(document), "utf-8")
    return folder


def to_cpu(place: int) -> None:
    """Keep this process, and those it starts from now on, to the first or last of several CPUs."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {CPUS[place]})


def asked(clients: Mapping[str, Client], rounds: int, kind: str) -> dict[str, list[float]]:
    """Return the medians of each server's turns, in microseconds."""
    seen: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(rounds):
        for name in random.sample(list(clients), len(clients)):
            seen[name].append(clients[name].median(kind))
    return seen


def show(kind: str, seen: Mapping[str, Sequence[float]]) -> None:
    """Print what each server's request takes longer than the first's, round by round."""
    constant = seen[next(iter(VARIANTS))]
    for name, turns in seen.items():
        more = [turn - base for turn, base in zip(turns, constant, strict=True)]
        drawn = sorted(statistics.median(random.choices(more, k=len(more))) for _ in range(RESAMPLED))  # noqa: S311
        low, high = drawn[RESAMPLED // 40], drawn[-RESAMPLED // 40 - 1]
        usual = statistics.median(turns)
        print(f"{kind:8}{name:26}{usual:8.0f}{statistics.median(more):+8.0f} ({low:+.0f} to {high:+.0f})")


def main() -> None:
    """Start a provider and the servers, ask them, and print."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS, help="number of rounds (default: %(default)s)")
    rounds = parser.parse_args().rounds
    issuer = LocalIssuer()
    to_cpu(-1)
    with ExitStack() as open_, issuer.served():
        known = {"table": table(issuer), "keys": f"{issuer.url}/keys", "audience": AUDIENCE, "issuer": issuer.url}
        token = issuer.token(lifetime=86_400, **CLAIMS)
        folder = Path(open_.enter_context(TemporaryDirectory()))
        clients: dict[str, Client] = {}
        for number, (name, hook) in enumerate(VARIANTS.items()):
            print(f"starting a server: {name}", file=sys.stderr)
            place = folder / str(number)
            running = running_dev_server(application(place, hook), place / "run", {"BENCHMARK": json.dumps(known)})
            clients[name] = Client(open_.enter_context(running).url, token)
        to_cpu(0)
        print(f"{rounds} rounds of {REQUESTS} requests to each server; medians, in microseconds\n")
        print(f"{'':8}{'':26}{'request':>8}{'more':>8} (95 %)")
        for kind in ("get", "search"):
            asked(clients, 2, kind)
            show(kind, asked(clients, rounds, kind))


if __name__ == "__main__":
    main()
