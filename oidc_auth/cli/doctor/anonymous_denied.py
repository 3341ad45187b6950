"""A request without a token must be answered 401.

200 means that the server runs without authentication, whatever the files say: another langgraph.json, another working
directory, or an image that was built before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import Check
from .finding import Finding, Severity
from .server import SEARCHES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment

HINT = "look at the server's log and the langgraph.json it was started with"
UNAUTHORIZED = 401


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each search that a stranger is not refused with 401."""
    server = environment.running_server()
    for permission in SEARCHES:
        answer = server.search(permission)
        if isinstance(answer, str):
            yield Finding(answer, "is it running, and is this its address?")
            return
        if answer.status_code != UNAUTHORIZED:
            yield Finding(f"POST {answer.url.path} without a token: {answer.status_code}, expected 401", HINT)
        elif "www-authenticate" not in answer.headers:
            yield Finding(f"POST {answer.url.path}: a 401 without WWW-Authenticate: not this library's", HINT)


CHECK = Check(Severity.ERROR, "the running server refuses a request without a token", find)
