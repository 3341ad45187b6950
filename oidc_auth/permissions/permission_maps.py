"""Mapping of verified claims to a ``Caller``.

Permission maps only add rights, and values match exactly.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from ..json_values import is_list, is_object, scalar_text
from ..revocation.entries import digest_subject
from ..tokens.checks import find_identity, find_tenant, meets_requirement
from ..tokens.claim_path import MISSING, ClaimPath, find_claim
from ..tokens.extract import AUTHORIZATION_HEADER
from ..tokens.policy import MAX_IDENTITY, has_control, is_scope
from .caller import Caller, Tenancy
from .names import ACTIONS, PATTERN_NAMES, RESUME, Reach, clamp_reach, closure, expand, format_permission

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..tokens.policy import Requirement, TenantClaim, TokenPolicy
    from ..tokens.states import VerifiedToken

_ONLY_TEXT: frozenset[type] = frozenset({str})
_SCOPE = re.compile(r"[!#-\[\]-~]+")
"""A scope (RFC 6749 §3.3)."""


@dataclass(frozen=True, slots=True)
class Right:
    """One name that a permission map gives.

    Attributes:
        name: A permission or group.
        reach: The objects that it reaches.
        graphs: The graphs that ``threads:create_run`` may start. None: any.
        implied: Every name that it implies, with its reach.
    """

    name: str
    reach: Reach
    graphs: frozenset[str] | None = None
    implied: Mapping[str, Reach] = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Compute the implied names once."""
        object.__setattr__(self, "implied", closure(self.name, self.reach))


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionMap:
    """The rights that one claim gives.

    Attributes:
        path: The claim.
        accepted: Permission names that are taken from the claim, and the right of each.
        guessed: Those of ``accepted`` that only a pattern covers. The provider may not know them as scopes.
        mapped: Claim values and the rights of each.
        mapped_prefixes: The same for configured values with a trailing ``*``.
        object_keys: The claim is an object, and its keys are the values.
        field: The claim is a list of objects, and this member of each object is a value. None: it is not.
        split: The separator of several values in one string, or None. Spaces and one pair of brackets are trimmed.
        strip_prefix: A prefix that each value must have. It is removed.
        when: Conditions on other claims. All of them must hold.
        exact: The rights of each value as it is in the token.
        prefixes: The same for the beginnings of values.
    """

    path: ClaimPath
    accepted: Mapping[str, Right] = dataclasses.field(default_factory=dict[str, Right])
    guessed: frozenset[str] = frozenset()
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
        """Compute the values of tokens once, because a token can have hundreds of them."""
        given = {**{name: (right,) for name, right in self.accepted.items()}, **self.mapped}
        exact_rights = {self.strip_prefix + value: rights for value, rights in given.items()}
        prefix_rights = {self.strip_prefix + start: rights for start, rights in self.mapped_prefixes.items()}
        # A value with a * in a token grants nothing, even if strip_prefix contains the *.
        object.__setattr__(self, "exact", {text: rights for text, rights in exact_rights.items() if "*" not in text})
        object.__setattr__(self, "prefixes", prefix_rights)

    @property
    def reads_scopes(self) -> bool:
        """Whether the claim contains OAuth scopes, which a client can request from the provider."""
        return is_scope(self.path)

    def scopes(self, *, guessed: bool) -> Mapping[str, tuple[Right, ...]]:
        """Return the scopes that a client can request, and the rights of each.

        Args:
            guessed: Also those that only a pattern covers.
        """
        if not self.reads_scopes:
            return {}
        accepted = {name: (right,) for name, right in self.accepted.items() if guessed or name not in self.guessed}
        named = {self.strip_prefix + value: rights for value, rights in {**accepted, **self.mapped}.items()}
        # In a challenge, a space or a quote would make other scopes of it, and providers refuse those.
        return {scope: rights for scope, rights in named.items() if _SCOPE.fullmatch(scope)}


@dataclass(frozen=True, kw_only=True)
class MappingRules:
    """The rules that map one issuer's claims to a caller.

    Attributes:
        policy: The token policy of the issuer, with its identity and tenant claims.
        permission_maps: The maps that give rights.
        display_name: The claim with a name to show to people, or None.
        claims: The claims that the user dict contains, by their configured names.
        scope_prefix: Put before a scope of a token to get the scope that a client requests.
        default_scope: What a client requests if the permission maps name no scope.
    """

    policy: TokenPolicy
    permission_maps: tuple[PermissionMap, ...]
    display_name: ClaimPath | None = None
    claims: Mapping[str, ClaimPath] = dataclasses.field(default_factory=dict[str, ClaimPath])
    scope_prefix: str = ""
    default_scope: str = "openid"

    @property
    def scopes(self) -> tuple[str, ...]:
        """All scopes that a permission map names, as a client requests them."""
        # A provider answers invalid_scope to a name that it does not know, which ends the session of an MCP client. So
        # none is guessed from a pattern.
        return tuple(self.scope_prefix + scope for scope in self._names_by_scope(guessed=False))

    @property
    def requested_scopes(self) -> tuple[str, ...]:
        """The scopes that a client should request at its first login."""
        # Without any, the Python MCP client requests every scope that the provider lists. Providers refuse that.
        return self.scopes or (self.default_scope,)

    @cached_property
    def _scopes(self) -> Mapping[str, Mapping[str, Reach]]:
        """Each scope, and every name that it gives. Scopes are guessed from patterns if nothing else is known."""
        return self._names_by_scope(guessed=False) or self._names_by_scope(guessed=True)

    def _names_by_scope(self, *, guessed: bool) -> Mapping[str, Mapping[str, Reach]]:
        given: dict[str, tuple[Right, ...]] = {}
        for permission_map in self.permission_maps:
            for scope, rights in permission_map.scopes(guessed=guessed).items():
                given[scope] = (*given.get(scope, ()), *rights)
        return {scope: merge_rights(rights) for scope, rights in given.items()}

    def scopes_granting(self, event: str, held: Mapping[str, Reach]) -> str:
        """Return the scopes to request for an event, or "" if no scope gives it.

        Args:
            event: The event.
            held: The names that the caller has.
        """
        # A proxy logs the user in. The client that gets the challenge cannot request a token.
        if self.policy.header != AUTHORIZATION_HEADER:
            return ""
        # Least privilege: the scope that gives the fewest names.
        offers = [(len(names), scope) for scope, names in self._scopes.items() if event in names]
        if not offers:
            return ""
        # A client can replace the scopes of its token by these. So they include those that it seems to have.
        wanted = {min(offers)[1], *self._seemingly_held(held)}
        return " ".join(self.scope_prefix + scope for scope in self._scopes if scope in wanted)

    def _seemingly_held(self, held: Mapping[str, Reach]) -> Iterator[str]:
        possible = {scope: names for scope, names in self._scopes.items() if _includes(held, names)}
        guessed = not self.scopes
        for scope, names in possible.items():
            # A pattern covers many names that the provider may not know, so only the widest are guessed.
            if not (
                guessed and any(len(other) > len(names) and _includes(other, names) for other in possible.values())
            ):
                yield scope


def _includes(held: Mapping[str, Reach], names: Mapping[str, Reach]) -> bool:
    return bool(names) and all(name in held and held[name] >= reach for name, reach in names.items())


def map_caller(token: VerifiedToken, rules: MappingRules) -> Caller:
    """Return the caller of a verified token."""
    claims = token.claims
    identity = read_identity(claims, rules.policy)
    tenancy = read_tenancy(claims, rules.policy.tenant)
    # Rights without an effect are removed first, so that their graphs and implied names do not count.
    given = [right for right in rights_from_claims(claims, rules.permission_maps) if is_effective(right, tenancy)]
    return Caller(
        identity=identity,
        issuer=token.issuer,
        display_name=_display_name(claims, rules.display_name) or identity,
        expires_at=token.valid_until,
        rights=merge_rights(given),
        tenancy=tenancy,
        graphs=allowed_graphs(given),
        resume_graphs=allowed_graphs(given, RESUME),
        claims=_allowed_claims(claims, rules.claims),
        subject_digest=digest_subject(token.issuer, claims.get("sub")),
        issued_at=_issued_at(claims),
    )


def _issued_at(claims: Mapping[str, object]) -> float:
    issued = claims.get("iat")
    # Without a time, what the token authorizes counts as older than any revocation.
    return issued if isinstance(issued, (int, float)) and not isinstance(issued, bool) else 0


def read_identity(claims: Mapping[str, object], policy: TokenPolicy) -> str:
    """Return the identity with its prefix. ``CHECKS`` has already validated the claim."""
    claim, value = find_identity(claims, policy)
    return f"{claim.prefix}{value}"


def read_tenancy(claims: Mapping[str, object], rule: TenantClaim | None) -> Tenancy | None:
    """Return the tenancy, or None if the issuer has no tenants. ``CHECKS`` has already validated the claim."""
    if rule is None:
        return None
    tenant = find_tenant(claims, rule)
    return Tenancy(tenant if isinstance(tenant, str) else None)


def _is_name(value: str) -> bool:
    return bool(value.strip()) and len(value) <= MAX_IDENTITY and not has_control(value)


def rights_from_claims(claims: Mapping[str, object], permission_maps: Iterable[PermissionMap]) -> Iterator[Right]:
    """Yield the rights that permission maps give to claims."""
    for permission_map in permission_maps:
        if conditions_met(permission_map.when, claims):
            yield from _rights_given(find_claim(claims, permission_map.path), permission_map)


def _rights_given(claim: object, permission_map: PermissionMap) -> Iterator[Right]:
    """Yield the rights of a claim's values. A right can come from several values."""
    # The loop is over the configuration, because a token can have thousands of values.
    values = frozenset(claim_values(claim, permission_map))
    for value, rights in permission_map.exact.items():
        if value in values:
            yield from rights
    for prefix, rights in permission_map.prefixes.items():
        if any(value.startswith(prefix) and "*" not in value for value in values):
            yield from rights


def conditions_met(conditions: Iterable[Requirement], claims: Mapping[str, object]) -> bool:
    """Tell whether all conditions hold. A missing claim meets none."""
    # Fail closed: a condition on a missing claim never holds.
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
    """Return the rights of one value. A value with a ``*`` in a token grants nothing."""
    given = permission_map.exact.get(value, ())
    for prefix, rights in permission_map.prefixes.items():
        # A user who can choose a value must not get the rights of a pattern.
        if value.startswith(prefix) and "*" not in value:
            given += rights
    return given


def is_effective(right: Right, tenancy: Tenancy | None) -> bool:
    """Tell whether a right has an effect. Without a tenant, ``@tenant`` has none."""
    # A missing tenant must not count as a tenant that all such users share.
    return right.reach is not Reach.TENANT or (tenancy is not None and tenancy.tenant is not None)


def merge_rights(rights: Iterable[Right]) -> dict[str, Reach]:
    """Return every name that the rights imply, with its widest reach."""
    names: dict[str, Reach] = {}
    for right in rights:
        for name, reach in right.implied.items():
            # Maps only add rights, so the order of the maps never matters.
            if names.get(name, -1) < reach:
                names[name] = reach
    return names


def allowed_graphs(rights: Iterable[Right], permission: str = "threads:create_run") -> frozenset[str] | None:
    """Return the graphs of all rights that give a permission together, or None if one of them has no limit."""
    limits = [right.graphs for right in rights if permission in right.implied]
    # Rights add up, so one role without a limit allows every graph.
    if not limits or None in limits:
        return None
    return frozenset(graph for limit in limits if limit is not None for graph in limit)


def _display_name(claims: Mapping[str, object], path: ClaimPath | None) -> str:
    # A display name decides nothing, so an unusable one does not cause a refusal.
    name = MISSING if path is None else find_claim(claims, path)
    return name if isinstance(name, str) and _is_name(name) else ""


def _allowed_claims(claims: Mapping[str, object], allowed: Mapping[str, ClaimPath]) -> dict[str, object]:
    # An allow list, because servers store the user dict and send it to webhooks.
    found = {name: find_claim(claims, path) for name, path in allowed.items()}
    return {name: value for name, value in found.items() if value is not MISSING}


def format_rights(rights: Iterable[Right]) -> str:
    """Return rights as text, with wildcards for whole resources."""
    reaches: dict[Reach, set[str]] = {}
    for right in rights:
        reaches.setdefault(right.reach, set()).add(right.name)
    return ", ".join(sorted({text for reach, names in reaches.items() for text in _format_names(names, reach)}))


def _format_names(names: set[str], reach: Reach) -> Iterator[str]:
    if names >= PATTERN_NAMES:
        yield format_permission("*", reach)
        names = names - PATTERN_NAMES
    whole = [resource for resource in ACTIONS if names >= expand(f"{resource}:*")]
    shorter = [f"{resource}:*" for resource in whole]
    # A pattern does not cover threads:share, which is listed beside it.
    rest = [name for name in names if name not in PATTERN_NAMES or name.partition(":")[0] not in whole]
    yield from (format_permission(name, clamp_reach(name, reach)) for name in (*shorter, *rest))
