"""The Redis store with a real server that is healthy."""

from __future__ import annotations

import asyncio
import gc
import time
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from kit.clock import DAY, OffsetClock
from kit.redis_server import running_redis
from kit.revocations import SECONDS, following, names, open_redis, revoked, wait_until

from oidc_auth.config.build_revocation import open_store
from oidc_auth.errors import UpstreamError
from oidc_auth.revocation import redis as store_module
from oidc_auth.revocation.entries import Kind
from oidc_auth.revocation.live_set import LiveRevocations, Retention
from oidc_auth.revocation.redis import CLAIMED, FIELD, PUBLISHING, STREAM, RedisStore
from oidc_auth.revocation.store import OutageRule

if TYPE_CHECKING:
    from pathlib import Path

    from kit.redis_server import RedisServer

pytestmark = pytest.mark.usefixtures("short_times")


def test_address_chooses_redis(redis_server: RedisServer) -> None:
    live = LiveRevocations(Retention(tokens=DAY, subjects=DAY))
    store = open_store(redis_server.address, live, time.time, OutageRule(grace=0, serves=False))
    assert isinstance(store, RedisStore)


def test_revocation_reaches_other_processes(redis_server: RedisServer) -> None:
    async def use() -> None:
        async with following(redis_server.address) as one, following(redis_server.address) as other:
            sent = [revoked("alice"), revoked("s1", Kind.SESSION), revoked("t1", Kind.TOKEN)]
            await one.publish(sent)
            assert names(one) == {"alice", "s1", "t1"}
            await wait_until(lambda: names(other) == names(one))
            assert {*other.live.entries(time.time())} == {*sent}
            await wait_until(lambda: one.state(time.time()).unpublished == 0)

    asyncio.run(use())
    assert redis_server.call("XLEN", STREAM) == 3


def test_nothing_is_known_before_load(redis_server: RedisServer) -> None:
    store = open_redis(redis_server.address, serves=True)
    state = store.state(time.time())
    assert not store.is_current(time.time())
    assert (state.is_loaded, state.is_connected, state.is_trusted) == (False, False, False)


def test_restart_loads_everything_first(redis_server: RedisServer) -> None:
    count = 3 * store_module.PAGE + 1

    async def use() -> None:
        async with following(redis_server.address) as first:
            await first.publish([revoked(f"user-{number}") for number in range(count)])
        store = open_redis(redis_server.address)
        await store.load(SECONDS)
        assert len(store.live) == count
        assert store.is_current(time.time())
        await store.aclose()

    asyncio.run(use())


def test_stream_may_not_exist_yet(redis_server: RedisServer) -> None:
    async def use() -> None:
        async with following(redis_server.address) as store:
            assert store.state(time.time()).count == 0
            assert store.is_current(time.time())

    asyncio.run(use())


def test_following_writes_nothing(redis_server: RedisServer) -> None:
    async def use() -> None:
        async with following(redis_server.address):
            await asyncio.sleep(3 * store_module.BLOCK_SECONDS)

    asyncio.run(use())
    assert redis_server.call("DBSIZE") == 0


@pytest.mark.parametrize("option", ["?protocol=2", "?protocol=3", "?decode_responses=true", "?socket_timeout=1000"])
def test_options_of_address_change_nothing(redis_server: RedisServer, option: str) -> None:
    async def use() -> None:
        async with following(redis_server.address + option) as one, following(redis_server.address) as other:
            await other.publish([revoked("alice")])
            await wait_until(lambda: names(one) == {"alice"})
            await one.publish([revoked("bob")])
            await wait_until(lambda: names(other) == {"alice", "bob"})
            assert one._connect().connection_pool.connection_kwargs["socket_timeout"] == 0.4

    asyncio.run(use())


def test_waits_fit_into_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    # A read that waits longer than the socket fails on a healthy connection, and a silence must be noticed in time.
    assert store_module.BLOCK_SECONDS < store_module.SOCKET_TIMEOUT < store_module.SILENT_AFTER
    assert store_module.OPTIONS["socket_timeout"] == store_module.SOCKET_TIMEOUT
    assert store_module.LONGEST_PAUSE < 1


def test_malformed_entries_are_counted_and_skipped(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async def use() -> None:
        redis_server.call("XADD", STREAM, "*", FIELD, "x" * 1_000_000)
        redis_server.call("XADD", STREAM, "*", "other", "field")
        redis_server.call("XADD", STREAM, "*", FIELD, b'{"time": 1' + b"0" * 400 + b"}")
        redis_server.call("XADD", STREAM, "*", FIELD, b"\xff\x00")
        redis_server.call("XADD", STREAM, "*", FIELD, revoked("alice").encode(), "more", "fields")
        async with following(redis_server.address) as store:
            assert names(store) == {"alice"}
            assert store.state(time.time()).malformed == 4
            assert store.is_current(time.time())

    asyncio.run(use())
    assert "xxx" not in caplog.text
    assert "malformed" in caplog.text


def test_duplicate_and_unordered_entries_count_once(redis_server: RedisServer) -> None:
    now = time.time()

    async def use() -> None:
        for at in (now, now - 50, now, now - 100):
            redis_server.call("XADD", STREAM, "*", FIELD, revoked("alice", at=at).encode())
        async with following(redis_server.address) as store:
            assert [each.time for each in store.live.entries(now)] == [now]

    asyncio.run(use())


def test_key_is_claimed_by_one_process(redis_server: RedisServer) -> None:
    async def use() -> None:
        one, other = open_redis(redis_server.address), open_redis(redis_server.address)
        assert await one.claim_once("k", 30)
        assert not await other.claim_once("k", 30)
        assert await other.claim_once("l", 0.0001)

    asyncio.run(use())
    assert 29_000 < redis_server.call("PTTL", CLAIMED + "k") <= 30_000


def test_expired_entries_are_trimmed(redis_server: RedisServer) -> None:
    # Redis removes whole nodes of 100 entries.
    for number in range(150):
        redis_server.call("XADD", STREAM, f"{1_000 + number}-0", FIELD, revoked("old", at=1.0 + number).encode())
    asyncio.run(open_redis(redis_server.address).publish([revoked("alice")]))
    assert redis_server.call("XLEN", STREAM) < 100


def test_trimming_uses_time_of_redis(redis_server: RedisServer) -> None:
    async def use() -> None:
        await open_redis(redis_server.address).publish([revoked(f"user-{number}") for number in range(150)])
        # The clock of this process is a month ahead. Entries that count on all others must stay.
        ahead = OffsetClock()
        ahead.offset = 30 * DAY
        await open_redis(redis_server.address, clock=ahead).publish([revoked("bob")])

    asyncio.run(use())
    assert redis_server.call("XLEN", STREAM) == 151


def test_trimming_of_expired_entries_is_no_loss(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    retention = Retention(tokens=0.1, subjects=0.1)

    async def use() -> None:
        for number in range(150):
            redis_server.call("XADD", STREAM, f"{1_000 + number}-0", FIELD, revoked("old", at=1.0 + number).encode())
        async with following(redis_server.address, retention=retention) as store:
            await store.publish([revoked("alice")])
            await wait_until(lambda: store._position[:4] != "1149")
            assert store.state(time.time()).lost == 0

    asyncio.run(use())
    assert not caplog.records


def test_expired_entries_leave_memory(redis_server: RedisServer) -> None:
    clock = OffsetClock()

    async def use() -> None:
        async with following(redis_server.address, clock=clock) as store:
            await store.publish([revoked("alice")])
            clock.offset = 3 * DAY
            await wait_until(lambda: len(store.live) == 0)

    asyncio.run(use())


def test_clocks_of_replicas_may_differ(redis_server: RedisServer) -> None:
    ahead, behind = OffsetClock(), OffsetClock()
    ahead.offset, behind.offset = 50, -50

    async def use() -> None:
        async with (
            following(redis_server.address, clock=ahead) as one,
            following(redis_server.address, clock=behind) as other,
        ):
            await one.publish([revoked("alice", at=ahead())])
            await other.publish([revoked("bob", at=behind())])
            await wait_until(lambda: names(one) == names(other) == {"alice", "bob"})
            assert one.is_current(ahead())
            assert other.is_current(behind())

    asyncio.run(use())


def test_clock_far_ahead_publishes_once(redis_server: RedisServer) -> None:
    clock = OffsetClock()

    async def use() -> None:
        async with following(redis_server.address, clock=clock) as store:
            await store.publish([revoked("alice", at=time.time() + DAY)])
            await wait_until(lambda: not store._unpublished)
            assert [each.time < time.time() + 61 for each in store.live.entries(time.time())] == [True]

    asyncio.run(use())
    assert redis_server.call("XLEN", STREAM) == 1


def test_shared_clock_is_that_of_redis(redis_server: RedisServer) -> None:
    clock = OffsetClock()
    clock.offset = -DAY
    assert abs(asyncio.run(open_redis(redis_server.address, clock=clock).read_clock()) - time.time()) < 5


@pytest.mark.parametrize("count", [1, 4])
def test_cancelled_waiter_ends_nothing(redis_server: RedisServer, count: int) -> None:
    redis_server.kill()

    async def use() -> None:
        store = open_redis(redis_server.address)
        waiters = [asyncio.create_task(store.load(SECONDS)) for _ in range(count)]
        await asyncio.sleep(0.05)
        waiters[0].cancel()
        await asyncio.wait([waiters[0]])
        assert waiters[0].cancelled()
        redis_server.start()
        await asyncio.gather(*waiters[1:])
        await store.load(SECONDS)
        assert store.is_current(time.time())
        assert not store._waiters
        await store.aclose()

    asyncio.run(use())


def test_load_waits_no_longer_than_told(redis_server: RedisServer) -> None:
    redis_server.kill()

    async def use() -> float:
        store = open_redis(redis_server.address)
        started = time.monotonic()
        await store.load(0.2)
        waited = time.monotonic() - started
        assert not store.state(time.time()).is_loaded
        assert not store._waiters
        await store.aclose()
        return waited

    assert 0.2 <= asyncio.run(use()) < 2


def test_new_event_loop_continues(redis_server: RedisServer) -> None:
    store = open_redis(redis_server.address)
    asyncio.run(store.load(SECONDS))
    asyncio.run(open_redis(redis_server.address).publish([revoked("alice")]))

    async def again() -> None:
        await store.load(SECONDS)
        # A request right after the load must not use the set of the earlier loop.
        assert names(store) == {"alice"}
        await store.aclose()

    asyncio.run(again())


def test_closed_store_is_not_current(redis_server: RedisServer) -> None:
    async def use() -> None:
        store = open_redis(redis_server.address)
        await store.load(SECONDS)
        await store.aclose()
        assert not store.is_current(time.time())
        await open_redis(redis_server.address).publish([revoked("alice")])
        # Several requests arrive after the restart, and all of them wait.
        await asyncio.gather(*(store.load(SECONDS) for _ in range(3)))
        assert (names(store), store.is_current(time.time())) == ({"alice"}, True)
        await store.aclose()

    asyncio.run(use())


@pytest.mark.usefixtures("short_times")
def test_restart_in_outage_uses_known_set(redis_server: RedisServer) -> None:
    async def use() -> None:
        store = open_redis(redis_server.address)
        await store.publish([revoked("alice")])
        await store.load(SECONDS)
        await store.aclose()
        redis_server.kill()
        async with asyncio.timeout(SECONDS / 2):
            await store.load(10 * SECONDS)
        assert (names(store), store.state(time.time()).is_trusted) == ({"alice"}, True)
        await store.aclose()

    asyncio.run(use())


def test_stopped_event_loop_is_replaced(redis_server: RedisServer) -> None:
    store = open_redis(redis_server.address)
    # It is neither closed nor running, so its task never ends.
    stopped = asyncio.new_event_loop()
    stopped.run_until_complete(store.load(SECONDS))

    async def again() -> None:
        await store.load(SECONDS)
        await store.publish([revoked("alice")])
        other = open_redis(redis_server.address)
        await other.publish([revoked("bob")])
        await wait_until(lambda: names(store) == {"alice", "bob"})
        await store.aclose()

    asyncio.run(again())
    # The task of the first loop ends without a cancellation.
    stopped.run_until_complete(asyncio.wait_for(asyncio.gather(*asyncio.all_tasks(stopped)), SECONDS))
    stopped.close()


def test_two_event_loops_share_one_store(redis_server: RedisServer) -> None:
    store = open_redis(redis_server.address)
    failures = list[Exception]()

    def run(name: str) -> None:
        async def use() -> None:
            await store.load(SECONDS)
            for number in range(20):
                await store.publish([revoked(f"{name}-{number}")])
            await wait_until(lambda: len(store.live) == 40)

        try:
            asyncio.run(use())
        except Exception as error:  # noqa: BLE001 - the test shows it
            failures.append(error)

    threads = [Thread(target=run, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    # An entry can be in the stream twice, when one loop reads it in the moment in which the other one publishes it.
    entries = redis_server.call("XRANGE", STREAM, "-", "+")
    assert len({value for _, fields in entries for value in fields.values()}) == 40


def test_waiter_of_ended_loop_is_skipped(redis_server: RedisServer) -> None:
    store = open_redis(redis_server.address)
    ended = asyncio.new_event_loop()
    store._waiters.add(ended.create_future())
    ended.close()

    async def use() -> None:
        finished = asyncio.get_running_loop().create_future()
        finished.cancel()
        store._waiters.add(finished)
        await store.load(SECONDS)
        assert store.is_current(time.time())
        await store.aclose()

    asyncio.run(use())


def test_closed_store_follows_no_more(redis_server: RedisServer) -> None:
    async def use() -> None:
        async with following(redis_server.address) as store:
            task = store._task
        assert task is not None
        assert task.done()
        await store.aclose()
        await open_redis(redis_server.address).publish([revoked("alice")])
        # It can be loaded again.
        await store.load(SECONDS)
        await wait_until(lambda: names(store) == {"alice"})
        await store.aclose()

    asyncio.run(use())


def test_store_is_closed_from_another_loop(redis_server: RedisServer) -> None:
    async def use() -> None:
        store = open_redis(redis_server.address)
        await store.load(SECONDS)
        task = store._task
        assert task is not None
        await asyncio.to_thread(lambda: asyncio.run(store.aclose()))
        await asyncio.wait_for(task, SECONDS)

    asyncio.run(use())


def test_swallowed_cancellation_ends_the_task(redis_server: RedisServer) -> None:
    # redis-py on Python 3.11 can swallow a cancellation while it connects. The task must end at its next step.
    async def use() -> None:
        store = open_redis(redis_server.address)
        await store.load(SECONDS)
        task = store._task
        assert task is not None
        task.cancel()
        await asyncio.wait([task], timeout=SECONDS)
        assert task.done()

        async def swallow() -> None:
            try:
                await asyncio.sleep(SECONDS)
            except asyncio.CancelledError:
                await store._follow()

        swallowing = asyncio.create_task(swallow())
        await asyncio.sleep(0)
        store._task = swallowing
        swallowing.cancel()
        await asyncio.wait([swallowing], timeout=SECONDS)
        assert swallowing.done()

    asyncio.run(use())


def test_loop_ends_at_any_moment(redis_server: RedisServer) -> None:
    # asyncio.run cancels the task once, at any step, and waits for its end.
    async def use(pause: float) -> None:
        store = open_redis(redis_server.address)
        store._start()
        await asyncio.sleep(pause)

    def run() -> None:
        for step in range(40):
            asyncio.run(use(step * 0.0005))

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    gc.collect()


def test_wrong_password_is_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running_redis(tmp_path / "secured", "--requirepass", "right-secret") as secured:
        address = secured.address.replace("redis://", "redis://:wrong-secret@")

        async def use() -> str:
            store = open_redis(address)
            await store.load(0.5)
            assert not store.state(time.time()).is_loaded
            with pytest.raises(UpstreamError) as caught:
                await store.publish([revoked()])
            with pytest.raises(UpstreamError):
                await store.claim_once("k", 1)
            with pytest.raises(UpstreamError):
                await store.read_clock()
            await store.aclose()
            return repr(caught.value) + caught.value.report()

        told = asyncio.run(use())
        # The same failure is logged once, and not at each attempt.
        assert len(caplog.records) == 1
        for secret in ("secret", secured.address.removeprefix("redis://")):
            assert secret not in told + caplog.text

        async def use_right() -> None:
            async with following(secured.address.replace("redis://", "redis://:right-secret@")) as store:
                assert store.is_current(time.time())

        asyncio.run(use_right())


def test_lock_is_released(redis_server: RedisServer) -> None:
    async def use() -> None:
        async with following(redis_server.address) as store:
            store._unpublished[revoked("alice")] = True
            await wait_until(lambda: not store._unpublished)
            await wait_until(lambda: redis_server.call("EXISTS", PUBLISHING) == 0)

    asyncio.run(use())
    assert redis_server.call("XLEN", STREAM) == 1


@pytest.mark.parametrize(
    "address",
    [
        "redis://host:port",
        "redis://[::1",
        "redis://host:99999",
        "redis://host?db=x",
        "redis://host?unknown=1",
        "http://host",
        "host",
    ],
)
def test_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        store_module.check_address(address)


@pytest.mark.parametrize(
    "address", ["redis://host", "rediss://:secret@host:6380/1", "unix:///run/redis.sock", "redis://h?protocol=3"]
)
def test_valid_address_is_accepted(address: str) -> None:
    store_module.check_address(address)


def test_waiting_reads_do_not_block_the_loop(redis_server: RedisServer) -> None:
    async def use() -> list[Any]:
        async with following(redis_server.address) as store:
            await store.publish([revoked(f"user-{number}") for number in range(4 * store_module.PAGE)])
        other, steps = open_redis(redis_server.address), []

        async def count() -> None:
            while len(other.live) < 4 * store_module.PAGE:
                steps.append(len(other.live))
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        await other.load(SECONDS)
        await counting
        await other.aclose()
        return steps

    # Other tasks ran between the pages.
    assert {store_module.PAGE, 2 * store_module.PAGE, 3 * store_module.PAGE} <= {*asyncio.run(use())}
