"""Keys that are skipped verify nothing: weak RSA keys, symmetric keys, broken keys.

A published *private* key is an error: anybody can sign with it. Keys for encryption (`use: enc`) are left alone. Two
keys without `kid` that fit the same algorithm make every token without `kid` ambiguous, and such tokens are refused.
Of a key set the first 200 members are read.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ...config.raw_document import read_table
from ...json_values import is_list
from ...keys.jwk import Key, UnusableKeyError, read_key
from ...keys.key_set import MAX_KEYS
from .check import Check
from .finding import Finding, NotApplicableError, Severity, not_checked, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import DoctorEnvironment, Provider

HINT = "rotate it at the provider"


def find(environment: DoctorEnvironment) -> Iterator[Finding]:
    """Yield each key that cannot be used, and keys that cannot be told apart."""
    environment.configuration()
    published = [(provider, _members(provider)) for provider in environment.providers]
    if not any(members for _, members in published):
        raise NotApplicableError("no key set")
    for provider, members in published:
        if not members:
            yield not_checked(provider.issuer, "no key set")
        yield from (
            Finding(f"{provider.issuer}: {what}", hint, severity) for what, hint, severity in _key_faults(members)
        )


def _members(provider: Provider) -> list[object]:
    keys = provider.document(discovery=False).get("keys")
    return keys if is_list(keys) else []


def _key_faults(members: list[object]) -> Iterator[tuple[str, str, Severity | None]]:
    good: list[Key] = []
    if (count := len(members)) > MAX_KEYS:
        yield f"{count} keys: only the first {MAX_KEYS} are read", "let the provider withdraw old keys", None
    for position, member in enumerate(members[:MAX_KEYS]):
        jwk = read_table(member)
        if jwk.get("use") == "enc":
            continue
        name = f"key {position} ({printable(str(jwk.get('kid')), 60)})"
        try:
            good.append(read_key(jwk))
        except UnusableKeyError as reason:
            private = "private members" in str(reason)
            yield f"{name}: {printable(str(reason))}", HINT, Severity.ERROR if private else None
    nameless = Counter(algorithm for key in good if key.kid is None for algorithm in key.algorithms)
    if doubled := sorted(algorithm for algorithm, count in nameless.items() if count > 1):
        yield f"several keys without kid fit {', '.join(doubled)}", "let the provider publish a kid for each key", None


CHECK = Check(Severity.WARNING, "every published key can be used and told from the others", find)
