"""A discovery document or key set beyond `limits.key_set_bytes` is not read.

One that is more than half as large will soon be: providers keep old keys, and certificate chains (`x5c`) are long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...keys.fetch import redact_url
from .check import Check
from .finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each answer that comes near the limit."""
    answered, limit = environment.responding_providers(), environment.configuration().document.limits.key_set_bytes
    for exchange in (exchange for provider in answered for exchange in provider.exchanges):
        if (size := len(exchange.response.body)) > limit / 2:
            yield Finding(f"{redact_url(exchange.url)}: {size} bytes of {limit}", "raise limits.key_set_bytes")
    yield from environment.unanswered_findings()


CHECK = Check(Severity.WARNING, "no answer of a provider comes near limits.key_set_bytes", find)
