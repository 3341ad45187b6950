"""With `disable_studio_auth` false, the header `x-auth-scheme: langsmith` goes round the hook.

In `langgraph dev` it skips authentication altogether, and its CORS rule lets any website send it; in the cloud
LangSmith checks it instead of you. The handlers still refuse such a user (`langgraph.studio = "deny"`): this is the
second lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that Studio's way round authentication is open."""
    if environment.auth().get("disable_studio_auth") is not True:
        yield Finding("auth.disable_studio_auth is not true", 'write "disable_studio_auth": true beside auth.path')


CHECK = Check(Severity.WARNING, "LangGraph Studio cannot go round authentication", find)
