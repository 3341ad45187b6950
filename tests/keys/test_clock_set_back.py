"""Keys after the clock was set back."""

from __future__ import annotations

from kit.auth_harness import AuthHarness, run_event_loop
from kit.clock import DAY, HOUR, NOON
from kit.key_scenarios import authenticate_fresh, fetched, run_scenario

from oidc_auth.errors import ErrorCode
from oidc_auth.testing import Fault
from oidc_auth.testing.signing import SigningKey


def test_clock_set_back_recovers() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.clock.advance(-2 * HOUR)
        assert await authenticate_fresh(harness) is None
        await run_event_loop()
        assert fetched(harness) == 2
        assert await authenticate_fresh(harness) is None
        await run_event_loop()
        assert fetched(harness) == 2
        harness.clock.advance(601)
        await authenticate_fresh(harness)
        await run_event_loop()
        assert fetched(harness) == 3

    run_scenario(scenario)


def test_cached_token_notices_clock_set_back() -> None:
    async def scenario(harness: AuthHarness) -> None:
        token = harness.issuer.token(iat=NOON - DAY)
        await harness.admit(token)
        harness.clock.advance(-2 * HOUR)
        await harness.admit(token)
        await run_event_loop()
        assert harness.cached == [False, True]
        assert harness.attempts == [True, True]

    run_scenario(scenario)


def test_clock_set_back_restores_fetch_budget() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        for number in range(3):
            await authenticate_fresh(harness, header={"kid": f"made-up-{number}"})
        harness.clock.advance(-2 * HOUR)
        await authenticate_fresh(harness)
        await run_event_loop()
        harness.issuer.rotate("ES256")
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


def test_clock_set_back_never_prolongs_outage() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.DOWN
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.issuer.fault = None
        harness.clock.advance(-2 * HOUR)
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


def test_clock_set_back_drops_withdrawn_key() -> None:
    async def scenario(harness: AuthHarness) -> None:
        old = harness.issuer.keys[0]
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(601)
        await authenticate_fresh(harness)
        await run_event_loop()
        harness.issuer.fault = None
        harness.issuer.rotate("ES256", keep_old=False)
        harness.clock.advance(-2 * HOUR)
        assert await authenticate_fresh(harness, key=old) is None
        await run_event_loop()
        assert await authenticate_fresh(harness, key=old) is ErrorCode.KEY_NOT_FOUND

    run_scenario(scenario)


def test_clock_set_back_forgets_absent_kids() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        late = SigningKey.make("late", "ES256")
        assert await authenticate_fresh(harness, key=late) is ErrorCode.KEY_NOT_FOUND
        harness.clock.advance(-2 * HOUR)
        await authenticate_fresh(harness)
        await run_event_loop()
        harness.issuer.keys.append(late)
        assert await authenticate_fresh(harness, key=late) is None

    run_scenario(scenario)
