"""Map verified claims to a ``Caller``: permission maps only add, and values match exactly."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ..json_values import is_list, is_object, scalar_text
from ..tokens.checks import find_identity, find_tenant, meets_requirement
from ..tokens.claim_path import MISSING, ClaimPath, find_claim
from ..tokens.policy import MAX_IDENTITY, has_control, is_scope
from .caller import Caller, Tenancy
from .names import ACTIONS, NAMES, Reach, clamp_reach, closure, expand, format_permission

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..tokens.policy import Requirement, TenantClaim, TokenPolicy
    from ..tokens.states import VerifiedToken

_ONLY_TEXT: frozenset[type] = frozenset({str})


@dataclass(frozen=True, slots=True)
class Right:
    """One name a permission map gives, how far it reaches, and what it implies.

    Attributes:
        name: a permission or group.
        reach: how far.
        graphs: the graphs it may start, where it gives ``threads:create_run``; None: any.
        implied: every name it implies with its reach; worked out once.
    """

    name: str
    reach: Reach
    graphs: frozenset[str] | None = None
    implied: Mapping[str, Reach] = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Work out what the right implies."""
        object.__setattr__(self, "implied", closure(self.name, self.reach))


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionMap:
    """One way in which a claim gives rights.

    Attributes:
        path: the claim.
        accepted: permission names that are taken from the claim as they are, and the right each is.
        mapped: claim values and the rights each gives.
        mapped_prefixes: the same for values that were configured with a trailing ``*``.
        object_keys: the claim is an object whose keys are the values.
        field: the claim is a list of objects, and this member of each is a value; or None.
        split: what separates several values in one string, or None. Spaces and one pair of brackets are trimmed.
        strip_prefix: what a value must start with; it is taken off. Empty: nothing.
        when: conditions on other claims, all of which must hold.
        exact: what each value gives, as the token spells it; worked out once.
        prefixes: the same for values that begin so.
    """

    path: ClaimPath
    accepted: Mapping[str, Right] = dataclasses.field(default_factory=dict[str, Right])
    mapped: Mapping[str, tuple[Right, ...]] = dataclasses.field(default_factory=dict[str, tuple[Right, ...]])
    mapped_prefixes: Mapping[str, tuple[Right, ...]] = dataclasses.field(default_factory=dict[str, tuple[Right, ...]])
    object_keys: bool = False
    field: str | None = None
    split: str | None = None
    strip_prefix: str = ""
    when: tuple[Requirement, ...] = ()
    exact: Mapping[str, tuple[Right, ...]] = dataclasses.field(init=False, compare=False, repr=False)
    prefixes: Mapping[str, tuple[Right, ...]] = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Work out what tokens will say: they carry hundreds of values, of which few give anything."""
        given = {**{name: (right,) for name, right in self.accepted.items()}, **self.mapped}
        exact_rights = {self.strip_prefix + value: rights for value, rights in given.items()}
        prefix_rights = {self.strip_prefix + start: rights for start, rights in self.mapped_prefixes.items()}
        # A * that arrives in a token never grants, not even one that the operator wrote into a prefix.
        object.__setattr__(self, "exact", {text: rights for text, rights in exact_rights.items() if "*" not in text})
        object.__setattr__(self, "prefixes", prefix_rights)

    @property
    def reads_scopes(self) -> bool:
        """Whether the claim holds OAuth scopes, so that a client could ask the provider for more."""
        return is_scope(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRules:
    """How one issuer's claims become a caller.

    Attributes:
        policy: the issuer's token policy: its identity and tenant claims name the caller.
        permission_maps: what gives rights.
        display_name: the claim that holds a name for people, or None.
        claims: the allow-list of claims that the user dict carries: each as it is spelled, and where it is.
    """

    policy: TokenPolicy
    permission_maps: tuple[PermissionMap, ...]
    display_name: ClaimPath | None = None
    claims: Mapping[str, ClaimPath] = dataclasses.field(default_factory=dict[str, ClaimPath])

    def scopes_granting(self, event: str) -> str:
        """Return the provider's scope that would give ``event``, or "": narrowest first, never a permission name."""
        offers = [
            offer
            for permission_map in self.permission_maps
            if permission_map.reads_scopes
            for offer in _scopes(permission_map, event)
        ]
        return min(offers)[1] if offers else ""


def _scopes(permission_map: PermissionMap, event: str) -> Iterator[tuple[int, str]]:
    """Yield (how much it gives, scope) for each scope of a permission map that gives the event."""
    given = {**{name: (right,) for name, right in permission_map.accepted.items()}, **permission_map.mapped}
    for value, rights in given.items():
        names = {name for right in rights for name in right.implied}
        if event in names:
            yield len(names), permission_map.strip_prefix + value


def map_caller(token: VerifiedToken, rules: MappingRules) -> Caller:
    """Return who a verified token stands for and what they may do."""
    claims = token.claims
    identity = read_identity(claims, rules.policy)
    tenancy = read_tenancy(claims, rules.policy.tenant)
    given = [right for right in rights_from_claims(claims, rules.permission_maps) if is_effective(right, tenancy)]
    return Caller(
        identity=identity,
        issuer=token.issuer,
        display_name=_display_name(claims, rules.display_name) or identity,
        expires_at=token.valid_until,
        rights=merge_rights(given),
        tenancy=tenancy,
        graphs=allowed_graphs(given),
        claims=_allowed_claims(claims, rules.claims),
    )


def read_identity(claims: Mapping[str, object], policy: TokenPolicy) -> str:
    """Return the caller's name, prefix included; that the claim is fit for it is a row of ``CHECKS``."""
    claim, value = find_identity(claims, policy)
    return f"{claim.prefix}{value}"


def read_tenancy(claims: Mapping[str, object], rule: TenantClaim | None) -> Tenancy | None:
    """Return the tenant rule, or None where the issuer knows no tenants; an unusable tenant is a row of ``CHECKS``."""
    if rule is None:
        return None
    tenant = find_tenant(claims, rule)
    return Tenancy(tenant if isinstance(tenant, str) else None)


def _is_name(value: str) -> bool:
    return bool(value.strip()) and len(value) <= MAX_IDENTITY and not has_control(value)


def rights_from_claims(claims: Mapping[str, object], permission_maps: Iterable[PermissionMap]) -> Iterator[Right]:
    """Yield each right that the claims are given."""
    for permission_map in permission_maps:
        if conditions_met(permission_map.when, claims):
            yield from _rights_given(find_claim(claims, permission_map.path), permission_map)


def _rights_given(claim: object, permission_map: PermissionMap) -> Iterator[Right]:
    """Yield what a claim's values give together, each right once for however many values."""
    values = frozenset(claim_values(claim, permission_map))
    for value, rights in permission_map.exact.items():
        if value in values:
            yield from rights
    for prefix, rights in permission_map.prefixes.items():
        if any(value.startswith(prefix) and "*" not in value for value in values):
            yield from rights


def conditions_met(conditions: Iterable[Requirement], claims: Mapping[str, object]) -> bool:
    """Tell whether all conditions hold; a missing claim meets none."""
    return all(meets_requirement(find_claim(claims, condition.path), condition) for condition in conditions)


def claim_values(claim: object, permission_map: PermissionMap) -> list[str]:
    """Return the texts of a claim's values.

    A string is one value, unless the map splits it. Members of a list without a text are ignored.
    """
    if is_list(claim):
        # A list of strings is the usual claim, and may have hundreds of them.
        if permission_map.field is None and _ONLY_TEXT.issuperset(map(type, claim)):
            return cast("list[str]", claim)
        texts = (member_text(member, permission_map) for member in claim)
        return [text for text in texts if text is not None]
    # Users can often choose the keys of an object: they are read only where the configuration names them.
    if is_object(claim):
        return list(claim) if permission_map.object_keys else []
    # With field, only a list of objects has values.
    text = None if permission_map.field is not None else scalar_text(claim)
    return [] if text is None else _split_text(text, permission_map)


def member_text(member: object, permission_map: PermissionMap) -> str | None:
    """Return the text of one member of a list, or None if the member is ignored."""
    if permission_map.field is None:
        return scalar_text(member)
    return scalar_text(member.get(permission_map.field)) if is_object(member) else None


def _split_text(text: str, permission_map: PermissionMap) -> list[str]:
    if permission_map.split is None:
        # Scopes are separated by one U+0020 (RFC 6749 §3.3).
        return [each for each in text.split(" ") if each] if permission_map.reads_scopes else [text]
    # Some providers write a list as text: "[admins, users]". Only U+0020 is trimmed, because a name may hold others.
    trimmed = text.strip(" ")
    if trimmed.startswith("[") and trimmed.endswith("]"):
        trimmed = trimmed[1:-1]
    parts = (part.strip(" ") for part in trimmed.split(permission_map.split))
    return [part for part in parts if part]


def rights_from_value(value: str, permission_map: PermissionMap) -> tuple[Right, ...]:
    """Return what one value gives; a ``*`` that arrives in a token never grants."""
    given = permission_map.exact.get(value, ())
    for prefix, rights in permission_map.prefixes.items():
        if value.startswith(prefix) and "*" not in value:
            given += rights
    return given


def is_effective(right: Right, tenancy: Tenancy | None) -> bool:
    """Tell whether a right means anything to this caller: without a tenant there is no ``@tenant``."""
    return right.reach is not Reach.TENANT or (tenancy is not None and tenancy.tenant is not None)


def merge_rights(rights: Iterable[Right]) -> dict[str, Reach]:
    """Return every name that the rights imply; the wider reach counts."""
    names: dict[str, Reach] = {}
    for right in rights:
        for name, reach in right.implied.items():
            if names.get(name, -1) < reach:
                names[name] = reach
    return names


def allowed_graphs(rights: Iterable[Right]) -> frozenset[str] | None:
    """Return the graphs that may be started: lists unite, one unlimited right lifts the limit; None: no limit."""
    limits = [right.graphs for right in rights if "threads:create_run" in right.implied]
    if not limits or None in limits:
        return None
    return frozenset(graph for limit in limits if limit is not None for graph in limit)


def _display_name(claims: Mapping[str, object], path: ClaimPath | None) -> str:
    name = MISSING if path is None else find_claim(claims, path)
    return name if isinstance(name, str) and _is_name(name) else ""


def _allowed_claims(claims: Mapping[str, object], allowed: Mapping[str, ClaimPath]) -> dict[str, object]:
    found = {name: find_claim(claims, path) for name, path in allowed.items()}
    return {name: value for name, value in found.items() if value is not MISSING}


def format_rights(rights: Iterable[Right]) -> str:
    """Return rights as one would write them: all of a resource, or everything, by its wildcard."""
    reaches: dict[Reach, set[str]] = {}
    for right in rights:
        reaches.setdefault(right.reach, set()).add(right.name)
    return ", ".join(sorted({text for reach, names in reaches.items() for text in _format_names(names, reach)}))


def _format_names(names: set[str], reach: Reach) -> Iterator[str]:
    if names >= NAMES:
        yield format_permission("*", reach)
        return
    whole = [resource for resource in ACTIONS if names >= expand(f"{resource}:*")]
    shorter = [f"{resource}:*" for resource in whole]
    rest = [name for name in names if name.partition(":")[0] not in whole]
    yield from (format_permission(name, clamp_reach(name, reach)) for name in (*shorter, *rest))
