"""The feed of decisions: an observer that keeps the last ones and sends new ones to open pages."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

from ...errors import ERROR_DETAILS, ErrorCode
from ...observability import AuthenticationDecided, AuthorizationDecided, RevocationReceived

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from ...observability import Event

    Entry = Mapping[str, Any]

LENGTH = 200
"""Entries that a page gets when it opens. A login leaves the page, so it opens again after each one."""
HEARTBEAT = 15.0
"""Seconds. After this time without an entry, a follower gets an empty list, so that a closed page is noticed."""


class DecisionFeed:
    """Receives events of the library, and lets pages follow them.

    Args:
        clock: Returns the time of an entry, in seconds since the epoch.

    Attributes:
        count: The number of the last entry.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._entries: deque[tuple[int, Entry]] = deque(maxlen=LENGTH)
        self.count = 0
        self._followers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        # The server may run graphs in other threads.
        self._lock = Lock()

    def __call__(self, event: Event, /) -> None:
        """Add an event, as an observer."""
        if (entry := describe_event(event)) is None:
            return
        with self._lock:
            self.count += 1
            self._entries.append((self.count, {**entry, "time": self._clock()}))
            followers = list(self._followers)
        for loop, arrived in followers:
            # The loop of a follower may have ended.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(arrived.set)

    async def follow(self, after: int, heartbeat: float = HEARTBEAT) -> AsyncGenerator[list[tuple[int, Entry]]]:
        """Yield entries with their numbers, as soon as they arrive.

        Args:
            after: The number of the last entry that the page has.
            heartbeat: Seconds until an empty list.
        """
        follower = asyncio.get_running_loop(), asyncio.Event()
        self._followers.add(follower)
        try:
            while True:
                follower[1].clear()
                new = self._newer(after)
                after = new[-1][0] if new else after
                yield new
                with suppress(TimeoutError):
                    await asyncio.wait_for(follower[1].wait(), heartbeat)
        finally:
            self._followers.discard(follower)

    def _newer(self, after: int) -> list[tuple[int, Entry]]:
        with self._lock:
            # A page of an earlier server can have a larger number.
            after = after if after <= self.count else 0
            return [entry for entry in self._entries if entry[0] > after]


def describe_event(event: Event) -> dict[str, Any] | None:
    """Return what the page shows of an event, or None for an event that it leaves out."""
    if isinstance(event, AuthorizationDecided):
        return {"kind": "authorization", **_describe_decision(event), **_explain(event.code)}
    # Successful ones come with every request. They would hide the decisions.
    if isinstance(event, AuthenticationDecided) and event.outcome == "failed":
        return {"kind": "authentication", "outcome": "denied", **_explain(event.code)}
    # A logout also causes another kind, which revokes nothing that the page shows.
    if isinstance(event, RevocationReceived) and event.kind == "session":
        return {"kind": "revocation", "outcome": "received", "revoked": event.kind}
    return None


def _describe_decision(event: AuthorizationDecided) -> dict[str, Any]:
    names = ("outcome", "event", "permission", "identity", "tenant", "filter")
    ids = ("thread_id", "run_id", "assistant_id", "cron_id")
    found = {name: getattr(event, name) for name in names}
    return {**found, "ids": {name: value for name in ids if (value := getattr(event, name))}}


def _explain(code: str) -> dict[str, str]:
    """Return the code of a denial, what the client is told, and what to do."""
    if not code:
        return {}
    details = ERROR_DETAILS[ErrorCode(code)]
    return {"code": code, "message": details.client_message, "hint": details.hint}
