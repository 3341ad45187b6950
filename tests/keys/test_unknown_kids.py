"""Rotation and withdrawal of keys, and tokens with unknown key IDs."""

from __future__ import annotations

import asyncio

import pytest
from kit.auth_harness import AuthHarness, run_event_loop
from kit.key_scenarios import DISCOVERY, authenticate_fresh, fetched, run_scenario

from oidc_auth.errors import ErrorCode
from oidc_auth.testing import Fault


@pytest.mark.parametrize("keep_old", [True, False])
def test_new_key_is_accepted_at_first_request(*, keep_old: bool) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.rotate("ES256", keep_old=keep_old)
        assert await authenticate_fresh(harness) is None
        assert fetched(harness) == 2

    run_scenario(scenario)


def test_withdrawn_key_is_rejected_after_refresh() -> None:
    async def scenario(harness: AuthHarness) -> None:
        old = harness.issuer.keys[0]
        await authenticate_fresh(harness)
        harness.issuer.rotate("ES256", keep_old=False)
        harness.clock.advance(601)
        assert await authenticate_fresh(harness, key=old) is None
        await run_event_loop()
        assert await authenticate_fresh(harness, key=old) is ErrorCode.KEY_NOT_FOUND
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


@pytest.mark.parametrize("fault", [None, Fault.ERROR])
def test_made_up_kids_cost_four_fetches_minute(fault: Fault | None) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = fault
        harness.issuer.fetched.clear()
        for second in range(300):
            kids = [f"made-up-{second}-{number}" for number in range(20)]
            codes = {await harness.authenticate_async(harness.issuer.token(header={"kid": kid})) for kid in kids}
            assert codes <= {ErrorCode.KEY_NOT_FOUND, ErrorCode.KEYS_UNAVAILABLE}
            # A known key works all the time.
            assert await authenticate_fresh(harness) is None
            await run_event_loop()
            harness.clock.advance(1)
        # Two fetches, then one each 15 seconds. Each reads the metadata again. In an outage, regular refreshes add one
        # fetch each 10 seconds.
        retries = 30 if fault else 0
        assert 20 <= fetched(harness) <= 2 + 300 / 15 + retries
        assert harness.issuer.fetched.count(DISCOVERY) <= 2 + 300 / 15 + retries

    run_scenario(scenario)


def test_concurrent_unknown_kids_cost_two_fetches() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        tokens = [harness.issuer.token(header={"kid": f"made-up-{number}"}) for number in range(1_000)]
        assert set(await asyncio.gather(*map(harness.authenticate_async, tokens))) == {ErrorCode.KEY_NOT_FOUND}
        assert fetched(harness) <= 3

    run_scenario(scenario)


def test_allowance_for_unknown_kids_grows_each_fifteen_seconds() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        counts: list[int] = []
        for seconds in (0, 0, 0, 14, 1, 0, 60, 0, 0):
            harness.clock.advance(seconds)
            assert (
                await authenticate_fresh(harness, header={"kid": f"made-up-{len(counts)}"}) is ErrorCode.KEY_NOT_FOUND
            )
            counts.append(fetched(harness))
        assert counts == [2, 3, 3, 3, 4, 4, 5, 6, 6]

    run_scenario(scenario)


def test_known_absent_kid_is_not_refetched() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        counts: list[int] = []
        for seconds in (0, 0, 14, 1):
            harness.clock.advance(seconds)
            assert await authenticate_fresh(harness, header={"kid": "made-up"}) is ErrorCode.KEY_NOT_FOUND
            counts.append(fetched(harness))
        assert counts == [2, 2, 2, 3]

    run_scenario(scenario)


def test_absent_kid_before_outage_is_bad_token() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        assert await authenticate_fresh(harness, header={"kid": "made-up"}) is ErrorCode.KEY_NOT_FOUND
        harness.issuer.fault = Fault.DOWN
        assert await authenticate_fresh(harness, header={"kid": "another"}) is ErrorCode.KEYS_UNAVAILABLE
        assert await authenticate_fresh(harness, header={"kid": "made-up"}) is ErrorCode.KEY_NOT_FOUND
        assert harness.attempts == [True, True, False]

    run_scenario(scenario)


def test_key_rotated_in_during_flood_waits_fifteen_seconds() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        for number in range(3):
            await authenticate_fresh(harness, header={"kid": f"made-up-{number}"})
        harness.issuer.rotate("ES256")
        assert await authenticate_fresh(harness) is ErrorCode.KEY_NOT_FOUND
        harness.clock.advance(15)
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


def test_unknown_kid_joins_recent_fetch() -> None:
    async def scenario(harness: AuthHarness) -> None:
        assert await authenticate_fresh(harness, header={"kid": "made-up"}) is ErrorCode.KEY_NOT_FOUND
        assert fetched(harness) == 1

    run_scenario(scenario)


def test_zero_budget_never_fetches() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        assert await authenticate_fresh(harness, header={"kid": "made-up"}) is ErrorCode.KEY_NOT_FOUND
        assert fetched(harness) == 1

    run_scenario(scenario, limits={"unknown_kid_fetches": 0})


def test_unknown_kid_during_outage_is_outage() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.rotate("ES256")
        harness.issuer.fault = Fault.DOWN
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.issuer.fault = None
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


def test_unknown_kid_outage_ignores_spent_budget() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.rotate("ES256")
        harness.issuer.fault = Fault.DOWN
        # With a 401, all users with a token of the new key would log in again.
        assert [await authenticate_fresh(harness) for _ in range(4)] == [ErrorCode.KEYS_UNAVAILABLE] * 4

    run_scenario(scenario)
