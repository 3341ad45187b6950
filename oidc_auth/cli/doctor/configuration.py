"""Checks of the configuration file: validity and location."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...config.load import CONFIG_VARIABLE, FILE_NAME
from ...config.raw_document import read_strings
from ...errors import ConfigError
from ...observability.audit_target import STDOUT
from ..langgraph_json import read_environment
from .check import Check, Finding, NotApplicableError, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment


def check_configuration(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield the errors and warnings of the configuration.

    The server does not start with an invalid configuration. A dangerous setting is a warning.

    `oidc-auth check` shows the same, and the permissions of each role.
    """
    if isinstance(environment.loaded, ConfigError):
        yield from (Finding(str(problem)) for problem in environment.loaded.problems)
    else:
        yield from (Finding(warning, severity=Severity.WARNING) for warning in environment.loaded.warnings)


def check_configuration_found(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that the server reads another file.

    A server reads the file in `OIDC_AUTH_CONFIG`, or else `oidc-auth.toml` in the folder of `langgraph.json`.

    It does not start if it finds no configuration, or two. This check reads `OIDC_AUTH_CONFIG` from the key `env` of
    `langgraph.json`. Ignore this warning if the deployment sets the variable elsewhere.
    """
    environment.deployment()
    folder = environment.langgraph_file.parent.resolve()
    # Not from this shell, because the server has its own environment.
    named = read_environment(environment.langgraph_file).get(CONFIG_VARIABLE)
    local, expected = folder / FILE_NAME, (folder / (named or FILE_NAME)).resolve()
    if expected != environment.configuration_file().resolve():
        reason = f"{CONFIG_VARIABLE} in env" if named else f"no {CONFIG_VARIABLE} in env"
        yield Finding(
            f"the server reads {expected} ({reason})", f"Set {CONFIG_VARIABLE}, or move the configuration there."
        )
    # An error, because a server with two configurations does not start.
    if local.is_file() and local.resolve() != expected:
        yield Finding(f"two configurations: {local} and {expected}", "Keep one of them.", Severity.ERROR)


def check_configuration_included(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that the image lacks the configuration.

    A container image contains the folders in `dependencies`, and no other files of the project.

    A configuration outside these folders works in development but is missing in production. Ignore this warning if you
    mount the file into the container and set `OIDC_AUTH_CONFIG`.
    """
    listed = read_strings(environment.deployment().get("dependencies"))
    base, file = environment.langgraph_file.parent, environment.configuration_file().resolve()
    # Other entries are names of packages.
    folders = [(base / name).resolve() for name in listed if name.startswith(".")]
    if not any(file.is_relative_to(folder) for folder in folders):
        hint = "Move it into one of them, or mount it and set OIDC_AUTH_CONFIG."
        yield Finding(f"{environment.file} is in no folder of dependencies ({', '.join(listed) or 'none'})", hint)


def check_audit_log(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that this user cannot write the audit log.

    The server opens the file of `observability.audit` at its start, and does not start if it cannot be opened.

    Run the check as the user of the server, on its machine. A relative path begins in the folder of `langgraph.json`.
    """
    audit = environment.configuration().document.observability.audit
    if audit is None or audit == STDOUT:
        raise NotApplicableError("no file in observability.audit")
    file = environment.langgraph_file.parent / audit
    if file.exists():
        if not file.is_file():
            yield Finding(f"{file} is not a file", 'Write the path of a file, or "stdout".')
        elif not os.access(file, os.W_OK):
            yield Finding(f"{file} cannot be written", "Give the user of the server write access.")
    elif not os.access(file.parent, os.W_OK | os.X_OK):
        what = "cannot be written" if file.parent.is_dir() else "does not exist"
        yield Finding(f"the folder {file.parent} {what}", "Create it, and give the user of the server write access.")


CONFIGURATION = Check(
    "configuration", Severity.ERROR, "the configuration is valid and has no warnings", check_configuration
)
LOCATION = (
    Check("audit-log", Severity.WARNING, "the file of the audit log can be written", check_audit_log),
    Check(
        "configuration-found", Severity.WARNING, "the server reads this configuration only", check_configuration_found
    ),
    Check(
        "configuration-included",
        Severity.WARNING,
        "the configuration is in a folder of the image",
        check_configuration_included,
    ),
)
