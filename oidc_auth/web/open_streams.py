"""The open streams of a process, and those that a revocation names."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from ..revocation.entries import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..revocation.entries import Revocation
    from ..tokens.states import VerifiedToken
    from .streams import GuardedStream

CLAIM_OF_KIND = {
    Kind.SUBJECT: "sub",
    Kind.SUBJECT_WITHOUT_SESSION: "sub",
    Kind.SESSION: "sid",
    Kind.TOKEN: "jti",
}
"""The claim that a revocation names."""
CLAIMS = tuple(dict.fromkeys(CLAIM_OF_KIND.values()))
Target = tuple[str, str, str]
"""An issuer, a claim, and its value."""


class OpenStreams:
    """The streams that are open in this process.

    Several threads may use one object. The store of the revocations can run in another event loop.
    """

    def __init__(self) -> None:
        self._streams: set[GuardedStream] = set()
        # A revocation finds its streams by lookup, because both can be many.
        self._by_target: dict[Target, set[GuardedStream]] = {}
        self._lock = Lock()

    def __iter__(self) -> Iterator[GuardedStream]:
        """Iterate over the streams that are open now."""
        with self._lock:
            return iter(tuple(self._streams))

    def __len__(self) -> int:
        """Return how many streams are open."""
        return len(self._streams)

    def add(self, stream: GuardedStream) -> None:
        """Add a stream."""
        with self._lock:
            self._streams.add(stream)
            for target in stream.targets:
                self._by_target.setdefault(target, set()).add(stream)

    def discard(self, stream: GuardedStream) -> None:
        """Remove a stream, if it is open."""
        with self._lock:
            self._streams.discard(stream)
            for target in stream.targets:
                if (streams := self._by_target.get(target)) is not None:
                    streams.discard(stream)
                    if not streams:
                        del self._by_target[target]

    def check_revoked(self, revocation: Revocation) -> None:
        """Let the streams that a new revocation names check their tokens. Any thread may call it."""
        target = (revocation.issuer, CLAIM_OF_KIND[revocation.kind], revocation.value)
        # Most revocations name no stream of this process, and a start reads all of them.
        if target not in self._by_target:
            return
        with self._lock:
            found = tuple(self._by_target.get(target, ()))
        for stream in found:
            stream.request_check()


def find_targets(token: VerifiedToken) -> Iterator[Target]:
    """Yield what a revocation of a token can name."""
    for claim in CLAIMS:
        value = token.claims.get(claim)
        if isinstance(value, str):
            yield token.issuer, claim, value
