"""How many fetches unknown key ids may cause."""

from __future__ import annotations

import math


class Bucket:
    """An allowance of its own for fetches that unknown kids cause: known keys are never slowed by them.

    It holds ``size`` fetches and grows by one each ``window / size`` seconds. In any ``window`` seconds that is at most
    twice ``size``, and on average ``size``. While it is used up, the next fetch is never further away than
    ``window / size``, whoever causes it, and it brings the keys for everybody.

    Args:
        size: how many at once, and on average in one window.
        window: seconds.
    """

    def __init__(self, size: int, window: float) -> None:
        self._size = size
        self._pause = window / max(1, size)
        self._window = window
        self._full_at = -math.inf

    def has(self, now: float) -> bool:
        """Tell whether one is left."""
        return self.next_in(now) <= 0

    def next_in(self, now: float) -> float:
        """Return the seconds until one is left."""
        if not self._size:
            return self._window
        return max(0, self._missing_for(now) - (self._size - 1) * self._pause)

    def take(self, now: float) -> bool:
        """Take one, if one is left."""
        left = self.has(now)
        if left:
            self._full_at = now + self._missing_for(now) + self._pause
        return left

    def _missing_for(self, now: float) -> float:
        """Return the seconds until the allowance is full."""
        missing = self._full_at - now
        # More than a window (and what rounding adds) means that the clock was set back: it counts no longer.
        return missing if 0 < missing <= self._window + self._pause / 2 else 0
