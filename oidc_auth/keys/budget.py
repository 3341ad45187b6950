"""Limit the requests to a provider that unknown key ids and made-up tokens cause."""

from __future__ import annotations

import math

from cachetools import LRUCache

MAX_MISSING_KIDS = 1024
"""Missing key ids that are remembered. More of them only replace the oldest."""
MAX_WAITING_KIDS = 8
"""Unknown key ids that wait for one fetch. A key rotation brings one or two, an attack many."""


class FetchBudget:
    """A limit for fetches that unknown key ids cause, or for requests that made-up tokens cause.

    The budget holds ``size`` fetches. One fetch is added each ``window / size`` seconds. So there are at most
    ``2 * size`` fetches in any ``window``, and ``size`` on average. Regular refreshes of the keys do not use it.

    Args:
        size: the number of fetches.
        window: the period in seconds.
    """

    def __init__(self, size: int, window: float) -> None:
        self._size = size
        # A size of 0 is valid and allows no fetch.
        self._pause = window / max(1, size)
        self._window = window
        # When all fetches are available again. One number is the whole state, so no timer is needed.
        self._full_at = -math.inf

    def is_available(self, now: float) -> bool:
        """Tell whether a fetch is left."""
        return self.seconds_until_available(now) <= 0

    def seconds_until_available(self, now: float) -> float:
        """Return the seconds until a fetch is available."""
        if not self._size:
            return self._window
        return max(0, self._seconds_until_full(now) - (self._size - 1) * self._pause)

    def take(self, now: float) -> bool:
        """Use one fetch and return True, if one is left."""
        available = self.is_available(now)
        if available:
            self._full_at = now + self._seconds_until_full(now) + self._pause
        return available

    def give_back(self) -> None:
        """Return one fetch, because it must not count."""
        self._full_at -= self._pause

    def _seconds_until_full(self, now: float) -> float:
        missing = self._full_at - now
        # More than a window (plus rounding) means that the clock was set back. The budget is full then.
        return missing if 0 < missing <= self._window + self._pause / 2 else 0


class UnknownKids:
    """The unknown key ids of one issuer, and which of them may cause a fetch.

    Two limits apply. One key id causes one fetch per ``pause``, so a client with an old token leaves fetches for
    others. All key ids together share the budget. Neither an invented key id nor a guess of the next one can delay
    a new key for longer than ``pause``.

    Args:
        budget: the shared budget. Several issuers of one provider may use the same one.
        pause: seconds before the same missing key id may cause another fetch.

    Attributes:
        waiting: the key ids of requests that wait for the running fetch.
    """

    def __init__(self, budget: FetchBudget, pause: float) -> None:
        self.waiting: set[str] = set()
        self._budget = budget
        self._pause = pause
        # Bounded, because clients choose the key ids of their tokens.
        self._missing: LRUCache[str, float] = LRUCache(MAX_MISSING_KIDS)

    def can_wait(self, kid: str) -> bool:
        """Tell whether a request may wait for the running fetch, which costs no budget."""
        return kid in self.waiting or len(self.waiting) < MAX_WAITING_KIDS

    def is_missing(self, kid: str, now: float) -> bool:
        """Tell whether a recent fetch did not bring the key id."""
        fetched_at = self._missing.get(kid)
        # A negative age means that the clock was set back.
        return fetched_at is not None and 0 <= now - fetched_at < self._pause

    def add_missing(self, kid: str, now: float) -> None:
        """Remember that a fetch did not bring the key id."""
        self._missing[kid] = now

    def take_fetch(self, now: float) -> bool:
        """Use one fetch of the budget and return True, if one is left."""
        return self._budget.take(now)

    def seconds_until_fetch(self, now: float) -> float:
        """Return the seconds until the budget allows a fetch."""
        return self._budget.seconds_until_available(now)
