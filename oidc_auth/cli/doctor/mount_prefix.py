"""A `http.mount_prefix` that begins with `/ui` turns off authentication and authorization of every GET.

The server takes those paths for its own pages (langgraph-api 0.16.7, measured). No library can close that: choose
another prefix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield a prefix that opens every GET."""
    prefix = environment.http().get("mount_prefix")
    if isinstance(prefix, str) and prefix.startswith("/ui"):
        yield Finding(f"http.mount_prefix is {prefix!r}: every GET is anonymous", "choose one that begins otherwise")


CHECK = Check(Severity.ERROR, "no mount prefix turns authentication off", find)
