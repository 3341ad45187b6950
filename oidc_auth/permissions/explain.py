"""Why: each check, each permission map and each value that came near, for the person who asks "why am I not admin?"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ..errors import ERROR_DETAILS, ErrorCode, TokenError
from ..json_values import is_list, is_object
from ..tokens.checks import CHECKS, CLAIM_CHECKS, format_value
from ..tokens.claim_path import MISSING, find_claim, format_path
from ..tokens.diagnose import diagnose, hint_for_claims
from .names import ACTIONS, NAMES, Reach, format_permission, split_reach
from .permission_maps import (
    MappingRules,
    PermissionMap,
    allowed_graphs,
    claim_values,
    conditions_met,
    format_rights,
    is_effective,
    member_text,
    merge_rights,
    read_identity,
    read_tenancy,
    rights_from_claims,
    rights_from_value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..errors import OIDCAuthError
    from ..tokens.claim_path import ClaimPath
    from .caller import Tenancy

NOT_CHECKED = frozenset(
    {
        ErrorCode.AUDIENCE_MISMATCH,
        ErrorCode.TOKEN_EXPIRED,
        ErrorCode.TOKEN_NOT_YET_VALID,
        ErrorCode.TOKEN_ISSUED_IN_FUTURE,
        ErrorCode.TOKEN_TOO_OLD,
    }
)
"""Checks of audience and time: claims that somebody wrote down, or an old token's, tell who may what without them."""
PAYLOAD_CHECKS = frozenset({ErrorCode.ISSUER_NOT_TRUSTED, ErrorCode.TYP_NOT_ALLOWED})
"""Rows that wait until the payload says who issued the token, although a kid may be refused before that."""
PERMISSION_CLAIM_WORDS = frozenset(
    {"role", "roles", "group", "groups", "permission", "permissions", "scope", "scopes", "scp", "entitlements", "wids"}
)
"""Last words of the claims in which providers put what somebody may do."""
MAX_CLAIM_DEPTH = 4
"""How many keys lead to an unread claim: resource_access.<client>.roles has three."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one row of ``CHECKS`` says; ``detail`` is what it expected and found, where it would refuse."""

    code: ErrorCode
    outcome: Literal["passed", "failed", "not checked", "not reached"]
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why claims give what they give. It never authorizes anybody: that needs a verified token.

    Attributes:
        issuer: the configured issuer that the claims, or a token that may be refused, name; or "".
        checks: each row of ``CHECKS``: passed, failed or not reached. Of claims alone, audience and time are not
            judged, and header, key and signature are not reached.
        identity: who it would be, or "".
        tenancy: the tenant rule, or None.
        notes: one line for each permission map and value: what it gave, or why not.
        unmapped: one line for each claim that looks like authority and that no permission map reads.
        rights: each name and how far it reaches.
        graphs: the graphs that may be started; None: any.
        refusal: why nothing is allowed, or "".
    """

    issuer: str = ""
    checks: tuple[CheckResult, ...] = ()
    identity: str = ""
    tenancy: Tenancy | None = None
    notes: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    rights: Mapping[str, Reach] = field(default_factory=dict[str, Reach])
    graphs: frozenset[str] | None = None
    refusal: str = ""

    def allows(self, permission: str) -> bool:
        """Tell whether these claims give a permission, such as ``threads:read`` or ``threads:read@tenant``.

        Judges all that claims show by themselves: issuer, kind of token, ``cnf``, client, required claims,
        requirements, identity, tenant and permission maps; not audience or time, nor header, key and signature.

        Raises:
            ValueError: there is no such permission.
        """
        name, reach = split_reach(permission)
        if name not in NAMES:
            raise ValueError(f"unknown permission {permission!r}; the names are {', '.join(sorted(NAMES))}")
        return not self.refusal and self.rights.get(name, -1) >= reach

    def __str__(self) -> str:
        """Return the whole explanation as text."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"issuer    {self.issuer or '-'}"
        yield f"identity  {self.identity or '-'}"
        if self.tenancy is not None:
            yield f"tenant    {self.tenancy.tenant or 'none: @tenant rights vanish'}"
        reached = [check for check in self.checks if check.outcome != "not reached"]
        yield from (f"check     {check.code}: {check.outcome} {check.detail}".rstrip() for check in reached)
        if beyond := ", ".join(check.code for check in self.checks if check.outcome == "not reached"):
            yield f"check     not reached: {beyond}"
        yield from (f"map       {note}" for note in self.notes)
        yield from (f"unmapped  {note}" for note in self.unmapped)
        if self.refusal:
            yield f"REFUSED   {self.refusal}"
            return
        for resource, actions in ACTIONS.items():
            held = [
                format_permission(action, self.rights[f"{resource}:{action}"])
                for action in actions
                if self._holds(resource, action)
            ]
            yield f"{resource:<12}{' '.join(held) or '-'}"
        if self.graphs:
            yield f"graphs    {' '.join(sorted(self.graphs))}"

    def _holds(self, resource: str, action: str) -> bool:
        return f"{resource}:{action}" in self.rights


def explain_claims(claims: Mapping[str, object], rules: MappingRules, now: float) -> Explanation:
    """Return what these claims would give under one issuer's rules, and why. No network, no signature."""
    checks = tuple(_run_checks(claims, rules, now))
    failed = next((check for check in checks if check.outcome == "failed"), None)
    if failed is not None:
        return Explanation(issuer=rules.policy.issuer, checks=checks, refusal=f"{failed.code}: {failed.detail}")
    tenancy = read_tenancy(claims, rules.policy.tenant)
    given = [right for right in rights_from_claims(claims, rules.permission_maps) if is_effective(right, tenancy)]
    return Explanation(
        issuer=rules.policy.issuer,
        checks=checks,
        identity=read_identity(claims, rules.policy),
        tenancy=tenancy,
        notes=tuple(
            note for permission_map in rules.permission_maps for note in _notes(claims, permission_map, tenancy)
        ),
        unmapped=tuple(_unread_claims(claims, rules)),
        rights=merge_rights(given),
        graphs=allowed_graphs(given),
        refusal="" if given else _no_permissions_message(),
    )


def _no_permissions_message() -> str:
    code = ErrorCode.NO_PERMISSIONS
    return f"{code}: authenticated, but no permission maps from these claims; {ERROR_DETAILS[code].hint}"


def trace_checks(refusal: OIDCAuthError | None, *, admitted: bool) -> tuple[CheckResult, ...]:
    """Return how far a token came: what is called passed has passed, what is called not reached may not have been.

    Args:
        refusal: why it was refused; None: it is genuine. A code that is no row of ``CHECKS`` (keys_unavailable)
            ends the road where keys are needed.
        admitted: whether its header was good enough to look at its payload.
    """
    codes = [check.code for check in CHECKS]
    if refusal is None:
        return tuple(CheckResult(code, "passed") for code in codes)
    end = codes.index(refusal.code) if refusal.code in codes else codes.index(ErrorCode.KEY_NOT_FOUND)
    early = frozenset[ErrorCode]() if admitted else PAYLOAD_CHECKS
    before = [CheckResult(code, "not reached" if code in early else "passed") for code in codes[:end]]
    failed = [CheckResult(refusal.code, "failed", _detail(refusal))] if refusal.code in codes else []
    after = [CheckResult(code, "not reached") for code in codes[end + len(failed) :]]
    return (*before, *failed, *after)


def _detail(error: OIDCAuthError) -> str:
    return f"expected {error.expected or '-'}; found {error.found or '-'}; {error.hint}"


def _run_checks(claims: Mapping[str, object], rules: MappingRules, now: float) -> Iterator[CheckResult]:
    for check in CHECKS:
        if check not in CLAIM_CHECKS:
            yield CheckResult(check.code, "not reached")
            continue
        unchecked = check.code in NOT_CHECKED
        try:
            check.rule(claims, rules.policy, now)
        except TokenError as error:
            # Written claims often leave out aud: only one that is there can be a mistake of the provider.
            silent = unchecked and claims.get("aud") is None
            explained = error if silent else diagnose(error, {}, claims, (), rules.policy)
            yield CheckResult(check.code, "not checked" if unchecked else "failed", _detail(explained))
        else:
            yield CheckResult(check.code, "not checked" if unchecked else "passed")


def _notes(claims: Mapping[str, object], permission_map: PermissionMap, tenancy: Tenancy | None) -> Iterator[str]:
    name, claim = format_path(permission_map.path), find_claim(claims, permission_map.path)
    if not conditions_met(permission_map.when, claims):
        yield f"{name}: its condition (when) does not hold"
        return
    if claim is MISSING:
        yield f"{name}: no such claim"
        return
    values = claim_values(claim, permission_map)
    yield from (f"{name}: {note}" for note in _ignored_values(claim, permission_map))
    yield from (f"{name}: {value!r}: {_note(value, permission_map, tenancy)}" for value in values)


def _ignored_values(claim: object, permission_map: PermissionMap) -> Iterator[str]:
    if is_list(claim):
        ignored = [format_value(member) for member in claim if member_text(member, permission_map) is None]
        wanted = "a string, a number or a boolean" if permission_map.field is None else _wanted_object(permission_map)
        yield from (f"{member} is not {wanted}: ignored" for member in ignored)
    elif permission_map.field is not None:
        yield f"{format_value(claim)} is not a list of objects: ignored"
    elif isinstance(claim, dict) and not permission_map.object_keys:
        yield "an object: its keys grant only with object_keys = true"
    elif claim is None:
        yield "null: ignored"


def _wanted_object(permission_map: PermissionMap) -> str:
    return f"an object with a string, a number or a boolean in {permission_map.field!r}"


def _note(value: str, permission_map: PermissionMap, tenancy: Tenancy | None) -> str:
    if "*" in value:
        return "ignored, wildcards are never taken from a token"
    if not (rights := rights_from_value(value, permission_map)):
        return _explain_mismatch(value, permission_map)
    lost = [right for right in rights if not is_effective(right, tenancy)]
    kept = [right for right in rights if right not in lost]
    parts = [f"gives {format_rights(kept)}"] if kept else []
    parts += [f"{format_rights(lost)} vanish without a tenant"] if lost else []
    return "; ".join(parts)


def _explain_mismatch(value: str, permission_map: PermissionMap) -> str:
    if not value.startswith(permission_map.strip_prefix):
        return f"no match: it does not start with {permission_map.strip_prefix!r}"
    bare = value[len(permission_map.strip_prefix) :]
    for known in (*permission_map.mapped, *permission_map.accepted):
        if known.strip("/").lower() == bare.strip("/").lower():
            return f"no match (the configuration has {known!r}: it differs only in case or a leading '/')"
    if permission_map.accepted and bare in NAMES:
        return "a known permission, but not in accept"
    return "no match"


def _unread_claims(claims: Mapping[str, object], rules: MappingRules) -> Iterator[str]:
    """Yield what looks like authority and no permission map reads: the usual answer to "why am I not admin?"."""
    read = {permission_map.path for permission_map in rules.permission_maps}
    for path, value in _leaves(claims, ()):
        if not any(path[: len(known)] == known for known in read) and (
            _looks_like_permissions(path) or _names_permissions(value)
        ):
            yield f"{format_path(path)}: {format_value(value)}: no permission map reads it"
    if hint := hint_for_claims(ErrorCode.NO_PERMISSIONS, claims, rules.policy):
        yield hint


def _leaves(value: object, path: ClaimPath) -> Iterator[tuple[ClaimPath, object]]:
    """Yield each claim that is no table of further claims, or an authority's table, or lies too deep."""
    ends = _looks_like_permissions(path) or len(path) == MAX_CLAIM_DEPTH
    members = value if is_object(value) and not ends else None
    if members is None:
        yield path, value
        return
    for key, member in members.items():
        yield from _leaves(member, (*path, key))


def _looks_like_permissions(path: ClaimPath) -> bool:
    return bool(path) and path[-1].replace("/", ":").rpartition(":")[2].lower() in PERMISSION_CLAIM_WORDS


MAX_NAMED = 5
"""Claims, and values of a permission map, that are named in one line of the log."""


def explain_no_permissions(claims: Mapping[str, object], rules: MappingRules) -> str:
    """Return why a genuine token gives nothing: the claims that are read, and those that look as if they should be.

    Names of claims and values of the configuration only: what the claims hold is the user's.
    """
    tenancy = read_tenancy(claims, rules.policy.tenant)
    read = dict.fromkeys(
        f"{format_path(permission_map.path)} ({_explain_unused(claims, permission_map, tenancy)})"
        for permission_map in rules.permission_maps
    )
    paths = {format_path(permission_map.path) for permission_map in rules.permission_maps}
    # The user may have chosen a name, too: on one line, and bounded.
    unread = [name for name, value in claims.items() if name not in paths and _names_permissions(value)]
    named = ", ".join(format_value(name) for name in unread[:MAX_NAMED])
    parts = [f"read: {', '.join(read)}"]
    parts += [f"not read, but it holds permission names: {named}"] if named else []
    hint = hint_for_claims(ErrorCode.NO_PERMISSIONS, claims, rules.policy)
    parts += [hint] if hint else []
    return "; ".join(parts)


def _explain_unused(claims: Mapping[str, object], permission_map: PermissionMap, tenancy: Tenancy | None) -> str:
    claim = find_claim(claims, permission_map.path)
    if claim is MISSING:
        return "missing"
    if not conditions_met(permission_map.when, claims):
        return "there, but its condition (when) does not hold"
    if given := [
        right for value in claim_values(claim, permission_map) for right in rights_from_value(value, permission_map)
    ]:
        # Where some survive, it was the program's own mapper that took them.
        return "there" if any(is_effective(right, tenancy) for right in given) else "there, but without a tenant"
    known = [*permission_map.mapped, *(f"{start}*" for start in permission_map.mapped_prefixes)]
    more = f" and {len(known) - MAX_NAMED} more" if len(known) > MAX_NAMED else ""
    return f"there, but no value among {', '.join(known[:MAX_NAMED]) or 'the permission names of accept'}{more}"


def _names_permissions(value: object) -> bool:
    words = value.split(" ") if isinstance(value, str) else value
    return is_list(words) and any(isinstance(word, str) and word in NAMES for word in words)
