"""Many new tokens are verified in batches, and no request waits forever."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from kit.auth_harness import AuthHarness, run_event_loop

from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.testing import Fault
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidc_auth.permissions.caller import Caller

REQUESTS = 330


def fresh(harness: AuthHarness, count: int = REQUESTS) -> list[str]:
    """Return tokens that are not in the cache."""
    return [harness.issuer.token(jti=f"{number}", scope="threads:read") for number in range(count)]


async def warm(harness: AuthHarness) -> None:
    """Load the keys, so that no request waits for them."""
    await harness.admit(harness.issuer.token())
    await run_event_loop()
    harness.events.clear()


def test_requests_are_admitted_in_batches() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        await warm(harness)
        requests = [asyncio.create_task(harness.admit(token)) for token in fresh(harness)]
        verified = [0]
        while verified[-1] < len(requests) and len(verified) < 1_000:
            await asyncio.sleep(0)
            verified.append(len(harness.cached))
        each_turn = [after - before for before, after in pairwise(verified)]
        left = REQUESTS - 32
        # The second iteration wakes the first batch, and the third runs it.
        expected = [32, 0]
        while left:
            expected.append(min(left, max(16, left // 8)))
            left -= expected[-1]
        assert each_turn == expected
        assert expected[2] == 37
        assert all(task.done() for task in requests)

    asyncio.run(scenario())


def test_new_and_waiting_requests_are_both_admitted() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        await warm(harness)
        tokens = fresh(harness)
        requests = [asyncio.create_task(harness.admit(tokens.pop())) for _ in range(100)]
        admitted_count: list[list[asyncio.Task[object]]] = []
        done: list[tuple[int, int]] = []
        for _ in range(5):
            admitted_count.append([asyncio.create_task(harness.admit(tokens.pop())) for _ in range(32)])
            await asyncio.sleep(0)
            done.append((sum(task.done() for task in requests), sum(task.done() for task in admitted_count[-1])))
        # In the first iteration, the waiting requests are new themselves.
        assert done == [(32, 0), (32, 32), (48, 32), (64, 32), (80, 32)]
        await asyncio.gather(*requests, *(task for each in admitted_count for task in each))

    asyncio.run(scenario())


@pytest.mark.parametrize(("distinct", "limit"), [(True, 8 * 100 + 132), (False, 20 * 132)])
def test_waiting_requests_never_accumulate(limit: int, *, distinct: bool) -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        requests: list[asyncio.Task[object]] = []
        unanswered: list[asyncio.Task[object]] = []
        waiting = []
        for number in range(13_200):
            sent = f"x.y.z{number if distinct else ''}"
            requests.append(asyncio.create_task(harness.authenticate_async(sent)))
            unanswered.append(requests[-1])
            if number % 132 == 131:
                await asyncio.sleep(0)
                unanswered = [task for task in unanswered if not task.done()]
                waiting.append(len(unanswered))
        assert max(waiting[50:]) < limit
        assert set(await asyncio.gather(*requests)) == {ErrorCode.TOKEN_BASE64_INVALID}

    asyncio.run(scenario())


def test_waiting_requests_keep_order() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        await warm(harness)
        served: list[int] = []

        async def come(number: int, token: str) -> None:
            await harness.admit(token)
            served.append(number)

        await asyncio.gather(*(come(*each) for each in enumerate(fresh(harness))))
        assert served == list(range(REQUESTS))

    asyncio.run(scenario())


def test_valid_token_is_not_delayed_by_invalid_ones() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        await warm(harness)
        other = SigningKey.make("key-1", "ES256")
        made_up = [harness.issuer.token(key=other, jti=f"{number}") for number in range(REQUESTS)]
        requests = [asyncio.create_task(harness.authenticate_async(token)) for token in made_up]
        await asyncio.sleep(0)
        genuine = asyncio.create_task(harness.admit(harness.issuer.token()))
        await run_event_loop(2)
        assert genuine.done()
        assert sum(task.done() for task in requests) < REQUESTS // 2
        assert set(await asyncio.gather(*requests)) == {ErrorCode.SIGNATURE_INVALID}

    asyncio.run(scenario())


def test_single_request_never_waits() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        await warm(harness)
        for token in fresh(harness):
            # It ends in one step. A request that waits would stop at a future.
            with pytest.raises(StopIteration):
                harness.admit(token).send(None)
            await asyncio.sleep(0)

    asyncio.run(scenario())


def test_cached_tokens_need_no_admission() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        token = harness.issuer.token(scope="threads:read")
        await harness.admit(token)
        await run_event_loop()
        for _ in range(REQUESTS):
            with pytest.raises(StopIteration):
                harness.admit(token).send(None)
        requests = [asyncio.create_task(harness.admit(token)) for token in fresh(harness, 100)]
        known = asyncio.create_task(harness.admit(token))
        await asyncio.sleep(0)
        assert known.done()
        assert sum(task.done() for task in requests) == 32
        await asyncio.gather(*requests)

    asyncio.run(scenario())


def test_token_of_waiting_requests_is_verified_once() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        await warm(harness)
        one = harness.issuer.token("alice", scope="threads:read")
        callers = await asyncio.gather(*(harness.admit(token) for token in [*fresh(harness, 32), *[one] * 100]))
        assert harness.cached == [False] * 33 + [True] * 99
        assert {caller.identity for caller in callers} == {"alice"}

    asyncio.run(scenario())


def test_token_expiring_while_waiting_is_rejected() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        await warm(harness)
        requests = [asyncio.create_task(harness.authenticate_async(token)) for token in fresh(harness, 33)]
        await asyncio.sleep(0)
        harness.clock.advance(300 + 30)
        assert await asyncio.gather(*requests) == [None] * 32 + [ErrorCode.TOKEN_EXPIRED]

    asyncio.run(scenario())


def test_token_expiring_during_key_fetch_is_rejected() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        harness.issuer.fault = Fault.STALL
        request = asyncio.create_task(harness.authenticate_async(harness.issuer.token()))
        await run_event_loop()
        harness.clock.advance(300 + 30)
        harness.issuer.fault = None
        harness.issuer.release.set()
        assert await request is ErrorCode.TOKEN_EXPIRED

    asyncio.run(scenario())


def test_idle_limiter_schedules_nothing() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        await warm(harness)
        await asyncio.gather(*(harness.admit(token) for token in fresh(harness)))
        await run_event_loop()
        # A scheduled call would keep the loop busy forever.
        assert not vars(asyncio.get_running_loop())["_ready"]

    asyncio.run(scenario())


def test_cancelled_waiter_blocks_no_request() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        troubles: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, trouble: troubles.append(trouble))
        await warm(harness)
        requests = [asyncio.create_task(harness.admit(token)) for token in fresh(harness)]
        await asyncio.sleep(0)
        for task in requests[32::2]:
            task.cancel()
        ended = await asyncio.gather(*requests, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in ended[32:]] == [True, False] * (REQUESTS // 2 - 16)
        assert not any(isinstance(each, TokenError) for each in ended)
        assert troubles == []

    asyncio.run(scenario())


def test_stopped_loop_does_not_block_next_loop() -> None:
    harness = AuthHarness()

    async def come(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[object]]:
        await warm(harness)
        requests: list[asyncio.Task[object]] = [asyncio.create_task(harness.admit(token)) for token in fresh(harness)]
        loop.call_soon(loop.stop)
        return requests

    def resumed(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[object]]:
        """Run the loop until many requests wait, and stop it."""
        came = loop.create_task(come(loop))
        loop.run_forever()
        return came.result()

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    left = resumed(first)
    assert 0 < sum(task.done() for task in left) < REQUESTS
    # A single request, then many.
    assert second.run_until_complete(asyncio.wait_for(harness.authenticate_async(harness.issuer.token()), 30)) is None
    for loop, requests in ((second, resumed(second)), (first, left)):
        _, waiting = loop.run_until_complete(asyncio.wait(requests, timeout=30))
        assert not waiting
        assert [task.exception() for task in requests] == [None] * REQUESTS
        loop.close()


def test_other_thread_does_not_reset_batch() -> None:
    harness = AuthHarness()

    async def scenario() -> None:
        await warm(harness)
        tokens = fresh(harness, 64)

        async def elsewhere() -> None:
            # This loop is blocked until the other one ends.
            with ThreadPoolExecutor(1) as thread:
                assert thread.submit(asyncio.run, harness.authenticate_async(harness.issuer.token())).result() is None

        requests = [asyncio.create_task(harness.admit(token)) for token in tokens[:32]]
        other = asyncio.create_task(elsewhere())
        requests += [asyncio.create_task(harness.admit(token)) for token in tokens[32:]]
        await asyncio.sleep(0)
        assert other.done()
        assert sum(task.done() for task in requests) == 32
        await asyncio.gather(other, *requests)

    asyncio.run(scenario())


# One verification for concurrent requests with one token -----------------------------------------------------------


def test_first_requests_verify_token_once() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        token = harness.issuer.token(scope="threads:read")
        callers = await asyncio.gather(*(harness.admit(token) for _ in range(REQUESTS)))
        assert sorted(harness.cached) == [False] + [True] * (REQUESTS - 1)
        assert {caller.identity for caller in callers} == {"alice"}

    asyncio.run(scenario())


def test_cancelled_verification_refuses_no_other_request() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        token = harness.issuer.token(scope="threads:read")
        requests = [asyncio.create_task(harness.admit(token)) for _ in range(100)]
        await asyncio.sleep(0)
        # The request that verifies the token for the others ends first.
        requests[0].cancel()
        ended = await asyncio.gather(*requests, return_exceptions=True)
        assert isinstance(ended[0], asyncio.CancelledError)
        assert not any(isinstance(each, BaseException) for each in ended[1:])

    asyncio.run(scenario())


def test_concurrent_invalid_token_is_refused_each_time() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        token = harness.issuer.token(audience="other")
        answers = await asyncio.gather(*(harness.authenticate_async(token) for _ in range(REQUESTS)))
        assert answers == [ErrorCode.AUDIENCE_MISMATCH] * REQUESTS

    asyncio.run(scenario())


def test_waiting_request_sees_later_time() -> None:
    def advance(_claims: Mapping[str, object], caller: Caller) -> Caller:
        # Runs after the verification of the first request, while the second one waits for it.
        harness.clock.advance(130)
        return caller

    async def scenario() -> None:
        token = harness.issuer.token(lifetime=100)
        requests = [asyncio.create_task(harness.authenticate_async(token)) for _ in range(2)]
        assert await asyncio.gather(*requests) == [None, ErrorCode.TOKEN_EXPIRED]

    harness = AuthHarness(mapper=advance)
    asyncio.run(scenario())


def test_pending_verifications_are_forgotten() -> None:
    async def scenario() -> None:
        harness = AuthHarness()
        tokens = [harness.issuer.token(), harness.issuer.token(audience="other")]
        await asyncio.gather(*(harness.authenticate_async(token) for token in tokens * 40))
        pending = vars(harness.oidc)["_pending"]
        assert vars(pending)["_pending"] == {}

    asyncio.run(scenario())


def test_stopped_loop_does_not_block_its_token() -> None:
    harness = AuthHarness()
    token = harness.issuer.token()

    async def come(loop: asyncio.AbstractEventLoop) -> asyncio.Task[object]:
        request: asyncio.Task[object] = asyncio.create_task(harness.admit(token))
        loop.call_soon(loop.stop)
        return request

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    came = first.create_task(come(first))
    first.run_forever()
    assert not came.result().done()
    assert second.run_until_complete(asyncio.wait_for(harness.authenticate_async(token), 30)) is None
    first.run_until_complete(asyncio.wait([came.result()], timeout=30))
    assert came.result().exception() is None
    for loop in (first, second):
        loop.close()
