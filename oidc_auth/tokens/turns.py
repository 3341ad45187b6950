"""Turns: a crowd goes on a slice at a time, so that the event loop keeps serving whoever came for something else."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from ..keys.refresh import SLICE


class Turns:
    """Lets about 32 tokens be verified in one turn of the event loop; requests after them wait for a later turn.

    Half of each turn is for those who wait, in their order, and half for newcomers: a thousand made-up tokens do not
    hold up the genuine one that comes after them.
    """

    def __init__(self) -> None:
        self._crowd: _Crowd | None = None

    @property
    def full(self) -> bool:
        """Whether this turn has had its share."""
        return self._crowd is not None and self._crowd.begun >= SLICE

    def begin(self) -> None:
        """Count one verification in this turn."""
        self._here().count()

    async def wait(self) -> None:
        """Return in a later turn, or at once if this one is not full."""
        crowd = self._here()
        if crowd.begun >= SLICE:
            await crowd.join()

    def _here(self) -> _Crowd:
        loop = asyncio.get_running_loop()
        # A crowd of another loop goes on there, or has ended with it.
        if self._crowd is None or self._crowd.loop is not loop:
            self._crowd = _Crowd(loop)
        return self._crowd


@dataclass(slots=True)
class _Crowd:
    loop: asyncio.AbstractEventLoop
    begun: int = 0
    ends: bool = False
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])

    def count(self) -> None:
        self.begun += 1
        if not self.ends:
            self.ends = True
            self.loop.call_soon(self.end_turn)

    def join(self) -> asyncio.Future[None]:
        waiter = self.loop.create_future()
        self.waiting.append(waiter)
        return waiter

    def end_turn(self) -> None:
        """Begin the next turn with half a slice of those who wait; with none left, nothing more is to be done."""
        self.begun = 0
        going = [self.waiting.popleft() for _ in range(min(SLICE // 2, len(self.waiting)))]
        for waiter in going:
            # A cancelled request leaves its future behind.
            if not waiter.done():
                waiter.set_result(None)
        self.ends = bool(going)
        if going:
            self.loop.call_soon(self.end_turn)
