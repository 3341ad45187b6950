"""Compare our key cache with other libraries, during bursts, rotations and outages.

Run ``python benchmarks/keys.py [NAME ...]``. Each library runs in its own process, and this process moves its clocks.
The provider runs here, over HTTP on 127.0.0.1. All libraries take twenty minutes, ``ours`` takes one. To compare with
more than PyJWT, run ``pip install ryjwt fastmcp jwks-client auth-jwks``.
"""

from __future__ import annotations

import json
import logging
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from key_hooks import HOOKS, MODULES
from verify import CLAIMS, segment

from oidc_auth.testing import LocalIssuer
from oidc_auth.testing.issuer import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from oidc_auth.keys.fetch import Response

RUNS = 5
CONCURRENT = 1_000
SOME = 20
LATENCY = 0.05
"""Seconds that the provider takes for a response during a burst. It has no delay while the clocks move."""
LIFETIME = 1_000_000
"""Lifetime of the tokens in seconds, longer than any sequence."""
LONGEST = 100_000
"""Seconds on the moved clocks after which a sequence stops."""
PAUSE = 0.03
"""Seconds between two checks of a token."""
PAST_LIFETIMES = 3_700
"""Seconds. The longest key lifetime of these libraries is an hour."""


class Provider(LocalIssuer):
    """A local issuer with the latency of a real provider."""

    latency = 0.0

    def answer(self, path: str) -> Response:
        """Return the response after the latency."""
        time.sleep(self.latency)
        return super().answer(path)


class Peer:
    """One library in a separate process, and its provider."""

    def __init__(self, name: str, provider: Provider) -> None:
        script = Path(__file__).with_name("key_hooks.py")
        command = [sys.executable, "-W", "ignore", str(script), name, provider.url, f"{provider.url}/keys"]
        self.provider = provider
        self.process = subprocess.Popen(  # noqa: S603 - our own arguments
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def verify(self, tokens: list[str], *, valid: list[str] | None = None, later: float = 0) -> dict[str, Any]:
        """Move the clocks by ``later`` seconds, then verify ``tokens`` concurrently."""
        assert self.process.stdin
        assert self.process.stdout
        line = json.dumps({"tokens": tokens, "valid": valid or [], "later": later})
        print(line, file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def valid(self, count: int) -> list[str]:
        """Return different valid tokens."""
        return [self.provider.token(jti=f"jti-{n}", lifetime=LIFETIME, **CLAIMS) for n in range(count)]

    def warm(self) -> None:
        """Let the library fetch the keys."""
        assert self.verify(self.valid(1))["accepted"] == 1

    def until(self, token: str, *, accepted: bool, step: float) -> float:
        """Return the seconds until a token is accepted or rejected."""
        passed = 0.0
        while bool(self.verify([token], later=step if passed else 0)["accepted"]) is not accepted and passed < LONGEST:
            passed += step
            # Let a background refresh end before the clock moves.
            time.sleep(PAUSE)
        return passed


@contextmanager
def running_peer(name: str) -> Generator[Peer]:
    """Run a library with a new provider."""
    provider = Provider()
    with provider.served():
        peer = Peer(name, provider)
        try:
            yield peer
        finally:
            peer.process.kill()
            peer.process.communicate()


def first_requests(peer: Peer) -> dict[str, float]:
    """Send 1,000 requests before any key is known."""
    peer.provider.latency = LATENCY
    answer = peer.verify(peer.valid(CONCURRENT))
    return {
        "fetches": len(peer.provider.fetched),
        "longest block, ms": answer["block"],
        "all answered, ms": answer["answered"],
        "accepted": answer["accepted"],
    }


def unknown_kids(peer: Peer) -> dict[str, float]:
    """Send 2,100 tokens with invented key ids, and valid tokens during the first burst."""
    peer.warm()
    rest = peer.valid(1)[0].partition(".")[2]
    invented = [f"{segment({'alg': 'RS256', 'kid': f'invented-{n}'})}.{rest}" for n in range(2 * CONCURRENT + 100)]
    known, peer.provider.latency = len(peer.provider.fetched), LATENCY
    # After 31 seconds no library counts the first fetch as one for an unknown key id.
    first = peer.verify(invented[:CONCURRENT], valid=peer.valid(SOME), later=31)
    accepted = first["accepted"] + peer.verify(invented[CONCURRENT : 2 * CONCURRENT])["accepted"]
    accepted += sum(peer.verify([token])["accepted"] for token in invented[2 * CONCURRENT :])
    assert accepted == 0
    return {
        "fetches": len(peer.provider.fetched) - known,
        "longest block, ms": first["block"],
        "slowest valid request, ms": first["slowest"],
        f"accepted of {SOME} valid": first["valid"],
    }


def rotation(peer: Peer) -> dict[str, float]:
    """Add a new key and sign with it."""
    peer.warm()
    peer.verify(peer.valid(1), later=5)
    peer.provider.rotate()
    return {"accepted after, s": peer.until(peer.valid(1)[0], accepted=True, step=1)}


def withdrawal(peer: Peer) -> dict[str, float]:
    """Withdraw the key of a token that was accepted."""
    token = peer.valid(1)[0]
    assert peer.verify([token])["accepted"] == 1
    peer.provider.rotate(keep_old=False)
    return {"rejected after, s": peer.until(token, accepted=False, step=5)}


def outage(peer: Peer) -> dict[str, float]:
    """Let the provider fail when the keys have expired."""
    peer.warm()
    peer.provider.fault = Fault.ERROR
    answer = peer.verify(peer.valid(SOME), later=PAST_LIFETIMES)
    return {
        f"accepted of {SOME}": answer["accepted"],
        "all answered, ms": answer["answered"],
    }


SEQUENCES: Mapping[str, Callable[[Peer], Mapping[str, float]]] = {
    "1,000 requests, no keys yet": first_requests,
    "2,100 invented key ids": unknown_kids,
    "a new key": rotation,
    "a withdrawn key": withdrawal,
    "an outage, keys too old": outage,
}


def measure(name: str) -> dict[tuple[str, str], float]:
    """Return the medians of a library's runs. Each run has a new process."""
    figures: dict[tuple[str, str], float] = {}
    for title, sequence in SEQUENCES.items():
        runs: list[Mapping[str, float]] = []
        for number in range(RUNS):
            print(f"{name}: {title}, {number + 1} of {RUNS}", file=sys.stderr)
            with running_peer(name) as peer:
                runs.append(sequence(peer))
        figures |= {(title, what): statistics.median(run[what] for run in runs) for what in runs[0]}
    return figures


def select_names() -> list[str]:
    """Return the libraries to measure, without those that are not installed."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*", help=f"a library to measure: {', '.join(HOOKS)} (default: all)")
    named = parser.parse_args().name or list(HOOKS)
    if unknown := [name for name in named if name not in HOOKS]:
        parser.error(f"unknown: {', '.join(unknown)}")
    missing = [name for name in named if name in MODULES and find_spec(MODULES[name]) is None]
    if missing:
        print(f"not installed, skipped: {', '.join(missing)}", file=sys.stderr)
    return [name for name in named if name not in missing] or sys.exit("none of these libraries is installed")


def main() -> None:
    """Print a table."""
    logging.disable(logging.CRITICAL)
    names = select_names()
    columns = {name: measure(name) for name in names}
    print(f"medians of {RUNS} runs\n\n{'':54}" + "".join(f"{name:>18}" for name in names))
    for title, what in columns[names[0]]:
        print(f"{title:28}{what:26}" + "".join(f"{columns[name][title, what]:18,.0f}" for name in names))


if __name__ == "__main__":
    main()
