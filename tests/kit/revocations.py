"""Revocations and stores for tests."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from kit.clock import DAY, OffsetClock
from oidc_auth.revocation.entries import Kind, Revocation
from oidc_auth.revocation.live_set import LiveRevocations, Retention
from oidc_auth.revocation.store import OutageRule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from oidc_auth.revocation.redis import RedisStore

ISSUER = "https://sso.acme.com"
RETENTION = Retention(tokens=DAY, subjects=2 * DAY)
SECONDS = 10.0
"""The longest wait of a test."""


def revoked(value: str = "alice", kind: Kind = Kind.SUBJECT, at: float | None = None) -> Revocation:
    """Return a revocation, by default of a user until now."""
    return Revocation(issuer=ISSUER, kind=kind, value=value, time=time.time() if at is None else at)


def names(store: RedisStore) -> set[str]:
    """Return the values of the live revocations."""
    return {each.value for each in store.live.entries(time.time())}


def open_redis(address: str, **options: Any) -> RedisStore:
    """Return a store with the clocks of the test."""
    from oidc_auth.revocation.redis import RedisStore

    clock, timer = options.get("clock", OffsetClock()), options.get("timer", time.monotonic)
    outage = OutageRule(grace=options.get("grace", 60), serves=options.get("serves", False))
    return RedisStore(address, LiveRevocations(options.get("retention", RETENTION)), clock, outage, timer)


@asynccontextmanager
async def following(address: str, **options: Any) -> AsyncIterator[RedisStore]:
    """Yield a loaded store."""
    store = open_redis(address, **options)
    try:
        await store.load(SECONDS)
        assert store.state(time.time()).is_loaded
        yield store
    finally:
        await store.aclose()


async def wait_until(condition: Callable[[], object]) -> None:
    """Wait for a condition, and fail if it never comes true."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - the conditions are states of servers
            await asyncio.sleep(0.005)
