"""The header `x-auth-scheme: langsmith`, which LangGraph Studio sends, must open nothing to a stranger.

401 is what a server with `disable_studio_auth` answers; 403 comes from the handlers, which refuse Studio's user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import Check
from .finding import Finding, NotApplicableError, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .surroundings import Surroundings

REFUSALS = frozenset({401, 403})
CURE = 'write "disable_studio_auth": true in langgraph.json, and keep langgraph.studio = "deny"'


def find(surroundings: Surroundings) -> Iterator[Finding]:
    """Yield that Studio's header opens the server."""
    answer = surroundings.running().search("threads:search", {"x-auth-scheme": "langsmith"})
    if isinstance(answer, str):
        raise NotApplicableError(answer)
    if answer.status_code not in REFUSALS:
        yield Finding(f"POST {answer.url.path} with Studio's header: {answer.status_code}, expected 401", CURE)


CHECK = Check(Severity.ERROR, "Studio's header opens nothing on the running server", find)
