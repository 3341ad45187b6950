"""Only one installed distribution may contain the import package `oidc_auth`.

`drf-oidc-auth` (OpenID Connect for Django REST framework) also installs a folder `oidc_auth/`. If both are installed in
one environment, the one that was installed last overwrites `oidc_auth/__init__.py` of the other, and uninstalling
either removes it. pip prints no warning. Use a separate environment for each.

This reads the metadata of the environment that runs `oidc-auth`: run it where the server runs.
"""

from __future__ import annotations

import re
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING

from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .surroundings import Surroundings

DISTRIBUTION = "langgraph-oidc-auth"


def find(surroundings: Surroundings) -> Iterator[Finding]:
    """Yield each other distribution that installs this import package."""
    del surroundings
    names = {_normalized(name) for name in packages_distributions().get("oidc_auth", ())}
    for name in sorted(names - {DISTRIBUTION}):
        cure = f"pip uninstall {name}, then pip install --force-reinstall {DISTRIBUTION}"
        yield Finding(f"{name} also installs oidc_auth/", cure)


def _normalized(name: str) -> str:
    """Return the name of a distribution as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


CHECK = Check(Severity.ERROR, "no other distribution installs oidc_auth/", find)
