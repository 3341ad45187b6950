"""The settings of one issuer that the checks read."""

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
"""Names with a meaning on the servers: a wildcard of the store, their own objects, no user, Studio."""

DEFAULT_TYPES = ("JWT", "at+jwt", "")
"""The header ``typ`` of access tokens (RFC 7519 §5.1, RFC 9068 §2.1). "" means that ``typ`` is absent."""

OTHER_TOKEN_TYPES = frozenset(
    {"logout+jwt", "dpop+jwt", "secevent+jwt", "oauth-authz-req+jwt", "token-introspection+jwt"}
)
"""Types of JWTs that are neither access nor ID tokens. They are never accepted (RFC 8725 §3.11)."""

ANY_VALUE = "*"
"""The value of a requirement that any value meets, except for an empty one."""

SPACE_SEPARATED_CLAIMS = ("scope", "scp")
"""Claims with several values in one string, separated by U+0020 (RFC 6749 §3.3). Any other string is one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityClaim:
    """One claim that may name the caller, and its prefix.

    Attributes:
        path: The claim.
        prefix: Put before its value in every identity.
        reserved_prefixes: Longer prefixes of other claims or issuers. An identity that begins with one of them could
            be another user's.
        reserved_names: Identities that no token can have, because the server gives them a meaning.
    """

    path: ClaimPath
    prefix: str = ""
    reserved_prefixes: tuple[str, ...] = ()
    reserved_names: frozenset[str] = RESERVED_IDENTITIES


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
        """Whether the claim may have any value that is not empty."""
        return self.values == (ANY_VALUE,)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantClaim:
    """The claim that names the tenant. With ``object_keys`` it can be an object, and its one key is the tenant."""

    path: ClaimPath
    object_keys: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPolicy:
    """The requirements for the tokens of one issuer. Times are in seconds.

    Attributes:
        issuer: Compared exactly with ``iss``.
        preset: The preset of the configuration, for hints.
        audiences: One of these must be in ``aud``. None only with ``insecure_skip_audience``, or if ``client`` binds
            the token instead.
        mcp_audience: The member of ``audiences`` that is accepted at ``/mcp`` only, or "".
        algorithms: The header's ``alg`` must be one of these.
        leeway: How far clocks may differ.
        max_token_age: The longest time since ``iat``, or None.
        max_token_lifetime: The longest time from ``iat`` to ``exp``, or None.
        allowed_clients: One of these must be ``azp``, or ``client_id`` in a token without ``azp``. Empty: any.
        token_type: Whether this issuer sends access tokens or ID tokens.
        accepted_typ: The header ``typ`` of its tokens, in lower case. "" means that it may be absent (RFC 9068 §4).
        identities: The claims that may name the caller. The first one present counts.
        client: The claim that binds a token to known clients, for providers without ``aud``.
        requirements: All of these must hold.
        tenant: The claim that names the tenant, or None if the issuer has no tenants.
        header: The request header of its tokens, in lower case.
        allowed_origins: Origins of web pages that may use its tokens. None: any.
        introspected: Whether the provider is asked about each JWT. Its answer can add claims that the JWT lacks.
    """

    issuer: str
    # No default: a policy without audiences must be a decision.
    audiences: frozenset[str] | None
    algorithms: frozenset[str]
    identities: tuple[IdentityClaim, ...]
    leeway: float = DEFAULT_LEEWAY
    max_token_age: float | None = None
    max_token_lifetime: float | None = None
    allowed_clients: frozenset[str] = frozenset()
    token_type: Literal["access", "id"] = "access"
    accepted_typ: frozenset[str] = frozenset({"jwt", "at+jwt", ""})
    client: Requirement | None = None
    requirements: tuple[Requirement, ...] = ()
    tenant: TenantClaim | None = None
    header: str = "authorization"
    preset: str = ""
    mcp_audience: str = ""
    # None is safe only if the client itself adds the token. For other headers, the configuration sets an empty set.
    allowed_origins: frozenset[str] | None = None
    introspected: bool = False


def normalize_typ(typ: str) -> str:
    """Return a media type without the prefix that may be left out (RFC 7515 §4.1.9)."""
    return typ.lower().removeprefix("application/")


def has_control(text: str) -> bool:
    """Tell whether a text contains a control character (C0, DEL or C1)."""
    # Fast for printable text, which is nearly all.
    return not text.isprintable() and any(c < " " or "\x7f" <= c <= "\x9f" for c in text)


def is_scope(path: ClaimPath) -> bool:
    """Tell whether a claim contains OAuth scopes."""
    return len(path) == 1 and path[0] in SPACE_SEPARATED_CLAIMS


def matches(pattern: str, value: str) -> bool:
    """Tell whether a configured value matches a claim's value, exactly or up to a trailing ``*``."""
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
