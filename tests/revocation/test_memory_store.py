from __future__ import annotations

import asyncio

from kit.clock import DAY, NOON
from kit.revocations import RETENTION, revoked

from oidc_auth.config.build_revocation import open_store
from oidc_auth.revocation.entries import Kind
from oidc_auth.revocation.live_set import LiveRevocations
from oidc_auth.revocation.store import MEMORY, MemoryStore, OutageRule


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


def open_memory() -> tuple[MemoryStore, Clock]:
    clock = Clock()
    store = open_store(MEMORY, LiveRevocations(RETENTION), clock, OutageRule(grace=0, serves=False))
    assert isinstance(store, MemoryStore)
    return store, clock


def test_memory_store_is_always_complete() -> None:
    store, clock = open_memory()

    async def use() -> None:
        await store.load(0)
        await store.publish([revoked(at=NOON)])
        assert await store.read_clock() == NOON
        await store.aclose()

    asyncio.run(use())
    state = store.state(clock())
    assert store.is_current(clock())
    assert (state.is_loaded, state.is_connected, state.is_trusted, state.count) == (True, True, True, 1)


def test_expired_revocations_leave_memory() -> None:
    store, clock = open_memory()
    asyncio.run(store.publish([revoked("t1", Kind.TOKEN, NOON)]))
    clock.now += DAY + 1
    asyncio.run(store.publish([revoked("t2", Kind.TOKEN, clock.now)]))
    assert [each.value for each in store.live.entries(clock.now)] == ["t2"]
    assert len(store.live) == 1


def test_key_is_claimed_once() -> None:
    store, clock = open_memory()

    async def claim(key: str) -> bool:
        return await store.claim_once(key, 60)

    assert asyncio.run(claim("a"))
    assert not asyncio.run(claim("a"))
    assert asyncio.run(claim("b"))
    clock.now += 60
    assert asyncio.run(claim("a"))
    clock.now += 61
    assert asyncio.run(claim("c"))
    # Only the claims that still count are kept.
    assert [*store._claimed] == ["c"]
