"""Times for tests, and a clock for servers that run in real time."""

from __future__ import annotations

import time

NOON = 1_800_000_000.0
HOUR = 3_600.0
DAY = 24 * HOUR


class OffsetClock:
    """The wall clock plus an offset, for a provider that uses the real time."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset
