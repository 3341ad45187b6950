"""`exp`, `nbf` and `iat` are the provider's clock against this host's, with the issuer's `leeway` between them.

The provider's clock is read from the `Date` field of its answers, which has whole seconds and may come from a cache
(`Age` is added). Let the host follow a time server: a larger leeway also lets expired tokens live longer.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from math import isfinite
from typing import TYPE_CHECKING

from .check import Check
from .finding import Finding, NotApplicableError, Severity, not_checked, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment, Exchange, Provider


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each provider whose clock differs by more than its leeway, or cannot be read."""
    first = [(provider, provider.exchanges[0]) for provider in environment.responding_providers()]
    if not any("date" in exchange.response.headers for _, exchange in first):
        raise NotApplicableError("no provider says what time it is")
    yield from environment.unanswered_findings()
    for provider, exchange in first:
        if "date" in exchange.response.headers:
            yield from _findings_for(provider, exchange)
        else:
            yield not_checked(provider.issuer, "it does not say what time it is")


def _findings_for(provider: Provider, exchange: Exchange) -> Iterator[Finding]:
    skew, leeway = _skew(exchange), provider.table.leeway
    if skew is None:
        date, age = (printable(exchange.response.headers.get(name, "none"), 60) for name in ("date", "age"))
        what = f"{provider.issuer}: its answer names no time: Date {date}; Age {age}"
        yield Finding(what, "look at the provider, or at the proxy before it", Severity.WARNING)
    elif abs(skew) > leeway:
        ahead = "behind" if skew > 0 else "ahead of"
        what = f"this host's clock is {abs(skew):.0f} s {ahead} that of {provider.issuer}; leeway {leeway:g} s"
        yield Finding(what, "let this host follow a time server (NTP)")


def _skew(exchange: Exchange) -> float | None:
    """Return how many seconds the provider's clock is ahead, or None where its fields cannot be read."""
    headers = exchange.response.headers
    try:
        said = parsedate_to_datetime(headers["date"]).timestamp() + float(headers.get("age", "0"))
    except (ValueError, OverflowError):
        return None
    return said - exchange.at if isfinite(said) else None


CHECK = Check(Severity.ERROR, "this host's clock and each provider's differ by less than the leeway", find)
