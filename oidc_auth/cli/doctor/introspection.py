"""Check of the introspection endpoints (RFC 7662)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...quoting import quote
from .check import Check, Finding, NotApplicableError, Severity, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment

MAX_REASON = 1_000
"""Characters of a reason. It starts with the provider's text."""


def check_introspection(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each issuer with an introspection that does not work.

    With `introspection`, the server asks the provider about tokens. Without an answer it answers 503.

    This check sends a made-up token to the endpoint, with the configured client. The provider must answer
    `"active": false`. Status 401 or 403 means that the provider refused the client. A provider can call every token
    inactive if the client may not introspect it. This check cannot see that. Use `oidc-auth explain` with a valid
    token.
    """
    environment.configuration()
    results = [(each.issuer, each.introspection) for each in environment.providers if each.introspection is not None]
    if not results:
        raise NotApplicableError("no issuer has introspection")
    for issuer, result in results:
        active = result.answer.get("active")
        if result.failure:
            yield Finding(f"{issuer}: {printable(result.failure, MAX_REASON)}", result.hint)
        elif active is True:
            hint = "Do not use this endpoint. It would let anyone in."
            yield Finding(f"{issuer}: the provider calls a made-up token active", hint)
        elif active is not False:
            what = f"{issuer}: expected active = false for a made-up token; found {quote(active)}"
            yield Finding(printable(what, MAX_REASON), "Check that introspection.endpoint is the right address.")


INTROSPECTION = Check(
    "introspection", Severity.ERROR, "each introspection endpoint accepts the client", check_introspection
)
