"""Our key cache beside others', in sequences that a provider's bad day brings.

``python benchmarks/keys.py [NAME ...]``. Each library is asked in a process of its own, whose clocks this one moves.
Its heap is collected before each crowd, so that no pass of the garbage collector falls into it by chance. The provider
runs here, over HTTP on 127.0.0.1. All of it takes twenty minutes, `ours` one. To compare with more than PyJWT:
``pip install ryjwt fastmcp jwks-client auth-jwks``.
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
"""Seconds that the provider takes for each answer to a crowd; while the clocks are moved it answers at once."""
LIFETIME = 1_000_000
"""Of the tokens, in seconds: longer than any sequence."""
LONGEST = 100_000
"""Seconds after which a sequence is given up."""
PAUSE = 0.03
"""Seconds between two looks whether a token is accepted by now."""
PAST_LIFETIMES = 3_700
"""Seconds; the longest lifetime of keys among these libraries is an hour."""


class Provider(LocalIssuer):
    """A local issuer that may be as far away as a real one."""

    latency = 0.0

    def answer(self, path: str) -> Response:
        """Answer, after a while."""
        time.sleep(self.latency)
        return super().answer(path)


class Peer:
    """One library in a process of its own, and its provider."""

    def __init__(self, name: str, provider: Provider) -> None:
        script = Path(__file__).with_name("key_hooks.py")
        command = [sys.executable, "-W", "ignore", str(script), name, provider.url, f"{provider.url}/keys"]
        self.provider = provider
        self.process = subprocess.Popen(  # noqa: S603 - our own arguments
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def request(self, tokens: list[str], *, beside: list[str] | None = None, later: float = 0) -> dict[str, Any]:
        """Let ``later`` seconds pass, then send ``tokens`` at once."""
        assert self.process.stdin
        assert self.process.stdout
        line = json.dumps({"tokens": tokens, "beside": beside or [], "later": later})
        print(line, file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def valid(self, count: int) -> list[str]:
        """Return tokens with the current key, all different."""
        return [self.provider.token(jti=f"jti-{n}", lifetime=LIFETIME, **CLAIMS) for n in range(count)]

    def warm(self) -> None:
        """Let the library fetch the keys."""
        assert self.request(self.valid(1))["accepted"] == 1

    def until(self, token: str, *, accepted: bool, step: float) -> float:
        """Return after how many seconds a token is accepted, or refused."""
        passed = 0.0
        while bool(self.request([token], later=step if passed else 0)["accepted"]) is not accepted and passed < LONGEST:
            passed += step
            # A refresh behind the scenes gets its turn, before the clock moves on.
            time.sleep(PAUSE)
        return passed


@contextmanager
def asked(name: str) -> Generator[Peer]:
    """Run a library, and a provider that it has never seen, while the context lasts."""
    provider = Provider()
    with provider.served():
        peer = Peer(name, provider)
        try:
            yield peer
        finally:
            peer.process.kill()
            peer.process.communicate()


def first_requests(peer: Peer) -> dict[str, float]:
    """Let a thousand callers come while no key is known."""
    peer.provider.latency = LATENCY
    answer = peer.request(peer.valid(CONCURRENT))
    return {
        "fetches": len(peer.provider.fetched),
        "longest block, ms": answer["block"],
        "all answered, ms": answer["answered"],
        "accepted": answer["accepted"],
    }


def unknown_kids(peer: Peer) -> dict[str, float]:
    """Let made-up key ids come: a thousand at once beside valid tokens, a thousand again, a hundred in turn."""
    peer.warm()
    rest = peer.valid(1)[0].partition(".")[2]
    made_up = [f"{segment({'alg': 'RS256', 'kid': f'made-up-{n}'})}.{rest}" for n in range(2 * CONCURRENT + 100)]
    known, peer.provider.latency = len(peer.provider.fetched), LATENCY
    # By then no library still counts the first fetch as one that a key id caused.
    first = peer.request(made_up[:CONCURRENT], beside=peer.valid(SOME), later=31)
    accepted = first["accepted"] + peer.request(made_up[CONCURRENT : 2 * CONCURRENT])["accepted"]
    accepted += sum(peer.request([token])["accepted"] for token in made_up[2 * CONCURRENT :])
    assert accepted == 0
    return {
        "fetches": len(peer.provider.fetched) - known,
        "longest block, ms": first["block"],
        "slowest valid request, ms": first["slowest"],
        f"accepted of {SOME} valid": first["beside"],
    }


def rotation(peer: Peer) -> dict[str, float]:
    """Sign with a new key, published beside the old one."""
    peer.warm()
    peer.request(peer.valid(1), later=5)
    peer.provider.rotate()
    return {"accepted after, s": peer.until(peer.valid(1)[0], accepted=True, step=1)}


def withdrawal(peer: Peer) -> dict[str, float]:
    """Withdraw the key of a token that was seen."""
    token = peer.valid(1)[0]
    assert peer.request([token])["accepted"] == 1
    peer.provider.rotate(keep_old=False)
    return {"refused after, s": peer.until(token, accepted=False, step=5)}


def outage(peer: Peer) -> dict[str, float]:
    """Let the provider answer 500 when the keys' lifetime is over."""
    peer.warm()
    peer.provider.fault = Fault.ERROR
    answer = peer.request(peer.valid(SOME), later=PAST_LIFETIMES)
    return {
        f"accepted of {SOME}": answer["accepted"],
        "all answered, ms": answer["answered"],
    }


SEQUENCES: Mapping[str, Callable[[Peer], Mapping[str, float]]] = {
    "1,000 callers, no keys yet": first_requests,
    "2,100 made-up key ids": unknown_kids,
    "a new key": rotation,
    "a withdrawn key": withdrawal,
    "an outage, keys too old": outage,
}


def measured(name: str) -> dict[tuple[str, str], float]:
    """Return the medians of a library's runs, each in a process of its own."""
    figures: dict[tuple[str, str], float] = {}
    for title, sequence in SEQUENCES.items():
        runs: list[Mapping[str, float]] = []
        for number in range(RUNS):
            print(f"{name}: {title}, {number + 1} of {RUNS}", file=sys.stderr)
            with asked(name) as peer:
                runs.append(sequence(peer))
        figures |= {(title, what): statistics.median(run[what] for run in runs) for what in runs[0]}
    return figures


def chosen() -> list[str]:
    """Return the libraries that were named, or all; those that are not installed are left out, and said."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*", help=f"a library to measure: {', '.join(HOOKS)} (default: all)")
    named = parser.parse_args().name or list(HOOKS)
    if unknown := [name for name in named if name not in HOOKS]:
        parser.error(f"unknown: {', '.join(unknown)}")
    missing = [name for name in named if name in MODULES and find_spec(MODULES[name]) is None]
    if missing:
        print(f"left out, since it is not installed: {', '.join(missing)}", file=sys.stderr)
    return [name for name in named if name not in missing] or sys.exit("nothing is left to measure")


def main() -> None:
    """Print a table."""
    logging.disable(logging.CRITICAL)
    names = chosen()
    columns = {name: measured(name) for name in names}
    print(f"medians of {RUNS} runs\n\n{'':54}" + "".join(f"{name:>18}" for name in names))
    for title, what in columns[names[0]]:
        print(f"{title:28}{what:26}" + "".join(f"{columns[name][title, what]:18,.0f}" for name in names))


if __name__ == "__main__":
    main()
