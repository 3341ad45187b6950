"""Parts of a check of ``oidc-auth doctor``: severity, finding and result."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .environment import DoctorEnvironment


class Severity(StrEnum):
    """The severity of a finding, worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    SKIPPED = "skipped"
    """One provider could not be checked. The finding names it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check.

    Attributes:
        what: What is wrong, with the expected and the found value. It never contains a token.
        hint: What to do, as a command or a setting.
        severity: None means the severity of the check.
    """

    what: str
    hint: str = ""
    severity: Severity | None = None


class NotApplicableError(Exception):
    """The check cannot run. The message is the reason."""


class Check(NamedTuple):
    """One check.

    Attributes:
        id: The name in the output, and the anchor in docs/doctor.md.
        severity: The severity of its findings.
        passes_if: What is true without findings.
        find: Yields the findings. Its docstring is the section in docs/doctor.md.
    """

    id: str
    severity: Severity
    passes_if: str
    find: Callable[[DoctorEnvironment], Iterator[Finding]]

    @property
    def documentation(self) -> str:
        """The docstring without its first line."""
        return inspect.cleandoc(self.find.__doc__ or "").partition("\n\n")[2]


@dataclass(frozen=True, slots=True)
class Result:
    """The findings of one check. ``skipped`` is the reason if it did not run."""

    check: Check
    findings: tuple[Finding, ...] = ()
    skipped: str = ""

    @property
    def status(self) -> str:
        """``ok``, ``skipped``, or the worst severity of the findings."""
        severities = [finding.severity or self.check.severity for finding in self.findings]
        found = next((severity.value for severity in Severity if severity in severities), "ok")
        return "skipped" if self.skipped else found


def run_check(check: Check, environment: DoctorEnvironment) -> Result:
    """Run one check."""
    try:
        return Result(check, tuple(check.find(environment)))
    # Nothing else is caught: a fault of a check must not look like a skipped check.
    except NotApplicableError as reason:
        return Result(check, skipped=str(reason))


def not_checked(issuer: str, reason: str) -> Finding:
    """Return the finding for one provider that could not be checked."""
    # A check of several providers must not say ok after it looked at one of them only.
    return Finding(f"not checked: {issuer} ({reason})", severity=Severity.SKIPPED)


def printable(text: str, max_length: int | None = 300) -> str:
    """Return text of another party on one line, without control characters.

    Args:
        text: The text.
        max_length: None if the text is already bounded.
    """
    # Providers and servers choose this text. Escape codes in it could change what a terminal shows.
    return re.sub(r"[^\x20-\x7e]+", " ", text)[:max_length]
