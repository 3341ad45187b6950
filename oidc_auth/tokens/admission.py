"""Limit how many tokens are verified in one event-loop iteration."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..keys.refresh import BATCH_SIZE, wake
from .cache import cache_slot

if TYPE_CHECKING:
    from collections.abc import Generator


class AdmissionLimiter(threading.local):
    """Limits how many uncached tokens are verified in one event-loop iteration.

    32 new requests go on without waiting, the others wait in a queue. Each later iteration admits 16 of the queue, or
    an eighth of it if that is more. So many invalid tokens cannot block the event loop, and the queue cannot grow without
    bound. A new valid token does not have to wait behind the queue.

    The limit holds per thread, because each event loop runs in one thread.
    """

    def __init__(self) -> None:
        self._queue: _LoopQueue | None = None

    def join(self) -> asyncio.Future[None] | None:
        """Return None if the request may go on, else a future to wait for."""
        loop, queue = asyncio.get_running_loop(), self._queue
        # The queue of a loop that has ended is dropped with its requests.
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
            # Scheduled first, so that a failure below cannot leave a request waiting forever.
            self.loop.call_soon(self.admit_next_batch)
            self.scheduled = True
        wake(self.waiters, max(BATCH_SIZE // 2, len(self.waiters) // 8))


class PendingVerifications(threading.local):
    """Lets concurrent requests with one token wait for one verification.

    A request waits at most once. If the verification fails, each request verifies the token itself, so that no request
    is refused because of another one.
    """

    def __init__(self) -> None:
        self._pending: dict[int, _Pending] = {}

    def find(self, token: str) -> asyncio.Future[None] | None:
        """Return a future for the end of a verification of this token, or None."""
        pending, loop = self._pending.get(cache_slot(token)), asyncio.get_running_loop()
        # A verification in a loop that was stopped never ends.
        if pending is None or pending.loop is not loop:
            return None
        waiter: asyncio.Future[None] = loop.create_future()
        pending.waiters.append(waiter)
        return waiter

    @contextmanager
    def start(self, token: str) -> Generator[None]:
        """Let later requests with this token wait until the block ends."""
        slot, loop = cache_slot(token), asyncio.get_running_loop()
        if (earlier := self._pending.get(slot)) is not None and earlier.loop is loop:
            yield
            return
        self._pending[slot] = pending = _Pending(loop)
        # After a failure, the admission limit is next for these requests, so they can all go on.
        count = None
        try:
            yield
            count = BATCH_SIZE
        finally:
            # Another loop may have replaced it after this loop was stopped.
            if self._pending.get(slot) is pending:
                del self._pending[slot]
            pending.finish(count)


@dataclass(slots=True)
class _Pending:
    loop: asyncio.AbstractEventLoop
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])

    def finish(self, batch: int | None) -> None:
        count = len(self.waiters) if batch is None else max(batch, len(self.waiters) // 8)
        if len(self.waiters) > count:
            # Scheduled first, as above.
            self.loop.call_soon(self.finish, batch)
        wake(self.waiters, count)
