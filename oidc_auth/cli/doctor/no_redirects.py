"""Redirects are never followed: whoever can redirect the fetch of the keys chooses whose signature counts.

A provider that redirects is usually configured with http, without `www`, or by an old address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...keys.fetch import shown_url
from .check import Check
from .finding import Finding, Severity, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .surroundings import Surroundings

REDIRECTS = range(300, 400)


def find(surroundings: Surroundings) -> Iterator[Finding]:
    """Yield each address that redirects."""
    for provider in surroundings.answered():
        for exchange in provider.exchanges:
            if exchange.response.status in REDIRECTS:
                target = printable(shown_url(exchange.response.headers.get("location", "nowhere")))
                yield Finding(
                    f"{shown_url(exchange.url)} redirects to {target}", "configure the address that answers by itself"
                )
    yield from surroundings.unanswered()


CHECK = Check(Severity.ERROR, "no address of a provider redirects", find)
