"""Limit the requests that made-up tokens cause."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..keys.refresh import wake

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..keys.budget import FetchBudget

BURST = 50
"""Requests for unknown tokens that may end without an active answer in a moment."""
WINDOW = 5.0
"""Seconds in which the whole burst becomes available again: 10 requests a second."""
MAX_WAITING = 1_000
"""Requests with different unknown tokens that wait. More are refused."""


class RequestBudget(threading.local):
    """Limits the requests for tokens that the provider never called active.

    Each such request takes one unit. An active answer gives it back, so only made-up and revoked tokens use the budget
    up. While requests are running, others wait, because their units may come back. A renewal of a known token does not
    need a unit, so made-up tokens cannot delay it.

    Waiting requests belong to an event loop, and each event loop runs in one thread.

    Args:
        budget: The units, shared by all event loops.
        clock: Returns the time, in seconds since the epoch.
    """

    def __init__(self, budget: FetchBudget, clock: Callable[[], float]) -> None:
        self._budget = budget
        self._clock = clock
        self._queue: _LoopQueue | None = None

    async def enter(self) -> bool:
        """Take a unit, or return False if there is none."""
        queue = self._loop_queue()
        # Taken before the request and not after the answer. Otherwise thousands of requests could start in a moment.
        while not self._budget.take(self._clock()):
            if not queue.running or len(queue.waiters) >= MAX_WAITING:
                return False
            waiter = queue.loop.create_future()
            queue.waiters.append(waiter)
            await waiter
        queue.running += 1
        return True

    def leave(self, *, active: bool) -> None:
        """End a request that took a unit."""
        queue = self._loop_queue()
        queue.running -= 1
        # An active token was not made up.
        if active:
            self._budget.give_back()
        # A request that was cancelled, or waited for too long, must not use up the turn of another one.
        while queue.waiters and queue.waiters[0].done():
            queue.waiters.popleft()
        # Without a running request, nothing would wake the others.
        wake(queue.waiters, 1 if queue.running else len(queue.waiters))

    def seconds_until_available(self) -> float:
        """Return the seconds until there is a unit."""
        return self._budget.seconds_until_available(self._clock())

    def _loop_queue(self) -> _LoopQueue:
        # The queue of a loop that has ended is dropped with its requests.
        loop = asyncio.get_running_loop()
        if self._queue is None or self._queue.loop is not loop:
            self._queue = _LoopQueue(loop)
        return self._queue


@dataclass(slots=True)
class _LoopQueue:
    loop: asyncio.AbstractEventLoop
    running: int = 0
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])
