"""Seen before: values that stay true until a time, as many as fit. Knows neither tokens nor callers."""

from __future__ import annotations

from typing import Generic, TypeVar

from cachetools import LRUCache

V = TypeVar("V")


class SeenBefore(Generic[V]):
    """Values by key, each until its own time; the least recently used makes room.

    Args:
        entries: how many are kept; 0 keeps none.
    """

    def __init__(self, entries: int) -> None:
        self._entries: LRUCache[bytes, tuple[float, V]] = LRUCache(max(entries, 1))
        self._keeps = entries > 0

    def get(self, key: bytes, now: float) -> V | None:
        """Return the value, unless its time has come."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        until, value = entry
        if now < until:
            return value
        del self._entries[key]
        return None

    def put(self, key: bytes, value: V, until: float) -> None:
        """Keep a value until a time (seconds since the epoch)."""
        if self._keeps:
            self._entries[key] = (until, value)

    def forget(self, key: bytes) -> None:
        """Drop a value that is no longer true."""
        self._entries.pop(key, None)
