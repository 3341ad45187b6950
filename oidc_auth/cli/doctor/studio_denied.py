"""The header `x-auth-scheme: langsmith`, which LangGraph Studio sends, must open nothing to a stranger.

401 is what a server with `disable_studio_auth` answers; 403 comes from the handlers, which refuse Studio's user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import Check
from .finding import Finding, NotApplicableError, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment

DENIED_STATUSES = frozenset({401, 403})
HINT = 'write "disable_studio_auth": true in langgraph.json, and keep langgraph.studio = "deny"'


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that Studio's header opens the server."""
    answer = environment.running_server().search("threads:search", {"x-auth-scheme": "langsmith"})
    if isinstance(answer, str):
        raise NotApplicableError(answer)
    if answer.status_code not in DENIED_STATUSES:
        yield Finding(f"POST {answer.url.path} with Studio's header: {answer.status_code}, expected 401", HINT)


CHECK = Check(Severity.ERROR, "Studio's header opens nothing on the running server", find)
