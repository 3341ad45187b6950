"""Where revocations are shared: the protocol of stores, and the store of a single process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .entries import Revocation
    from .live_set import LiveRevocations


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """What a store knows about itself, for the readiness and for metrics.

    Attributes:
        is_loaded: All revocations of the store were read once.
        is_connected: The store answered the last request.
        is_trusted: The known set may be used now.
        count: The number of live revocations.
        lag: Seconds since the store was last known to be complete.
        malformed: Entries that could not be read.
        lost: Entries that were removed from the store before this process read them.
        unpublished: Entries that only this process knows, until the store accepts them.
    """

    is_loaded: bool = True
    is_connected: bool = True
    is_trusted: bool = True
    count: int = 0
    lag: float = 0
    malformed: int = 0
    lost: int = 0
    unpublished: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageRule:
    """What happens while the store is unreachable.

    Attributes:
        grace: Seconds in which the known revocations are used.
        serves: Whether they are used after that, too.
    """

    grace: float
    serves: bool


class RevocationStore(Protocol):
    """Shares revocations between the processes of a deployment.

    Attributes:
        live: The revocations that this process knows.
    """

    live: LiveRevocations

    def is_current(self, now: float) -> bool:
        """Tell whether all revocations are known. Every request asks, so it is fast and does no I/O."""
        ...

    def state(self, now: float) -> StoreState:
        """Return the current state. It does no I/O."""
        ...

    async def load(self, seconds: float) -> None:
        """Start to follow the store, if that has not happened, and wait until all revocations are known.

        It returns after ``seconds`` at the latest, also if they are not known.
        """
        ...

    async def publish(self, revocations: Sequence[Revocation]) -> None:
        """Add revocations to the store and to ``live``.

        Raises:
            UpstreamError: ``revocations_unavailable``. The store did not confirm them.
        """
        ...

    def is_confirmed(self, revocation: Revocation) -> bool:
        """Tell whether the store has accepted a revocation that this process published."""
        ...

    async def claim_once(self, key: str, seconds: float) -> bool:
        """Return True for the first call with a key in all processes within some seconds, for replay checks.

        Raises:
            UpstreamError: ``revocations_unavailable``.
        """
        ...

    async def read_clock(self) -> float:
        """Return the time that all processes share, in seconds since the epoch.

        Raises:
            UpstreamError: ``revocations_unavailable``.
        """
        ...

    async def aclose(self) -> None:
        """Stop to follow the store."""
        ...


class MemoryStore:
    """The store of a server with one process. A restart forgets all revocations.

    Args:
        live: The revocations of this process.
        clock: Returns the time, in seconds since the epoch.
    """

    def __init__(self, live: LiveRevocations, clock: Callable[[], float]) -> None:
        self.live = live
        self._clock = clock
        self._claimed: dict[str, float] = {}

    def is_current(self, now: float) -> bool:
        """Return True. No other process can add revocations."""
        del now
        return True

    def state(self, now: float) -> StoreState:
        """Return the current state, which is always complete."""
        del now
        return StoreState(count=len(self.live))

    async def load(self, seconds: float) -> None:
        """Do nothing."""

    async def publish(self, revocations: Sequence[Revocation]) -> None:
        """Add revocations to ``live``."""
        now = self._clock()
        self.live.remove_expired(now)
        for revocation in revocations:
            self.live.add(revocation, now)

    def is_confirmed(self, revocation: Revocation) -> bool:
        """Return True. There is no other process that could refuse it."""
        del revocation
        return True

    async def claim_once(self, key: str, seconds: float) -> bool:
        """Return True for the first call with a key within some seconds."""
        now = self._clock()
        for known, until in list(self._claimed.items()):
            if until >= now:
                # In the order of their ends, as long as all keys are claimed for the same time.
                break
            del self._claimed[known]
        if self._claimed.get(key, now) > now:
            return False
        self._claimed[key] = now + seconds
        return True

    async def read_clock(self) -> float:
        """Return the time of the only process."""
        return self._clock()

    async def aclose(self) -> None:
        """Do nothing."""


MEMORY = "memory"
"""The name of the store of one process."""
