"""One revocation, and its form in a store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from ..json_values import is_object

MAX_NAME = 1_024
"""The longest issuer or value, in characters. Providers' are far shorter, and each replica keeps them in memory."""
MAX_CLOCK_DIFFERENCE = 60.0
"""Seconds by which the clock of another replica may be ahead."""


class Kind(StrEnum):
    """What a revocation names.

    Attributes:
        SUBJECT: A user. Tokens that were issued until then are refused, and tokens without ``iat``.
        SUBJECT_WITHOUT_SESSION: The same, for tokens without ``sid`` only. Tokens of other sessions go on.
        SESSION: A session of a user (``sid``).
        TOKEN: One token (``jti``).
    """

    SUBJECT = "subject"
    SUBJECT_WITHOUT_SESSION = "subject_without_session"
    SESSION = "session"
    TOKEN = "token"


class MalformedEntryError(ValueError):
    """The text is not a revocation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One revocation.

    Attributes:
        issuer: The issuer, exactly as configured.
        kind: What it names.
        value: The claim ``sub``, ``sid`` or ``jti``. It is personal data, and not in the repr.
        time: Tokens that were issued later are not revoked, in seconds since the epoch. The entry is kept from then on.
    """

    issuer: str
    kind: Kind
    value: str
    time: float

    def __repr__(self) -> str:
        """Return no person."""
        return f"Revocation(issuer={self.issuer!r}, kind={self.kind.value!r}, time={self.time!r})"

    def encode(self) -> str:
        """Return the JSON text for a store."""
        return json.dumps({"iss": self.issuer, "kind": self.kind, "value": self.value, "time": self.time})

    @classmethod
    def decode(cls, text: str | bytes, now: float) -> Revocation:
        """Return the revocation of a JSON text.

        Args:
            text: The text. Anything that can write to the store may have chosen it.
            now: The time, in seconds since the epoch.

        Raises:
            MalformedEntryError: The text is not a revocation.
        """
        try:
            found: object = json.loads(text)
        except (ValueError, RecursionError):
            raise MalformedEntryError from None
        if not is_object(found):
            raise MalformedEntryError
        issuer, kind, value, time = (found.get(name) for name in ("iss", "kind", "value", "time"))
        if not (_is_name(issuer) and _is_name(value) and kind in tuple(Kind) and _is_time(time)):
            raise MalformedEntryError
        # A time in the future would also revoke tokens that are issued after a new login.
        return cls(
            issuer=str(issuer),
            kind=Kind(str(kind)),
            value=str(value),
            time=min(float(str(time)), now + MAX_CLOCK_DIFFERENCE),
        )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value) and value > 0
