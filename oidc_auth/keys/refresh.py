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

BATCH_SIZE = 32
"""How many waiters go on in one turn of the loop: a thousand signatures in a row would stop it for 50 ms."""


NOT_LOADED = "nothing was loaded"
"""The failure of a value that nobody has tried to load to the end: the server was stopped meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshAges:
    """When a value is young, old and too old. All in seconds.

    Attributes:
        jwks_refresh_after: younger is used as it is; older is renewed behind the request's back.
        blocking_refresh_after: older is renewed first, so that an idle process does not use yesterday's value in the
            morning.
        jwks_max_stale: older is never used, even when it cannot be renewed.
        retry_after_failure: how long a failed attempt is not repeated, while a value is known.
        retry_when_empty: the same while none is known.
    """

    refresh_after: float = 90
    blocking_refresh_after: float = 3600
    max_stale: float = 86_400
    retry_after_failure: float = 10
    retry_when_empty: float = 1


class WithdrawnError(Exception):
    """The source answered that there is no value any more: the one that is known must not be used again."""


class RefreshAction(Enum):
    """What a request does about the value."""

    USE = auto()
    USE_AND_REFRESH = auto()
    WAIT = auto()
    REFUSE = auto()


@dataclass(slots=True)
class _Refresh:
    loop: asyncio.AbstractEventLoop
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])
    task: asyncio.Task[None] | None = None


class RefreshingValue(Generic[T]):
    """One value kept fresh: one load at a time, however many ask.

    Args:
        load: brings a new value, given the time; what it raises counts as a failed attempt, and ``WithdrawnError``
            also drops the known value. It must end by itself.
        ages: when the value is young, old and too old.
    """

    def __init__(self, load: Callable[[float], Awaitable[T]], ages: RefreshAges) -> None:
        self._load = load
        self._ages = ages
        self._current_refresh: _Refresh | None = None
        self.value: T | None = None
        self.loaded_at: float | None = None
        self.failed_at: float | None = None
        # What the last failed attempt said, not the exception: raised again and again, it would keep the frames of
        # every request that it refused, with their tokens.
        self.failure = NOT_LOADED
        self.load_count = 0

    def fresh_value(self, now: float) -> T | None:
        """Return the value if it may be used without another thought, else None."""
        if self.loaded_at is None or self.failed_at is not None:
            return None
        return self.value if 0 <= now - self.loaded_at <= self._ages.refresh_after else None

    async def get(self, now: float) -> T:
        """Return the value, as fresh as its ages demand.

        Raises:
            LookupError: what the last load said, when no value may be used.
        """
        action = self._next_action(now)
        if action is RefreshAction.USE_AND_REFRESH:
            self._start_refresh(now)
        elif action is RefreshAction.WAIT:
            await self._wait(now)
        return self._usable_value(now)

    async def refresh(self, now: float) -> T:
        """Load again, or join the load under way, and return the value.

        Raises:
            LookupError: what the load said, when no value may be used.
        """
        await self._wait(now)
        return self._usable_value(now)

    def seconds_until_retry(self, now: float) -> float:
        """Return the seconds until the next attempt is allowed after a failed one."""
        if self.failed_at is None:
            return 0
        pause = self._ages.retry_when_empty if self.value is None else self._ages.retry_after_failure
        waited = now - self.failed_at
        # A failure in the future means that the clock was set back: it must not hold up attempts for an hour.
        return pause - waited if 0 <= waited < pause else 0

    def _next_action(self, now: float) -> RefreshAction:
        if self.value is None or self.loaded_at is None:
            return RefreshAction.WAIT if self._may_attempt(now) or self.is_refreshing() else RefreshAction.REFUSE
        age = now - self.loaded_at
        if self.failed_at is not None:
            return self._action_after_failure(now, age)
        if age > self._ages.blocking_refresh_after:
            return RefreshAction.WAIT
        # A negative age means that the clock was set back: renewing sets that right.
        return RefreshAction.USE if 0 <= age <= self._ages.refresh_after else RefreshAction.USE_AND_REFRESH

    def _action_after_failure(self, now: float, age: float) -> RefreshAction:
        """One request makes the next attempt; all others are served at once from what is known."""
        attempts = self._may_attempt(now) and not self.is_refreshing()
        if age > self._ages.max_stale:
            return RefreshAction.WAIT if attempts or self.is_refreshing() else RefreshAction.REFUSE
        if not attempts:
            return RefreshAction.USE
        return RefreshAction.WAIT if age > self._ages.blocking_refresh_after else RefreshAction.USE_AND_REFRESH

    def _may_attempt(self, now: float) -> bool:
        return self.seconds_until_retry(now) <= 0

    def _usable_value(self, now: float) -> T:
        if self.value is None or self.loaded_at is None or now - self.loaded_at > self._ages.max_stale:
            raise LookupError(self.failure)
        return self.value

    def is_refreshing(self) -> bool:
        """Tell whether a load is under way in this loop."""
        # A flight that belongs to another loop (one that has ended, in tests) will never land here.
        return self._current_refresh is not None and self._current_refresh.loop is asyncio.get_running_loop()

    def _start_refresh(self, now: float) -> _Refresh:
        if self._current_refresh is None or not self.is_refreshing():
            refresh = _Refresh(asyncio.get_running_loop())
            self._current_refresh = refresh
            refresh.task = refresh.loop.create_task(self._run_refresh(refresh, now))
            return refresh
        return self._current_refresh

    async def _wait(self, now: float) -> None:
        waiter = asyncio.get_running_loop().create_future()
        # A cancelled request leaves its future behind; the flight, which others wait for, goes on.
        self._start_refresh(now).waiters.append(waiter)
        await waiter

    async def _run_refresh(self, refresh: _Refresh, now: float) -> None:
        try:
            value = await self._load(now)
        except WithdrawnError as failure:
            self.value, self.loaded_at = None, None
            self.failed_at, self.failure = now, str(failure)
        except Exception as failure:  # noqa: BLE001 - what it said is raised to whoever has no value to use
            self.failed_at, self.failure = now, str(failure)
        else:
            self.value, self.loaded_at = value, now
            self.load_count += 1
            self.failed_at, self.failure = None, NOT_LOADED
        finally:
            self._current_refresh = None if self._current_refresh is refresh else self._current_refresh
            await _wake_all(refresh.waiters)


async def _wake_all(waiters: deque[asyncio.Future[None]]) -> None:
    while waiters:
        wake(waiters, BATCH_SIZE)
        await asyncio.sleep(0)


def wake(waiters: deque[asyncio.Future[None]], count: int) -> None:
    """Let the first ``count`` of those who wait go on; a cancelled request has left its future behind."""
    for _ in range(min(count, len(waiters))):
        waiter = waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
