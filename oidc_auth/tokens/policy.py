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

ANY_VALUE = "*"
"""The value of a requirement that only asks for the claim to be present."""

SPACE_SEPARATED_CLAIMS = ("scope", "scp")
"""Claims whose string holds several values, separated by U+0020 (RFC 6749 §3.3); every other string is one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityClaim:
    """One claim that may name the caller, and the prefix that keeps it apart from others.

    Attributes:
        path: the claim.
        prefix: stands before its value, in every identity.
        reserved_prefixes: longer prefixes of other claims or issuers: an identity that begins with one would be
            somebody else's.
    """

    path: ClaimPath
    prefix: str = ""
    reserved_prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A claim that must have one of some values.

    Attributes:
        path: The claim.
        values: One of these must be its value, as text. A trailing ``*`` matches any rest.
        hint: What to do about a token without it, or "" for the hint of the error code.
    """

    path: ClaimPath
    values: tuple[str, ...]
    hint: str = ""

    @property
    def accepts_any(self) -> bool:
        """Whether the claim only has to be present, with any value but null."""
        return self.values == (ANY_VALUE,)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantClaim:
    """The claim that names the tenant; ``object_keys``: it may be an object whose one key is the tenant."""

    path: ClaimPath
    object_keys: bool = False


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
        max_token_age: the longest time since ``iat``, or None.
        allowed_clients: One of these must be ``azp``, or ``client_id`` in a token without ``azp``. Empty: any.
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
    max_token_age: float | None = None
    allowed_clients: frozenset[str] = frozenset()
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
    return len(path) == 1 and path[0] in SPACE_SEPARATED_CLAIMS


def matches(pattern: str, value: str) -> bool:
    """Tell whether a configured value matches a claim's: exactly, or by the prefix before one trailing ``*``."""
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
