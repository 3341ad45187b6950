"""Seen before: values by a secret text, as many as fit, each until its time. Knows neither tokens nor callers."""

from __future__ import annotations

from hashlib import sha256
from typing import Generic, NamedTuple, TypeVar

from cachetools import LRUCache

V = TypeVar("V")

END = 43
"""Characters at the end of a text by which its entry is found: 256 bits in base64, the last of a signature."""


class _Entry(NamedTuple, Generic[V]):
    digest: bytes
    until: float
    value: V


class SeenBefore(Generic[V]):
    """Values by text, each until its own time; the least recently used makes room. Of a text only a digest is kept.

    A hash of its end finds the entry, and the digest of the whole decides: what strangers send is hardly ever digested.

    Args:
        entries: how many are kept; 0 keeps none.
    """

    def __init__(self, entries: int) -> None:
        self._entries: LRUCache[int, _Entry[V]] = LRUCache(max(entries, 1))
        self._keeps = entries > 0

    def get(self, text: str, now: float) -> V | None:
        """Return the value, unless its time has come."""
        place = hash(text[-END:])
        entry = self._entries.get(place)
        if entry is None or entry.digest != _digest(text):
            return None
        if now < entry.until:
            return entry.value
        del self._entries[place]
        return None

    def put(self, text: str, value: V, until: float) -> None:
        """Keep a value until a time (seconds since the epoch)."""
        if self._keeps:
            self._entries[hash(text[-END:])] = _Entry(_digest(text), until, value)

    def forget(self, text: str) -> None:
        """Drop a value that is no longer true."""
        self._entries.pop(hash(text[-END:]), None)


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()
