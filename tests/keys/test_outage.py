"""Keys during an outage of the provider."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, bearer, run_event_loop
from kit.clock import DAY, HOUR
from kit.key_scenarios import authenticate_fresh, run_scenario

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, UpstreamError
from oidc_auth.keys.fetch import Response
from oidc_auth.testing import Fault, LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.snapshots import Messages


def test_failed_attempt_is_retried_after_ten_seconds() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(601)
        codes = []
        for seconds in (0, 0, 7, 3, 0, 7, 3):
            harness.clock.advance(seconds)
            answer = await authenticate_fresh(harness)
            await run_event_loop()
            codes.append((answer, len(harness.attempts)))
        assert codes == [(None, 2), (None, 2), (None, 2), (None, 3), (None, 3), (None, 3), (None, 4)]

    run_scenario(scenario)


def test_empty_key_set_is_retried_each_second() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.DOWN
        attempts = []
        for seconds in (0, 0, 0.7, 0.3, 0.7, 0.3):
            harness.clock.advance(seconds)
            assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
            attempts.append(len(harness.attempts))
        assert attempts == [1, 1, 1, 2, 2, 3]

    run_scenario(scenario)


def test_no_request_waits_during_outage() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(2 * HOUR)
        assert await authenticate_fresh(harness) is None
        harness.clock.advance(10)
        harness.issuer.fault = Fault.STALL
        first = asyncio.create_task(authenticate_fresh(harness))
        await run_event_loop()
        assert await asyncio.gather(*(authenticate_fresh(harness) for _ in range(9))) == [None] * 9
        assert not first.done()
        harness.issuer.release.set()
        assert await first is None
        assert harness.attempts == [True, False, True]

    run_scenario(scenario)


async def fail_after_age(harness: AuthHarness, age: float) -> None:
    """Load keys and let them reach an age. A refresh has just failed, and the next one stalls."""
    await authenticate_fresh(harness)
    harness.issuer.fault = Fault.DOWN
    harness.clock.advance(age - 10)
    assert await authenticate_fresh(harness) is None
    await run_event_loop()
    harness.clock.advance(10)
    harness.issuer.fault = Fault.STALL


@pytest.mark.parametrize(("age", "waits"), [(3_599, False), (3_600, False), (3_601, True)])
def test_one_request_waits_for_old_keys(age: float, *, waits: bool) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await fail_after_age(harness, age)
        request = asyncio.create_task(authenticate_fresh(harness))
        await run_event_loop()
        assert request.done() is not waits
        harness.issuer.release.set()
        assert await request is None

    run_scenario(scenario)


@pytest.mark.parametrize(("age", "wait"), [(DAY - 1, False), (DAY, False), (DAY + 1, True)])
def test_all_wait_for_stale_keys(age: float, *, wait: bool) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await fail_after_age(harness, age)
        first = asyncio.create_task(authenticate_fresh(harness))
        await run_event_loop()
        others = [asyncio.create_task(authenticate_fresh(harness)) for _ in range(3)]
        await run_event_loop()
        assert [other.done() for other in others] == [not wait] * 3
        harness.issuer.release.set()
        assert await asyncio.gather(first, *others) == [None] * 4

    run_scenario(scenario)


def test_keys_serve_one_day_of_outage() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        for _ in range(23):
            harness.clock.advance(HOUR)
            assert await authenticate_fresh(harness) is None
        harness.clock.advance(HOUR)
        assert await authenticate_fresh(harness) is None
        harness.clock.advance(1)
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.clock.advance(10)
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.issuer.fault = None
        harness.clock.advance(10)
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


def test_stale_request_joins_running_attempt() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(2 * DAY)
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.clock.advance(10)
        harness.issuer.fault = Fault.STALL
        requests = [asyncio.create_task(authenticate_fresh(harness)) for _ in range(3)]
        await run_event_loop()
        harness.issuer.release.set()
        assert await asyncio.gather(*requests) == [None] * 3
        assert harness.attempts == [True, False, True]

    run_scenario(scenario)


def test_outage_returns_503_with_retry_after(messages: Messages) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(2 * DAY)
        await authenticate_fresh(harness)
        harness.clock.advance(3)
        with pytest.raises(UpstreamError) as outage:
            await harness.admit(harness.issuer.token())
        said = outage.value.challenge()
        assert said.status == 503
        # Ten seconds, less up to a quarter, less the three that have passed.
        assert int(said.headers()["Retry-After"]) in (5, 6, 7)
        messages.check(outage.value.report())

    run_scenario(scenario)


def test_server_started_during_outage_recovers() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.DOWN
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.issuer.fault = None
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.clock.advance(1)
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


def test_provider_text_in_log_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    async def lying(method: str, url: str, headers: Any, body: bytes | None) -> Response:
        return Response(200, {}, b'{"issuer": "%s"}' % (b"x" * 100_000))

    table = {"preset": "generic", "issuer": "https://issuer.test", "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=lying)
    with pytest.raises(UpstreamError):
        asyncio.run(oidc.authenticate(bearer(LocalIssuer().token())))
    assert max(len(record.getMessage()) for record in caplog.records) < 2_000


def test_outage_is_warned_once_per_minute(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(2 * HOUR)
        warned = []
        for seconds in (0, 10, 49, 1, 59, 1):
            harness.clock.advance(seconds)
            caplog.clear()
            assert await authenticate_fresh(harness) is None
            await run_event_loop()
            warned.append(sum(text.startswith("keys of https://issuer.test ") for text in caplog.messages))
        assert warned == [1, 0, 0, 1, 0, 1]

    run_scenario(scenario)


def test_no_error_is_its_own_cause() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.DOWN
        with pytest.raises(UpstreamError) as outage:
            await harness.admit(harness.issuer.token())
        error: BaseException | None = outage.value
        chain: list[BaseException] = []
        while error is not None:
            assert error not in chain
            chain.append(error)
            error = error.__cause__

    run_scenario(scenario)


def test_refusal_keeps_no_earlier_refusals() -> None:
    """An exception that is raised repeatedly keeps the frames of all requests, with their tokens."""

    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.DOWN
        frames: list[int] = []
        for _ in range(5):
            with pytest.raises(UpstreamError) as outage:
                await harness.admit(harness.issuer.token())
            frames.append(sum(1 for error in chain_of(outage.value) for _ in traceback.walk_tb(error.__traceback__)))
        # The first request waits for the fetch. The others are rejected immediately.
        assert len(set(frames[1:])) == 1

    run_scenario(scenario)


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__context__
