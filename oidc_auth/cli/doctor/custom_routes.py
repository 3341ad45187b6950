"""Routes of your own (`http.app`) are anonymous unless `http.enable_custom_route_auth` is true.

Even then, a custom GET route under `/ui` stays anonymous, and a loopback client (`get_client()` without an address)
inside a custom route passes neither the hook nor any handler: it sees everybody's objects. Give it the server's
address and the caller's token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import Check
from .finding import Finding, NotApplicableError, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield that custom routes ask for no token."""
    http = environment.http()
    if not http.get("app"):
        raise NotApplicableError("no custom routes (http.app)")
    if http.get("enable_custom_route_auth") is not True:
        hint = 'write "enable_custom_route_auth": true beside http.app'
        yield Finding(f"the routes of {http['app']} ask for no token", hint)


CHECK = Check(Severity.ERROR, "custom routes are authenticated", find)
