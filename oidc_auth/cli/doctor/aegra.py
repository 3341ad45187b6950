"""Checks of a deployment of Aegra."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...aegra.unsupported import find_unsupported
from .check import Check, Finding, NotApplicableError, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment


def check_aegra_settings(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each setting that Aegra cannot enforce.

    Aegra shows a user only own objects, and runs crons without asking. Some settings have no effect there.

    With such a setting, the server refuses every request. [Aegra](operate/aegra.md) explains each of them.
    """
    if not environment.is_aegra:
        raise NotApplicableError("not a deployment of Aegra")
    for problem in find_unsupported(environment.configuration().document):
        yield Finding(f"{problem.where}: {problem.message}", problem.hint)


CHECKS = (Check("aegra-settings", Severity.ERROR, "Aegra can enforce all settings", check_aegra_settings),)
