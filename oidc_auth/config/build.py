"""A valid document to the settings of each room: the only place that knows both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from ..enforcement.settings import EnforcementSettings
from ..keys.budget import FetchBudget
from ..keys.fetch import Fetcher, HttpFetcher, TlsFiles
from ..keys.key_set import read_key_set
from ..keys.refresh import RefreshAges
from ..keys.source import KeyLimits, RemoteKeys, StaticKeys
from ..permissions.names import expand, format_permission, split_reach
from ..permissions.permission_maps import MappingRules, PermissionMap, Right
from ..providers import PROVIDERS
from ..providers.lookup import TENANTS
from ..tokens.claim_path import format_path, parse_path
from ..tokens.extract import AUTHORIZATION_HEADER as AUTHORIZATION
from ..tokens.policy import IdentityClaim, Requirement, TenantClaim, TokenPolicy
from ..tokens.verifier import TrustedIssuer
from .issuers import binding_scopes, exact_issuers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..keys.source import KeySource
    from ..observability import EventReporter
    from .issuers import ExactIssuer
    from .schema import Document, IdentitySource, IssuerTable, LimitsTable, PermissionMapTable, RoleTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that the road needs.

    Attributes:
        issuers: the trusted issuers.
        mapping: each issuer's mapping rules, by ``iss``.
        default_issuer: the issuer of claims that name none, where there is no choice; else None.
        enforcement: the ``[langgraph]`` table.
        token_bytes: the longest token, in bytes.
        json_depth: the deepest nesting of a token's JSON.
        cache_entries: how many verified tokens are remembered.
        cache_seconds: for how long at most.
        fetchers: what brings the keys.
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


def build(document: Document, *, fetcher: Fetcher | None, reporter: EventReporter) -> Settings:
    """Return the settings that a document stands for."""
    limits = document.limits
    # Made only where keys are fetched at all.
    shared = cache(lambda: HttpFetcher(max_bytes=limits.key_set_bytes, timeout=limits.fetch_timeout))
    fetchers: list[Fetcher] = []
    prefixes = {_prefix(table, source) for table in document.issuer for source in table.identity}
    issuers: list[TrustedIssuer] = []
    sources: Sequence[KeySource]
    mapping: dict[str, MappingRules] = {}
    for table in document.issuer:
        exact = exact_issuers(table.issuer, table.aliases, table.tenants)
        policies = [_policy(table, each, prefixes) for each in exact]
        if table.jwks is None:
            fetchers.append(fetcher or _build_tls_fetcher(table, limits) or shared())
            sources = _remote(table, [each.issuer for each in exact], limits, fetchers[-1], reporter)
        else:
            sources = [StaticKeys(read_key_set(table.jwks))] * len(exact)
        issuers += [TrustedIssuer(policy, keys) for policy, keys in zip(policies, sources, strict=True)]
        mapping |= {policy.issuer: _mapping(table, policy, document.roles) for policy in policies}
    return Settings(
        issuers=tuple(issuers),
        mapping=mapping,
        # By whatever name: a provider's aliases are one choice, its tenants are several.
        default_issuer=None if len(document.issuer) > 1 or len(document.issuer[0].tenants) > 1 else next(iter(mapping)),
        enforcement=EnforcementSettings(**document.langgraph.model_dump()),
        token_bytes=limits.token_bytes,
        json_depth=limits.json_depth,
        cache_entries=limits.token_cache_entries,
        cache_seconds=limits.token_cache_seconds,
        fetchers=tuple(fetchers),
    )


def _build_tls_fetcher(table: IssuerTable, limits: LimitsTable) -> Fetcher | None:
    """Return a fetcher for an issuer with TLS files of its own, which others must not be shown."""
    tls = TlsFiles(ca_file=table.ca_file, client_certificate=table.client_certificate, client_key=table.client_key)
    if tls == TlsFiles():
        return None
    return HttpFetcher(max_bytes=limits.key_set_bytes, timeout=limits.fetch_timeout, tls=tls)


def _remote(
    table: IssuerTable, issuers: list[str], limits: LimitsTable, fetcher: Fetcher, reporter: EventReporter
) -> list[KeySource]:
    """Return the keys of each exact issuer: one set for all where its place is written down, else each its own."""
    bounds = _bounds(limits)
    # Made-up kids of a hundred tenants ask one provider: together they are allowed what one of them is.
    fetch_budget = FetchBudget(bounds.unknown_kid_fetches, bounds.unknown_kid_window)

    def remote(issuer: str) -> KeySource:
        return RemoteKeys(
            issuer,
            jwks_uri=table.jwks_uri,
            fetcher=fetcher,
            limits=bounds,
            reporter=reporter,
            bearer_file=table.bearer_file,
            fetch_budget=fetch_budget,
        )

    return [remote(table.issuer)] * len(issuers) if table.jwks_uri is not None else [*map(remote, issuers)]


def _bounds(limits: LimitsTable) -> KeyLimits:
    return KeyLimits(
        ages=RefreshAges(
            refresh_after=limits.jwks_refresh_after,
            blocking_refresh_after=limits.jwks_max_age,
            max_stale=limits.jwks_max_stale,
            retry_after_failure=limits.retry_after_failure,
        ),
        fetch_timeout=limits.fetch_timeout,
        key_set_bytes=limits.key_set_bytes,
        unknown_kid_fetches=limits.unknown_kid_fetches,
        unknown_kid_window=limits.unknown_kid_window,
    )


def _prefix(table: IssuerTable, source: IdentitySource) -> str:
    return (table.identity_prefix or "") + source.prefix


def _identity(table: IssuerTable, source: IdentitySource, prefixes: Iterable[str]) -> IdentityClaim:
    prefix = _prefix(table, source)
    reserved_prefixes = tuple(sorted(other for other in prefixes if other != prefix and other.startswith(prefix)))
    return IdentityClaim(path=tuple(source.claim), prefix=prefix, reserved_prefixes=reserved_prefixes)


def _policy(table: IssuerTable, exact: ExactIssuer, prefixes: Iterable[str]) -> TokenPolicy:
    # A tenant's issuer may only issue tokens for that tenant: the claim must repeat the id.
    own = (Requirement(path=(TENANTS.claim,), values=(exact.tenant,), hint=TENANTS.hint),) if exact.tenant else ()
    skipped = table.insecure_skip_audience or (table.client_claim is not None and not table.audience)
    client = table.client_claim
    return TokenPolicy(
        issuer=exact.issuer,
        preset=table.preset,
        audiences=None if skipped else frozenset(table.audience),
        algorithms=_add_eddsa_names(table.algorithms),
        identities=tuple(_identity(table, source, prefixes) for source in table.identity),
        leeway=table.leeway,
        max_token_age=table.max_token_age,
        required_claims=tuple(tuple(path) for path in table.required_claims),
        authorized_parties=frozenset(table.authorized_parties),
        token_type=table.token_type,
        strict_rfc9068=table.strict_rfc9068,
        client=None if client is None else Requirement(path=tuple(client.claim), values=tuple(client.values)),
        requirements=(
            *_requirements(table.require, _preset_hints(table)),
            *_requirements(binding_scopes(table.model_dump()), {}),
            *own,
        ),
        tenant=None
        if table.tenant is None
        else TenantClaim(path=tuple(table.tenant.claim), object_keys=table.tenant.object_keys),
        header=table.header,
        allowed_origins=_allowed_origins(table),
    )


def _allowed_origins(table: IssuerTable) -> frozenset[str] | None:
    # A page can add Authorization only with a token of its own; every other header is a proxy's.
    if table.allowed_origins is None and table.header == AUTHORIZATION:
        return None
    return frozenset(table.allowed_origins or ())


def _add_eddsa_names(algorithms: Iterable[str]) -> frozenset[str]:
    # EdDSA (RFC 8037) and Ed25519 (RFC 9864) are two names of one algorithm.
    edwards = {"EdDSA", "Ed25519"}
    names = frozenset(algorithms)
    return names | edwards if names & edwards else names


def _preset_hints(table: IssuerTable) -> dict[str, str]:
    """Return the conditions that a preset added, each with a hint. They are not in the operator's file."""
    preset = PROVIDERS.get(table.preset)
    fixed = preset.tokens.settings.get("require") if preset is not None else None
    conditions = {} if fixed is None else cast("dict[str, str]", fixed.value)
    hint = f"Preset {table.preset!r} requires {{}} = {{!r}} of every token (docs/providers.md)."
    return {path: hint.format(path, v) for path, v in conditions.items() if table.require.get(path) == [v]}


def _requirements(conditions: Mapping[str, list[str]], hints: Mapping[str, str]) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(path=parse_path(path), values=tuple(values), hint=hints.get(path, ""))
        for path, values in conditions.items()
    )


def _mapping(table: IssuerTable, policy: TokenPolicy, roles: Mapping[str, RoleTable]) -> MappingRules:
    return MappingRules(
        policy=policy,
        permission_maps=tuple(_permission_map(permission_map, roles) for permission_map in table.permission_map),
        display_name=None if table.display_name is None else tuple(table.display_name),
        claims={format_path(tuple(path)): tuple(path) for path in table.claims},
    )


def _permission_map(table: PermissionMapTable, roles: Mapping[str, RoleTable]) -> PermissionMap:
    mapped = {value: tuple(_rights(names, roles)) for value, names in (table.values or {}).items()}
    return PermissionMap(
        path=tuple(table.claim),
        accepted={format_permission(right.name, right.reach): right for right in _rights(table.accept or (), {})},
        mapped={value: rights for value, rights in mapped.items() if not value.endswith("*")},
        mapped_prefixes={value[:-1]: rights for value, rights in mapped.items() if value.endswith("*")},
        object_keys=table.object_keys,
        split=table.split,
        strip_prefix=table.strip_prefix,
        when=_requirements(table.when, {}),
    )


def _rights(
    names: Iterable[str], roles: Mapping[str, RoleTable], graphs: frozenset[str] | None = None
) -> Iterator[Right]:
    """Yield what names stand for; a role's graph limit narrows whatever comes through it."""
    for text in names:
        if text in roles:
            role = roles[text]
            limit = None if role.graphs is None else frozenset(role.graphs)
            yield from _rights(role.permissions, roles, _intersect_graphs(graphs, limit))
        else:
            name, reach = split_reach(text)
            yield from (Right(covered, reach, graphs) for covered in sorted(expand(name)))


def role_rights(document: Document) -> dict[str, tuple[Right, ...]]:
    """Return what each role of a document gives, through the roles it includes."""
    return {name: tuple(_rights([name], document.roles)) for name in document.roles}


def value_rights(document: Document) -> dict[str, tuple[Right, ...]]:
    """Return what claim values give beside what roles give them, by ``<claim> = <value>``."""
    given: dict[str, tuple[Right, ...]] = {}
    for number, issuer in enumerate(document.issuer):
        where = f"issuer[{number}] " if len(document.issuer) > 1 else ""
        for permission_map in issuer.permission_map:
            for value, names in (permission_map.values or {}).items():
                title = f"{where}{format_path(tuple(permission_map.claim))} = {value}"
                direct = _rights([name for name in names if name not in document.roles], {})
                given[title] = (*given.get(title, ()), *direct)
    return {title: rights for title, rights in given.items() if rights}


def _intersect_graphs(outer: frozenset[str] | None, inner: frozenset[str] | None) -> frozenset[str] | None:
    if outer is None or inner is None:
        return inner if outer is None else outer
    return outer & inner
