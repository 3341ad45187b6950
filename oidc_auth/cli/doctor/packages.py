"""Checks of the Python packages: this library in the image, vulnerable versions."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import TYPE_CHECKING, Any

from ...config.raw_document import read_strings
from ...langgraph.server_version import OLDEST_SERVER, SERVER, is_older
from .check import Check, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .environment import DoctorEnvironment

DISTRIBUTION = "langgraph-oidc-auth"
DISTRIBUTION_PATTERN = re.compile(r"langgraph[-_.]oidc[-_.]auth", re.IGNORECASE)
"""The name in requirements and in names of wheels (PEP 503, PEP 427)."""
REQUIREMENT_FILES = ("requirements.txt", "pyproject.toml", "setup.cfg", "setup.py")
WHEEL_PATH = re.compile(r"^(?!.*://)[^#\n]*langgraph[-_.]oidc[-_.]auth[^#\n]*\.whl", re.IGNORECASE | re.MULTILINE)
"""A line of requirements that names a wheel of this library, and no URL."""
WHEEL_HINT = 'Write "ADD NAME.whl /tmp/" and "RUN uv pip install --system /tmp/NAME.whl" into dockerfile_lines.'
FIXED_VERSIONS: Mapping[str, tuple[str, str]] = {
    "langgraph-sdk": ("0.4.6", "CVE-2026-104873, CVE-2026-48776, CVE-2026-118667"),
    "langgraph-checkpoint-postgres": ("3.1.1", "CVE-2026-71433"),
    "langgraph-checkpoint-sqlite": ("3.1.1", "CVE-2026-71433"),
    SERVER: ("0.7.33", "users read and overwrite the store items of other users"),
    "pyjwt": ("2.15.1", "its advisories of 2026"),
}


def check_library_included(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that no dependency names this library.

    An image contains the packages in `dependencies` and the requirements of the folders in it.

    An image without this library does not start. The check looks for its name in `langgraph.json` (`dependencies`,
    `dockerfile_lines`) and in `requirements.txt`, `pyproject.toml`, `setup.cfg` and `setup.py` of each folder. Ignore
    this warning if another package or the base image installs the library.

    A wheel needs `dockerfile_lines`. The build of the image fails for a wheel in `dependencies`, and for the path of a
    wheel in `requirements.txt`.
    """
    deployment, folder = environment.deployment(), environment.langgraph_file.parent
    if not names_library(deployment, folder):
        yield Finding(f"no dependency names {DISTRIBUTION}", f"Add {DISTRIBUTION} to requirements.txt.")
    for place in find_wheel_paths(deployment, folder):
        yield Finding(f"{place} names the file of a wheel, so the build of the image fails", WHEEL_HINT)


def names_library(deployment: Mapping[str, Any], folder: Path) -> bool:
    """Tell whether a deployment names this library as a dependency."""
    listed = read_strings(deployment.get("dependencies"))
    folders = [folder / name for name in listed if name.startswith(".")]
    # The whole file, because dockerfile_lines can install the library too.
    texts = [json.dumps(deployment), *(_text(each / name) for each in folders for name in REQUIREMENT_FILES)]
    return any(DISTRIBUTION_PATTERN.search(text) for text in texts)


def find_wheel_paths(deployment: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Yield each place that names a wheel of this library by a path on this machine."""
    listed = read_strings(deployment.get("dependencies"))
    # langgraph_cli copies folders into the image. It takes a file for the name of a package.
    if any(name.endswith(".whl") and DISTRIBUTION_PATTERN.search(name) for name in listed):
        yield "dependencies"
    for name in listed:
        # It copies requirements.txt alone, before it installs from it.
        if name.startswith(".") and WHEEL_PATH.search(_text(folder / name / "requirements.txt")):
            yield f"requirements.txt in {name}"


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""


def check_known_vulnerabilities(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each installed package that is too old.

    Some versions of other packages allow users to bypass authorization.

    - `langgraph-sdk` before 0.4.6 ignored `actions=` of handlers (CVE-2026-104873). IDs could change the path of a
      request (CVE-2026-48776, CVE-2026-118667).
    - `langgraph-checkpoint-postgres` and `langgraph-checkpoint-sqlite` before 3.1.1 also matched other store namespaces
      with the same beginning (CVE-2026-71433).
    - `langgraph-api` before 0.7.33 ignored the store namespace that this library sets. Users could read and overwrite
      the items of other users.
    - `pyjwt` before 2.15.1 lacks the fixes for its advisories of 2026.

    `protect()` does not start with `langgraph-api` before 0.10.3, the oldest tested version.

    This check reads the environment of the command `oidc-auth`. Run it in the server's environment.
    """
    del environment
    for package, (fixed, advisories) in FIXED_VERSIONS.items():
        try:
            installed = version(package)
        except PackageNotFoundError:
            # Not an error, because the command may run outside of the image.
            continue
        # One command that repairs both: the first version with the fix does not start with protect().
        oldest = OLDEST_SERVER if package == SERVER else fixed
        hint = f"pip install '{package}>={oldest}'"
        # An advisory is the more urgent reason.
        if is_older(installed, fixed):
            yield Finding(f"{package} {installed}: {advisories}", hint)
        elif is_older(installed, oldest):
            yield Finding(f"{package} {installed}: protect() needs at least {oldest}", hint)


def check_import_name_unique(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each other distribution with the package oidc_auth.

    Only one installed distribution may contain the import package `oidc_auth`.

    `drf-oidc-auth` (OpenID Connect for Django REST framework) also installs a folder `oidc_auth/`. If both are
    installed, the later one overwrites `oidc_auth/__init__.py`, and pip prints no warning. Uninstalling one of them
    removes the file. Use separate environments.

    This check reads the environment of the command `oidc-auth`. Run it in the server's environment.
    """
    del environment
    # Normalized, because the metadata has the name as its author wrote it.
    names = {_normalized(name) for name in packages_distributions().get("oidc_auth", ())}
    for name in sorted(names - {DISTRIBUTION}):
        hint = f"pip uninstall {name}, then pip install --force-reinstall {DISTRIBUTION}"
        yield Finding(f"{name} also installs oidc_auth/", hint)


def _normalized(name: str) -> str:
    """Return the name of a distribution in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


CHECKS = (
    Check("library-included", Severity.WARNING, "a dependency of the image names this library", check_library_included),
    Check(
        "known-vulnerabilities",
        Severity.ERROR,
        "no installed package has a known vulnerability",
        check_known_vulnerabilities,
    ),
    Check("import-name-unique", Severity.ERROR, "no other distribution installs oidc_auth/", check_import_name_unique),
)
