"""One value kept fresh: used while young, renewed behind, waited for when old, kept through an outage.

Knows nothing of OpenID: a value, the function that loads it, and five ages in seconds. It reads no clock either; who
asks says what time it is, so that one request sees one time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

SLICE = 32
"""How many waiters go on in one turn of the loop: a thousand signatures in a row would stop it for 50 ms."""


NOTHING = "nothing was loaded"
"""The failure of a value that nobody has tried to load to the end: the server was stopped meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """When a value is young, old and too old. All in seconds.

    Attributes:
        refresh_after: younger is used as it is; older is renewed behind the request's back.
        wait_after: older is renewed first, so that an idle process does not use yesterday's value in the morning.
        max_stale: older is never used, even when it cannot be renewed.
        retry_after_failure: how long a failed attempt is not repeated, while a value is known.
        retry_when_empty: the same while none is known.
    """

    refresh_after: float = 90
    wait_after: float = 3600
    max_stale: float = 86_400
    retry_after_failure: float = 10
    retry_when_empty: float = 1


class WithdrawnError(Exception):
    """The source answered that there is no value any more: the one that is known must not be used again."""


class Move(Enum):
    """What a request does about the value."""

    USE = auto()
    USE_AND_RENEW = auto()
    WAIT = auto()
    REFUSE = auto()


@dataclass(slots=True)
class _Flight:
    loop: asyncio.AbstractEventLoop
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])
    task: asyncio.Task[None] | None = None


class Refreshed(Generic[T]):
    """One value kept fresh: one load at a time, however many ask.

    Args:
        load: brings a new value, given the time; what it raises counts as a failed attempt, and ``WithdrawnError``
            also drops the known value. It must end by itself.
        ages: when the value is young, old and too old.
    """

    def __init__(self, load: Callable[[float], Awaitable[T]], ages: Ages) -> None:
        self._load = load
        self._ages = ages
        self._flight: _Flight | None = None
        self.value: T | None = None
        self.loaded_at: float | None = None
        self.failed_at: float | None = None
        # What the last failed attempt said, not the exception: raised again and again, it would keep the frames of
        # every request that it refused, with their tokens.
        self.failure = NOTHING
        self.loads = 0

    def young(self, now: float) -> T | None:
        """Return the value if it may be used without another thought, else None."""
        if self.loaded_at is None or self.failed_at is not None:
            return None
        return self.value if 0 <= now - self.loaded_at <= self._ages.refresh_after else None

    async def get(self, now: float) -> T:
        """Return the value, as fresh as its ages demand.

        Raises:
            LookupError: what the last load said, when no value may be used.
        """
        move = self._move(now)
        if move is Move.USE_AND_RENEW:
            self._take_off(now)
        elif move is Move.WAIT:
            await self._wait(now)
        return self._usable(now)

    async def renew(self, now: float) -> T:
        """Load again, or join the load under way, and return the value.

        Raises:
            LookupError: what the load said, when no value may be used.
        """
        await self._wait(now)
        return self._usable(now)

    def next_attempt_in(self, now: float) -> float:
        """Return the seconds until the next attempt is allowed after a failed one."""
        if self.failed_at is None:
            return 0
        pause = self._ages.retry_when_empty if self.value is None else self._ages.retry_after_failure
        waited = now - self.failed_at
        # A failure in the future means that the clock was set back: it must not hold up attempts for an hour.
        return pause - waited if 0 <= waited < pause else 0

    def _move(self, now: float) -> Move:
        if self.value is None or self.loaded_at is None:
            return Move.WAIT if self._may_attempt(now) or self.flying() else Move.REFUSE
        age = now - self.loaded_at
        if self.failed_at is not None:
            return self._move_after_failure(now, age)
        if age > self._ages.wait_after:
            return Move.WAIT
        # A negative age means that the clock was set back: renewing sets that right.
        return Move.USE if 0 <= age <= self._ages.refresh_after else Move.USE_AND_RENEW

    def _move_after_failure(self, now: float, age: float) -> Move:
        """One request makes the next attempt; all others are served at once from what is known."""
        attempts = self._may_attempt(now) and not self.flying()
        if age > self._ages.max_stale:
            return Move.WAIT if attempts or self.flying() else Move.REFUSE
        if not attempts:
            return Move.USE
        return Move.WAIT if age > self._ages.wait_after else Move.USE_AND_RENEW

    def _may_attempt(self, now: float) -> bool:
        return self.next_attempt_in(now) <= 0

    def _usable(self, now: float) -> T:
        if self.value is None or self.loaded_at is None or now - self.loaded_at > self._ages.max_stale:
            raise LookupError(self.failure)
        return self.value

    def flying(self) -> bool:
        """Tell whether a load is under way in this loop."""
        # A flight that belongs to another loop (one that has ended, in tests) will never land here.
        return self._flight is not None and self._flight.loop is asyncio.get_running_loop()

    def _take_off(self, now: float) -> _Flight:
        if self._flight is None or not self.flying():
            flight = _Flight(asyncio.get_running_loop())
            self._flight = flight
            flight.task = flight.loop.create_task(self._fly(flight, now))
            return flight
        return self._flight

    async def _wait(self, now: float) -> None:
        waiter = asyncio.get_running_loop().create_future()
        # A cancelled request leaves its future behind; the flight, which others wait for, goes on.
        self._take_off(now).waiters.append(waiter)
        await waiter

    async def _fly(self, flight: _Flight, now: float) -> None:
        try:
            value = await self._load(now)
        except WithdrawnError as failure:
            self.value, self.loaded_at = None, None
            self.failed_at, self.failure = now, str(failure)
        except Exception as failure:  # noqa: BLE001 - what it said is raised to whoever has no value to use
            self.failed_at, self.failure = now, str(failure)
        else:
            self.value, self.loaded_at = value, now
            self.loads += 1
            self.failed_at, self.failure = None, NOTHING
        finally:
            self._flight = None if self._flight is flight else self._flight
            await _release(flight.waiters)


async def _release(waiters: deque[asyncio.Future[None]]) -> None:
    while waiters:
        let_go(waiters, SLICE)
        await asyncio.sleep(0)


def let_go(waiters: deque[asyncio.Future[None]], count: int) -> None:
    """Let the first ``count`` of those who wait go on; a cancelled request has left its future behind."""
    for _ in range(min(count, len(waiters))):
        waiter = waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
