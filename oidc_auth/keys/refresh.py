"""Keep one value fresh in the background, and keep it through an outage.

The module does not depend on OpenID Connect. It reads no clock: the caller passes the time in seconds since the epoch,
so one request uses one time.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

BATCH_SIZE = 32
"""Waiting requests that continue per event-loop iteration. A thousand signatures in a row would block it for 50 ms."""

SPREAD = 0.25
"""The part of ``refresh_after`` and of the pauses by which processes differ. Processes that started together would
otherwise ask the provider in the same second, again and again."""

NOT_LOADED = "nothing was loaded"
"""The failure before the first load has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshAges:
    """The ages at which a value is refreshed, in seconds.

    Attributes:
        refresh_after: an older value is used, and refreshed in the background. Each load is up to a quarter earlier, by
            chance.
        blocking_refresh_after: an older value is refreshed before it is used. So an idle process does not use
            yesterday's value.
        max_stale: an older value is never used, even if it cannot be refreshed.
        retry_after_failure: the pause after a failed load, with a value.
        retry_when_empty: the pause after a failed load, without a value. Both pauses are up to a quarter shorter, by
            chance.
    """

    refresh_after: float = 90
    blocking_refresh_after: float = 3600
    max_stale: float = 86_400
    retry_after_failure: float = 10
    retry_when_empty: float = 1


class WithdrawnError(Exception):
    """The source has withdrawn the value. The known value must not be used again."""


class RefreshAction(Enum):
    """How a request uses the value."""

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
    """A value that is loaded at most once at a time.

    Args:
        load: returns a new value for a given time. It must have a timeout. An exception is a failed attempt, and
            ``WithdrawnError`` also drops the known value.
        ages: when the value is refreshed.
        draw: returns a random number from 0 to 1.

    Attributes:
        value: the last loaded value, or None.
        loaded_at: when it was loaded, or None.
        failed_at: when the last load failed. None if it succeeded.
        failure: the message of the last failed load.
        load_count: the number of successful loads.
    """

    def __init__(
        self, load: Callable[[float], Awaitable[T]], ages: RefreshAges, draw: Callable[[], float] = random.random
    ) -> None:
        self._load = load
        self._ages = ages
        self._draw = draw
        # Never longer than configured, because a withdrawn key counts until the refresh.
        self._share = 1 - SPREAD * draw()
        self._current_refresh: _Refresh | None = None
        self.value: T | None = None
        self.loaded_at: float | None = None
        self.failed_at: float | None = None
        # The message, not the exception. An exception that is raised repeatedly keeps the frames of all these requests
        # alive, with their tokens.
        self.failure = NOT_LOADED
        self.load_count = 0

    def fresh_value(self, now: float) -> T | None:
        """Return the value if it needs no refresh, else None."""
        if self.loaded_at is None or self.failed_at is not None:
            return None
        return self.value if 0 <= now - self.loaded_at <= self._ages.refresh_after * self._share else None

    async def get(self, now: float) -> T:
        """Refresh the value if necessary and return it.

        Raises:
            LookupError: no value may be used. The message is that of the last failed load.
        """
        action = self._next_action(now)
        if action is RefreshAction.USE_AND_REFRESH:
            self._start_refresh(now)
        elif action is RefreshAction.WAIT:
            await self._wait(now)
        return self._usable_value(now)

    async def refresh(self, now: float) -> T:
        """Load the value, or wait for the running load, and return it.

        Raises:
            LookupError: no value may be used. The message is that of the last failed load.
        """
        await self._wait(now)
        return self._usable_value(now)

    def seconds_until_retry(self, now: float) -> float:
        """Return the seconds until the next load is allowed."""
        if self.failed_at is None:
            return 0
        pause = self._share * (self._ages.retry_when_empty if self.value is None else self._ages.retry_after_failure)
        waited = now - self.failed_at
        # A failure in the future means that the clock was set back. It must not prevent loads.
        return pause - waited if 0 <= waited < pause else 0

    def _next_action(self, now: float) -> RefreshAction:
        if self.value is None or self.loaded_at is None:
            return RefreshAction.WAIT if self._may_attempt(now) or self.is_refreshing() else RefreshAction.REFUSE
        age = now - self.loaded_at
        if self.failed_at is not None:
            return self._action_after_failure(now, age)
        # After a long pause without requests, a withdrawn key must not be accepted once more.
        if age > self._ages.blocking_refresh_after:
            return RefreshAction.WAIT
        # A negative age means that the clock was set back. A refresh corrects the time of the load.
        is_fresh = 0 <= age <= self._ages.refresh_after * self._share
        return RefreshAction.USE if is_fresh else RefreshAction.USE_AND_REFRESH

    def _action_after_failure(self, now: float, age: float) -> RefreshAction:
        # One request makes the next attempt. The others use the known value.
        starts = self._may_attempt(now) and not self.is_refreshing()
        if age > self._ages.max_stale:
            return RefreshAction.WAIT if starts or self.is_refreshing() else RefreshAction.REFUSE
        if not starts:
            return RefreshAction.USE
        return RefreshAction.WAIT if age > self._ages.blocking_refresh_after else RefreshAction.USE_AND_REFRESH

    def _may_attempt(self, now: float) -> bool:
        return self.seconds_until_retry(now) <= 0

    def _usable_value(self, now: float) -> T:
        # Checked again after waiting, because the load may have failed or withdrawn the value.
        if self.value is None or self.loaded_at is None or now - self.loaded_at > self._ages.max_stale:
            raise LookupError(self.failure)
        return self.value

    def is_refreshing(self) -> bool:
        """Tell whether a load is running in this event loop."""
        # A load of another event loop, which may have ended, would never wake the requests of this one.
        refresh = self._current_refresh
        return refresh is not None and refresh.loop is asyncio.get_running_loop()

    def _start_refresh(self, now: float) -> _Refresh:
        # Read once: another thread may replace it at any time, and its load does not wake the requests of this one.
        refresh = self._current_refresh
        if refresh is None or refresh.loop is not asyncio.get_running_loop():
            self._current_refresh = refresh = _Refresh(asyncio.get_running_loop())
            refresh.task = refresh.loop.create_task(self._run_refresh(refresh, now))
        return refresh

    async def _wait(self, now: float) -> None:
        waiter = asyncio.get_running_loop().create_future()
        # If this request is cancelled, the load continues for the others.
        self._start_refresh(now).waiters.append(waiter)
        await waiter

    async def _run_refresh(self, refresh: _Refresh, now: float) -> None:
        try:
            value = await self._load(now)
        except WithdrawnError as failure:
            self.value, self.loaded_at = None, None
            self.failed_at, self.failure = now, str(failure)
        except Exception as failure:  # noqa: BLE001 - its message is raised to requests that have no value
            self.failed_at, self.failure = now, str(failure)
        else:
            self.value, self.loaded_at = value, now
            self.load_count += 1
            self.failed_at, self.failure = None, NOT_LOADED
        finally:
            self._share = 1 - SPREAD * self._draw()
            # Another event loop may have started its own load.
            if self._current_refresh is refresh:
                self._current_refresh = None
            await _wake_all(refresh.waiters)


async def _wake_all(waiters: deque[asyncio.Future[None]]) -> None:
    while waiters:
        wake(waiters, BATCH_SIZE)
        # Other requests run between two batches.
        await asyncio.sleep(0)


def wake(waiters: deque[asyncio.Future[None]], count: int) -> None:
    """Wake the first ``count`` waiting requests."""
    for _ in range(min(count, len(waiters))):
        waiter = waiters.popleft()
        # The future of a cancelled request is already done.
        if not waiter.done():
            waiter.set_result(None)
