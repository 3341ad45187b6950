"""A key set in which no key fits an allowed algorithm verifies no token at all.

It happens after a provider changed from RS256 to ES256 while `algorithms` still lists the old one. Leave `algorithms`
out to allow every asymmetric one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...keys.jwk import UnusableKeyError
from ...keys.key_set import read_key_set
from .check import Check
from .finding import Finding, NotApplicableError, Severity, not_checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment, Provider


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each issuer none of whose keys fits an allowed algorithm."""
    environment.configuration()
    offers = [(provider, _algorithms(provider)) for provider in environment.providers]
    if not any(offered for _, offered in offers):
        raise NotApplicableError("no usable key")
    for provider, offered in offers:
        allowed = set(provider.table.algorithms)
        # EdDSA (RFC 8037) and Ed25519 (RFC 9864) are two names of one algorithm, and each key has both.
        if not offered:
            yield not_checked(provider.issuer, "no usable key")
        elif not offered & allowed:
            found, wanted = ", ".join(sorted(offered)), ", ".join(sorted(allowed))
            yield Finding(f"{provider.issuer}: keys for {found}; algorithms allows {wanted}", "leave algorithms out")


def _algorithms(provider: Provider) -> set[str]:
    try:
        return {name for key in read_key_set(provider.document(discovery=False)).keys for name in key.algorithms}
    except UnusableKeyError:
        return set()


CHECK = Check(Severity.ERROR, "at least one key fits the allowed algorithms", find)
