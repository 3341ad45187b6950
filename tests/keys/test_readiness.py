"""Which issuers have usable keys, and how long the answer takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from kit.auth_harness import AuthHarness, run_event_loop

from oidc_auth.keys.readiness import find_usable_keys
from oidc_auth.testing import Fault

if TYPE_CHECKING:
    from oidc_auth.keys.key_set import KeySource

GOOD, DOWN, STALLED = "https://good.test", "https://down.test", "https://stalled.test"


def harness(url: str, fault: Fault | None = None) -> AuthHarness:
    found = AuthHarness(url=url)
    found.issuer.fault = fault
    return found


def source(found: AuthHarness) -> KeySource:
    (issuer,) = found.oidc._settings.issuers
    return issuer.keys


async def usable(*found: AuthHarness, timeout: float = 60, wait_for_all: bool = False) -> dict[str, bool]:  # noqa: ASYNC109
    sources = {each.issuer.url: source(each) for each in found}
    return await find_usable_keys(sources, found[0].clock(), timeout=timeout, wait_for_all=wait_for_all)


@pytest.mark.parametrize("wait_for_all", [False, True])
def test_each_issuer_has_own_result(*, wait_for_all: bool) -> None:
    good, down = harness(GOOD), harness(DOWN, Fault.DOWN)
    found = asyncio.run(usable(down, good, wait_for_all=wait_for_all))
    assert found == {GOOD: True, DOWN: False}
    # Known keys are not fetched again.
    asyncio.run(usable(down, good, wait_for_all=wait_for_all))
    assert len(good.issuer.fetched) == 2


def test_stalled_issuer_delays_only_who_waits_for_all() -> None:
    async def probe() -> list[bool]:
        good, stalled = harness(GOOD), harness(STALLED, Fault.STALL)
        stalled.issuer.release = asyncio.Event()
        assert await usable(good, stalled) == {GOOD: True, STALLED: False}
        waiting = asyncio.ensure_future(usable(good, stalled, wait_for_all=True))
        await run_event_loop()
        before = waiting.done()
        stalled.issuer.fault = None
        stalled.issuer.release.set()
        return [before, *(await waiting).values()]

    assert asyncio.run(probe()) == [False, True, True]


@pytest.mark.parametrize("wait_for_all", [False, True])
def test_wait_ends_at_timeout(*, wait_for_all: bool) -> None:
    async def probe() -> dict[str, bool]:
        stalled = harness(STALLED, Fault.STALL)
        stalled.issuer.release = asyncio.Event()
        return await asyncio.wait_for(usable(stalled, timeout=0.01, wait_for_all=wait_for_all), 30)

    assert asyncio.run(probe()) == {STALLED: False}


def test_no_time_left_is_no_wait() -> None:
    async def probe() -> dict[str, bool]:
        stalled = harness(STALLED, Fault.STALL)
        stalled.issuer.release = asyncio.Event()
        return await usable(stalled, timeout=0)

    assert asyncio.run(probe()) == {STALLED: False}


def test_fetch_continues_after_timeout() -> None:
    async def probe() -> list[bool]:
        stalled = harness(STALLED, Fault.STALL)
        stalled.issuer.release = asyncio.Event()
        first = await usable(stalled, timeout=0.01)
        stalled.issuer.fault = None
        stalled.issuer.release.set()
        await run_event_loop()
        # The clock has not moved, so no second fetch is allowed.
        second = await usable(stalled, timeout=0)
        return [*first.values(), *second.values(), len(stalled.issuer.fetched) == 2]

    assert asyncio.run(probe()) == [False, True, True]


def test_issuers_with_one_key_set_share_attempt() -> None:
    good = harness(GOOD)
    keys = source(good)
    found = asyncio.run(find_usable_keys({"a": keys, "b": keys}, good.clock(), timeout=60))
    assert (found, len(good.issuer.fetched)) == ({"a": True, "b": True}, 2)
