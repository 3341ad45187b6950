"""Measure how much longer a request takes on a server with the web application.

Run ``python benchmarks/web.py [ROUNDS]``. Each variant is a separate ``langgraph dev`` process with the same hook and
handlers. With several CPUs, all servers share one, and the client uses another one. A round sends 40 requests to each
server over one connection, in random order. The result is the ratio within a round, so that the load of the machine
does not count. The first two servers are equal, so their ratio is noise.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from server import REQUESTS, RESAMPLED, ROUNDS, Client, application, set_cpu
from starlette.applications import Starlette
from verify import CLAIMS, table

from oidc_auth import OIDCAuth
from oidc_auth.cli.dev_server import running_dev_server
from oidc_auth.testing import LocalIssuer
from oidc_auth.web import install

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CALLS = 2_000
MODULE = """
import json, os
from starlette.applications import Starlette
from oidc_auth import OIDCAuth
from oidc_auth.langgraph import protect
from oidc_auth.web import install
oidc = OIDCAuth.from_dict(json.loads(os.environ["BENCHMARK"]))
auth, app = protect(oidc), Starlette()
"""
WITHOUT = MODULE
WITH = f"{MODULE}\ninstall(app, oidc)\n"
VARIANTS: Mapping[str, tuple[str, str]] = {
    "without": (WITHOUT, "finish"),
    "without, again": (WITHOUT, "finish"),
    "web application": (WITH, "finish"),
    'stream_expiry = "close"': (WITH, "close"),
}


def write_application(folder: Path, module: str) -> Path:
    """Write an application whose ``http.app`` is in the same file as the hook."""
    application(folder, module)
    file = folder / "langgraph.json"
    document = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**document, "http": {"app": "./auth.py:app"}}), "utf-8")
    return folder


def time_requests(client: Client, kind: str) -> float:
    """Return the time that the fastest fifth of the requests does not exceed, in microseconds.

    Other work on the machine delays the slow ones.
    """
    call: Callable[[], None] = getattr(client, kind)
    times: list[float] = []
    client.reconnect()
    for _ in range(REQUESTS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times)[REQUESTS // 5] * 1e6


def measure(clients: Mapping[str, Client], rounds: int, kind: str) -> dict[str, list[float]]:
    """Return the times of each server, one for each round."""
    times: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(rounds):
        for name in random.sample(list(clients), len(clients)):
            times[name].append(time_requests(clients[name], kind))
    return times


def show(kind: str, times: Mapping[str, Sequence[float]]) -> None:
    """Print the ratio of each server to the first one."""
    base = times[next(iter(VARIANTS))]
    for name, medians in times.items():
        ratios = [median / other for median, other in zip(medians, base, strict=True)]
        resampled = sorted(statistics.median(random.choices(ratios, k=len(ratios))) for _ in range(RESAMPLED))  # noqa: S311
        low, high = resampled[RESAMPLED // 40], resampled[-RESAMPLED // 40 - 1]
        shown = f"{statistics.median(medians):8.0f}{statistics.median(ratios):8.3f} ({low:.3f} to {high:.3f})"
        print(f"{kind:8}{name:26}{shown}")


async def _noop(scope: object, receive: object, send: object) -> None:
    """Answer nothing."""
    del scope, receive, send


async def time_middleware(oidc: OIDCAuth) -> float:
    """Return the microseconds that the middleware adds to one request, without a server."""
    app = Starlette()
    install(app, oidc)
    # Of the same kind as in a server, with its arguments.
    [(kind, args, kwargs)] = app.user_middleware
    wrapped = kind(_noop, *args, **kwargs)
    lasted: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(50):
        for is_wrapped, called in ((True, wrapped), (False, _noop)):
            scope = {"type": "http", "method": "GET", "path": "/threads/7", "headers": []}
            start = time.perf_counter()
            for _ in range(CALLS):
                await called(scope, None, None)
            lasted[is_wrapped].append((time.perf_counter() - start) / CALLS)
    return (min(lasted[True]) - min(lasted[False])) * 1e6


def main() -> None:
    """Start a provider and the servers, and print the ratios."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS, help="number of rounds (default: %(default)s)")
    rounds = parser.parse_args().rounds
    issuer = LocalIssuer()
    for expiry in ("finish", "close"):
        web = {"public_url": "http://127.0.0.1:2024", "stream_expiry": expiry}
        alone = asyncio.run(time_middleware(OIDCAuth.from_dict({**table(issuer), "web": web})))
        print(f'the middleware alone, stream_expiry = "{expiry}": {alone:.1f} microseconds')
    set_cpu(-1)
    with ExitStack() as stack, issuer.served():
        token = issuer.token(lifetime=86_400, **CLAIMS)
        folder = Path(stack.enter_context(TemporaryDirectory()))
        clients: dict[str, Client] = {}
        for number, (name, (module, expiry)) in enumerate(VARIANTS.items()):
            print(f"starting the server: {name}", file=sys.stderr)
            workspace = folder / str(number)
            web = {"public_url": "http://127.0.0.1:2024", "stream_expiry": expiry}
            known: dict[str, Any] = {**table(issuer), "web": web}
            environ = {"BENCHMARK": json.dumps(known)}
            running = running_dev_server(write_application(workspace, module), workspace / "run", environ)
            clients[name] = Client(stack.enter_context(running).url, token)
        set_cpu(0)
        print(f"{rounds} rounds of 40 requests to each server; microseconds, and the ratio to the first\n")
        print(f"{'':8}{'':26}{'request':>8}{'ratio':>8} (95 %)")
        for kind in ("get", "search"):
            measure(clients, 2, kind)
            show(kind, measure(clients, rounds, kind))


if __name__ == "__main__":
    main()
