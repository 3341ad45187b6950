"""The audit log: one JSON object for each decision, written by another thread."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime
from functools import lru_cache
from math import floor
from typing import TYPE_CHECKING

import orjson

from .audit_writer import AuditWriter
from .events import AuthenticationDecided, AuthorizationDecided, NoticeDecided, RevocationReceived
from .log import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from .audit_target import AuditTarget
    from .events import Event

    Record = dict[str, object]

AUTHENTICATE = "authenticate"
"""The event of an authentication."""
REVOCATION = "revocation"
"""The event of a revocation, before its kind: ``revocation:session``."""
AUDIT, DROPPED = "audit", "dropped"
"""The event and the outcome of the record that counts missing records."""


class AuditLog:
    """Keeps the decisions of this process.

    Args:
        target: Where the records are written.
        clock: Returns the time, in seconds since the epoch.
        identity_key: The key of the pseudonyms of identities (HMAC). None: identities are written unchanged.
    """

    def __init__(self, target: AuditTarget, clock: Callable[[], float], identity_key: bytes | None = None) -> None:
        self._clock = clock
        self._identity_key = identity_key
        self.writer = AuditWriter(target, self._format, self._format_dropped)
        self._put = self.writer.put

    def keep(self, build: Callable[..., Event], *parts: object) -> None:
        """Keep an event: the function that returns it, and its arguments. It does no I/O and waits for nothing."""
        self._put((self._clock(), build, parts))

    def open(self) -> None:
        """Open the target. Call it at start, because it does I/O.

        Raises:
            OSError: It cannot be opened.
        """
        self.writer.open()

    def flush(self) -> None:
        """Wait until all records are written, for a limited time. It blocks."""
        if not self.writer.flush():
            logger.error("audit: the last records are not written")

    @property
    def dropped(self) -> int:
        """The number of records that were dropped, because the queue was full."""
        return self.writer.dropped

    def _format(self, item: tuple[float, Callable[..., Event], tuple[object, ...]]) -> bytes:
        """Return the line of an event, or b"" for an event without one."""
        time, build, parts = item
        record = describe(build(*parts))
        if record is None:
            return b""
        record["time"] = format_time(time)
        if self._identity_key is not None and record["identity"] is not None:
            record["identity"] = make_pseudonym(str(record["identity"]), self._identity_key)
        return encode_line(record)

    def _format_dropped(self, count: int) -> bytes:
        record = make_record(AUDIT, DROPPED)
        return encode_line({**record, "time": format_time(self._clock()), "count": count})


def make_record(
    event: str,
    outcome: str,
    *,
    code: str = "",
    issuer: str = "",
    identity: str = "",
    tenant: str = "",
    permission: str = "",
) -> Record:
    """Return a record with all keys, in their order. What does not apply is None."""
    return {
        "time": None,
        "event": event,
        "outcome": outcome,
        "code": code or None,
        "issuer": issuer or None,
        "identity": identity or None,
        "tenant": tenant or None,
        "permission": permission or None,
        "ids": {},
    }


def describe(event: Event) -> Record | None:
    """Return the record of an event, or None for an event without one."""
    if isinstance(event, AuthorizationDecided):
        return _describe_authorization(event)
    if isinstance(event, AuthenticationDecided):
        return make_record(
            AUTHENTICATE,
            event.outcome,
            code=event.code,
            issuer=event.issuer,
            identity=event.identity,
            tenant=event.tenant,
        )
    if isinstance(event, NoticeDecided):
        return make_record(event.event, event.outcome, code=event.code, issuer=event.issuer)
    # At its start, a process can read a million of them. They have records from the time when they were new.
    if isinstance(event, RevocationReceived) and not event.at_start:
        return make_record(f"{REVOCATION}:{event.kind}", event.outcome, issuer=event.issuer)
    return None


def _describe_authorization(event: AuthorizationDecided) -> Record:
    record = make_record(
        event.event,
        event.outcome,
        code=event.code,
        issuer=event.issuer,
        identity=event.identity,
        tenant=event.tenant,
        permission=event.permission,
    )
    ids = {
        "thread_id": event.thread_id,
        "run_id": event.run_id,
        "assistant_id": event.assistant_id,
        "cron_id": event.cron_id,
    }
    record["ids"] = {name: value for name, value in ids.items() if value}
    return record


def make_pseudonym(identity: str, key: bytes) -> str:
    """Return the HMAC-SHA256 of an identity (RFC 2104), in hexadecimal digits."""
    # With a key, because anyone can compute the plain hash of an e-mail address and compare it.
    return hmac.digest(key, identity.encode("utf-8", "surrogatepass"), "sha256").hex()


def encode_line(record: Record) -> bytes:
    """Return a record as one line of ASCII. JSON escapes line breaks and control characters."""
    try:
        line = orjson.dumps(record)
    except orjson.JSONEncodeError:
        # Half of a surrogate pair.
        line = json.dumps(record).encode()
    # Some programs end a line at other characters too, such as U+2028.
    return (line if line.isascii() else json.dumps(record).encode()) + b"\n"


def format_time(seconds: float) -> str:
    """Return a time in UTC with milliseconds (RFC 3339)."""
    whole = floor(seconds)
    return f"{_format_second(whole)}.{int((seconds - whole) * 1_000):03d}Z"


@lru_cache(maxsize=4)
def _format_second(seconds: int) -> str:
    # Many records have the same second.
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
