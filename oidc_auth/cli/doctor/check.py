"""One check: what it looks for, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .finding import Finding, NotApplicableError, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .environment import DoctorEnvironment


class Check(NamedTuple):
    """One check.

    Attributes:
        severity: how bad it is when it finds something.
        expects: what holds when it finds nothing.
        find: yields what is wrong.
    """

    severity: Severity
    expects: str
    find: Callable[[DoctorEnvironment], Iterator[Finding]]

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


def run_check(check: Check, environment: DoctorEnvironment) -> Result:
    """Run one check."""
    try:
        return Result(check, tuple(check.find(environment)))
    except NotApplicableError as reason:
        return Result(check, skipped=str(reason))
