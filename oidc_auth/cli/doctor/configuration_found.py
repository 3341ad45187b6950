"""A server looks for `oidc-auth.toml` in the folder of langgraph.json, or for the file that `OIDC_AUTH_CONFIG` names.

A configuration of another name, or in another folder, is not found, and the server does not start; with two of them it
does not start either, since it cannot know which counts. `OIDC_AUTH_CONFIG` is looked for in the key `env` of
langgraph.json; where the deployment sets it elsewhere, this warning may be ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...config.load import CONFIG_VARIABLE, FILE_NAME
from ...config.raw import table_in
from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .surroundings import Surroundings


def find(surroundings: Surroundings) -> Iterator[Finding]:
    """Yield that the server would look for another file."""
    env: object = surroundings.deployment().get("env")
    folder = surroundings.langgraph_file.parent.resolve()
    named = _in_file(folder / env) if isinstance(env, str) else table_in(env).get(CONFIG_VARIABLE)
    local, sought = folder / FILE_NAME, (folder / str(named or FILE_NAME)).resolve()
    if sought != surroundings.file.resolve():
        why = f"{CONFIG_VARIABLE} in env" if named else f"no {CONFIG_VARIABLE} in env"
        yield Finding(f"the server looks for {sought} ({why})", f"set {CONFIG_VARIABLE}, or move the file there")
    if local.is_file() and local.resolve() != sought:
        yield Finding(f"two configurations: {local} and {sought}", "keep one", Severity.ERROR)


def _in_file(file: Path) -> str:
    """Return what an env file sets the variable to, or ""."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return ""
    pairs = (line.strip().removeprefix("export ").partition("=") for line in lines)
    values = [value.strip().strip("\"'") for name, _, value in pairs if name.strip() == CONFIG_VARIABLE]
    return values[-1] if values else ""


CHECK = Check(Severity.WARNING, "the server finds this configuration, and no other", find)
