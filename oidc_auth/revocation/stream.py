"""What a Redis stream says about itself, and what follows from it. There is no I/O here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .entries import MAX_CLOCK_DIFFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

START = "0-0"
"""The position before the first entry."""


class StreamFacts(NamedTuple):
    """The state of a stream at one moment.

    Attributes:
        time: The time of Redis, in seconds since the epoch.
        first: The id of the first entry, or "".
        last: The id of the last entry that was ever added.
        deleted: The highest id of a deleted entry, or "" before Redis 7 and without a stream.
        added: The number of entries that were ever added, or None before Redis 7.
        has_position: Whether the entry that was read last is still in the stream.
    """

    time: float
    first: str
    last: str
    deleted: str
    added: int | None
    has_position: bool


def read_facts(time: float, stream: Mapping[str, Any], *, has_position: bool) -> StreamFacts:
    """Return the facts from the answer to ``XINFO STREAM``, which is empty if the stream does not exist."""
    first = stream.get("first-entry")
    return StreamFacts(
        time=time,
        first=decode(first[0]) if first else "",
        last=decode(stream.get("last-generated-id", START)),
        deleted=decode(stream.get("max-deleted-entry-id", "")),
        # A stream that does not exist yet has had no entry.
        added=stream.get("entries-added") if stream else 0,
        has_position=has_position,
    )


def oldest_kept(time: float, retention: float) -> int:
    """Return the id, in milliseconds, below which entries may be removed.

    Args:
        time: The time of Redis, because ids have its times.
        retention: Seconds for which an entry counts.
    """
    # The time of an entry may be later than its id, if the clocks of Redis and of a replica differ.
    return max(0, int((time - retention - MAX_CLOCK_DIFFERENCE) * 1_000))


def was_shortened(before: StreamFacts | None, now: StreamFacts, position: str, oldest: int) -> bool:
    """Tell whether entries were removed that still count: the stream was emptied, trimmed, or restored from a backup.

    Args:
        before: The facts of the last complete read, or None.
        now: The facts now.
        position: The id of the entry that was read last.
        oldest: See ``oldest_kept``. Older entries may be gone.
    """
    # Ids are unique. A stream without the last known entry has another history, also if it is longer by now.
    if position != START and not now.has_position and milliseconds(position) >= oldest:
        return True
    if before is None:
        return False
    if before.first not in ("", now.first) and milliseconds(before.first) >= oldest:
        return True
    return "" not in (before.deleted, now.deleted) and before.deleted != now.deleted


class Tally:
    """Counts the entries that were added since the last complete read, and read now.

    Args:
        before: The facts of the last complete read, or None.
        now: The facts now.
    """

    def __init__(self, before: StreamFacts | None, now: StreamFacts) -> None:
        self._added: int | None = None
        if before is not None and before.added is not None and now.added is not None:
            self._added = now.added - before.added
            # Others may add entries while this process reads.
            self._range = order(before.last), order(now.last)
        self._read = 0

    def add(self, name: str) -> None:
        """Count an entry by its id."""
        if self._added is not None:
            self._read += self._range[0] < order(name) <= self._range[1]

    def lost(self) -> int:
        """Return the number of entries that were added, and removed before this process read them."""
        return 0 if self._added is None else max(0, self._added - self._read)


def milliseconds(name: str) -> int:
    """Return the time in the id of an entry."""
    return order(name)[0]


def order(name: str) -> tuple[int, int]:
    """Return the id of an entry as numbers: milliseconds and a counter."""
    time, _, number = name.partition("-")
    return int(time), int(number or 0)


def decode(value: bytes | str) -> str:
    """Return the text of an answer."""
    return value.decode() if isinstance(value, bytes) else value
