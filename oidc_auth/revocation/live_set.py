"""The live revocations of a process, in memory. A check is a few dictionary lookups."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..observability import logger
from .entries import Kind, Revocation, digest_subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..tokens.states import VerifiedToken

SWEEP = 5_000
"""Entries of a kind in one search for expired ones. More would delay other requests."""


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


class _IssuerEntries:
    """The times of the entries of one issuer, because a value is unique at its issuer only."""

    __slots__ = ("kinds", "sessions", "subjects", "subjects_without_session", "tokens")

    def __init__(self) -> None:
        # Strings and floats take the least memory.
        self.kinds: dict[Kind, dict[str, float]] = {kind: {} for kind in Kind}
        # Every request looks into these, and a lookup by Kind takes longer than the one by value.
        self.subjects: Mapping[Any, float] = self.kinds[Kind.SUBJECT]
        self.subjects_without_session: Mapping[Any, float] = self.kinds[Kind.SUBJECT_WITHOUT_SESSION]
        self.sessions = self.kinds[Kind.SESSION]
        self.tokens = self.kinds[Kind.TOKEN]


class LiveRevocations:
    """The revocations that count now.

    Several threads may use one object, because a process can have several event loops.

    Args:
        retention: How long entries are kept.
    """

    def __init__(self, retention: Retention) -> None:
        self.retention = retention
        self._entries: dict[str, _IssuerEntries] = {}
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
            entries = self._entries.get(revocation.issuer)
            if entries is None:
                entries = self._entries[revocation.issuer] = _IssuerEntries()
            values = entries.kinds[kind]
            known = values.get(value)
            # Entries arrive again and in any order after an outage. The latest time counts.
            is_new = known is None or known < time
            if is_new:
                values[value] = time
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
        entries = self._entries.get(token.issuer)
        if entries is None:
            return None
        claims = token.claims
        try:
            return _find(entries, claims)
        except TypeError:
            # A list or an object names nothing. The other claims count.
            return _find(
                entries, {name: value for name, value in claims.items() if not isinstance(value, (list, dict))}
            )

    def is_user_revoked(self, subject_digest: str, authorized_at: float) -> bool:
        """Tell whether a user was revoked at or after the time of the token that authorized a cron."""
        time = self._digests.get(subject_digest)
        return time is not None and authorized_at <= time

    def entries(self, now: float) -> Iterator[Revocation]:
        """Yield the entries that are not expired. Other tasks may add entries."""
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
            for issuer, entries in self._entries.items():
                for kind, values in entries.kinds.items():
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
        entries = self._entries.get(issuer)
        return {} if entries is None else entries.kinds[kind]

    def _is_expired(self, kind: Kind, time: float, now: float) -> bool:
        return now > time + self.retention.of(kind)


def _find(entries: _IssuerEntries, claims: Mapping[str, object]) -> Kind | None:
    # Every request does this. Only strings can equal an entry, and entries are never empty.
    session, subject = claims.get("sid"), claims.get("sub")
    if claims.get("jti") in entries.tokens:
        return Kind.TOKEN
    if session in entries.sessions:
        return Kind.SESSION
    # The keys are strings, and a lookup of any other value finds nothing.
    time = entries.subjects.get(subject)
    if time is not None and _was_issued_until(time, claims):
        return Kind.SUBJECT
    time = entries.subjects_without_session.get(subject)
    # A sid of another type cannot name a session.
    if time is not None and not (isinstance(session, str) and session) and _was_issued_until(time, claims):
        return Kind.SUBJECT_WITHOUT_SESSION
    return None


def _was_issued_until(time: float, claims: Mapping[str, object]) -> bool:
    issued = claims.get("iat")
    # A token without iat may be older. Fail closed.
    return not isinstance(issued, (int, float)) or issued <= time
