"""An image holds the folders listed in `dependencies`, and nothing else of the project.

A configuration outside of them is there in development and missing in production, where the server then does not
start. One that is mounted into the container, and named by `OIDC_AUTH_CONFIG`, may lie anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...config.raw_document import read_strings
from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that no dependency holds the configuration."""
    listed = read_strings(environment.deployment().get("dependencies"))
    base, file = environment.langgraph_file.parent, environment.configuration_file().resolve()
    folders = [(base / name).resolve() for name in listed if name.startswith(".")]
    if not any(file.is_relative_to(folder) for folder in folders):
        hint = "move it into one of them, or mount it and set OIDC_AUTH_CONFIG"
        yield Finding(f"{environment.file} lies in none of the dependencies ({', '.join(listed) or 'none'})", hint)


CHECK = Check(Severity.WARNING, "the configuration lies in a folder that the image gets", find)
