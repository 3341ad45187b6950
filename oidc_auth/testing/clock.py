"""A clock that a test moves by hand."""

from __future__ import annotations

import time


class Clock:
    """Wall time that passes only when a test says so; give it to ``OIDCAuth`` and to ``LocalIssuer`` alike.

    Args:
        now: seconds since the epoch; the present when left out.
    """

    def __init__(self, now: float | None = None) -> None:
        self.now = float(int(time.time() if now is None else now))

    def __call__(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
