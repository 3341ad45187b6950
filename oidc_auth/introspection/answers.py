"""Keep answers of the provider for a short time, without the tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cachetools import LRUCache

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_INACTIVE = 4_096
"""Inactive answers that are remembered. More of them only replace the oldest."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the provider.

    Attributes:
        members: The answer. It is in no repr, because it holds claims.
        asked_at: When the request was sent, in seconds since the epoch.
    """

    members: Mapping[str, object] = field(repr=False)
    asked_at: float

    @property
    def is_active(self) -> bool:
        """Whether the provider says that the token is active. Only the boolean ``true`` counts."""
        return self.members.get("active") is True

    def is_expired(self, now: float) -> bool:
        """Tell whether the answer has an ``exp`` that is over."""
        # A value of another type is refused by the check of exp, so it does not matter here.
        expires = self.members.get("exp")
        return isinstance(expires, (int, float)) and now >= expires


class AnswerCache:
    """Answers by the SHA-256 digest of their token.

    Active and inactive answers are separate, so that made-up tokens cannot replace the answers about known tokens.

    Args:
        entries: The most active answers that are kept.
        seconds: How long an answer is used.
    """

    def __init__(self, entries: int, seconds: float) -> None:
        self._active: LRUCache[bytes, Answer] = LRUCache(entries)
        self._inactive: LRUCache[bytes, Answer] = LRUCache(MAX_INACTIVE)
        self._seconds = seconds

    def is_recent(self, asked_at: float, now: float) -> bool:
        """Tell whether an answer to a request at ``asked_at`` is young enough."""
        # A negative age means that the clock was set back.
        return 0 <= now - asked_at < self._seconds

    def get(self, digest: bytes, now: float) -> Answer | None:
        """Return the answer about a token, if it may still be used."""
        # An active answer is newer, because put() removes the other one.
        answer = self._active.get(digest) or self._inactive.get(digest)
        if answer is None or answer.is_expired(now) or not self.is_recent(answer.asked_at, now):
            return None
        return answer

    def is_known(self, digest: bytes, now: float) -> bool:
        """Tell whether the last answer about a token was active, and the token has not expired since."""
        answer = self._active.get(digest)
        return answer is not None and not answer.is_expired(now)

    def put(self, digest: bytes, answer: Answer) -> None:
        """Keep an answer in place of an earlier one."""
        self._active.pop(digest, None)
        self._inactive.pop(digest, None)
        if answer.is_active:
            self._active[digest] = answer
        else:
            # Only the fact is needed, and the sender of a made-up token may cause thousands of them.
            self._inactive[digest] = Answer({"active": False}, answer.asked_at)
