"""The store of a deployment with several processes: a Redis stream that each of them follows.

Each process keeps all live revocations in memory, so a request needs no call to Redis. A process only reads to follow
the stream, so a Redis server that accepts no writes can be followed.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from ..errors import ErrorCode, UpstreamError
from ..observability import logger
from .entries import MalformedEntryError, Revocation
from .live_set import LiveRevocations
from .store import StoreState
from .stream import START, Tally, decode, oldest_kept, read_facts, was_shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .store import OutageRule
    from .stream import StreamFacts

STREAM = "oidc_auth:revocations"
PUBLISHING = "oidc_auth:revocations:publishing"
"""Held by the process that publishes what Redis has lost, so that not all of them do it."""
CLAIMED = "oidc_auth:claimed:"

BLOCK_SECONDS = 1.0
SOCKET_TIMEOUT = 4.0
"""Longer than a read that waits for new entries, which fails otherwise. Without it, a dead connection looks healthy."""
SILENT_AFTER = 5.0
"""Seconds without an answer after which the store counts as unreachable."""
CALL_SECONDS = 10.0
"""The longest time of one call, with its connection."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 0.8
LOCK_SECONDS = 10
PAGE = 250
"""Entries in one read or write. More would delay other requests by over 10 ms."""
FIELD = b"v"
MAX_CODE = 20
"""Longer than the error codes of Redis."""

FAILURES = (RedisError, OSError, TimeoutError)
OPTIONS: dict[str, Any] = {
    "socket_timeout": SOCKET_TIMEOUT,
    "socket_connect_timeout": SOCKET_TIMEOUT,
    "decode_responses": False,
    # This module tries again itself, and counts the time as an outage.
    "retry": Retry(NoBackoff(), 0),
}


def check_address(address: str) -> None:
    """Raise ValueError if an address is not the URL of a Redis server. Its text can hold a password."""
    try:
        # It only creates an object, which knows the options of the URL.
        pool: Any = _pool(address)
        pool.make_connection()
    except (ValueError, TypeError, RedisError):
        raise ValueError from None


class RedisStore:
    """Follows the revocations of a Redis stream, and adds to it.

    Args:
        address: The URL of the server.
        live: The revocations of this process.
        clock: Returns the time, in seconds since the epoch.
        outage: What happens while the server is unreachable.
        timer: A monotonic clock in seconds.
    """

    def __init__(
        self,
        address: str,
        live: LiveRevocations,
        clock: Callable[[], float],
        outage: OutageRule,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.live = live
        self._address = address
        self._clock = clock
        self._timer = timer
        self._outage = outage
        self._task: asyncio.Task[None] | None = None
        # Of all event loops.
        self._waiters: set[asyncio.Future[None]] = set()
        # The time of the last complete read, by both clocks.
        self._complete: tuple[float, float] | None = None
        self._current_until = (float("-inf"), float("-inf"))
        self._position = START
        self._facts: StreamFacts | None = None
        self._must_reread = False
        # No task has followed the stream for a while, so the known set can be old.
        self._is_resuming = False
        # Those that this process has not read in the stream, in their order. False while they are being published.
        self._unpublished: dict[Revocation, bool] = {}
        # Those that Redis did not confirm, although a caller wanted it. They are in ``_unpublished`` too.
        self._refused: set[Revocation] = set()
        self._malformed = 0
        self._lost = 0
        self._problem = ""

    def is_current(self, now: float) -> bool:
        """Tell whether the stream was read completely a moment ago."""
        # The same as the lag, with fewer steps, because every request asks.
        return now < self._current_until[0] and self._timer() < self._current_until[1]

    def state(self, now: float) -> StoreState:
        """Return the current state."""
        lag, is_loaded = self._lag(now), self._complete is not None
        return StoreState(
            is_loaded=is_loaded,
            is_connected=lag < SILENT_AFTER,
            is_trusted=is_loaded and (self._outage.serves or lag <= max(self._outage.grace, SILENT_AFTER)),
            count=len(self.live),
            lag=lag if is_loaded else 0.0,
            malformed=self._malformed,
            lost=self._lost,
            unpublished=len(self._unpublished),
        )

    def _lag(self, now: float) -> float:
        if self._complete is None:
            return float("inf")
        wall, timer = self._complete
        # The wall clock can be set back, and the other one stops while the machine sleeps.
        return max(now - wall, self._timer() - timer)

    async def load(self, seconds: float) -> None:
        """Start to follow the stream, and wait until it was read once since then."""
        self._start()
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            # After the addition, because another thread may have finished between the two.
            if self._complete is None or self._is_resuming:
                await asyncio.wait([waiter], timeout=seconds)
        finally:
            self._waiters.discard(waiter)

    def _start(self) -> None:
        """Follow the stream in the running event loop, unless another one does it."""
        task = self._task
        # The other loop may have ended, for example in tests and when a server reloads.
        if task is None or task.done() or not task.get_loop().is_running():
            self._is_resuming = True
            self._task = asyncio.get_running_loop().create_task(self._follow())

    async def publish(self, revocations: Sequence[Revocation]) -> None:
        """Add revocations to ``live`` and to the stream.

        Raises:
            UpstreamError: ``revocations_unavailable``. They are published when the server is back.
            MalformedEntryError: Another process could not read one of them.
        """
        now = self._clock()
        readable = [Revocation.decode(each.encode()) for each in revocations]
        for revocation in readable:
            # First here, so that this process refuses without a delay, also during an outage.
            self.live.add(revocation.limit_time(now), now)
            self._unpublished[revocation] = False
        is_confirmed = False
        try:
            async with asyncio.timeout(CALL_SECONDS), self._connect() as client:
                await self._append(client, readable)
            is_confirmed = True
        except FAILURES as error:
            self._start()
            raise _unavailable(error) from None
        finally:
            # Also if the caller is cancelled, and also after a success. Redis can still lose an entry that it has
            # confirmed. It is safe when this process has read it in the stream.
            for revocation in readable:
                if revocation in self._unpublished:
                    self._unpublished[revocation] = True
            (self._refused.difference_update if is_confirmed else self._refused.update)(readable)

    def is_confirmed(self, revocation: Revocation) -> bool:
        """Tell whether Redis has accepted a revocation that this process published."""
        return revocation not in self._refused

    async def claim_once(self, key: str, seconds: float) -> bool:
        """Return True for the first call with a key in all processes within some seconds."""
        try:
            async with asyncio.timeout(CALL_SECONDS), self._connect() as client:
                return bool(await client.set(CLAIMED + key, b"1", nx=True, px=max(1, int(seconds * 1_000))))
        except FAILURES as error:
            raise _unavailable(error) from None

    async def read_clock(self) -> float:
        """Return the time of Redis."""
        try:
            async with asyncio.timeout(CALL_SECONDS), self._connect() as client:
                return await _read_time(client)
        except FAILURES as error:
            raise _unavailable(error) from None

    async def aclose(self) -> None:
        """Stop to follow the stream."""
        task, self._task = self._task, None
        # The next request reads what is added from now on.
        self._current_until = (float("-inf"), float("-inf"))
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait([task], timeout=SOCKET_TIMEOUT)

    def _connect(self) -> Redis:
        return Redis.from_pool(_pool(self._address))

    async def _follow(self) -> None:
        own, pause = asyncio.current_task(), FIRST_PAUSE
        while self._is_follower(own):
            try:
                async with self._connect() as client:
                    await self._catch_up(client)
                    pause = FIRST_PAUSE
                    self._note_problem("")
                    while self._is_follower(own):
                        await client.xread({STREAM: self._position}, count=1, block=int(BLOCK_SECONDS * 1_000))
                        if self._is_follower(own):
                            await self._catch_up(client)
            except Exception as error:  # noqa: BLE001 - an unexpected error must not end the task, and counts as an outage
                self._note_problem(_describe(error))
                if self._complete is not None and self._is_follower(own):
                    # An outage, in which the known set counts.
                    self._stop_waiting()
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _is_follower(self, task: asyncio.Task[None] | None) -> bool:
        # redis-py on Python 3.11 can swallow a cancellation. It is counted nevertheless.
        return task is not None and self._task is task and not task.cancelling()

    def _note_problem(self, problem: str) -> None:
        """Log a change, and not each attempt."""
        if problem != self._problem:
            if problem:
                logger.error("revocations: %s. Trying again until it succeeds.", problem)
            else:
                logger.warning("revocations: Redis is back")
            self._problem = problem

    async def _catch_up(self, client: Redis) -> None:
        """Read all new entries. The set is complete after that."""
        facts = await self._ask(client)
        oldest = oldest_kept(facts.time, self.live.retention.longest)
        # The flag stays until a reading of the whole stream has ended.
        if not self._must_reread and was_shortened(self._facts, facts, self._position, oldest):
            logger.error("revocations: Redis lost entries. This process publishes those that it knows.")
            self._must_reread = True
        tally = Tally(self._facts, facts)
        self._complete = await (self._reread(client, tally) if self._must_reread else self._read_new(client, tally))
        self._current_until = self._complete[0] + SILENT_AFTER, self._complete[1] + SILENT_AFTER
        self._facts = facts
        if lost := tally.lost():
            self._lost += lost
            logger.error("revocations: %d entries were removed from Redis before this process read them", lost)
        self._stop_waiting()
        self.live.remove_expired(self._complete[0])
        # Last, because a Redis without memory can be read. Then this process knows everything, and tries again.
        await self._publish_waiting(client)

    async def _ask(self, client: Redis) -> StreamFacts:
        # One transaction, so that its answers are of the same moment.
        pipeline: Any = client.pipeline(transaction=True)
        pipeline.time()
        pipeline.xrange(STREAM, self._position, self._position)
        pipeline.xinfo_stream(STREAM)
        now, entry, stream = await pipeline.execute(raise_on_error=False)
        for answer in (now, entry, stream):
            # The stream does not exist before the first revocation. Any other error must not look like an empty stream.
            if isinstance(answer, Exception) and not (answer is stream and "no such key" in str(answer)):
                raise answer
        facts: Mapping[str, Any] = {} if isinstance(stream, Exception) else stream
        return read_facts(_seconds(now), facts, has_position=bool(entry))

    async def _read_new(
        self, client: Redis, tally: Tally | None = None, stored: LiveRevocations | None = None
    ) -> tuple[float, float]:
        """Read the entries after the position, and return the time at which the set was complete, by both clocks."""
        while True:
            # Before the question, because entries may be added after the answer.
            asked = self._clock(), self._timer()
            found: Any = await client.xrange(STREAM, f"({self._position}", "+", count=PAGE)
            self._take(found, asked[0], tally, stored)
            if len(found) < PAGE:
                return asked
            # The answer may have been in a buffer already. Other tasks must run, too.
            await asyncio.sleep(0)

    def _take(
        self,
        found: Iterable[tuple[bytes, Mapping[bytes, bytes]]],
        now: float,
        tally: Tally | None,
        stored: LiveRevocations | None,
    ) -> None:
        malformed = 0
        for name, fields in found:
            self._position = decode(name)
            if tally is not None:
                tally.add(self._position)
            try:
                revocation = Revocation.decode(fields.get(FIELD, b""))
            except MalformedEntryError:
                malformed += 1
                continue
            if self._unpublished:
                self._unpublished.pop(revocation, None)
                self._refused.discard(revocation)
            limited = revocation.limit_time(now)
            self.live.add(limited, now)
            if stored is not None:
                stored.add(limited, now)
        if malformed:
            self._malformed += malformed
            logger.error("revocations: %d entries are malformed, the last of them up to %s", malformed, self._position)

    async def _reread(self, client: Redis, tally: Tally) -> tuple[float, float]:
        """Read the whole stream, and find the entries that only this process knows."""
        self._position, self._malformed = START, 0
        stored = LiveRevocations(self.live.retention)
        complete = await self._read_new(client, tally, stored)
        for number, revocation in enumerate(self.live.entries(complete[0]), 1):
            if not stored.includes(revocation):
                self._unpublished[revocation] = True
            if number % PAGE == 0:
                await asyncio.sleep(0)
        self._must_reread = False
        return complete

    async def _publish_waiting(self, client: Redis) -> None:
        """Publish what Redis does not have, one process after the other, so that each entry is published once."""
        # A copy, because another event loop may publish at the same time.
        if not any([*self._unpublished.values()]):
            return
        if not await client.set(PUBLISHING, b"1", nx=True, ex=LOCK_SECONDS):
            return
        # Another process may have published some of them.
        await self._read_new(client)
        waiting = list(self._unpublished)
        for start in range(0, len(waiting), PAGE):
            page = [each for each in waiting[start : start + PAGE] if self._unpublished.get(each)]
            await self._append(client, page)
            await client.expire(PUBLISHING, LOCK_SECONDS)
            # It reads its own entries, so they leave ``_unpublished`` now.
            await self._read_new(client)
        await client.delete(PUBLISHING)

    async def _append(self, client: Redis, revocations: Sequence[Revocation]) -> None:
        oldest = oldest_kept(await _read_time(client), self.live.retention.longest)
        pipeline = client.pipeline(transaction=False)
        for revocation in revocations:
            pipeline.xadd(STREAM, {FIELD: revocation.encode()})
        await pipeline.execute()
        await client.xtrim(STREAM, minid=f"{oldest}-0", approximate=True)

    def _stop_waiting(self) -> None:
        self._is_resuming = False
        for waiter in tuple(self._waiters):
            # A loop that has ended has no more waiters.
            with suppress(RuntimeError):
                waiter.get_loop().call_soon_threadsafe(_finish, waiter)


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _pool(address: str) -> ConnectionPool:
    pool = ConnectionPool.from_url(address)  # pyright: ignore[reportUnknownMemberType] - its keywords have no types
    # Options in the URL would win over keywords.
    pool.connection_kwargs.update(OPTIONS)
    return pool


async def _read_time(client: Redis) -> float:
    untyped: Any = client
    return _seconds(await untyped.time())


def _seconds(answer: tuple[int, int]) -> float:
    return answer[0] + answer[1] / 1_000_000


def _describe(error: BaseException) -> str:
    # The text of the error can hold the address with a password, and everything that the server sends. Its first word
    # is the code of Redis, such as WRONGTYPE.
    word = str(error).partition(" ")[0] if isinstance(error, ResponseError) else ""
    code = f" ({word})" if word.isascii() and word.isalpha() and word.isupper() and len(word) < MAX_CODE else ""
    return f"Redis failed with {type(error).__name__}{code}"


def _unavailable(error: BaseException) -> UpstreamError:
    return UpstreamError(ErrorCode.REVOCATIONS_UNAVAILABLE, found=_describe(error))
