"""The store of a deployment with several processes: a Redis stream that each of them follows.

Each process keeps all live revocations in memory, so a request needs no call to Redis. Measured with redis-py 8.1: a
stream read whose ``block`` is longer than ``socket_timeout`` fails on a healthy connection, and without a timeout a
dead connection is never noticed.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from ..errors import ErrorCode, UpstreamError
from ..observability import logger
from .entries import Kind, MalformedEntryError, Revocation
from .store import StoreState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from .live_set import LiveRevocations
    from .store import OutageRule

STREAM = "oidc_auth:revocations"
GENERATION = "oidc_auth:revocations:generation"
"""A random value that an emptied Redis does not have."""
RESTORING = "oidc_auth:revocations:restoring"
"""Held by the process that publishes missing entries again, so that not all of them do it."""
CLAIMED = "oidc_auth:claimed:"

BLOCK_SECONDS = 1.0
SOCKET_TIMEOUT = 4.0
"""Longer than a read that waits for new entries."""
SILENT_AFTER = 5.0
"""Seconds without an answer after which the store counts as unreachable."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
RESTORE_SECONDS = 10
PAGE = 1_000
"""Entries that are read at once. Decoding more would delay other requests."""
FIELD = b"v"
START = "0-0"

FAILURES = (RedisError, OSError, TimeoutError)


class _StreamFacts(NamedTuple):
    """What Redis says about the stream.

    Attributes:
        generation: The value of ``GENERATION``.
        first: The id of the first entry, or "".
        last: The id of the last entry that was ever added.
        added: The number of entries that were ever added, or None before Redis 7.
    """

    generation: str
    first: str
    last: str
    added: int | None


class _Page(NamedTuple):
    """Entries that were read at once.

    Attributes:
        length: Their number, with malformed ones.
        revocations: The entries.
    """

    length: int
    revocations: list[Revocation]


class RedisStore:
    """Follows the revocations of a Redis stream, and adds to it.

    Args:
        address: The URL of the server.
        live: The revocations of this process.
        clock: Returns the time, in seconds since the epoch.
        outage: What happens while the server is unreachable.
    """

    def __init__(self, address: str, live: LiveRevocations, clock: Callable[[], float], outage: OutageRule) -> None:
        self.live = live
        self._address = address
        self._clock = clock
        self._outage = outage
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # Other event loops wait for it, too.
        self._loaded: Future[None] = Future()
        self._complete_at: float | None = None
        self._position = START
        self._facts: _StreamFacts | None = None
        self._must_restore = False
        self._unpublished: list[Revocation] = []
        self._malformed = 0
        self._lost = 0

    def state(self, now: float) -> StoreState:
        """Return the current state."""
        if self._complete_at is None:
            return StoreState(is_loaded=False, is_connected=False, is_trusted=False, malformed=self._malformed)
        lag = max(0.0, now - self._complete_at)
        return StoreState(
            is_connected=lag < SILENT_AFTER,
            is_trusted=self._outage.serves or lag <= max(self._outage.grace, SILENT_AFTER),
            count=len(self.live),
            lag=lag,
            malformed=self._malformed,
            lost=self._lost,
        )

    async def load(self, seconds: float) -> None:
        """Start to follow the stream, and wait until it was read once."""
        if self._task is None or self._task.done() or self._loop is None or self._loop.is_closed():
            self._loop = asyncio.get_running_loop()
            self._task = self._loop.create_task(self._follow())
        if not self._loaded.done():
            # Only the waiting ends, also if the caller is cancelled.
            await asyncio.wait([asyncio.wrap_future(self._loaded)], timeout=seconds)

    async def publish(self, revocations: Sequence[Revocation]) -> None:
        """Add revocations to ``live`` and to the stream."""
        now = self._clock()
        for revocation in revocations:
            # First here, so that this process refuses at once, also during an outage.
            self.live.add(revocation, now)
        try:
            async with self._connect() as client:
                await self._append(client, revocations)
        except FAILURES as error:
            # Published when the server is back.
            self._unpublished += revocations
            raise self._unavailable(error) from None

    async def claim_once(self, key: str, seconds: float) -> bool:
        """Return True for the first call with a key in all processes within some seconds."""
        try:
            async with self._connect() as client:
                return bool(await client.set(CLAIMED + key, b"1", nx=True, px=max(1, int(seconds * 1_000))))
        except FAILURES as error:
            raise self._unavailable(error) from None

    async def aclose(self) -> None:
        """Stop to follow the stream."""
        task, self._task = self._task, None
        if task is not None and self._loop is asyncio.get_running_loop():
            task.cancel()
            # redis-py 8.1 can swallow a cancellation while it connects. Then the loop of the task ends.
            await asyncio.wait([task], timeout=SOCKET_TIMEOUT)

    def _connect(self) -> Redis:
        return Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its keywords have no types
            self._address, socket_timeout=SOCKET_TIMEOUT, socket_connect_timeout=SOCKET_TIMEOUT
        )

    def _unavailable(self, error: BaseException) -> UpstreamError:
        # The text of the error can hold the address, with a password.
        return UpstreamError(ErrorCode.REVOCATIONS_UNAVAILABLE, found=f"Redis failed with {type(error).__name__}")

    async def _follow(self) -> None:
        pause, own = FIRST_PAUSE, asyncio.current_task()
        while self._task is own:
            try:
                async with self._connect() as client:
                    await self._catch_up(client)
                    pause = FIRST_PAUSE
                    while self._task is own:
                        await self._wait_for_entries(client)
                        await self._catch_up(client)
            except FAILURES as error:
                logger.warning("revocations: Redis failed with %s, next attempt in %.1f s", type(error).__name__, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _wait_for_entries(self, client: Redis) -> None:
        await client.xread({STREAM: self._position}, count=1, block=int(BLOCK_SECONDS * 1_000))

    async def _catch_up(self, client: Redis) -> None:
        """Read all new entries. The set is complete after that."""
        started = self._clock()
        facts = await self._ask(client)
        if self._facts is not None and self._was_shortened(self._facts, facts):
            logger.error("revocations: Redis lost entries, which this process publishes again")
            self._must_restore = True
        if self._must_restore:
            await self._restore(client)
        else:
            read = 0
            async for page in self._pages(client):
                read += page.length
            self._count_lost(facts, read)
        self._facts = facts
        await self._publish_waiting(client)
        # The time before the read, because entries may have been added since.
        self._complete_at = started
        if not self._loaded.done():
            self._loaded.set_result(None)

    async def _ask(self, client: Redis) -> _StreamFacts:
        await client.set(GENERATION, uuid4().hex, nx=True)
        generation = await client.get(GENERATION)
        try:
            found = await client.xinfo_stream(STREAM)
        except ResponseError:
            # There is no stream before the first revocation.
            found = {}
        first = found.get("first-entry")
        return _StreamFacts(
            generation=_text(generation or b""),
            first="" if not first else _text(first[0]),
            last=_text(found.get("last-generated-id", START)),
            added=found.get("entries-added") if found else 0,
        )

    def _was_shortened(self, before: _StreamFacts, now: _StreamFacts) -> bool:
        """Tell whether the server lost entries: emptied, restored from a backup, or trimmed by somebody else."""
        if now.generation != before.generation or _order(now.last) < _order(before.last):
            return True
        if now.added is not None and before.added is not None and now.added < before.added:
            return True
        if before.first in ("", now.first):
            return False
        # We only trim what has expired.
        return _order(before.first)[0] >= self._oldest_kept()

    def _count_lost(self, facts: _StreamFacts, read: int) -> None:
        """Count the entries that were added and removed while this process was not connected."""
        before = self._facts
        if before is None or facts.added is None or before.added is None:
            return
        # More may have been added between the question and the read.
        lost = facts.added - before.added - read
        if lost > 0:
            self._lost += lost
            logger.error("revocations: %d entries were removed from Redis before this process read them", lost)

    async def _pages(self, client: Redis) -> AsyncIterator[_Page]:
        while True:
            found: Any = await client.xrange(STREAM, f"({self._position}", "+", count=PAGE)
            yield _Page(len(found), [*self._take(found)])
            if len(found) < PAGE:
                return

    def _take(self, found: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> Iterable[Revocation]:
        now = self._clock()
        for name, fields in found:
            self._position = _text(name)
            try:
                revocation = Revocation.decode(fields.get(FIELD, b""), now)
            except MalformedEntryError:
                self._malformed += 1
                logger.error("revocations: entry %s is malformed", self._position)
                continue
            self.live.add(revocation, now)
            yield revocation

    async def _restore(self, client: Redis) -> None:
        """Read the whole stream again, and publish the entries that only this process knows."""
        present: set[tuple[str, Kind, str]] = set()
        self._position = START
        async for page in self._pages(client):
            present.update((each.issuer, each.kind, each.value) for each in page.revocations)
        # One process after the other, so that each entry is published once.
        if await client.set(RESTORING, b"1", nx=True, ex=RESTORE_SECONDS):
            missing = [each for each in self.live.entries() if (each.issuer, each.kind, each.value) not in present]
            await self._append(client, missing)
            await client.delete(RESTORING)
            self._must_restore = False

    async def _publish_waiting(self, client: Redis) -> None:
        waiting, self._unpublished = self._unpublished, []
        try:
            await self._append(client, waiting)
        except FAILURES:
            self._unpublished = [*waiting, *self._unpublished]
            raise

    async def _append(self, client: Redis, revocations: Sequence[Revocation]) -> None:
        for start in range(0, len(revocations), PAGE):
            pipeline = client.pipeline(transaction=False)
            for revocation in revocations[start : start + PAGE]:
                pipeline.xadd(STREAM, {FIELD: revocation.encode()}, minid=f"{self._oldest_kept()}-0", approximate=True)
            await pipeline.execute()

    def _oldest_kept(self) -> int:
        """Return the time of the oldest entry that can still count, in milliseconds."""
        return int((self._clock() - self.live.retention.longest) * 1_000)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _order(name: str) -> tuple[int, int]:
    """Return the id of an entry as numbers: milliseconds and a counter."""
    milliseconds, _, number = name.partition("-")
    return int(milliseconds), int(number or 0)
