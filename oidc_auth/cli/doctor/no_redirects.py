"""Redirects are never followed: whoever can redirect the fetch of the keys chooses whose signature counts.

A provider that redirects is usually configured with http, without `www`, or by an old address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...keys.fetch import redact_url
from .check import Check
from .finding import Finding, Severity, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment

REDIRECTS = range(300, 400)


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each address that redirects."""
    for provider in environment.responding_providers():
        for exchange in provider.exchanges:
            if exchange.response.status in REDIRECTS:
                target = printable(redact_url(exchange.response.headers.get("location", "nowhere")))
                yield Finding(
                    f"{redact_url(exchange.url)} redirects to {target}", "configure the address that answers by itself"
                )
    yield from environment.unanswered_findings()


CHECK = Check(Severity.ERROR, "no address of a provider redirects", find)
