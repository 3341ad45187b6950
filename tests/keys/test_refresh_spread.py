"""Many processes that started together do not ask their provider together."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from oidc_auth.keys.refresh import SPREAD, RefreshAges, RefreshingValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

REPLICAS = 1_000
SEED = 1
AGES = RefreshAges()


class Provider:
    """Counts the requests of each second."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()
        self.is_down = False

    async def load(self, now: float) -> str:
        self.asked[int(now)] += 1
        if self.is_down:
            raise OSError("down")
        return "keys"

    def peak(self, seconds: Iterable[int]) -> int:
        return max(self.asked[second] for second in seconds)


async def run_replicas(provider: Provider, replicas: list[RefreshingValue[str]], seconds: range) -> None:
    """Let every replica answer one request in each second."""
    for second in seconds:
        stale = [replica for replica in replicas if replica.fresh_value(second) is None]
        await asyncio.gather(*(replica.get(second) for replica in stale))
        # The refreshes in the background.
        for _ in range(3):
            await asyncio.sleep(0)


def make_draw() -> Callable[[], float]:
    return random.Random(SEED).random  # noqa: S311 - no secret depends on it


def make_replicas(provider: Provider, draw: Callable[[], float]) -> list[RefreshingValue[str]]:
    return [RefreshingValue(provider.load, AGES, draw) for _ in range(REPLICAS)]


def test_refreshes_of_many_replicas_spread() -> None:
    provider = Provider()
    replicas = make_replicas(provider, make_draw())
    asyncio.run(run_replicas(provider, replicas, range(1_200)))
    # Each of them needs keys before it can answer.
    assert provider.asked[0] == REPLICAS
    # The first refreshes fill a quarter of 90 seconds.
    assert provider.peak(range(1, 120)) < 80
    # Later ones are spread evenly, about 13 in a second.
    assert provider.peak(range(900, 1_200)) < 35
    assert sum(provider.asked[second] for second in range(900, 1_200)) == pytest.approx(3_800, rel=0.05)


def test_replicas_without_spread_ask_together() -> None:
    provider = Provider()
    replicas = make_replicas(provider, lambda: 0.0)
    asyncio.run(run_replicas(provider, replicas, range(1_000)))
    assert provider.peak(range(900, 1_000)) == REPLICAS


def test_attempts_in_outage_spread() -> None:
    provider = Provider()
    replicas = make_replicas(provider, make_draw())

    async def scenario() -> None:
        await run_replicas(provider, replicas, range(1))
        # All replicas fail in the same second, after a pause without requests.
        provider.is_down = True
        await run_replicas(provider, replicas, range(200, 320))

    asyncio.run(scenario())
    assert provider.asked[200] == REPLICAS
    assert provider.peak(range(260, 320)) < 200


@pytest.mark.parametrize(
    ("drawn", "fresh", "stale"), [(0.0, AGES.refresh_after, 90.1), (1.0, AGES.refresh_after * (1 - SPREAD), 67.6)]
)
def test_refresh_is_earlier_by_quarter(drawn: float, fresh: float, stale: float) -> None:
    async def scenario() -> None:
        provider = Provider()
        value = RefreshingValue(provider.load, AGES, lambda: drawn)
        await value.get(0)
        assert value.fresh_value(fresh) == "keys"
        await value.get(fresh)
        assert value.fresh_value(stale) is None
        await value.get(stale)
        await asyncio.sleep(0)
        assert provider.asked == {0: 1, int(stale): 1}

    asyncio.run(scenario())


@pytest.mark.parametrize(("drawn", "pause"), [(0.0, 10.0), (1.0, 7.5)])
def test_pause_after_failure_is_shorter_by_quarter(drawn: float, pause: float) -> None:
    async def scenario() -> None:
        provider = Provider()
        value = RefreshingValue(provider.load, AGES, lambda: drawn)
        await value.get(0)
        provider.is_down = True
        await value.get(100)
        await asyncio.sleep(0)
        assert value.seconds_until_retry(100) == pause

    asyncio.run(scenario())
