"""A server without `auth` in langgraph.json lets everybody do everything.

`"auth": {"path": "oidc_auth.langgraph:auth"}` needs no code. A module of your own is only noted, since nothing but
running it would show what it does: try the running server with `--url`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..langgraph_json import ENTRY
from .check import Check
from .finding import Finding, NotApplicableError, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment

HINT = f'write "auth": {{"path": "{ENTRY}", "disable_studio_auth": true}}'


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that langgraph.json names no hook, or one that is not ours."""
    if environment.langgraph is None:
        raise NotApplicableError(f"no {environment.langgraph_file}")
    if isinstance(environment.langgraph, str):
        yield Finding(f"{environment.langgraph_file} {environment.langgraph}", "write it as JSON")
        return
    path = environment.auth().get("path")
    if not isinstance(path, str) or not path:
        yield Finding(f"{environment.langgraph_file}: no auth.path: every request is let in", HINT)
    elif path != ENTRY:
        yield Finding(f"auth.path is {path!r}: a module of your own", "try it with --url", Severity.INFO)


CHECK = Check(Severity.ERROR, "langgraph.json names the hook that authenticates", find)
