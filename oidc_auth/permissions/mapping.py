"""Verified claims to a ``Caller``: grants only add, values match exactly, and what is absent grants nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..json_values import is_list, is_object
from ..tokens.checks import meets, named_identity, named_tenant
from ..tokens.claim_path import MISSING, ClaimPath, find
from ..tokens.policy import MAX_IDENTITY, has_control, is_scope
from .caller import Caller, Tenancy
from .names import ACTIONS, NAMES, Reach, capped, closure, expand, spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..tokens.policy import Requirement, TenantClaim, TokenPolicy
    from ..tokens.states import VerifiedToken


@dataclass(frozen=True, slots=True)
class Right:
    """One name a grant gives, how far it reaches, and what it implies.

    Attributes:
        name: a permission or group.
        reach: how far.
        graphs: the graphs it may start, where it gives ``threads:create_run``; None: any.
        implied: every name it implies with its reach; worked out once.
    """

    name: str
    reach: Reach
    graphs: frozenset[str] | None = None
    implied: Mapping[str, Reach] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Work out what the right implies."""
        object.__setattr__(self, "implied", closure(self.name, self.reach))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One way in which a claim gives rights.

    Attributes:
        path: the claim.
        accepted: permission names that are taken from the claim as they are, and the right each is.
        mapped: claim values and the rights each gives.
        mapped_prefixes: the same for values that were configured with a trailing ``*``.
        keys: the claim is an object whose keys are the values.
        split: what separates several values in one string, or None.
        strip_prefix: what a value must start with; it is taken off. Empty: nothing.
        when: conditions on other claims, all of which must hold.
        exact: what each value gives, as the token spells it; worked out once.
        prefixes: the same for values that begin so.
    """

    path: ClaimPath
    accepted: Mapping[str, Right] = field(default_factory=dict[str, Right])
    mapped: Mapping[str, tuple[Right, ...]] = field(default_factory=dict[str, tuple[Right, ...]])
    mapped_prefixes: Mapping[str, tuple[Right, ...]] = field(default_factory=dict[str, tuple[Right, ...]])
    keys: bool = False
    split: str | None = None
    strip_prefix: str = ""
    when: tuple[Requirement, ...] = ()
    exact: Mapping[str, tuple[Right, ...]] = field(init=False, compare=False, repr=False)
    prefixes: Mapping[str, tuple[Right, ...]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Work out what tokens will say: they carry hundreds of values, of which few give anything."""
        given = {**{name: (right,) for name, right in self.accepted.items()}, **self.mapped}
        spelled_out = {self.strip_prefix + value: rights for value, rights in given.items()}
        begun = {self.strip_prefix + start: rights for start, rights in self.mapped_prefixes.items()}
        # A * that arrives in a token never grants, not even one that the operator wrote into a prefix.
        object.__setattr__(self, "exact", {text: rights for text, rights in spelled_out.items() if "*" not in text})
        object.__setattr__(self, "prefixes", begun)

    @property
    def on_scope(self) -> bool:
        """Whether the claim holds OAuth scopes, so that a client could ask the provider for more."""
        return is_scope(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRules:
    """How one issuer's claims become a caller.

    Attributes:
        policy: the issuer's token policy: its identity and tenant claims name the caller.
        grants: what gives rights.
        display_name: the claim that holds a name for people, or None.
        claims: the allow-list of claims that the user dict carries: each as it is spelled, and where it is.
    """

    policy: TokenPolicy
    grants: tuple[Grant, ...]
    display_name: ClaimPath | None = None
    claims: Mapping[str, ClaimPath] = field(default_factory=dict[str, ClaimPath])

    def scopes_that_yield(self, event: str) -> str:
        """Return the provider's scope that would give ``event``, or "": narrowest first, never a permission name."""
        offers = [offer for grant in self.grants if grant.on_scope for offer in _scopes(grant, event)]
        return min(offers)[1] if offers else ""


def _scopes(grant: Grant, event: str) -> Iterator[tuple[int, str]]:
    """Yield (how much it gives, scope) for each scope of a grant that gives the event."""
    given = {**{name: (right,) for name, right in grant.accepted.items()}, **grant.mapped}
    for value, rights in given.items():
        names = {name for right in rights for name in right.implied}
        if event in names:
            yield len(names), grant.strip_prefix + value


def map_caller(token: VerifiedToken, rules: MappingRules) -> Caller:
    """Return who a verified token stands for and what they may do."""
    claims = token.claims
    identity = identity_of(claims, rules.policy)
    tenancy = tenancy_of(claims, rules.policy.tenant)
    given = [right for right in rights_of(claims, rules.grants) if survives(right, tenancy)]
    return Caller(
        identity=identity,
        issuer=token.issuer,
        display_name=_display_name(claims, rules.display_name) or identity,
        expires_at=token.valid_until,
        rights=united(given),
        tenancy=tenancy,
        graphs=graphs_of(given),
        claims=_allowed_claims(claims, rules.claims),
    )


def identity_of(claims: Mapping[str, object], policy: TokenPolicy) -> str:
    """Return the caller's name, prefix included; that the claim is fit for it is a row of ``CHECKS``."""
    claim, value = named_identity(claims, policy)
    return f"{claim.prefix}{value}"


def tenancy_of(claims: Mapping[str, object], rule: TenantClaim | None) -> Tenancy | None:
    """Return the tenant rule, or None where the issuer knows no tenants; an unusable tenant is a row of ``CHECKS``."""
    if rule is None:
        return None
    tenant = named_tenant(claims, rule)
    return Tenancy(tenant if isinstance(tenant, str) else None)


def _is_name(value: str) -> bool:
    return bool(value.strip()) and len(value) <= MAX_IDENTITY and not has_control(value)


def rights_of(claims: Mapping[str, object], grants: Iterable[Grant]) -> Iterator[Right]:
    """Yield each right that the claims are given."""
    for grant in grants:
        if holds(grant.when, claims):
            yield from _given(find(claims, grant.path), grant)


def _given(claim: object, grant: Grant) -> Iterator[Right]:
    """Yield what a claim's values give together, each right once for however many values."""
    values = _distinct(claim, grant)
    for value, rights in grant.exact.items():
        if value in values:
            yield from rights
    for prefix, rights in grant.prefixes.items():
        if any(isinstance(value, str) and value.startswith(prefix) and "*" not in value for value in values):
            yield from rights


def _distinct(claim: object, grant: Grant) -> frozenset[object]:
    """Return a claim's values; a list's others than strings match nothing, but some of them cannot stand in a set."""
    values = claim if is_list(claim) else values_of(claim, grant)
    try:
        return frozenset(values)
    except TypeError:
        return frozenset(values_of(values, grant))


def holds(conditions: Iterable[Requirement], claims: Mapping[str, object]) -> bool:
    """Tell whether all conditions hold; a missing claim meets none."""
    return all(meets(find(claims, condition.path), condition) for condition in conditions)


def values_of(claim: object, grant: Grant) -> list[str]:
    """Return the claim's values: a string is one (or split), a list's non-strings are ignored."""
    if isinstance(claim, str):
        separator = grant.split or (" " if grant.on_scope else None)
        return [text for text in claim.split(separator) if text] if separator else [claim]
    if is_list(claim):
        return [text for text in claim if isinstance(text, str)]
    # An object grants its keys only where the operator said so: its values may be anything.
    return list(claim) if grant.keys and is_object(claim) else []


def rights_for(value: str, grant: Grant) -> tuple[Right, ...]:
    """Return what one value gives; a ``*`` that arrives in a token never grants."""
    given = grant.exact.get(value, ())
    for prefix, rights in grant.prefixes.items():
        if value.startswith(prefix) and "*" not in value:
            given += rights
    return given


def survives(right: Right, tenancy: Tenancy | None) -> bool:
    """Tell whether a right means anything to this caller: without a tenant there is no ``@tenant``."""
    return right.reach is not Reach.TENANT or (tenancy is not None and tenancy.tenant is not None)


def united(rights: Iterable[Right]) -> dict[str, Reach]:
    """Return every name that the rights imply; the wider reach counts."""
    names: dict[str, Reach] = {}
    for right in rights:
        for name, reach in right.implied.items():
            if names.get(name, -1) < reach:
                names[name] = reach
    return names


def graphs_of(rights: Iterable[Right]) -> frozenset[str] | None:
    """Return the graphs that may be started: lists unite, one unlimited right lifts the limit; None: no limit."""
    limits = [right.graphs for right in rights if "threads:create_run" in right.implied]
    if not limits or None in limits:
        return None
    return frozenset(graph for limit in limits if limit is not None for graph in limit)


def _display_name(claims: Mapping[str, object], path: ClaimPath | None) -> str:
    name = MISSING if path is None else find(claims, path)
    return name if isinstance(name, str) and _is_name(name) else ""


def _allowed_claims(claims: Mapping[str, object], allowed: Mapping[str, ClaimPath]) -> dict[str, object]:
    found = {name: find(claims, path) for name, path in allowed.items()}
    return {name: value for name, value in found.items() if value is not MISSING}


def describe(rights: Iterable[Right]) -> str:
    """Return rights as one would write them: all of a resource, or everything, by its wildcard."""
    reaches: dict[Reach, set[str]] = {}
    for right in rights:
        reaches.setdefault(right.reach, set()).add(right.name)
    return ", ".join(sorted({text for reach, names in reaches.items() for text in _written(names, reach)}))


def _written(names: set[str], reach: Reach) -> Iterator[str]:
    if names >= NAMES:
        yield spelled("*", reach)
        return
    whole = [resource for resource in ACTIONS if names >= expand(f"{resource}:*")]
    shorter = [f"{resource}:*" for resource in whole]
    rest = [name for name in names if name.partition(":")[0] not in whole]
    yield from (spelled(name, capped(name, reach)) for name in (*shorter, *rest))
