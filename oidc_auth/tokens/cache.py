"""A cache for verified tokens that keeps no token.

It does not read claims or keys. ``authentication`` decides what is cached, and for how long.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Generic, NamedTuple, TypeVar

from cachetools import LRUCache

V = TypeVar("V")

PREFIX_LENGTH = 128
SUFFIX_LENGTH = 43
"""Characters that select an entry: the start of the header, and the last 256 bits of the signature."""


class _Entry(NamedTuple, Generic[V]):
    digest: bytes
    until: float
    value: V


class TokenCache(Generic[V]):
    """Caches values by token, each until its own time.

    If the cache is full, the least recently used entry is removed. A hash of the token's two ends selects the entry,
    and the SHA-256 digest of the whole token must match. So invalid tokens are rarely digested.

    Args:
        entries: The most entries that are kept. 0 disables the cache.
    """

    def __init__(self, entries: int) -> None:
        self._entries: LRUCache[int, _Entry[V]] = LRUCache(max(entries, 1))
        self._enabled = entries > 0

    def get(self, text: str, now: float) -> V | None:
        """Return the value for a token, or None if there is none or its time is over."""
        place = cache_slot(text)
        entry = self._entries.get(place)
        # The two ends only select the entry. The digest of the whole token proves that it is the same token.
        if entry is None or entry.digest != _digest(text):
            return None
        if now < entry.until:
            return entry.value
        del self._entries[place]
        return None

    def put(self, text: str, value: V, until: float) -> None:
        """Cache a value until a time, in seconds since the epoch."""
        if self._enabled:
            self._entries[cache_slot(text)] = _Entry(_digest(text), until, value)

    def remove(self, text: str) -> None:
        """Remove the value of a token."""
        self._entries.pop(cache_slot(text), None)


def cache_slot(text: str) -> int:
    """Return a number that is equal for equal tokens, and nearly always differs for others."""
    # Hashing the whole text would cost more for long invalid tokens.
    return hash(text[:PREFIX_LENGTH] + text[-SUFFIX_LENGTH:])


def _digest(text: str) -> bytes:
    # A digest, so that a memory dump of the cache contains no usable credential.
    return sha256(text.encode()).digest()
