"""A new key id is found soon, also while others send unknown key ids."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, run_event_loop
from kit.clock import NOON
from kit.key_scenarios import KEYS, authenticate_fresh, run_scenario

from oidc_auth.errors import ErrorCode
from oidc_auth.keys.budget import FetchBudget
from oidc_auth.testing import Fault
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("fetch_budget", [1, 2])
def test_rotated_key_is_accepted_for_all_callers(fetch_budget: int) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.rotate("ES256")
        tokens = [harness.issuer.token(jti=str(number)) for number in range(100)]
        assert await asyncio.gather(*map(harness.authenticate_async, tokens)) == [None] * 100
        assert harness.issuer.fetched.count(KEYS) == 2

    run_scenario(scenario, limits={"unknown_kid_fetches": fetch_budget})


def test_few_unknown_kids_wait_for_one_fetch() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.STALL
        requests = [
            asyncio.create_task(authenticate_fresh(harness, header={"kid": f"made-up-{number}"}))
            for number in range(30)
        ]
        again = asyncio.create_task(authenticate_fresh(harness, header={"kid": "made-up-0"}))
        await run_event_loop()
        assert [request.done() for request in [*requests, again]] == [*[False] * 8, *[True] * 22, False]
        harness.issuer.release.set()
        assert set(await asyncio.gather(*requests, again)) == {ErrorCode.KEY_NOT_FOUND}
        assert harness.issuer.fetched.count(KEYS) == 2
        # The next fetch has no waiting key ids, also if no unknown key id causes it.
        harness.clock.advance(91)
        harness.issuer.release.clear()
        assert await authenticate_fresh(harness) is None
        harness.issuer.rotate("ES256")
        late = asyncio.create_task(authenticate_fresh(harness))
        await run_event_loop()
        harness.issuer.release.set()
        assert await late is None

    run_scenario(scenario)


def accepted_after(harness: AuthHarness, attack: Callable[[int], str | None]) -> Callable[[], Any]:
    """Return how many seconds a new key of second 1 is rejected during an attack."""

    async def wait() -> int:
        await authenticate_fresh(harness)
        late = SigningKey.make("late", "ES256")
        for second in range(120):
            kid = attack(second)
            if kid is not None:
                await authenticate_fresh(harness, header={"kid": kid})
            if second == 1:
                harness.issuer.keys.append(late)
            if second >= 1 and await authenticate_fresh(harness, key=late) is None:
                return second - 1
            harness.clock.advance(1)
        return 120

    return wait


@pytest.mark.parametrize(
    "attack",
    [
        lambda second: "late" if second == 0 else None,
        lambda second: "late",
        lambda second: f"made-up-{second}",
        lambda second: "late" if second == 0 else f"made-up-{second}",
    ],
    ids=["guessed once", "guessed each second", "made up each second", "guessed, then made up"],
)
def test_no_attack_delays_new_key_for_long(attack: Callable[[int], str | None]) -> None:
    async def scenario(harness: AuthHarness) -> None:
        assert await accepted_after(harness, attack)() <= 15

    run_scenario(scenario)


def test_repeated_old_token_delays_no_new_key() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        for _ in range(100):
            assert await authenticate_fresh(harness, header={"kid": "old"}) is ErrorCode.KEY_NOT_FOUND
            harness.clock.advance(1)
        harness.issuer.rotate("ES256")
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


@pytest.mark.parametrize("start", [0.0, NOON, NOON + 0.3, NOON + 1 / 3])
@pytest.mark.parametrize(("size", "window"), [(1, 30), (1, 0.7), (2, 30), (3, 10), (7, 0.7)])
def test_allowance_is_bounded_at_any_time(size: int, window: float, start: float) -> None:
    budget, taken = FetchBudget(size, window), list[float]()
    for step in range(1_000):
        now = start + step * window / 50
        while len(taken) < 10_000 and budget.take(now):
            taken.append(now)
    # First the whole budget, then one fetch per pause.
    assert size * 20 <= len(taken) <= size * 21
    for first in taken:
        assert sum(first <= when < first + window for when in taken) <= 2 * size


def test_allowance_of_none_stays_none() -> None:
    budget = FetchBudget(0, 30)
    assert (budget.is_available(NOON), budget.take(NOON), budget.seconds_until_available(NOON)) == (False, False, 30)
