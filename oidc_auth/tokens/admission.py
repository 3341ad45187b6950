"""Limit how many tokens are verified in one event-loop iteration."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, field

from ..keys.refresh import BATCH_SIZE, wake


class AdmissionLimiter(threading.local):
    """Limits how many uncached tokens are verified in one event-loop iteration.

    32 new requests go on without waiting, the others wait in a queue. Each later iteration admits 16 of the queue, or
    an eighth of it if that is more. So many invalid tokens cannot block the event loop, and the queue has a bound. A
    new valid token does not have to wait behind the queue.

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
    is refused because of another one. Tokens are told apart by ``cache_slot``. Two tokens with one slot only wait for
    each other.
    """

    def __init__(self) -> None:
        self._pending: dict[int, _Pending] = {}

    def find(self, slot: int) -> asyncio.Future[None] | None:
        """Return a future for the end of the verification of this token, or None."""
        pending = self._pending.get(slot)
        # A verification in a loop that was stopped never ends.
        if pending is None or pending.loop is not asyncio.get_running_loop():
            return None
        waiter: asyncio.Future[None] = pending.loop.create_future()
        pending.waiters = pending.waiters or deque()
        pending.waiters.append(waiter)
        return waiter

    def start(self, slot: int) -> _Pending | None:
        """Let later requests with this token wait for ``finish``."""
        loop, earlier = asyncio.get_running_loop(), self._pending.get(slot)
        if earlier is not None and earlier.loop is loop:
            return None
        self._pending[slot] = pending = _Pending(slot, loop)
        return pending

    def finish(self, pending: _Pending | None, *, succeeded: bool) -> None:
        """Let the requests go on that wait for a verification."""
        if pending is None:
            return
        # Another loop may have replaced it after this loop was stopped.
        if self._pending.get(pending.slot) is pending:
            del self._pending[pending.slot]
        if pending.waiters:
            # After a failure, the admission limit is next for these requests, so they can all go on.
            pending.wake_next(pending.waiters, BATCH_SIZE if succeeded else len(pending.waiters))


class _Pending:
    __slots__ = ("loop", "slot", "waiters")

    def __init__(self, slot: int, loop: asyncio.AbstractEventLoop) -> None:
        self.slot = slot
        self.loop = loop
        self.waiters: deque[asyncio.Future[None]] | None = None

    def wake_next(self, waiters: deque[asyncio.Future[None]], batch: int) -> None:
        count = max(batch, len(waiters) // 8)
        if len(waiters) > count:
            # Scheduled first, as above.
            self.loop.call_soon(self.wake_next, waiters, batch)
        wake(waiters, count)
