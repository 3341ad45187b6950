"""Without the provider's keys no token can be verified: requests are answered 503 until they come.

They are fetched here exactly as the server does it: discovery, then the key set; https only (http for loopback), no
redirects, within `limits.fetch_timeout` and `limits.key_set_bytes`, with the issuer's own authority, certificate and
bearer token. Behind a firewall, check the proxy variables (`HTTPS_PROXY`, `NO_PROXY`) of the server's process;
plain http never goes through a proxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import Check
from .finding import Finding, Severity, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment

LONGEST = 1_000
"""Characters of a reason: our own words end with the hint, and what the provider said stands before them."""
HINT = "unless another check says why: fetch that address from the server's own host or container"


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each issuer whose keys cannot be had."""
    for provider in environment.queried_providers():
        if provider.failure:
            yield Finding(f"{provider.issuer}: {printable(provider.failure, LONGEST)}", HINT, provider.severity)


CHECK = Check(Severity.ERROR, "each provider's keys can be fetched", find)
