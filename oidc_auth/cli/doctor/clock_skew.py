"""`exp`, `nbf` and `iat` are the provider's clock against this host's, with the issuer's `leeway` between them.

The provider's clock is read from the `Date` field of its answers, which has whole seconds and may come from a cache
(`Age` is added). Let the host follow a time server: a larger leeway also lets expired tokens live longer.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from .check import Check
from .finding import Finding, NotApplicableError, Severity, not_looked_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .surroundings import Exchange, Surroundings


def find(surroundings: Surroundings) -> Iterator[Finding]:
    """Yield each provider whose clock differs by more than its leeway."""
    skews = [(p, _skew(exchange)) for p in surroundings.answered() for exchange in p.exchanges[:1]]
    if all(skew is None for _, skew in skews):
        raise NotApplicableError("no provider says what time it is")
    yield from surroundings.unanswered()
    for provider, skew in skews:
        leeway = provider.table.leeway
        if skew is None:
            yield not_looked_at(provider.issuer, "it does not say what time it is")
        elif abs(skew) > leeway:
            ahead = "behind" if skew > 0 else "ahead of"
            what = f"this host's clock is {abs(skew):.0f} s {ahead} that of {provider.issuer}; leeway {leeway:g} s"
            yield Finding(what, "let this host follow a time server (NTP)")


def _skew(exchange: Exchange) -> float | None:
    """Return how many seconds the provider's clock is ahead, or None where it says nothing."""
    headers = exchange.response.headers
    try:
        said = parsedate_to_datetime(headers["date"]).timestamp() + float(headers.get("age", "0"))
    except (KeyError, ValueError):
        return None
    return said - exchange.at


CHECK = Check(Severity.ERROR, "this host's clock and each provider's differ by less than the leeway", find)
