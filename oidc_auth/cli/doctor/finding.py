"""What a check is and what it finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .surroundings import Surroundings


class Severity(StrEnum):
    """How bad a finding of a check is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes:
        what: expected and found; never a token.
        cure: what to do about it.
        severity: less than the check's own, where this finding is; None: the check's own.
    """

    what: str
    cure: str = ""
    severity: Severity | None = None


class NotApplicableError(Exception):
    """The check has nothing to look at; the message says why."""


class Check(NamedTuple):
    """One check.

    Attributes:
        severity: how bad it is when it finds something.
        expects: what holds when it finds nothing.
        find: yields what is wrong.
    """

    severity: Severity
    expects: str
    find: Callable[[Surroundings], Iterator[Finding]]

    @property
    def id(self) -> str:
        """The name of its file, which is also its anchor in docs/doctor.md."""
        return self.find.__module__.rpartition(".")[2].replace("_", "-")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check; ``skipped`` says why it looked at nothing."""

    check: Check
    findings: tuple[Finding, ...] = ()
    skipped: str = ""

    @property
    def status(self) -> str:
        """``ok``, ``skipped``, or the worst severity that was found."""
        severities = [finding.severity or self.check.severity for finding in self.findings]
        found = next((severity.value for severity in Severity if severity in severities), "ok")
        return "skipped" if self.skipped else found


def examine(check: Check, surroundings: Surroundings) -> Result:
    """Run one check."""
    try:
        return Result(check, tuple(check.find(surroundings)))
    except NotApplicableError as reason:
        return Result(check, skipped=str(reason))


def printable(text: str, longest: int = 300) -> str:
    """Return what a stranger's answer said, bounded and on one line."""
    return re.sub(r"[^\x20-\x7e]+", " ", text)[:longest]
