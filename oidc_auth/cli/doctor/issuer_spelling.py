"""`iss` is compared exactly, and a discovery document must name exactly the issuer it belongs to.

The usual differences are a slash at the end (some providers have one, some do not), http for https,
and the name by which containers know each other instead of the public one. Write the issuer as the document spells
it; where the server reaches the provider by another address, give that one as `jwks_url`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import Check
from .finding import Finding, NotApplicableError, Severity, not_looked_at, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .surroundings import Surroundings


def find(surroundings: Surroundings) -> Iterator[Finding]:
    """Yield each issuer that its own document spells otherwise."""
    named = [(provider, provider.document(discovery=True).get("issuer")) for provider in surroundings.asked()]
    if all(found is None for _, found in named):
        raise NotApplicableError("no discovery document")
    for provider, found in named:
        configured = provider.issuer
        if not isinstance(found, str):
            yield not_looked_at(configured, "no discovery document")
        elif found != configured:
            difference = _difference(configured, found)
            yield Finding(
                f"configured is {configured!r}, the document says {printable(found)!r}{difference}",
                f"tokens will say the same as the document: write issuer = {printable(found)!r}",
                provider.severity,
            )


def _difference(configured: str, found: str) -> str:
    if configured.rstrip("/") == found.rstrip("/"):
        return " (only a '/' at the end differs)"
    if configured.casefold() == found.casefold():
        return " (only upper and lower case differ)"
    same = configured.partition("://")[2] == found.partition("://")[2]
    return " (only http and https differ)" if same else ""


CHECK = Check(Severity.ERROR, "each issuer is spelled as its discovery document has it", find)
