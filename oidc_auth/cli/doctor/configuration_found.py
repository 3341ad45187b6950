"""A server looks for `oidc-auth.toml` in the folder of langgraph.json, or for the file that `OIDC_AUTH_CONFIG` names.

A configuration of another name, or in another folder, is not found, and the server does not start; with two of them it
does not start either, since it cannot know which counts. `OIDC_AUTH_CONFIG` is looked for in the key `env` of
langgraph.json; where the deployment sets it elsewhere, this warning may be ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...config.load import CONFIG_VARIABLE, FILE_NAME
from ..langgraph_json import read_environment
from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that the server would look for another file."""
    environment.deployment()
    folder = environment.langgraph_file.parent.resolve()
    named = read_environment(environment.langgraph_file).get(CONFIG_VARIABLE)
    local, sought = folder / FILE_NAME, (folder / (named or FILE_NAME)).resolve()
    if sought != environment.configuration_file().resolve():
        why = f"{CONFIG_VARIABLE} in env" if named else f"no {CONFIG_VARIABLE} in env"
        yield Finding(f"the server looks for {sought} ({why})", f"set {CONFIG_VARIABLE}, or move the file there")
    if local.is_file() and local.resolve() != sought:
        yield Finding(f"two configurations: {local} and {sought}", "keep one", Severity.ERROR)


CHECK = Check(Severity.WARNING, "the server finds this configuration, and no other", find)
