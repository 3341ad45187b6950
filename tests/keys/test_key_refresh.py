"""Refresh of keys at all ages, with a manual clock."""

from __future__ import annotations

import asyncio
import gc
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from kit.auth_harness import AuthHarness, bearer, run_event_loop
from kit.clock import DAY, HOUR, NOON
from kit.key_scenarios import DISCOVERY, KEYS, FaultyFetcher, authenticate_fresh, fetched, outage_from, run_scenario

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode
from oidc_auth.json_values import is_object
from oidc_auth.keys.refresh import BATCH_SIZE, RefreshAges, RefreshingValue
from oidc_auth.keys.remote import RemoteKeys
from oidc_auth.testing import Fault, LocalIssuer

if TYPE_CHECKING:
    from kit.snapshots import Messages

# One fetch for all requests -------------------------------------------------------------------------------------------


def test_concurrent_first_requests_cost_one_fetch() -> None:
    async def scenario(harness: AuthHarness) -> None:
        token = harness.issuer.token()
        codes = await asyncio.gather(*(harness.authenticate_async(token) for _ in range(1_000)))
        assert codes == [None] * 1_000
        assert harness.issuer.fetched == [DISCOVERY, KEYS]

    run_scenario(scenario)


def test_concurrent_requests_during_outage_cost_one_attempt() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.DOWN
        token = harness.issuer.token()
        codes = await asyncio.gather(*(harness.authenticate_async(token) for _ in range(1_000)))
        assert codes == [ErrorCode.KEYS_UNAVAILABLE] * 1_000
        assert harness.attempts == [False]

    run_scenario(scenario)


def test_nothing_is_fetched_for_hopeless_tokens() -> None:
    async def scenario(harness: AuthHarness) -> None:
        assert await harness.authenticate_async({}) is ErrorCode.TOKEN_MISSING
        assert await authenticate_fresh(harness, header={"alg": "none"}) is ErrorCode.ALG_NOT_ALLOWED
        assert await authenticate_fresh(harness, iss="https://other.test") is ErrorCode.ISSUER_NOT_TRUSTED
        assert harness.issuer.fetched == []

    run_scenario(scenario)


# Ages -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "renewed"), [(0, False), (67, False), (91, True), (3_600, True)])
def test_old_key_set_is_refreshed_in_background(age: float, *, renewed: bool) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.clock.advance(age)
        # The provider does not answer, so a request that waits would hang.
        harness.issuer.fault = Fault.STALL
        assert await authenticate_fresh(harness) is None
        await run_event_loop()
        assert len(harness.issuer.fetched) == 2 + renewed
        harness.issuer.release.set()
        await run_event_loop()
        assert harness.attempts == [True] * (1 + renewed)

    run_scenario(scenario)


@pytest.mark.parametrize(("age", "waits"), [(3_599, False), (3_600, False), (3_601, True), (30 * DAY, True)])
def test_expired_key_set_blocks_request(age: float, *, waits: bool) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.clock.advance(age)
        harness.issuer.fault = Fault.STALL
        request = asyncio.create_task(authenticate_fresh(harness))
        await run_event_loop()
        assert request.done() is not waits
        harness.issuer.release.set()
        assert await request is None
        await run_event_loop()
        assert harness.attempts == [True, True]

    run_scenario(scenario)


def test_idle_server_refreshes_before_first_use() -> None:
    async def scenario(harness: AuthHarness) -> None:
        old = harness.issuer.keys[0]
        await authenticate_fresh(harness)
        harness.issuer.rotate("ES256", keep_old=False)
        harness.clock.advance(8 * HOUR)
        assert await authenticate_fresh(harness, key=old) is ErrorCode.KEY_NOT_FOUND

    run_scenario(scenario)


def test_refreshed_key_set_is_fresh() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        for _ in range(3):
            harness.clock.advance(601)
            await authenticate_fresh(harness)
            await run_event_loop()
        await authenticate_fresh(harness)
        assert fetched(harness) == 4
        assert harness.issuer.fetched.count(DISCOVERY) == 1

    run_scenario(scenario)


def test_configured_ages_are_used() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.clock.advance(2)
        harness.issuer.fault = Fault.DOWN
        assert await authenticate_fresh(harness) is None
        harness.clock.advance(4)
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE

    run_scenario(
        scenario, limits={"jwks_refresh_after": 0, "jwks_max_age": 1, "jwks_max_stale": 5, "retry_after_failure": 0}
    )


def test_waiting_requests_hold_no_claims() -> None:
    def held() -> list[object]:
        return [one for one in gc.get_objects() if is_object(one) and one.get("marker") == "held"]

    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.STALL
        requests = [
            asyncio.create_task(harness.admit(harness.issuer.token(marker="held", groups=["a"]))) for _ in range(20)
        ]
        await run_event_loop()
        assert held() == []
        assert not any(task.done() for task in requests)
        harness.issuer.release.set()
        assert [caller.identity for caller in await asyncio.gather(*requests)] == ["alice"] * 20
        assert fetched(harness) == 1

    run_scenario(scenario)


def test_first_waiter_verifies_shared_token() -> None:
    async def scenario(harness: AuthHarness) -> None:
        one, another = harness.issuer.token(), harness.issuer.token("bob")
        callers = await asyncio.gather(*(harness.admit(token) for token in [*[one] * 50, another, *[one] * 50]))
        assert [caller.identity for caller in callers] == [*["alice"] * 50, "bob", *["alice"] * 50]
        assert sorted(harness.cached) == [False] * 2 + [True] * 99

    run_scenario(scenario)


def test_first_keys_are_used_after_any_wait() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.STALL
        requests = [asyncio.create_task(harness.admit(harness.issuer.token())) for _ in range(3)]
        await run_event_loop()
        harness.clock.advance(20)
        harness.issuer.release.set()
        await asyncio.gather(*requests)
        await run_event_loop()
        assert fetched(harness) == 1

    run_scenario(scenario, limits={"jwks_refresh_after": 0, "jwks_max_age": 5, "jwks_max_stale": 10})


# Waiters and loops ----------------------------------------------------------------------------------------------------


class Loader:
    """Loads 1, 2, 3 and so on. The test ends each load."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.load_count = 0

    async def __call__(self, now: float) -> int:
        del now
        await self.go.wait()
        self.load_count += 1
        return self.load_count


def test_waiters_resume_in_batches() -> None:
    async def scenario() -> None:
        loader = Loader()
        value = RefreshingValue(loader, RefreshAges())
        waiters = [asyncio.create_task(value.get(0)) for _ in range(10 * BATCH_SIZE + 1)]
        await run_event_loop(3)
        loader.go.set()
        done = [0]
        while done[-1] < len(waiters) and len(done) < 1_000:
            await asyncio.sleep(0)
            done.append(sum(waiter.done() for waiter in waiters))
        steps = [after - before for before, after in pairwise(done)]
        assert max(steps) == BATCH_SIZE == 32
        assert sum(steps) == len(waiters)
        assert loader.load_count == 1

    asyncio.run(scenario())


def test_cancelled_waiter_keeps_refresh_running() -> None:
    async def scenario() -> None:
        loader = Loader()
        value = RefreshingValue(loader, RefreshAges())
        first, second = (asyncio.create_task(value.get(0)) for _ in range(2))
        await run_event_loop(3)
        first.cancel()
        await run_event_loop(3)
        loader.go.set()
        assert await second == 1
        assert first.cancelled()
        assert loader.load_count == 1

    asyncio.run(scenario())


def test_refresh_finishes_without_waiters() -> None:
    async def scenario() -> None:
        loader = Loader()
        value = RefreshingValue(loader, RefreshAges())
        only = asyncio.create_task(value.get(0))
        await run_event_loop(3)
        only.cancel()
        loader.go.set()
        await run_event_loop()
        assert value.fresh_value(1) == 1
        assert await value.get(1) == 1
        assert loader.load_count == 1

    asyncio.run(scenario())


def test_refresh_request_joins_running_refresh() -> None:
    async def scenario() -> None:
        loader = Loader()
        loader.go.set()
        value = RefreshingValue(loader, RefreshAges())
        assert await value.get(0) == 1
        loader.go.clear()
        renewals = [asyncio.create_task(value.refresh(1)) for _ in range(3)]
        await run_event_loop(3)
        loader.go.set()
        assert await asyncio.gather(*renewals) == [2, 2, 2]

    asyncio.run(scenario())


def test_cancelled_load_releases_all_waiters(messages: Messages) -> None:
    async def scenario() -> None:
        async def load(now: float) -> int:
            raise asyncio.CancelledError(now)

        value = RefreshingValue(load, RefreshAges())
        with pytest.raises(LookupError) as error:
            async with asyncio.timeout(5):
                await value.get(0)
        messages.check(error.value)

    asyncio.run(scenario())


def test_cancelled_fetcher_is_outage() -> None:
    assert outage_from(FaultyFetcher({DISCOVERY: asyncio.CancelledError()})).retry_after == 1


def test_refresh_in_other_loop_does_not_block() -> None:
    harness = AuthHarness()
    assert harness.authenticate(harness.issuer.token()) is None
    harness.clock.advance(601)
    harness.issuer.fault = Fault.STALL
    stopped = asyncio.new_event_loop()
    try:
        assert stopped.run_until_complete(authenticate_fresh(harness)) is None
        stopped.run_until_complete(run_event_loop())
        # That event loop has ended, so its refresh does not continue.
        harness.issuer.fault = None
        harness.issuer.rotate("ES256", keep_old=False)
        harness.clock.advance(2 * HOUR)
        assert harness.authenticate(harness.issuer.token()) is None
        assert harness.attempts == [True, True]
    finally:
        pending = asyncio.all_tasks(stopped)
        for task in pending:
            task.cancel()
        stopped.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        stopped.close()
    assert len(pending) == 1
    assert harness.authenticate(harness.issuer.token(jti="after")) is None


def test_late_refresh_keeps_current_refresh() -> None:
    landings: list[asyncio.Future[int]] = []

    async def load(now: float) -> int:
        del now
        landings.append(asyncio.get_running_loop().create_future())
        return await landings[-1]

    async def ask() -> asyncio.Task[int]:
        task = asyncio.create_task(value.get(0))
        await run_event_loop(3)
        return task

    async def land(task: asyncio.Task[int], flight: int) -> int:
        landings[flight].set_result(flight)
        return await task

    value = RefreshingValue(load, RefreshAges())
    one, two = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        late, first = one.run_until_complete(ask()), two.run_until_complete(ask())
        assert one.run_until_complete(land(late, 0)) == 0
        # The keys are known. A refresh waits for the load that still runs in this event loop.
        renewal = two.create_task(value.refresh(0))
        two.run_until_complete(run_event_loop(3))
        assert two.run_until_complete(land(first, 1)) == 1
        assert two.run_until_complete(renewal) == 1
        assert len(landings) == 2
    finally:
        one.close()
        two.close()


def test_ended_loop_does_not_block_next_loop() -> None:
    harness = AuthHarness()
    assert harness.authenticate(harness.issuer.token()) is None
    harness.clock.advance(601)
    harness.issuer.fault = Fault.STALL
    assert harness.authenticate(harness.issuer.token()) is None
    harness.issuer.fault = None
    harness.clock.advance(2 * HOUR)
    assert harness.authenticate(harness.issuer.token()) is None
    assert harness.attempts == [True, True]


def test_other_thread_takes_no_waiting_request(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: dict[threading.Thread, tuple[asyncio.AbstractEventLoop, asyncio.Event]] = {}
    loading, real, calls = threading.Event(), asyncio.get_running_loop, list[int]()

    async def load(_now: float) -> int:
        release = asyncio.Event()
        loads[threading.current_thread()] = (real(), release)
        loading.set()
        await release.wait()
        return 1

    value = RefreshingValue(load, RefreshAges())
    other = threading.Thread(target=lambda: asyncio.run(value.refresh(NOON)))

    def interrupt() -> asyncio.AbstractEventLoop:
        # The other thread starts its load just when this one looks for the running load.
        if threading.current_thread() is not other:
            calls.append(1)
            if len(calls) == 2:
                loading.clear()
                other.start()
                assert loading.wait(30)
        return real()

    async def scenario() -> None:
        first = asyncio.create_task(value.refresh(NOON))
        await run_event_loop()
        monkeypatch.setattr(asyncio, "get_running_loop", interrupt)
        second = asyncio.create_task(value.refresh(NOON))
        await asyncio.sleep(0)
        monkeypatch.undo()
        loads[threading.current_thread()][1].set()
        await run_event_loop()
        done = [first.done(), second.done()]
        loop, release = loads[other]
        loop.call_soon_threadsafe(release.set)
        other.join(30)
        second.cancel()
        assert done == [True, True]

    asyncio.run(scenario())


def test_broken_observer_changes_nothing(caplog: pytest.LogCaptureFixture, messages: Messages) -> None:
    issuer = LocalIssuer(algorithm="ES256")

    def broken(event: object) -> None:
        raise RuntimeError(event)

    table = {"preset": "generic", "issuer": issuer.url, "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=issuer, observer=broken)
    assert asyncio.run(oidc.authenticate(bearer(issuer.token()))).identity == "alice"
    messages.check(caplog.messages[-1])


def test_age_of_keys_follows_the_clock() -> None:
    harness = AuthHarness()
    (keys,) = [issuer.keys for issuer in harness.oidc._settings.issuers]
    assert isinstance(keys, RemoteKeys)
    assert keys.age(harness.clock()) is None
    harness.authenticate(harness.issuer.token())
    harness.clock.advance(60)
    assert keys.age(harness.clock()) == 60
