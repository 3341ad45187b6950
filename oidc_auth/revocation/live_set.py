"""The live revocations of a process, in memory. A check is a few dictionary lookups."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

from ..observability import logger
from .entries import Kind, Revocation, digest_subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..tokens.states import VerifiedToken

SWEEP = 5_000
"""Entries of a kind that are searched at once for expired ones. More would delay other requests."""


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

    Several threads may use one object, because a process can have several event loops.

    Args:
        retention: How long entries are kept.
    """

    def __init__(self, retention: Retention) -> None:
        self.retention = retention
        # By issuer and kind, because a value is unique at its issuer only. Strings and floats take the least memory.
        self._entries: dict[str, dict[Kind, dict[str, float]]] = {}
        self._lock = Lock()
        self._swept: dict[tuple[str, Kind], int] = {}
        self._count = 0
        # The metadata of crons name their users by digest.
        self._digests: dict[str, float] = {}
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
        kind, value, time = revocation.kind, revocation.value, revocation.time
        if self._is_expired(kind, time, now):
            return False
        with self._lock:
            kinds = self._entries.get(revocation.issuer)
            if kinds is None:
                kinds = self._entries[revocation.issuer] = {kind: {} for kind in Kind}
            known = kinds[kind].get(value)
            # Entries arrive again and in any order after an outage. The latest time counts.
            is_new = known is None or known < time
            if is_new:
                kinds[kind][value] = time
                if kind is Kind.SUBJECT:
                    self._digests[digest_subject(revocation.issuer, value)] = time
            self._count += known is None
        if is_new and self.listeners:
            self._notify(revocation)
        return is_new

    def _notify(self, revocation: Revocation) -> None:
        for listener in tuple(self.listeners):
            try:
                listener(revocation)
            except Exception as error:  # noqa: BLE001 - a failing listener must not stop the other revocations
                logger.error("revocations: a listener failed with %s", type(error).__name__)

    def includes(self, revocation: Revocation) -> bool:
        """Tell whether a revocation, or a later one of the same target, was added."""
        time = self._values(revocation.issuer, revocation.kind).get(revocation.value)
        return time is not None and time >= revocation.time

    def find(self, token: VerifiedToken) -> Kind | None:
        """Return what revokes a token, or None."""
        kinds = self._entries.get(token.issuer)
        return None if kinds is None else _find(kinds, token.claims)

    def is_user_revoked(self, subject_digest: str, authorized_at: float) -> bool:
        """Tell whether a user was revoked at or after the time of the token that authorized a cron."""
        time = self._digests.get(subject_digest)
        return time is not None and authorized_at <= time

    def entries(self, now: float) -> Iterator[Revocation]:
        """Yield the entries that are not expired. More may be added meanwhile."""
        for issuer in list(self._entries):
            for kind in Kind:
                values = self._values(issuer, kind)
                # A copy of the names only, which takes 5 ms for a million of them.
                for value in list(values):
                    time = values.get(value)
                    if time is not None and not self._is_expired(kind, time, now):
                        yield Revocation(issuer=issuer, kind=kind, value=value, time=time)

    def remove_expired(self, now: float) -> None:
        """Look at the next ``SWEEP`` entries of each kind, and remove those that no token can meet any more."""
        with self._lock:
            for issuer, kinds in self._entries.items():
                for kind, values in kinds.items():
                    start = self._swept.get((issuer, kind), 0)
                    looked_at = [*islice(values.items(), start, start + SWEEP)]
                    expired = [value for value, time in looked_at if self._is_expired(kind, time, now)]
                    for value in expired:
                        del values[value]
                        if kind is Kind.SUBJECT:
                            self._digests.pop(digest_subject(issuer, value), None)
                    self._count -= len(expired)
                    end = start + len(looked_at) - len(expired)
                    self._swept[issuer, kind] = end if end < len(values) else 0

    def _values(self, issuer: str, kind: Kind) -> Mapping[str, float]:
        return self._entries.get(issuer, {}).get(kind, {})

    def _is_expired(self, kind: Kind, time: float, now: float) -> bool:
        return now > time + self.retention.of(kind)


def _find(kinds: Mapping[Kind, Mapping[str, float]], claims: Mapping[str, object]) -> Kind | None:
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
