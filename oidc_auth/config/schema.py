"""The shape of a configuration: every key, its type, its default (pydantic; what it means is checked in ``lint``).

The keys and their defaults are the product's vocabulary. ``normalize`` first gives every value its one shape, since
pydantic's unions would put the names of their branches into the path of an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ..json_values import is_list
from ..keys.jwk import ASYMMETRIC
from ..tokens.claim_path import parse_path
from ..tokens.policy import DEFAULT_LEEWAY, DEFAULT_TYPES, MAX_LEEWAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

Seconds = Annotated[float, Field(ge=0)]


def _keys(value: object) -> object:
    if not isinstance(value, (str, list)) or value == []:
        return value  # pyright: ignore[reportUnknownVariableType]
    # A member that is no string is left for pydantic to name.
    keys = cast("str | list[str]", value)
    return list(parse_path(keys)) if isinstance(keys, str) or all(isinstance(k, str) for k in keys) else keys  # pyright: ignore[reportUnnecessaryIsInstance]


class AlsoAccepts:
    """How else a value may be written: ``normalize`` gives it its one shape, the JSON Schema shows the others.

    Args:
        *types: JSON types beside the model's own.
        single: a member of the list may stand for a list of one.
    """

    def __init__(self, *types: str, single: bool = False) -> None:
        self._types = types
        self._single = single

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the alternatives."""
        shape = handler(core)
        single = [shape["items"]] if self._single else []
        return {"anyOf": [*single, *({"type": name} for name in self._types), shape]}


Name = Annotated[str, Field(min_length=1)]
HeaderName = Annotated[str, Field(pattern=r"^[a-z0-9!#$%&'*+.^_`|~-]+$")]
"""A header's name, in lower case (RFC 9110 §5.1)."""
ClaimName = Annotated[list[str], BeforeValidator(_keys), Field(min_length=1), AlsoAccepts("string")]
"""A claim path, as text or as a list of keys; parsed to its keys."""
ClaimNames = Annotated[list[ClaimName], AlsoAccepts(single=True)]
Strings = Annotated[list[str], AlsoAccepts(single=True)]
Names = Annotated[list[Name], AlsoAccepts(single=True)]
Conditions = dict[str, Annotated[list[str], AlsoAccepts("boolean", single=True)]]
"""Claim path to the values one of which must be there."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class IdentitySource(_Table):
    """One claim that may name the caller."""

    claim: ClaimName
    prefix: str = ""


Identities = Annotated[list[Annotated[IdentitySource, AlsoAccepts("string")]], AlsoAccepts(single=True)]


class TenantSource(_Table):
    """The claim that names the tenant."""

    claim: ClaimName
    object_keys: bool = False


class ClientClaim(_Table):
    """The claim that binds a token to known clients, for providers that send no ``aud``."""

    claim: ClaimName
    values: Strings = Field(min_length=1)


class PermissionMapTable(_Table):
    """``[[issuer.permission_map]]``: how one claim gives rights."""

    claim: ClaimName
    accept: Strings | None = None
    values: dict[str, Strings] | None = None
    object_keys: bool = False
    split: str | None = Field(default=None, min_length=1)
    strip_prefix: str = ""
    when: Conditions = Field(default_factory=dict)


class IssuerTable(_Table):
    """``[[issuer]]``: one OpenID provider that is trusted."""

    name: str = ""
    preset: str = ""
    issuer: str = Field(min_length=1)
    aliases: Names = Field(default_factory=list[str])
    tenants: Names = Field(default_factory=list[str])
    audience: Names = Field(default_factory=list[str])
    jwks_uri: str | None = None
    jwks: dict[str, Any] | None = None
    ca_file: Name | None = None
    client_certificate: Name | None = None
    client_key: Name | None = None
    bearer_file: Name | None = None
    algorithms: Strings = Field(default_factory=lambda: sorted(ASYMMETRIC), min_length=1)
    leeway: float = Field(default=DEFAULT_LEEWAY, ge=0, le=MAX_LEEWAY)
    max_token_age: float | None = Field(default=None, gt=0)
    required_claims: ClaimNames = Field(default_factory=list[list[str]])
    authorized_parties: Strings = Field(default_factory=list)
    token_type: Literal["access", "id"] = "access"
    accepted_typ: Strings = Field(default_factory=lambda: list(DEFAULT_TYPES), min_length=1)
    strict_rfc9068: bool = False
    header: HeaderName = "authorization"
    allowed_origins: Strings | None = None
    identity: Identities = Field(default_factory=lambda: [IdentitySource(claim=["sub"])], min_length=1)
    identity_prefix: str | None = None
    tenant: Annotated[TenantSource, AlsoAccepts("string", "array")] | None = None
    display_name: ClaimName | None = None
    claims: ClaimNames = Field(default_factory=list[list[str]])
    client_claim: ClientClaim | None = None
    require: Conditions = Field(default_factory=dict)
    permission_map: Annotated[list[PermissionMapTable], AlsoAccepts(single=True)] = Field(
        default_factory=list[PermissionMapTable]
    )
    insecure_skip_audience: bool = False


class RoleTable(_Table):
    """``[roles]``: a name for several rights, and the graphs it may start."""

    permissions: Strings
    graphs: Strings | None = None


class LangGraphTable(_Table):
    """``[langgraph]``: the server's own settings."""

    studio: Literal["deny", "own", "all"] = "deny"
    crons: Literal["allow", "deny"] = "allow"
    cron_max_age: float = Field(default=90 * 86_400, gt=0)
    max_delay: Seconds = 3_600
    webhooks: Literal["https", "any", "deny"] = "https"


class LimitsTable(_Table):
    """``[limits]``: every bound, with its unit. Bytes and entries are whole numbers, all else is seconds."""

    token_bytes: int = Field(default=16_384, ge=1)
    json_depth: int = Field(default=32, ge=1, le=256)
    key_set_bytes: int = Field(default=524_288, ge=1)
    fetch_timeout: float = Field(default=5, gt=0)
    jwks_refresh_after: Seconds = 90
    jwks_max_age: Seconds = 3_600
    jwks_max_stale: Seconds = 86_400
    retry_after_failure: Seconds = 10
    unknown_kid_fetches: int = Field(default=2, ge=0)
    unknown_kid_window: Seconds = 30
    token_cache_entries: int = Field(default=4_096, ge=0)
    token_cache_seconds: Seconds = 300


class Document(_Table):
    """A whole configuration."""

    issuer: Annotated[list[IssuerTable], AlsoAccepts(single=True)] = Field(min_length=1)
    roles: dict[str, Annotated[RoleTable, AlsoAccepts("string", "array")]] = Field(default_factory=dict)
    langgraph: LangGraphTable = Field(default_factory=LangGraphTable)
    limits: LimitsTable = Field(default_factory=LimitsTable)


def normalize(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the document with one shape for each value: a single table or string becomes a list of one."""
    document = dict(raw)
    if "issuer" in document:
        tables = _listed(document["issuer"])
        document["issuer"] = _each(_issuer, tables)
    if isinstance(document.get("roles"), dict):
        document["roles"] = {name: _role(role) for name, role in document["roles"].items()}
    return document


LISTS = (
    *("aliases", "tenants", "audience", "algorithms", "required_claims", "authorized_parties", "claims"),
    "allowed_origins",
    *("identity", "permission_map"),
)
"""Keys of ``[[issuer]]`` where a lone value is a list of one."""


def _listed(value: object) -> object:
    return [value] if isinstance(value, (str, dict)) else value  # pyright: ignore[reportUnknownVariableType]


def _issuer(raw: object) -> object:
    if not isinstance(raw, dict):
        return raw
    table = dict(cast("dict[str, Any]", raw))
    for name in LISTS:
        if name in table:
            table[name] = _listed(table[name])
    if "identity" in table:
        table["identity"] = _each(lambda s: {"claim": s} if isinstance(s, str) else s, table["identity"])
    if isinstance(table.get("tenant"), (str, list)):
        table["tenant"] = {"claim": table["tenant"]}
    if "permission_map" in table:
        table["permission_map"] = _each(
            lambda g: _with_lists(g, "accept", tables=("values", "when")), table["permission_map"]
        )
    if "client_claim" in table:
        table["client_claim"] = _with_lists(table["client_claim"], "values")
    if isinstance(table.get("require"), dict):
        table["require"] = {path: _conditions(values) for path, values in table["require"].items()}
    return table


def _conditions(values: object) -> object:
    """Return the values of a condition; a boolean, as in ``email_verified = true``, as JSON spells it."""
    listed = [values] if isinstance(values, (str, bool)) else values
    return _each(lambda value: str(value).lower() if isinstance(value, bool) else value, listed)


def _each(change: Callable[[object], object], values: object) -> object:
    return [change(value) for value in values] if is_list(values) else values


def _role(raw: object) -> object:
    if isinstance(raw, dict):
        return _with_lists(cast("object", raw), "permissions", "graphs")
    return {"permissions": _listed(raw)}


def _with_lists(raw: object, *names: str, tables: tuple[str, ...] = ()) -> object:
    if not isinstance(raw, dict):
        return raw
    table = dict(cast("dict[str, Any]", raw))
    for name in names:
        if name in table:
            table[name] = _listed(table[name])
    for name in tables:
        if isinstance(table.get(name), dict):
            table[name] = {key: _conditions(value) for key, value in table[name].items()}
    return table
