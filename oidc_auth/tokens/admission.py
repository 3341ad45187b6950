"""Turns: a crowd goes on a slice at a time, so that the event loop keeps serving whoever came for something else."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, field

from ..keys.refresh import BATCH_SIZE, wake


class AdmissionLimiter(threading.local):
    """Spreads a crowd over turns of the event loop: 32 newcomers go on in each, the others wait.

    Beside the newcomers, 16 of those who wait go on in each turn, or an eighth of them if that is more: in the order
    they came, and the faster the more they are. So a thousand made-up tokens do not stop the loop, hardly hold up the
    genuine one that comes after them, and never pile up, however long a turn takes for other reasons. The loop stands
    still for an eighth of a crowd at most, after its first 32.

    One for all event loops: each thread has a count of its own.
    """

    def __init__(self) -> None:
        self._queue: _LoopQueue | None = None

    def join(self) -> asyncio.Future[None] | None:
        """Return None to whoever may go on at once, else what to wait for."""
        loop, queue = asyncio.get_running_loop(), self._queue
        # A loop that ended took its crowd with it.
        if queue is None or queue.loop is not loop:
            self._queue = queue = _LoopQueue(loop)
        return queue.join()


@dataclass(slots=True)
class _LoopQueue:
    loop: asyncio.AbstractEventLoop
    admitted_count: int = 0
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])
    scheduled: bool = False

    def join(self) -> asyncio.Future[None] | None:
        if not self.scheduled:
            self.loop.call_soon(self.admit_next_batch)
            self.scheduled = True
        self.admitted_count += 1
        if self.admitted_count <= BATCH_SIZE:
            return None
        waiter: asyncio.Future[None] = self.loop.create_future()
        self.waiters.append(waiter)
        return waiter

    def admit_next_batch(self) -> None:
        self.admitted_count, self.scheduled = 0, False
        if self.waiters:
            # Before anything that may fail: nobody must be left waiting.
            self.loop.call_soon(self.admit_next_batch)
            self.scheduled = True
        wake(self.waiters, max(BATCH_SIZE // 2, len(self.waiters) // 8))
