"""What a crowd does to the event loop: a thousand callers without keys, and a thousand made-up key ids.

``python benchmarks/keys.py``. The provider answers after 50 ms, in this process; each run has a library of its own, and
the heap is collected before it. A request's wait counts from when it was due, whatever held the loop up.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import statistics
import time
from typing import TYPE_CHECKING

from verify import CLAIMS, headers, refused, table, unknown

from oidc_auth import OIDCAuth
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from oidc_auth.keys.fetch import Response

RUNS = 9
CROWD = 1_000
LATENCY = 0.05
"""Seconds that the provider takes for each answer."""
VALID = 20
"""Valid requests beside a flood, one every 5 ms."""


class Provider(LocalIssuer):
    """A local issuer that is as far away as a real one."""

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        """Answer, after a while."""
        await asyncio.sleep(LATENCY)
        return await super().__call__(method, url, headers, body)


async def longest_block(work: Awaitable[object]) -> float:
    """Return for how many milliseconds the loop did nothing else than ``work``, at the longest."""
    task, longest, woken = asyncio.ensure_future(work), 0.0, time.perf_counter()
    while not task.done():
        await asyncio.sleep(0.001)
        longest, woken = max(longest, time.perf_counter() - woken - 0.001), time.perf_counter()
    await task
    return longest * 1e3


async def valid_beside(oidc: OIDCAuth, tokens: list[str]) -> float:
    """Return how long the slowest of some valid requests took, in milliseconds."""
    start, slowest = time.perf_counter(), 0.0
    for number, token in enumerate(tokens, 1):
        due = start + 0.005 * number
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await oidc.authenticate(headers(token))
        slowest = max(slowest, time.perf_counter() - due)
    return slowest * 1e3


async def cold(provider: Provider, oidc: OIDCAuth) -> dict[str, float]:
    """Let a thousand callers come while no key is known."""
    crowd = [headers(provider.token(jti=f"jti-{n}", **CLAIMS)) for n in range(CROWD)]
    gc.collect()
    start = time.perf_counter()
    block = await longest_block(asyncio.gather(*(oidc.authenticate(sent) for sent in crowd)))
    return {"longest block, ms": block, "all answered, ms": (time.perf_counter() - start) * 1e3}


async def flood(provider: Provider, oidc: OIDCAuth) -> dict[str, float]:
    """Let a thousand made-up key ids come beside valid tokens."""
    await oidc.authenticate(headers(provider.token(**CLAIMS)))
    rest = provider.token(**CLAIMS).partition(".")[2]
    crowd = [headers(f"{unknown(n)}.{rest}") for n in range(CROWD)]
    valid = [provider.token(jti=f"jti-{n}", **CLAIMS) for n in range(VALID)]
    gc.collect()
    waits = asyncio.ensure_future(valid_beside(oidc, valid))
    block = await longest_block(asyncio.gather(*(refused(oidc, sent) for sent in crowd)))
    return {"longest block, ms": block, "slowest valid request, ms": await waits}


async def one(story: Callable[[Provider, OIDCAuth], Awaitable[dict[str, float]]]) -> dict[str, float]:
    """Run a story at a library of its own; the document and the key set count as fetches."""
    provider = Provider()
    measured = await story(provider, OIDCAuth.from_dict(table(provider), fetcher=provider))
    return measured | {"fetches": len(provider.fetched)}


def main() -> None:
    """Print medians, and their range."""
    logging.disable(logging.CRITICAL)
    print(f"{CROWD} requests at once, {RUNS} runs: median (range)")
    for name, story in (("no keys yet", cold), ("made-up key ids", flood)):
        runs = [asyncio.run(one(story)) for _ in range(RUNS)]
        for what in runs[0]:
            seen = [run[what] for run in runs]
            print(f"{name:18}{what:28}{statistics.median(seen):8.1f} ({min(seen):.1f}-{max(seen):.1f})")


if __name__ == "__main__":
    main()
