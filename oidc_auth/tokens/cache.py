"""Seen before: values by a secret text, as many as fit, each until its time. Knows neither tokens nor callers."""

from __future__ import annotations

from hashlib import sha256
from typing import Generic, NamedTuple, TypeVar

from cachetools import LRUCache

V = TypeVar("V")

PREFIX_LENGTH = 128
SUFFIX_LENGTH = 43
"""Characters of a text by which its entry is found: of a header, and the last 256 bits of a signature."""


class _Entry(NamedTuple, Generic[V]):
    digest: bytes
    until: float
    value: V


class TokenCache(Generic[V]):
    """Values by text, each until its own time; the least recently used makes room. Of a text only a digest is kept.

    A hash of its two ends finds the entry, and the digest of the whole decides: what strangers send is hardly ever
    digested, unless they copy both.

    Args:
        entries: how many are kept; 0 keeps none.
    """

    def __init__(self, entries: int) -> None:
        self._entries: LRUCache[int, _Entry[V]] = LRUCache(max(entries, 1))
        self._enabled = entries > 0

    def get(self, text: str, now: float) -> V | None:
        """Return the value, unless its time has come."""
        place = _slot(text)
        entry = self._entries.get(place)
        if entry is None or entry.digest != _digest(text):
            return None
        if now < entry.until:
            return entry.value
        del self._entries[place]
        return None

    def put(self, text: str, value: V, until: float) -> None:
        """Keep a value until a time (seconds since the epoch)."""
        if self._enabled:
            self._entries[_slot(text)] = _Entry(_digest(text), until, value)

    def remove(self, text: str) -> None:
        """Drop a value that is no longer true."""
        self._entries.pop(_slot(text), None)


def _slot(text: str) -> int:
    return hash(text[:PREFIX_LENGTH] + text[-SUFFIX_LENGTH:])


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()
