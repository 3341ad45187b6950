"""The live revocations of a process, in memory. A check is a few dictionary lookups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .entries import Kind, Revocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..tokens.states import VerifiedToken

SMALLEST_SWEEP = 1_024
"""Entries below which expired ones are not looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long entries are kept, in seconds.

    Attributes:
        tokens: Entries of tokens and sessions. No token may live longer.
        subjects: Entries of subjects. Crons outlive tokens, so it can be longer.
    """

    tokens: float
    subjects: float

    @property
    def longest(self) -> float:
        """The longest retention of all kinds."""
        return max(self.tokens, self.subjects)

    def of(self, kind: Kind) -> float:
        """Return the retention of a kind."""
        return self.subjects if kind is Kind.SUBJECT else self.tokens


class LiveRevocations:
    """The revocations that count now.

    Args:
        retention: How long entries are kept.
    """

    def __init__(self, retention: Retention) -> None:
        self.retention = retention
        # By issuer and kind, because a value is unique at its issuer only. Strings and floats take the least memory.
        self._entries: dict[str, dict[Kind, dict[str, float]]] = {}
        self._count = 0
        self._next_sweep = SMALLEST_SWEEP
        self.listeners: set[Callable[[Revocation], None]] = set()
        """Called with each new revocation, so that open streams end."""

    def __len__(self) -> int:
        """Return the number of entries."""
        return self._count

    def add(self, revocation: Revocation, now: float) -> bool:
        """Add a revocation, and tell whether it was new. An older one changes nothing.

        Args:
            revocation: The revocation.
            now: The time, in seconds since the epoch.
        """
        if self._is_expired(revocation.kind, revocation.time, now):
            return False
        kinds = self._entries.setdefault(revocation.issuer, {kind: {} for kind in Kind})
        values = kinds[revocation.kind]
        known = values.get(revocation.value)
        # Entries arrive again and in any order after an outage. The latest time counts.
        if known is not None and known >= revocation.time:
            return False
        values[revocation.value] = revocation.time
        self._count += known is None
        if self._count >= self._next_sweep:
            self.remove_expired(now)
            # Twice the live entries, so that each addition pays for a constant part of a sweep.
            self._next_sweep = max(SMALLEST_SWEEP, 2 * self._count)
        for listener in tuple(self.listeners):
            listener(revocation)
        return True

    def includes(self, revocation: Revocation) -> bool:
        """Tell whether a revocation, or a later one of the same target, was added."""
        time = self._values(revocation.issuer, revocation.kind).get(revocation.value)
        return time is not None and time >= revocation.time

    def find(self, token: VerifiedToken) -> Kind | None:
        """Return what revokes a token, or None."""
        kinds = self._entries.get(token.issuer)
        return None if kinds is None else _find(kinds, token)

    def is_subject_revoked(self, issuer: str, subject: str, authorized_at: float) -> bool:
        """Tell whether a subject was revoked after it authorized something, such as a cron."""
        time = self._entries.get(issuer, {}).get(Kind.SUBJECT, {}).get(subject)
        return time is not None and authorized_at <= time

    def entries(self) -> Iterator[Revocation]:
        """Yield all entries, also those that expire."""
        for issuer, kinds in list(self._entries.items()):
            for kind, values in kinds.items():
                # A copy, because other tasks add entries while this one publishes them.
                for value, time in list(values.items()):
                    yield Revocation(issuer=issuer, kind=kind, value=value, time=time)

    def remove_expired(self, now: float) -> None:
        """Remove the entries that no token can meet any more."""
        for kinds in self._entries.values():
            for kind, values in kinds.items():
                expired = [value for value, time in values.items() if self._is_expired(kind, time, now)]
                for value in expired:
                    del values[value]
                self._count -= len(expired)

    def _values(self, issuer: str, kind: Kind) -> Mapping[str, float]:
        return self._entries.get(issuer, {}).get(kind, {})

    def _is_expired(self, kind: Kind, time: float, now: float) -> bool:
        return now > time + self.retention.of(kind)


def _find(kinds: Mapping[Kind, Mapping[str, float]], token: VerifiedToken) -> Kind | None:
    claims = token.claims
    session, subject = _text(claims, "sid"), _text(claims, "sub")
    if _text(claims, "jti") in kinds[Kind.TOKEN]:
        return Kind.TOKEN
    if session in kinds[Kind.SESSION]:
        return Kind.SESSION
    if _was_issued_until(kinds[Kind.SUBJECT].get(subject), claims):
        return Kind.SUBJECT
    if not session and _was_issued_until(kinds[Kind.SUBJECT_WITHOUT_SESSION].get(subject), claims):
        return Kind.SUBJECT_WITHOUT_SESSION
    return None


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    # No entry has an empty value. A sid of another type is no session that could be revoked.
    return value if isinstance(value, str) else ""


def _was_issued_until(time: float | None, claims: Mapping[str, object]) -> bool:
    if time is None:
        return False
    issued = claims.get("iat")
    # A token without iat may be older. Fail closed.
    return not isinstance(issued, (int, float)) or issued <= time
