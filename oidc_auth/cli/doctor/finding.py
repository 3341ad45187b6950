"""What a check may find."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding of a check is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    SKIPPED = "skipped"
    """Nothing was found because nothing was looked at: the finding says where."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes:
        what: expected and found; never a token.
        hint: what to do about it.
        severity: less than the check's own, where this finding is; None: the check's own.
    """

    what: str
    hint: str = ""
    severity: Severity | None = None


class NotApplicableError(Exception):
    """The check has nothing to look at; the message says why."""


def not_checked(issuer: str, why: str) -> Finding:
    """Return what a check of every provider says about one that gave it nothing to look at."""
    return Finding(f"not looked at: {issuer} ({why})", severity=Severity.SKIPPED)


def printable(text: str, longest: int | None = 300) -> str:
    """Return what a stranger's answer said, bounded and on one line; None: it is bounded, and ends with the hint."""
    return re.sub(r"[^\x20-\x7e]+", " ", text)[:longest]
