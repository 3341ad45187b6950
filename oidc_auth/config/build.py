"""Building of the settings of each package from a valid configuration."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, cast

from ..enforcement.limits import EnforcementSettings
from ..keys.budget import FetchBudget
from ..keys.fetch import Fetcher, HttpFetcher, TlsFiles
from ..keys.key_set import StaticKeys, read_key_set
from ..keys.remote import KeyLimits, RemoteKeys
from ..permissions.names import SHARE, expand, format_permission, split_reach
from ..permissions.permission_maps import MappingRules, PermissionMap, Right
from ..providers import PROVIDERS
from ..providers.lookup import TENANTS
from ..tokens.claim_path import format_path, parse_path
from ..tokens.extract import AUTHORIZATION_HEADER as AUTHORIZATION
from ..tokens.issuers import TrustedIssuer
from ..tokens.policy import (
    OTHER_TOKEN_TYPES,
    RESERVED_IDENTITIES,
    IdentityClaim,
    Requirement,
    TenantClaim,
    TokenPolicy,
    normalize_typ,
)
from ..tokens.resource import ProtectedResource, mcp_address
from .build_introspection import build_introspection, find_opaque_issuer, refresh_ages
from .issuers import binding_scopes, exact_issuers
from .lint_literals import find_named_permissions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..introspection.verifier import IntrospectedIssuer
    from ..keys.key_set import KeySource
    from ..observability import EventReporter
    from .issuers import ExactIssuer
    from .schema import Document, IdentitySource, IssuerTable, PermissionMapTable, RoleTable
    from .schema_server import LimitsTable, WebTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that authentication needs.

    Attributes:
        issuers: The trusted issuers.
        mapping: The mapping rules of each issuer, by ``iss``.
        default_issuer: The issuer of claims without ``iss``, or None if there are several issuers.
        enforcement: The ``[langgraph]`` table.
        token_bytes: The longest token, in bytes.
        json_depth: The deepest nesting of a token's JSON.
        cache_entries: The number of verified tokens in the cache.
        cache_seconds: The longest time that a token stays in the cache.
        fetchers: The fetchers of the key sets and the introspection endpoints.
        introspected: The issuers with introspection.
        opaque: The one of them that opaque tokens belong to, or None.
        resource: This server as a protected resource, or None without ``[web]``.
    """

    issuers: tuple[TrustedIssuer, ...]
    mapping: Mapping[str, MappingRules]
    default_issuer: str | None
    enforcement: EnforcementSettings
    token_bytes: int
    json_depth: int
    cache_entries: int
    cache_seconds: float
    fetchers: tuple[Fetcher, ...]
    introspected: tuple[IntrospectedIssuer, ...]
    opaque: IntrospectedIssuer | None
    resource: ProtectedResource | None


def build(
    document: Document,
    *,
    fetcher: Fetcher | None,
    reporter: EventReporter,
    clock: Callable[[], float] = time.time,
    reserved_identities: frozenset[str] = RESERVED_IDENTITIES,
) -> Settings:
    """Return the settings of a valid document."""
    limits = document.limits
    # Made only if keys are fetched: importing httpx takes 0.2 s.
    shared = cache(lambda: HttpFetcher(max_bytes=limits.key_set_bytes, timeout=limits.fetch_timeout))
    fetchers: list[Fetcher] = []
    # Of all issuers, because an identity of one of them could begin with the prefix of another.
    prefixes = {_prefix(table, source) for table in document.issuer for source in table.identity}
    issuers: list[TrustedIssuer] = []
    introspected: list[IntrospectedIssuer] = []
    sources: Sequence[KeySource]
    mapping: dict[str, MappingRules] = {}
    for table in document.issuer:
        exact = exact_issuers(table.issuer, table.aliases, table.tenants)
        identities = [_identity(table, source, prefixes, reserved_identities) for source in table.identity]
        policies = [_policy(table, each, identities, document) for each in exact]
        if table.jwks is None or table.introspection is not None:
            fetchers.append(fetcher or _build_tls_fetcher(table, limits) or shared())
        if table.introspection is not None:
            introspected.append(
                build_introspection(
                    table,
                    table.introspection,
                    policies,
                    limits=limits,
                    fetcher=fetchers[-1],
                    reporter=reporter,
                    clock=clock,
                )
            )
        if table.jwks is None:
            sources = _remote(table, [each.issuer for each in exact], limits, fetchers[-1], reporter)
        else:
            sources = [StaticKeys(read_key_set(table.jwks))] * len(exact)
        issuers += [TrustedIssuer(policy, keys) for policy, keys in zip(policies, sources, strict=True)]
        mapping |= {policy.issuer: _mapping(table, policy, document.roles) for policy in policies}
    return Settings(
        issuers=tuple(issuers),
        mapping=mapping,
        # The aliases of a provider are one choice, and its tenants are several.
        default_issuer=None if len(document.issuer) > 1 or len(document.issuer[0].tenants) > 1 else next(iter(mapping)),
        enforcement=_build_enforcement(document),
        token_bytes=limits.token_bytes,
        json_depth=limits.json_depth,
        cache_entries=limits.token_cache_entries,
        cache_seconds=limits.token_cache_seconds,
        fetchers=tuple(fetchers),
        introspected=tuple(introspected),
        opaque=find_opaque_issuer(introspected),
        resource=None if document.web is None else _protected_resource(document.web, mapping),
    )


def _build_enforcement(document: Document) -> EnforcementSettings:
    # The names are the same on both sides. A setting that only one side knows is an error at start, and not ignored.
    return EnforcementSettings(
        **document.langgraph.model_dump(),
        sharing=SHARE in find_named_permissions(document.model_dump()),
        has_tenants=any(table.tenant is not None for table in document.issuer),
    )


def _protected_resource(web: WebTable, mapping: Mapping[str, MappingRules]) -> ProtectedResource:
    servers = [name for name, rules in mapping.items() if _issues_to_clients(rules.policy)] or [*mapping]
    # Only one of these. Its provider would refuse the scopes of another one (RFC 6749 §4.1.2.1, invalid_scope).
    challenged = web.challenge_issuer or next((name for name in servers if mapping[name].scopes), servers[0])
    return ProtectedResource(
        public_url=web.public_url,
        has_mcp=web.mcp,
        authorization_servers=tuple(sorted(servers, key=lambda name: name != challenged)),
        # A client requests its token from one provider, and must not ask it for the scopes of another.
        scopes=mapping[challenged].requested_scopes,
    )


def _issues_to_clients(policy: TokenPolicy) -> bool:
    """Tell whether a client can log a user in and get an access token for this server."""
    # Clients request no token from a proxy, and none for this server from a provider of ID tokens. Some providers issue
    # tokens to jobs and pods only.
    provider = PROVIDERS.get(policy.preset)
    return _takes_resource(policy) and (provider is None or provider.setup.access_tokens)


def _takes_resource(policy: TokenPolicy) -> bool:
    """Tell whether a client can request a token for this server by its address (RFC 8707)."""
    return policy.header == AUTHORIZATION and policy.token_type == "access"


def _build_tls_fetcher(table: IssuerTable, limits: LimitsTable) -> Fetcher | None:
    """Return a fetcher for an issuer with its own TLS files, which other hosts must not see."""
    tls = TlsFiles(ca_file=table.ca_file, client_certificate=table.client_certificate, client_key=table.client_key)
    # The usual case: all issuers share one HTTP client.
    if tls == TlsFiles():
        return None
    return HttpFetcher(max_bytes=limits.key_set_bytes, timeout=limits.fetch_timeout, tls=tls)


def _remote(
    table: IssuerTable, issuers: list[str], limits: LimitsTable, fetcher: Fetcher, reporter: EventReporter
) -> list[KeySource]:
    """Return the keys of each exact issuer. With ``jwks_uri``, they share one key set."""
    bounds = _key_limits(limits)
    # All tenants ask one provider. Made-up key ids of all of them share the budget of one.
    fetch_budget = FetchBudget(bounds.unknown_kid_fetches, bounds.unknown_kid_window)

    def remote(issuer: str) -> KeySource:
        return RemoteKeys(
            issuer,
            jwks_uri=table.jwks_uri,
            fetcher=fetcher,
            limits=bounds,
            reporter=reporter,
            bearer_file=table.bearer_file,
            insecure_http_hosts=frozenset(table.insecure_http_hosts),
            fetch_budget=fetch_budget,
        )

    # One key set is fetched once, and not once for each tenant.
    return [remote(table.issuer)] * len(issuers) if table.jwks_uri is not None else [*map(remote, issuers)]


def _key_limits(limits: LimitsTable) -> KeyLimits:
    return KeyLimits(
        ages=refresh_ages(limits),
        fetch_timeout=limits.fetch_timeout,
        key_set_bytes=limits.key_set_bytes,
        unknown_kid_fetches=limits.unknown_kid_fetches,
        unknown_kid_window=limits.unknown_kid_window,
    )


def _prefix(table: IssuerTable, source: IdentitySource) -> str:
    return (table.identity_prefix or "") + source.prefix


def _identity(
    table: IssuerTable, source: IdentitySource, prefixes: Iterable[str], reserved_names: frozenset[str]
) -> IdentityClaim:
    prefix = _prefix(table, source)
    # Only longer prefixes: with "" and "ci:", the sub "ci:bob" would be the same identity as bob of the other issuer.
    reserved_prefixes = tuple(sorted(other for other in prefixes if other != prefix and other.startswith(prefix)))
    return IdentityClaim(
        path=tuple(source.claim), prefix=prefix, reserved_prefixes=reserved_prefixes, reserved_names=reserved_names
    )


def _policy(
    table: IssuerTable, exact: ExactIssuer, identities: Iterable[IdentityClaim], document: Document
) -> TokenPolicy:
    # The issuer of a tenant may only issue tokens for that tenant, so the claim must repeat its id.
    own = (Requirement(path=(TENANTS.claim,), values=(exact.tenant,), hint=TENANTS.hint),) if exact.tenant else ()
    # For providers without aud, the client and a scope prefix bind the token to this API. lint_binding requires both.
    skipped = table.insecure_skip_audience or (table.client_claim is not None and not table.audience)
    client = table.client_claim
    policy = TokenPolicy(
        issuer=exact.issuer,
        preset=table.preset,
        audiences=None if skipped else frozenset(table.audience),
        algorithms=_add_eddsa_names(table.algorithms),
        identities=tuple(identities),
        leeway=table.leeway,
        max_token_age=table.max_token_age,
        max_token_lifetime=None if document.revocation is None else document.revocation.max_token_lifetime,
        allowed_clients=frozenset(table.allowed_clients),
        token_type=table.token_type,
        accepted_typ=_accepted_typ(table),
        client=None if client is None else Requirement(path=tuple(client.claim), values=tuple(client.values)),
        requirements=(
            *_requirements(table.require, _preset_hints(table)),
            # lint_binding reads the same prefixes, so a configuration that it accepts is also enforced.
            *_requirements(binding_scopes(table.model_dump()), {}),
            *own,
        ),
        tenant=None
        if table.tenant is None
        else TenantClaim(path=tuple(table.tenant.claim), object_keys=table.tenant.object_keys),
        header=table.header,
        allowed_origins=_allowed_origins(table),
        introspected=table.introspection is not None and table.introspection.mode == "always",
    )
    return policy if document.web is None else _accept_addresses(policy, document.web)


def _accept_addresses(policy: TokenPolicy, web: WebTable) -> TokenPolicy:
    """Return the policy with the addresses of this server as audiences.

    A client that follows RFC 8707 requests a token for the resource that the metadata names.
    """
    if policy.audiences is None or not _takes_resource(policy):
        return policy
    mcp = mcp_address(web.public_url)
    if not web.mcp or mcp in policy.audiences:
        return replace(policy, audiences=policy.audiences | {web.public_url})
    return replace(policy, audiences=policy.audiences | {web.public_url, mcp}, mcp_audience=mcp)


def _accepted_typ(table: IssuerTable) -> frozenset[str]:
    if table.token_type == "id":
        # An ID token never has the type of access tokens (RFC 9068 §2.1).
        return frozenset(map(normalize_typ, table.accepted_typ)) - OTHER_TOKEN_TYPES - {"at+jwt"}
    # No setting can accept logout or DPoP tokens as access tokens (RFC 8725 §3.11).
    accepted = ["at+jwt"] if table.strict_rfc9068 else table.accepted_typ
    return frozenset(map(normalize_typ, accepted)) - OTHER_TOKEN_TYPES


def _allowed_origins(table: IssuerTable) -> frozenset[str] | None:
    # A web page can send Authorization only with its own token. A proxy adds every other header.
    if table.allowed_origins is None and table.header == AUTHORIZATION:
        return None
    return frozenset(table.allowed_origins or ())


def _add_eddsa_names(algorithms: Iterable[str]) -> frozenset[str]:
    # EdDSA (RFC 8037) is the older name of Ed25519 and of Ed448 (RFC 9864).
    names = frozenset(algorithms)
    newer = {"Ed25519", "Ed448"}
    if "EdDSA" in names:
        return names | newer
    return names | {"EdDSA"} if names & newer else names


def _preset_hints(table: IssuerTable) -> dict[str, str]:
    """Return a hint for each condition of the preset, because it is not in the operator's file."""
    preset = PROVIDERS.get(table.preset)
    fixed = preset.tokens.settings.get("require") if preset is not None else None
    conditions = {} if fixed is None else cast("dict[str, str]", fixed.value)
    hint = f"Preset {table.preset!r} requires {{}} = {{!r}} of every token (docs/providers.md)."
    # Only while the value of the preset counts. An operator who replaced it knows the condition.
    return {path: hint.format(path, v) for path, v in conditions.items() if table.require.get(path) == [v]}


def _requirements(conditions: Mapping[str, list[str]], hints: Mapping[str, str]) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(path=parse_path(path), values=tuple(values), hint=hints.get(path, ""))
        for path, values in conditions.items()
    )


def _mapping(table: IssuerTable, policy: TokenPolicy, roles: Mapping[str, RoleTable]) -> MappingRules:
    return MappingRules(
        policy=policy,
        permission_maps=(
            *(_permission_map(permission_map, roles) for permission_map in table.permission_map),
            *_default_map(table.default_role, policy, roles),
        ),
        display_name=None if table.display_name is None else tuple(table.display_name),
        claims={format_path(tuple(path)): tuple(path) for path in table.claims},
        scope_prefix=(prefix := _scope_prefix(table)),
        default_scope=_default_scope(table, prefix),
    )


def _scope_prefix(table: IssuerTable) -> str:
    provider = PROVIDERS.get(table.preset)
    if table.scope_prefix is not None or provider is None or len(table.audience) != 1:
        return table.scope_prefix or ""
    return provider.tokens.scope_prefix_for(table.audience[0])


def _default_scope(table: IssuerTable, prefix: str) -> str:
    provider = PROVIDERS.get(table.preset)
    return "openid" if provider is None else provider.tokens.default_scope.replace("{prefix}", prefix)


def _default_map(role: str | None, policy: TokenPolicy, roles: Mapping[str, RoleTable]) -> Iterator[PermissionMap]:
    """Yield the map that gives ``default_role``: on ``iss``, which every valid token of the issuer has."""
    if role is not None:
        yield PermissionMap(path=("iss",), mapped={policy.issuer: tuple(_rights([role], roles))})


def _permission_map(table: PermissionMapTable, roles: Mapping[str, RoleTable]) -> PermissionMap:
    mapped = {value: tuple(_rights(names, roles)) for value, names in (table.values or {}).items()}
    return PermissionMap(
        path=tuple(table.claim),
        # No roles here: a token carries permission names, and a name of a role in it must not give the role.
        accepted=(accepted := {_format(right): right for right in _rights(table.accept or (), {})}),
        guessed=frozenset(accepted).difference(table.accept or ()),
        # Exact values and prefixes are separate, because only the prefixes are compared one by one for each token.
        mapped={value: rights for value, rights in mapped.items() if not value.endswith("*")},
        mapped_prefixes={value[:-1]: rights for value, rights in mapped.items() if value.endswith("*")},
        object_keys=table.object_keys,
        field=table.field,
        split=table.split,
        strip_prefix=table.strip_prefix,
        when=_requirements(table.when, {}),
    )


def _format(right: Right) -> str:
    return format_permission(right.name, right.reach)


def _rights(
    names: Iterable[str], roles: Mapping[str, RoleTable], graphs: frozenset[str] | None = None
) -> Iterator[Right]:
    """Yield the rights of names. The graphs of a role limit every right that it gives."""
    # It ends, because lint refuses a role that includes itself.
    for text in names:
        if text in roles:
            role = roles[text]
            limit = None if role.graphs is None else frozenset(role.graphs)
            yield from _rights(role.permissions, roles, _intersect_graphs(graphs, limit))
        else:
            name, reach = split_reach(text)
            # Sorted, because the order of a frozenset of strings differs between processes.
            yield from (Right(covered, reach, graphs) for covered in sorted(expand(name)))


def role_rights(document: Document) -> dict[str, tuple[Right, ...]]:
    """Return the rights of each role, also through the roles that it includes."""
    return {name: tuple(_rights([name], document.roles)) for name in document.roles}


def value_rights(document: Document) -> dict[str, tuple[Right, ...]]:
    """Return the rights that claim values give without a role, by ``<claim> = <value>``."""
    given: dict[str, tuple[Right, ...]] = {}
    for number, issuer in enumerate(document.issuer):
        where = f"issuer[{number}] " if len(document.issuer) > 1 else ""
        for permission_map in issuer.permission_map:
            for value, names in (permission_map.values or {}).items():
                title = f"{where}{format_path(tuple(permission_map.claim))} = {value}"
                # Roles have their own columns in check.
                direct = _rights([name for name in names if name not in document.roles], {})
                # Several maps can read one value, and maps only add.
                given[title] = (*given.get(title, ()), *direct)
    return {title: rights for title, rights in given.items() if rights}


def _intersect_graphs(outer: frozenset[str] | None, inner: frozenset[str] | None) -> frozenset[str] | None:
    if outer is None or inner is None:
        return inner if outer is None else outer
    # A role can narrow the graphs of a role that it includes, and never widen them.
    return outer & inner
