"""The Redis store when the server ends, is silent, refuses, or loses its data."""

from __future__ import annotations

import asyncio
import shutil
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from kit.clock import OffsetClock
from kit.redis_server import RedisServer, wire_to
from kit.revocations import SECONDS, following, names, open_redis, revoked, wait_until

from oidc_auth.errors import ErrorCode, UpstreamError
from oidc_auth.revocation import redis as store_module
from oidc_auth.revocation.entries import Revocation
from oidc_auth.revocation.redis import FIELD, PUBLISHING, SILENT_AFTER, STREAM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidc_auth.revocation.redis import RedisStore

pytestmark = pytest.mark.usefixtures("short_times")


def stored(server: RedisServer) -> list[str]:
    """Return the values in the stream, in their order."""
    entries = server.call("XRANGE", STREAM, "-", "+")
    return [Revocation.decode(fields[FIELD]).value for _, fields in entries]


def all_know(expected: set[str], *holders: RedisStore | RedisServer) -> bool:
    """Tell whether stores and servers have the same values."""
    return all(({*stored(each)} if isinstance(each, RedisServer) else names(each)) == expected for each in holders)


async def fail_to_publish(store: RedisStore, revocations: Sequence[Revocation]) -> None:
    with pytest.raises(UpstreamError) as caught:
        await store.publish(revocations)
    assert caught.value.code is ErrorCode.REVOCATIONS_UNAVAILABLE


def test_outage_is_visible_and_ends(redis_server: RedisServer) -> None:
    clock = OffsetClock()

    async def use() -> None:
        async with following(redis_server.address, clock=clock, grace=60) as store:
            await store.publish([revoked("alice")])
            redis_server.kill()
            clock.offset = SILENT_AFTER
            await wait_until(lambda: not store.is_current(clock()))
            state = store.state(clock())
            assert (state.is_loaded, state.is_connected, state.is_trusted) == (True, False, True)
            assert names(store) == {"alice"}
            clock.offset = 61
            assert not store.state(clock()).is_trusted
            assert store.state(clock()).lag >= 60
            redis_server.start()
            await wait_until(lambda: store.is_current(clock()))
            assert store.state(clock()).is_trusted

    asyncio.run(use())


def test_known_set_serves_on_if_configured(redis_server: RedisServer) -> None:
    clock = OffsetClock()

    async def use() -> None:
        async with following(redis_server.address, clock=clock, grace=1, serves=True) as store:
            redis_server.kill()
            clock.offset = 30 * 86_400
            state = store.state(clock())
            assert not store.is_current(clock())
            assert (state.is_connected, state.is_trusted) == (False, True)

    asyncio.run(use())


@pytest.mark.parametrize("grace", [0, 1])
def test_short_grace_tolerates_usual_waits(redis_server: RedisServer, grace: float) -> None:
    clock = OffsetClock()

    async def use() -> None:
        async with following(redis_server.address, clock=clock, grace=grace) as store:
            redis_server.kill()
            clock.offset = SILENT_AFTER - 1
            assert store.state(clock()).is_trusted
            clock.offset = SILENT_AFTER + 1
            assert not store.state(clock()).is_trusted

    asyncio.run(use())


def test_clock_set_back_hides_no_outage(redis_server: RedisServer) -> None:
    clock, timer = OffsetClock(), OffsetClock()

    async def use() -> None:
        async with following(redis_server.address, clock=clock, timer=timer, grace=60) as store:
            redis_server.kill()
            clock.offset, timer.offset = -3_600, 61
            assert not store.is_current(clock())
            assert not store.state(clock()).is_trusted

    asyncio.run(use())


def test_dead_wire_is_an_outage(redis_server: RedisServer) -> None:
    clock = OffsetClock()

    async def use() -> None:
        with wire_to(redis_server) as wire:
            async with following(wire.address, clock=clock) as store:
                wire.cut()
                await open_redis(redis_server.address).publish([revoked("alice")])
                clock.offset = SILENT_AFTER
                await asyncio.sleep(2 * store_module.BLOCK_SECONDS)
                assert not store.is_current(clock())
                # The socket timeout ends the connection, and a publication does not hang.
                await fail_to_publish(store, [revoked("bob")])
                assert not names(store) & {"alice"}
                wire.mend()
                await wait_until(lambda: store.is_current(clock()))
                assert names(store) == {"alice", "bob"}
                await wait_until(lambda: stored(redis_server) == ["alice", "bob"])

    asyncio.run(use())


def test_start_during_outage_waits(redis_server: RedisServer) -> None:
    asyncio.run(open_redis(redis_server.address).publish([revoked("alice")]))
    redis_server.kill()

    async def use() -> None:
        # Also with "serve": an empty set is not a known set.
        store = open_redis(redis_server.address, serves=True)
        await store.load(0.1)
        state = store.state(time.time())
        assert (state.is_loaded, state.is_trusted) == (False, False)
        redis_server.start()
        await store.load(SECONDS)
        assert names(store) == {"alice"}
        await store.aclose()

    asyncio.run(use())


def test_publication_of_an_outage_is_not_lost(redis_server: RedisServer) -> None:
    async def use() -> None:
        async with following(redis_server.address) as one, following(redis_server.address) as other:
            redis_server.kill()
            await fail_to_publish(one, [revoked("alice"), revoked("bob")])
            # It counts here without a delay.
            assert names(one) == {"alice", "bob"}
            assert one.state(time.time()).unpublished == 2
            redis_server.start()
            await wait_until(lambda: names(other) == {"alice", "bob"})
            await wait_until(lambda: one.state(time.time()).unpublished == 0)

    asyncio.run(use())
    assert stored(redis_server) == ["alice", "bob"]


def test_process_that_never_loaded_publishes_later(redis_server: RedisServer) -> None:
    redis_server.kill()

    async def use() -> None:
        store = open_redis(redis_server.address)
        await fail_to_publish(store, [revoked("alice")])
        redis_server.start()
        await wait_until(lambda: stored(redis_server) == ["alice"])
        await store.aclose()

    asyncio.run(use())


def test_cancelled_publication_is_not_lost(redis_server: RedisServer) -> None:
    async def use() -> None:
        with wire_to(redis_server) as wire:
            async with following(wire.address) as store:
                wire.cut()
                publication = asyncio.create_task(store.publish([revoked("alice")]))
                await asyncio.sleep(0.05)
                publication.cancel()
                await asyncio.wait([publication])
                assert publication.cancelled()
                wire.mend()
                await wait_until(lambda: store.state(time.time()).unpublished == 0)
                await wait_until(lambda: "alice" in stored(redis_server))

    asyncio.run(use())


@pytest.mark.parametrize("keep_data", [True, False])
def test_restarts_of_redis_lose_nothing(redis_server: RedisServer, keep_data: Any) -> None:
    async def use() -> None:
        async with following(redis_server.address) as one, following(redis_server.address) as other:
            for number in range(4):
                await one.publish([revoked(f"before-{number}")])
                redis_server.kill()
                await fail_to_publish(other, [revoked(f"during-{number}")])
                redis_server.start(keep_data=keep_data)
                expected = {f"{when}-{each}" for when in ("before", "during") for each in range(number + 1)}
                await wait_until(partial(all_know, expected, one, other))
                await wait_until(partial(all_know, expected, redis_server))
        async with following(redis_server.address) as fresh:
            assert len(names(fresh)) == 8

    asyncio.run(use())
    # Both knew all of them, and each was published once.
    assert len(stored(redis_server)) == 8


@pytest.mark.parametrize("command", [("FLUSHALL",), ("DEL", STREAM), ("XTRIM", STREAM, "MAXLEN", "0")])
def test_emptied_redis_is_filled_again(redis_server: RedisServer, command: tuple[str, ...]) -> None:
    count = 2 * store_module.PAGE + 1

    async def use() -> None:
        async with following(redis_server.address) as one, following(redis_server.address) as other:
            await one.publish([revoked(f"user-{number}") for number in range(count)])
            await wait_until(lambda: len(other.live) == count)
            redis_server.call(*command)
            await wait_until(lambda: redis_server.call("XLEN", STREAM) == count)
            assert len({*stored(redis_server)}) == count

    asyncio.run(use())


def test_entry_added_before_refill_is_read(redis_server: RedisServer) -> None:
    async def use() -> None:
        async with following(redis_server.address) as store:
            await store.publish([revoked("alice")])
            with redis_server.client() as client:
                pipeline = client.pipeline()
                # The new stream begins with a smaller id than the last one that was read.
                pipeline.flushall()
                pipeline.xadd(STREAM, {FIELD: revoked("bob").encode()}, id="5-0")
                pipeline.execute()
            await wait_until(lambda: names(store) == {"alice", "bob"})
            await wait_until(lambda: stored(redis_server) == ["bob", "alice"])

    asyncio.run(use())


@pytest.mark.parametrize(
    "trim", [("XTRIM", STREAM, "MAXLEN", "1"), ("XDEL", STREAM, "{first}"), ("XDEL", STREAM, "{middle}")]
)
@pytest.mark.parametrize("is_connected", [True, False])
def test_trimmed_entries_are_restored(redis_server: RedisServer, trim: tuple[str, ...], is_connected: Any) -> None:
    async def use() -> None:
        with wire_to(redis_server) as wire:
            async with following(wire.address) as store:
                await store.publish([revoked(name) for name in ("alice", "bob", "carol")])
                await wait_until(lambda: store._facts is not None and store._facts.added == 3)
                ids = [name.decode() for name, _ in redis_server.call("XRANGE", STREAM, "-", "+")]
                if not is_connected:
                    wire.cut()
                redis_server.call(*(word.format(first=ids[0], middle=ids[1]) for word in trim))
                wire.mend()
                await wait_until(lambda: {*stored(redis_server)} == {"alice", "bob", "carol"})

    asyncio.run(use())


def test_unread_lost_entries_are_counted(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async def use() -> None:
        with wire_to(redis_server) as wire:
            async with following(wire.address) as store:
                await store.publish([revoked("alice")])
                await wait_until(lambda: store._facts is not None and store._facts.added == 1)
                wire.cut()
                await asyncio.sleep(2 * store_module.BLOCK_SECONDS)
                for name in ("bob", "carol", "dave"):
                    redis_server.call("XADD", STREAM, "*", FIELD, revoked(name).encode())
                redis_server.call("XTRIM", STREAM, "MAXLEN", "1")
                wire.mend()
                await wait_until(lambda: "dave" in names(store))
                await wait_until(lambda: store.state(time.time()).lost == 2)

    asyncio.run(use())
    assert "ERROR" in {record.levelname for record in caplog.records}


def test_old_backup_is_completed(redis_server: RedisServer) -> None:
    backup = redis_server.folder.with_name("backup")

    async def use() -> None:
        async with following(redis_server.address) as store:
            await store.publish([revoked("alice", at=time.time() - 100)])
            redis_server.kill()
            shutil.copytree(redis_server.folder, backup)
            redis_server.start()
            # A later revocation of the same user, and more of them.
            await store.publish([revoked("alice"), revoked("bob"), revoked("carol")])
            await wait_until(lambda: not store._unpublished)
            redis_server.kill()
            shutil.rmtree(redis_server.folder)
            shutil.copytree(backup, redis_server.folder)
            redis_server.start()
            # The stream is longer than before when this process comes back.
            for number in range(5):
                redis_server.call("XADD", STREAM, "*", FIELD, revoked(f"new-{number}").encode())
            await wait_until(lambda: "carol" in stored(redis_server))
            known = {each.value: each.time for each in store.live.entries(time.time())}
        async with following(redis_server.address) as fresh:
            assert {each.value: each.time for each in fresh.live.entries(time.time())} == known
            assert len(known) == 8

    asyncio.run(use())


def test_loss_during_first_load_is_noticed(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "PAGE", 2)

    async def use() -> None:
        for number in range(6):
            redis_server.call("XADD", STREAM, "*", FIELD, revoked(f"user-{number}").encode())
        with wire_to(redis_server) as wire:
            store = open_redis(wire.address)
            loading = asyncio.create_task(store.load(SECONDS))
            await wait_until(lambda: len(store.live) >= 2)
            wire.cut()
            seen = len(store.live)
            redis_server.call("FLUSHALL")
            wire.mend()
            await loading
            await wait_until(lambda: len({*stored(redis_server)}) >= seen)
            await store.aclose()

    asyncio.run(use())


def test_interrupted_reread_starts_again(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "PAGE", 1)
    count = 200

    async def use() -> None:
        with wire_to(redis_server) as wire:
            async with following(wire.address) as store:
                await store.publish([revoked(f"user-{number}") for number in range(count)])
                await wait_until(lambda: store._facts is not None and store._facts.added == count)
                redis_server.call("XDEL", STREAM, redis_server.call("XRANGE", STREAM, "-", "+")[100][0])
                await wait_until(lambda: store._must_reread)
                wire.cut()
                assert store._must_reread
                await wait_until(lambda: store._problem)
                wire.mend()
                await wait_until(lambda: len({*stored(redis_server)}) == count)
                assert not store._must_reread

    asyncio.run(use())


def test_confirmed_entry_can_still_be_lost(redis_server: RedisServer) -> None:
    backup = redis_server.folder.with_name("backup")

    async def use() -> None:
        with wire_to(redis_server) as wire:
            async with following(wire.address) as store:
                await store.publish([revoked("alice")])
                await wait_until(lambda: not store._unpublished)
                shutil.copytree(redis_server.folder, backup)
                # Redis confirms the next one, and the process that published it does not read it in the stream.
                store._address = redis_server.address
                wire.cut()
                await store.publish([revoked("bob")])
                redis_server.kill()
                shutil.rmtree(redis_server.folder)
                shutil.copytree(backup, redis_server.folder)
                redis_server.start()
                assert stored(redis_server) == ["alice"]
                wire.mend()
                await wait_until(lambda: stored(redis_server) == ["alice", "bob"])

    asyncio.run(use())


def test_refilling_process_takes_its_turn(redis_server: RedisServer) -> None:
    async def use() -> None:
        async with following(redis_server.address) as store:
            redis_server.call("SET", PUBLISHING, "1", "PX", "300")
            store._unpublished.update({revoked("alice"): True, (bob := revoked("bob")): True})
            await asyncio.sleep(3 * store_module.BLOCK_SECONDS)
            assert stored(redis_server) == []
            # An entry of another process is not published again.
            redis_server.call("XADD", STREAM, "*", FIELD, bob.encode())
            await wait_until(lambda: not store._unpublished)

    asyncio.run(use())
    assert stored(redis_server) == ["bob", "alice"]


def refuse_memory(server: RedisServer) -> None:
    server.call("CONFIG", "SET", "maxmemory", "1")


def allow_memory(server: RedisServer) -> None:
    server.call("CONFIG", "SET", "maxmemory", "0")


def refuse_writes(server: RedisServer) -> None:
    # A replica without a primary.
    server.call("REPLICAOF", "127.0.0.1", "1")


def allow_writes(server: RedisServer) -> None:
    server.call("REPLICAOF", "NO", "ONE")


@pytest.mark.parametrize(
    ("refuse", "allow", "name"),
    [(refuse_memory, allow_memory, "OutOfMemoryError"), (refuse_writes, allow_writes, "ReadOnlyError")],
)
def test_redis_without_writes_can_be_followed(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture, refuse: Any, allow: Any, name: str
) -> None:
    async def use() -> None:
        async with following(redis_server.address) as store:
            await store.publish([revoked("alice")])
            refuse(redis_server)
            await fail_to_publish(store, [revoked("bob")])
            with pytest.raises(UpstreamError):
                await store.claim_once("k", 1)
            await wait_until(lambda: name in caplog.text)
            # The set is complete, and what only this process knows is visible.
            state = store.state(time.time())
            assert (state.is_connected, state.unpublished) == (True, 1)
            allow(redis_server)
            await wait_until(lambda: stored(redis_server) == ["alice", "bob"])
            await wait_until(lambda: store.state(time.time()).unpublished == 0)

    asyncio.run(use())
    assert len([each for each in caplog.records if name in each.getMessage()]) == 1


def test_process_starts_on_redis_without_writes(redis_server: RedisServer) -> None:
    async def use() -> None:
        await open_redis(redis_server.address).publish([revoked("alice")])
        refuse_writes(redis_server)
        async with following(redis_server.address) as store:
            assert names(store) == {"alice"}
            assert store.is_current(time.time())

    asyncio.run(use())


def test_key_of_wrong_type_is_an_outage(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    redis_server.call("SET", STREAM, "x")

    async def use() -> None:
        store = open_redis(redis_server.address)
        await store.load(0.3)
        assert not store.state(time.time()).is_loaded
        await fail_to_publish(store, [revoked("alice")])
        redis_server.call("DEL", STREAM)
        await store.load(SECONDS)
        await wait_until(lambda: stored(redis_server) == ["alice"])
        await store.aclose()

    asyncio.run(use())
    assert "(WRONGTYPE)" in caplog.text


def test_replaced_key_is_an_outage(redis_server: RedisServer) -> None:
    clock = OffsetClock()

    async def use() -> None:
        async with following(redis_server.address, clock=clock) as store:
            await store.publish([revoked("alice")])
            redis_server.call("SET", STREAM, "x")
            await wait_until(lambda: store._problem)
            clock.offset = SILENT_AFTER
            assert not store.is_current(clock())
            assert names(store) == {"alice"}

    asyncio.run(use())


@pytest.mark.parametrize("command", ["-xinfo", "-xrange", "-xread", "-time"])
def test_missing_right_is_an_outage(redis_server: RedisServer, command: str) -> None:
    redis_server.call("ACL", "SETUSER", "limited", "on", ">pw", "~*", "&*", "+@all", command)
    clock = OffsetClock()

    async def use() -> None:
        store = open_redis(redis_server.address.replace("redis://", "redis://limited:pw@"), clock=clock)
        await store.load(0.3)
        clock.offset = 2 * SILENT_AFTER
        await wait_until(lambda: store._problem)
        # Reading works without xread, but it is repeated once in a pause only.
        assert command == "-xread" or not store.state(clock()).is_loaded
        await store.aclose()

    asyncio.run(use())


def test_unexpected_error_is_an_outage(redis_server: RedisServer) -> None:
    async def use() -> None:
        async with following(redis_server.address) as store:
            live, task = store.live, store._task
            # An error that no code expects.
            store.live = None  # type: ignore[assignment]
            await wait_until(lambda: store._problem)
            store.live = live
            await open_redis(redis_server.address).publish([revoked("alice")])
            await wait_until(lambda: names(store) == {"alice"})
            assert store._problem == ""
            assert store._task is task

    asyncio.run(use())


def test_failures_name_no_address(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    redis_server.kill()

    async def use() -> list[str]:
        store, told = open_redis(redis_server.address), []
        await store.load(0.1)
        for call in (store.publish([revoked()]), store.claim_once("k", 1), store.read_clock()):
            with pytest.raises(UpstreamError) as caught:
                await call
            told.append(repr(caught.value) + caught.value.report())
        await store.aclose()
        return told

    told = asyncio.run(use())
    assert "ConnectionError" in caplog.text
    for text in (*told, caplog.text):
        assert str(redis_server.port) not in text
