"""The schema of a configuration: each key with its type, default and description.

The tables about the server are in ``schema_server``. The two modules are the only list of keys. The JSON Schema, the
tables of the documentation and the error texts come from them. What a type cannot express is checked in ``lint``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field

from ..keys.jwk import ASYMMETRIC
from ..tokens.claim_path import parse_path
from ..tokens.policy import DEFAULT_LEEWAY, DEFAULT_TYPES, MAX_LEEWAY
from .digest import Secret
from .forms import AlsoAccepts, as_table, as_text, normalize
from .schema_server import LangGraphTable, LimitsTable, RevocationTable, WebTable
from .strict_table import Seconds, StrictTable


def _parse_keys(value: object) -> object:
    if not isinstance(value, (str, list)) or value == []:
        return value  # pyright: ignore[reportUnknownVariableType]
    # Pydantic reports a member that is not a string.
    keys = cast("str | list[str]", value)
    return list(parse_path(keys)) if isinstance(keys, str) or all(isinstance(k, str) for k in keys) else keys  # pyright: ignore[reportUnnecessaryIsInstance]


Name = Annotated[str, Field(min_length=1)]
HeaderName = Annotated[str, Field(pattern=r"^[a-z0-9!#$%&'*+.^_`|~-]+$")]
"""The name of a header, in lower case (RFC 9110 §5.1)."""
ClaimName = Annotated[list[str], BeforeValidator(_parse_keys), Field(min_length=1), AlsoAccepts("string")]
"""A claim path, as text or as a list of keys. Validation parses it to its keys."""
ClaimNames = Annotated[list[ClaimName], AlsoAccepts(single=True)]
Strings = Annotated[list[str], AlsoAccepts(single=True)]
Names = Annotated[list[Name], AlsoAccepts(single=True)]
Value = Annotated[str, AlsoAccepts("boolean", "number", convert=as_text)]
Values = Annotated[list[Value], AlsoAccepts(single=True, convert=as_text)]
"""Values of a claim. Numbers and booleans become their JSON text, as in the token."""
Conditions = dict[str, Values]
"""Claim path to values, one of which the claim must have."""


class IdentitySource(StrictTable):
    """One claim that may name the caller."""

    claim: ClaimName = Field(description="The claim.")
    prefix: str = Field(default="", description="Put before its value.")


class TenantSource(StrictTable):
    """The claim that names the tenant."""

    claim: ClaimName = Field(description="The claim.")
    object_keys: bool = Field(default=False, description="The claim is an object with one key, which is the tenant.")


class ClientClaim(StrictTable):
    """The claim that binds a token to known clients, for providers that send no ``aud``."""

    claim: ClaimName = Field(description="The claim that names the client.")
    values: Strings = Field(min_length=1, description="The clients that may call.")


class PermissionMapTable(StrictTable):
    """``[[issuer.permission_map]]``: the rights that one claim gives."""

    claim: ClaimName = Field(description="The claim: a dotted path with quoted names, a URL, or a list of keys.")
    accept: Strings | None = Field(
        default=None,
        description="Permission names that are taken from the claim unchanged. Patterns cover own objects only.",
    )
    values: dict[str, Strings] | None = Field(
        default=None, description="Claim value to roles or permissions. A value may end in one `*`."
    )
    object_keys: bool = Field(default=False, description="The claim is an object, and its keys are the values.")
    field: Name | None = Field(
        default=None, description="The claim is a list of objects, and this field of each object is a value."
    )
    split: str | None = Field(
        default=None,
        min_length=1,
        description="The separator of several values in one string. Spaces around each value and one pair of square "
        "brackets are removed. `scope` and `scp` are split at spaces without it.",
    )
    strip_prefix: str = Field(default="", description="A prefix that each value must have. It is removed.")
    when: Conditions = Field(default_factory=dict, description="Conditions on other claims. All of them must hold.")


class IntrospectionTable(StrictTable):
    """``[issuer.introspection]``: whether the provider is asked if a token is active (RFC 7662)."""

    mode: Literal["opaque", "always"] = Field(
        description="`opaque`: only tokens that are not JWTs. `always`: JWTs too, after they were verified here."
    )
    client_id: Name = Field(description="The client with which this server asks.")
    # A secret must not be in a repr, which logs and tracebacks contain.
    client_secret: Annotated[Name | None, Secret()] = Field(
        default=None, repr=False, description="The client's secret."
    )
    client_assertion_key_file: Name | None = Field(
        default=None, description="File with the client's private key (PEM or JWK), in place of a secret."
    )
    endpoint: str | None = Field(
        default=None, description="The address of the endpoint, if it is not the one in the discovery document."
    )
    cache_seconds: Seconds = Field(
        default=30, le=3_600, description="Seconds that an answer is used. A revoked token works that long, at most."
    )


class IssuerTable(StrictTable):
    """``[[issuer]]``: one trusted OpenID provider."""

    name: str = Field(default="", description="A name for messages.")
    preset: str = Field(default="", description="The provider, which sets other keys of this table.")
    issuer: str = Field(
        min_length=1, description="The issuer, exactly as in `iss` and in the provider's discovery document."
    )
    aliases: Names = Field(
        default_factory=list[str], description="Other issuers of the same provider, exactly as in `iss`."
    )
    tenants: Names = Field(
        default_factory=list[str],
        description="GUIDs of the trusted tenants. Each replaces `{tenantid}` in `issuer` and `aliases`.",
    )
    audience: Names = Field(
        default_factory=list[str],
        description="The name of this API, or several names. One of them must be in `aud`. Required.",
    )
    insecure_skip_audience: bool = Field(
        default=False, description="Accept tokens that were issued for any API. Logs a warning at each start."
    )
    jwks_uri: str | None = Field(
        default=None, description="The address of the key set, if it is not the one in the discovery document."
    )
    jwks: dict[str, Any] | None = Field(default=None, description="The key set itself. Nothing is fetched.")
    insecure_http_hosts: Names = Field(
        default_factory=list[str],
        description="Host names from which keys may be fetched over plain http, such as a service of Docker Compose. "
        "Logs a warning at each start.",
    )
    ca_file: Name | None = Field(default=None, description="PEM file with additional certificate authorities.")
    client_certificate: Name | None = Field(
        default=None, description="PEM file with the client certificate for the provider (mutual TLS)."
    )
    client_key: Name | None = Field(default=None, description="PEM file with the key of the client certificate.")
    bearer_file: Name | None = Field(
        default=None, description="File with a bearer token for a key set that needs authentication."
    )
    introspection: IntrospectionTable | None = Field(
        default=None, description="Ask the provider whether a token is active: `{ mode, client_id, client_secret }`."
    )
    # All asymmetric ones, because a provider may change its algorithm. The key decides which of them fits.
    algorithms: Strings = Field(
        default_factory=lambda: sorted(ASYMMETRIC),
        min_length=1,
        description="The accepted `alg` values. Only asymmetric algorithms are possible.",
    )
    # RFC 7519 §4.1.4 allows a few minutes. Synchronized clocks need less, and leeway extends the life of each token.
    leeway: float = Field(
        default=DEFAULT_LEEWAY, ge=0, le=MAX_LEEWAY, description="Seconds that clocks may differ, at most 60."
    )
    max_token_age: float | None = Field(default=None, gt=0, description="The longest time since `iat`, in seconds.")
    allowed_clients: Strings = Field(
        default_factory=list,
        description="The clients that may call: `azp`, or `client_id` in a token without `azp`. Empty: all.",
    )
    token_type: Literal["access", "id"] = Field(
        default="access", description="`access`, or `id` for providers that only issue ID tokens."
    )
    # RFC 9068 is optional. Many providers send JWT, and some send no typ.
    accepted_typ: Strings = Field(
        default_factory=lambda: list(DEFAULT_TYPES),
        min_length=1,
        description='The allowed values of the header `typ`. `""` means a header without `typ`. The types of logout, '
        "DPoP and security event tokens are never accepted.",
    )
    strict_rfc9068: bool = Field(
        default=False,
        description='Short for `accepted_typ = ["at+jwt"]` (RFC 9068 §4). Use one of the two, for access tokens only.',
    )
    header: HeaderName = Field(
        default="authorization",
        description="The request header with the token. Any header but `authorization` holds the token alone.",
    )
    allowed_origins: Strings | None = Field(
        default=None,
        description="Web origins with pages that may use a token of a proxy. Empty: only the server's own origin.",
    )
    identity: Annotated[
        list[Annotated[IdentitySource, AlsoAccepts("string", convert=as_table("claim", str))]], AlsoAccepts(single=True)
    ] = Field(
        default_factory=lambda: [IdentitySource(claim=["sub"])],
        min_length=1,
        description="The claim that names the caller, or a list of `{ claim, prefix }`. The first one present counts.",
    )
    identity_prefix: str | None = Field(
        default=None, description="Put before every identity. Required if there are several issuers."
    )
    tenant: Annotated[TenantSource, AlsoAccepts("string", "array", convert=as_table("claim", str, list))] | None = (
        Field(
            default=None,
            description="The claim that names the tenant. `{ claim, object_keys = true }` reads an object of one key.",
        )
    )
    display_name: ClaimName | None = Field(default=None, description="The claim with a name to show to people.")
    claims: ClaimNames = Field(
        default_factory=list[list[str]], description="Claims that handlers and graphs may read, in `user.claims`."
    )
    client_claim: ClientClaim | None = Field(
        default=None,
        description="For providers without `aud`: `{ claim, values }`. It also needs `require` or a scope prefix.",
    )
    require: Conditions = Field(
        default_factory=dict,
        description="Claims that a token must have, each with a value, a list of values, or `*` (any, but not empty).",
    )
    permission_map: Annotated[list[PermissionMapTable], AlsoAccepts(single=True)] = Field(
        default_factory=list[PermissionMapTable],
        description="Maps from claims to rights. A map only adds rights.",
    )
    logout_clients: Strings = Field(
        default_factory=list[str],
        description="The clients that log users in. Their logout tokens are accepted (OpenID Connect Back-Channel "
        "Logout).",
    )
    scope_prefix: str | None = Field(
        default=None,
        description="Put before the scopes that challenges name, if clients request them in a longer form than tokens "
        "carry.",
    )
    default_role: Name | None = Field(
        default=None,
        description="The role that every valid token of this issuer has, in addition to the permission maps.",
    )


class RoleTable(StrictTable):
    """``[roles]``: a name for several rights, and the graphs that they may start."""

    permissions: Strings = Field(
        description="Permissions, groups, patterns or other roles. `@tenant` and `@all` widen the reach."
    )
    graphs: Strings | None = Field(
        default=None, description="The graphs, or ids of assistants, that the role may start. None: all."
    )


class Document(StrictTable):
    """A whole configuration."""

    issuer: Annotated[list[IssuerTable], AlsoAccepts(single=True)] = Field(
        min_length=1, description="The trusted OpenID providers. Each has its own keys, audience and algorithms."
    )
    roles: dict[str, Annotated[RoleTable, AlsoAccepts("string", "array", convert=as_table("permissions", object))]] = (
        Field(default_factory=dict, description="Names for several rights: a list, or `{ permissions, graphs }`.")
    )
    langgraph: LangGraphTable = Field(default_factory=LangGraphTable, description="Settings of the server.")
    web: WebTable | None = Field(default=None, description="Settings of `oidc_auth.web`.")
    revocation: RevocationTable | None = Field(default=None, description="Revoked tokens, sessions and users.")
    limits: LimitsTable = Field(default_factory=LimitsTable, description="Sizes and times.")


def normalize_document(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a document with each value in its one form: a single table or string becomes a list of one."""
    return normalize(raw, Document)
