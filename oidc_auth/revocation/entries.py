"""One revocation, and its form in a store."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite
from typing import TypeGuard

import orjson

from ..json_values import is_object

MAX_NAME = 1_024
"""The longest issuer or value, in characters. Providers' are far shorter, and each replica keeps them in memory."""
MAX_ENTRY = 32_768
"""The longest JSON text of an entry. An escaped character has up to 12 bytes."""
MAX_CLOCK_DIFFERENCE = 60.0
"""Seconds by which the clock of another replica may be ahead."""


DIGEST_LENGTH = 32


def digest_subject(issuer: str, subject: object) -> str:
    """Return a digest that names a user of an issuer, or "" without a subject.

    It stands in user dicts and in the metadata of crons, which must not contain more personal data than they need.
    """
    if not isinstance(subject, str) or not subject:
        return ""
    # The length of the issuer separates the two, so that no other pair has the same digest.
    text = f"{len(issuer)}:{issuer}{subject}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_LENGTH]


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

    def limit_time(self, now: float) -> Revocation:
        """Return the revocation with a time that is not in the future.

        It would also revoke tokens that are issued after a new login.
        """
        latest = now + MAX_CLOCK_DIFFERENCE
        return self if self.time <= latest else replace(self, time=latest)

    @classmethod
    def decode(cls, text: str | bytes) -> Revocation:
        """Return the revocation of a JSON text.

        Args:
            text: The text. Anything that can write to the store may have chosen it.

        Raises:
            MalformedEntryError: The text is not a revocation.
        """
        if len(text) > MAX_ENTRY:
            raise MalformedEntryError
        try:
            # Refuses more than json.loads, such as NaN and half characters, and takes a third of the time.
            found: object = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise MalformedEntryError from None
        if not is_object(found):
            raise MalformedEntryError
        issuer, kind, value, time = found.get("iss"), found.get("kind"), found.get("value"), found.get("time")
        if not (_is_name(issuer) and _is_kind(kind) and _is_name(value) and _is_time(time)):
            raise MalformedEntryError
        return cls(issuer=issuer, kind=KINDS[kind], value=value, time=float(time))


KINDS: dict[str, Kind] = {kind.value: kind for kind in Kind}


def _is_kind(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value in KINDS


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
