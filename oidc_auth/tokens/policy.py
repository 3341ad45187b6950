"""What the tokens of one issuer must look like: the frozen settings that the checks read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .claim_path import ClaimPath

DEFAULT_LEEWAY = 30.0
"""Seconds by which two clocks may differ."""
MAX_LEEWAY = 60.0
MAX_IDENTITY = 255
"""The longest identity, in characters (OpenID Connect Core §8 allows a subject 255)."""
RESERVED_IDENTITIES = frozenset({"*", "system", "anonymous", "langgraph-studio-user"})
"""Names that mean something to the servers: a wildcard of the store, their own objects, nobody, Studio."""

SPACE_SEPARATED = ("scope", "scp")
"""Claims whose string holds several values, separated by U+0020 (RFC 6749 §3.3); every other string is one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityClaim:
    """One claim that may name the caller, and the prefix that keeps it apart from others.

    Attributes:
        path: the claim.
        prefix: stands before its value, in every identity.
        taken: longer prefixes of other claims or issuers: an identity that begins with one would be somebody else's.
    """

    path: ClaimPath
    prefix: str = ""
    taken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A claim that must hold one of some values; a trailing ``*`` in a value matches any rest.

    Attributes:
        path: the claim.
        values: one of these must be its value.
        cure: what to do about a token without it; "": what its code's cure says.
    """

    path: ClaimPath
    values: tuple[str, ...]
    cure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantClaim:
    """The claim that names the tenant; ``keys``: it may be an object whose one key is the tenant."""

    path: ClaimPath
    keys: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPolicy:
    """What one issuer's tokens must look like. Times in seconds.

    Attributes:
        issuer: compared exactly with ``iss``.
        preset: the preset of the configuration, for hints.
        audiences: one of these must be in ``aud``; None only where the check was skipped by name, or where
            ``client`` binds the token instead.
        algorithms: the header's ``alg`` must be one of these.
        leeway: how far clocks may differ.
        max_age: the longest time since ``iat``, or None.
        required_claims: claims that must be present and not null.
        authorized_parties: one of these must be ``azp`` or ``client_id``; empty: any.
        token_type: whether this issuer sends access tokens or ID tokens.
        strict_rfc9068: only ``at+jwt`` is an access token (RFC 9068 §4).
        identities: the claims that may name the caller, in order; the first that is present counts.
        client: the claim that binds a token to known clients, where the provider sends no ``aud``.
        requirements: all of these must hold.
        tenant: the claim that names the tenant, or None where the issuer knows no tenants.
        header: the request header that carries its tokens, lower case.
        allowed_origins: origins of web pages that may use its tokens. None: any.
    """

    issuer: str
    audiences: frozenset[str] | None
    algorithms: frozenset[str]
    identities: tuple[IdentityClaim, ...]
    leeway: float = DEFAULT_LEEWAY
    max_age: float | None = None
    required_claims: tuple[ClaimPath, ...] = ()
    authorized_parties: frozenset[str] = frozenset()
    token_type: Literal["access", "id"] = "access"
    strict_rfc9068: bool = False
    client: Requirement | None = None
    requirements: tuple[Requirement, ...] = ()
    tenant: TenantClaim | None = None
    header: str = "authorization"
    preset: str = ""
    allowed_origins: frozenset[str] | None = None


def has_control(text: str) -> bool:
    """Tell whether a text holds a control character (C0, DEL or C1): no name of anybody does."""
    # A printable text, nearly every one, is told in C.
    return not text.isprintable() and any(c < " " or "\x7f" <= c <= "\x9f" for c in text)


def is_scope(path: ClaimPath) -> bool:
    """Tell whether a claim holds OAuth scopes."""
    return len(path) == 1 and path[0] in SPACE_SEPARATED


def matches(pattern: str, value: str) -> bool:
    """Tell whether a configured value matches a claim's: exactly, or by the prefix before one trailing ``*``."""
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
