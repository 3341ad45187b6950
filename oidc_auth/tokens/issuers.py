"""The trusted issuers, indexed so that no lookup depends on their number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..providers.lookup import LONGEST_ISSUER, identify_provider, recognize_issuer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..keys.key_set import KeySource
    from ..providers.record import Provider
    from .policy import TokenPolicy

MAX_NAMED = 3
"""Issuers that one message names."""
MAX_PATH_SEGMENTS = 4
"""Segments of an issuer's path that are compared."""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer and what its tokens must look like.

    Attributes:
        policy: The rules for its tokens.
        keys: The keys that may sign them.
    """

    policy: TokenPolicy
    keys: KeySource


class TrustedIssuers:
    """The trusted issuers by their exact name.

    Args:
        issuers: The issuers, in the order of the configuration.
    """

    def __init__(self, issuers: Sequence[TrustedIssuer]) -> None:
        # One exact lookup decides about trust. The similar names below are only for hints.
        self.by_name = {issuer.policy.issuer: issuer for issuer in issuers}
        self.algorithms = frozenset(name for issuer in issuers for name in issuer.policy.algorithms)
        self.description = describe_issuers(tuple(self.by_name))
        self._similar: dict[tuple[str, str], str] = {}
        providers: dict[str, Provider] = {}
        for name, issuer in self.by_name.items():
            provider = identify_provider(issuer.policy.preset, name)
            if provider is not None:
                providers.setdefault(provider.name, provider)
                self._similar.setdefault(("provider", provider.name), name)
            for key in _similarity_keys(name):
                self._similar.setdefault(key, name)
        self.providers = tuple(providers.values())

    def find_similar(self, issuer: object) -> str:
        """Return the configured issuer that is most like an unknown one, or ""."""
        # The sender of a token chooses its iss, so its length is bounded.
        if not isinstance(issuer, str) or len(issuer) > LONGEST_ISSUER:
            return ""
        keys = [*_similarity_keys(issuer)]
        if (provider := recognize_issuer(issuer)) is not None:
            keys.append(("provider", provider.name))
        return next((self._similar[key] for key in keys if key in self._similar), "")


def describe_issuers(names: Sequence[str]) -> str:
    """Return the names of a few issuers, for a message."""
    if len(names) == 1:
        return names[0]
    if len(names) <= MAX_NAMED:
        return f"one of {', '.join(names)}"
    return f"one of {len(names)} issuers, for example {', '.join(names[:MAX_NAMED])}"


def _similarity_keys(issuer: str) -> Iterator[tuple[str, str]]:
    """Yield the forms of an issuer that are compared, the closest form first."""
    yield "slash", issuer.rstrip("/")
    yield "case", issuer.casefold()
    host, path = split_issuer(issuer)
    if path.strip("/"):
        yield "path", path
    # A segment can be the id of a tenant. The last one, such as v2.0, rarely is: it is compared after the others.
    yield from (("segment", segment) for segment in path.strip("/").split("/")[:MAX_PATH_SEGMENTS] if segment)
    yield "host", host


def split_issuer(issuer: str) -> tuple[str, str]:
    """Return the host and the path of an issuer, or twice "" if it is not a URL."""
    try:
        parts = urlsplit(issuer)
    # The issuer of an unsigned token can be any text, also an invalid URL.
    except ValueError:
        return "", ""
    return parts.netloc, parts.path
