"""Turns: a crowd goes on a slice at a time, so that the event loop keeps serving whoever came for something else."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, field

from ..keys.refresh import SLICE, let_go


class Turns(threading.local):
    """Spreads a crowd over turns of the event loop: 32 newcomers go on in each, the others wait.

    Beside the newcomers, 16 of those who wait go on in each turn, or an eighth of them if that is more: in the order
    they came, and the faster the more they are. So a thousand made-up tokens do not stop the loop, hardly hold up the
    genuine one that comes after them, and never pile up, however long a turn takes for other reasons. The loop stands
    still for an eighth of a crowd at most, after its first 32.

    One for all event loops: each thread has a count of its own.
    """

    def __init__(self) -> None:
        self._crowd: _Crowd | None = None

    def join(self) -> asyncio.Future[None] | None:
        """Return None to whoever may go on at once, else what to wait for."""
        loop, crowd = asyncio.get_running_loop(), self._crowd
        # A loop that ended took its crowd with it.
        if crowd is None or crowd.loop is not loop:
            self._crowd = crowd = _Crowd(loop)
        return crowd.join()


@dataclass(slots=True)
class _Crowd:
    loop: asyncio.AbstractEventLoop
    newcomers: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])
    turns: bool = False

    def join(self) -> asyncio.Future[None] | None:
        if not self.turns:
            self.loop.call_soon(self.next_turn)
            self.turns = True
        self.newcomers += 1
        if self.newcomers <= SLICE:
            return None
        waiter: asyncio.Future[None] = self.loop.create_future()
        self.waiting.append(waiter)
        return waiter

    def next_turn(self) -> None:
        self.newcomers, self.turns = 0, False
        if self.waiting:
            # Before anything that may fail: nobody must be left waiting.
            self.loop.call_soon(self.next_turn)
            self.turns = True
        let_go(self.waiting, max(SLICE // 2, len(self.waiting) // 8))
