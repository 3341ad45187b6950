"""Checks of a deployment of Aegra."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion

from ...aegra.unsupported import find_unsupported
from .check import Check, Finding, NotApplicableError, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment


SERVER = "aegra-api"
TESTED = SpecifierSet(">=0.11,<0.12")


def check_aegra_settings(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each setting that Aegra cannot enforce.

    Aegra shows a user only own objects, and runs crons without asking. Some settings have no effect there.

    With such a setting, the server refuses every request. [Aegra](operate/aegra.md) explains each of them.
    """
    _require_aegra(environment)
    for problem in find_unsupported(environment.configuration().document):
        yield Finding(f"{problem.where}: {problem.message}", problem.hint)


def check_aegra_version(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield a version of Aegra that is not tested.

    The rules for Aegra depend on its code. They are tested with one version.

    Another version can have new routes, or use the answers of the handlers in another way. Unknown events are refused.

    This check reads the environment of the command `oidc-auth`. Run it in the server's environment.
    """
    _require_aegra(environment)
    try:
        installed = version(SERVER)
    except PackageNotFoundError:
        raise NotApplicableError(f"{SERVER} is not installed here") from None
    if not _is_tested(installed):
        yield Finding(f"{SERVER} {installed} is not tested", f"pip install '{SERVER}{TESTED}'")


def _require_aegra(environment: DoctorEnvironment) -> None:
    if not environment.is_aegra:
        raise NotApplicableError("not a deployment of Aegra")


def _is_tested(installed: str) -> bool:
    try:
        return TESTED.contains(installed)
    except InvalidVersion:
        return False


CHECKS = (
    Check("aegra-settings", Severity.ERROR, "Aegra can enforce all settings", check_aegra_settings),
    Check("aegra-version", Severity.WARNING, "the installed version of Aegra is tested", check_aegra_version),
)
