"""The server does not start with a configuration that is wrong; what is dangerous in it is a warning.

`oidc-auth check` shows the same, and what each role gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ConfigError
from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield what is wrong with the configuration, and its warnings."""
    if isinstance(environment.loaded, ConfigError):
        yield from (Finding(str(problem)) for problem in environment.loaded.problems)
    else:
        yield from (Finding(warning, severity=Severity.WARNING) for warning in environment.loaded.warnings)


CHECK = Check(Severity.ERROR, "the configuration is valid, without warnings", find)
