"""Explain what claims grant: each check, each permission map, and values that nearly match."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ..errors import ERROR_DETAILS, ErrorCode, TokenError
from ..json_values import is_list, is_object
from ..quoting import quote
from ..tokens.checks import CHECKS, CLAIM_CHECKS
from ..tokens.claim_path import MISSING, find_claim, format_path
from ..tokens.diagnose import diagnose_claims, hint_for_claims
from .names import ACTIONS, LITERAL_PERMISSIONS, NAMES, RESUME, Reach, format_permission, split_reach
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
from .shared_access import SharedAccess, describe_sharing, describe_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
"""Checks of audience and time. Claims without a token often have no audience, and old ones still show the roles."""
PERMISSION_CLAIM_WORDS = frozenset(
    {"role", "roles", "group", "groups", "permission", "permissions", "scope", "scopes", "scp", "entitlements", "wids"}
)
"""The last words of claims in which providers send permissions."""
MAX_CLAIM_DEPTH = 4
"""The longest path to an unread claim, in keys. resource_access.<client>.roles has three."""


NO_TENANT = "none. @tenant permissions are ignored."


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check that ran.

    Attributes:
        code: The code of its refusal.
        name: What is true of a token that passes.
        outcome: Whether it passed. "not checked" means that its result does not count for claims without a token.
        detail: What was expected and found, if it did not pass.
    """

    code: ErrorCode
    name: str
    outcome: Literal["passed", "failed", "not checked"]
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What claims grant, and why. Only a verified token authorizes a request.

    Attributes:
        issuer: The configured issuer of the claims or of the token, or "".
        checks: The checks that ran, in the order of ``CHECKS``.
        identity: The identity, or "".
        tenancy: The tenant rule, or None.
        notes: One line for each permission map and value: what it granted, or why it did not.
        unmapped: One line for each claim that looks like permissions, and that no permission map reads.
        rights: Each permission and its reach.
        graphs: The graphs that may be started, or None for any.
        resume_graphs: The graphs that ``threads:resume`` lets the caller resume, or None for any.
        refusal: Why nothing is allowed, or "".
        access: What the configuration lets callers do with shared threads and paused runs.
    """

    issuer: str = ""
    checks: tuple[CheckResult, ...] = ()
    identity: str = ""
    tenancy: Tenancy | None = None
    notes: tuple[str, ...] = ()
    unmapped: tuple[str, ...] = ()
    rights: Mapping[str, Reach] = field(default_factory=dict[str, Reach])
    graphs: frozenset[str] | None = None
    resume_graphs: frozenset[str] | None = None
    refusal: str = ""
    access: SharedAccess = field(default_factory=SharedAccess)

    @property
    def can_share(self) -> tuple[str, ...]:
        """The threads that the caller may share with others: ``own``, ``tenant``, ``all`` or nothing."""
        return () if self.refusal else self.access.shareable(self.rights)

    @property
    def can_approve(self) -> tuple[str, ...]:
        """The paused runs that the caller may resume: those of a reach, and those of threads that list the caller."""
        # A role with an empty list of graphs may run none.
        none = self.refusal or self._approvable_graphs == frozenset()
        return () if none else self.access.approvable(self.rights)

    @property
    def shared_access(self) -> dict[str, str]:
        """The threads that the caller may share, and those that the caller may approve, as text."""
        graphs = self._approvable_graphs
        only = f". Only graphs {', '.join(sorted(graphs))}" if graphs and self.can_approve else ""
        return {
            "share": describe_sharing(self.rights, self.access),
            "approve": describe_threads(self.can_approve) + only,
        }

    @property
    def not_run(self) -> tuple[str, ...]:
        """The names of the checks that did not run."""
        ran = {check.code for check in self.checks}
        return tuple(check.name for check in CHECKS if check.code not in ran)

    @property
    def _approvable_graphs(self) -> frozenset[str] | None:
        return self.graphs if self.access.resume == "run" else self.resume_graphs

    def allows(self, permission: str) -> bool:
        """Tell whether these claims grant a permission, such as ``threads:read`` or ``threads:read@tenant``.

        For claims without a token, audience, time, header, key and signature are not checked.

        Raises:
            ValueError: The permission does not exist.
        """
        name, reach = split_reach(permission)
        # A misspelt permission would never be allowed, so a test that expects a denial would pass.
        if name not in NAMES:
            raise ValueError(f"unknown permission {permission!r}. The permissions are {', '.join(sorted(NAMES))}.")
        return not self.refusal and self.rights.get(name, -1) >= reach

    def __str__(self) -> str:
        """Return the whole explanation as text."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"issuer    {self.issuer or '-'}"
        yield f"identity  {self.identity or '-'}"
        if self.tenancy is not None:
            yield f"tenant    {self.tenancy.tenant or NO_TENANT}"
        yield from (f"check     {check.name}: {check.outcome} {check.detail}".rstrip() for check in self.checks)
        yield from (f"map       {note}" for note in self.notes)
        yield from (f"unmapped  {note}" for note in self.unmapped)
        if self.refusal:
            yield f"REFUSED   {self.refusal}"
            return
        yield from (f"{label:<10}{text}" for label, text in self.shared_access.items())
        for resource, actions in ACTIONS.items():
            names = [f"{resource}:{action}" for action in actions]
            names += [name for name in LITERAL_PERMISSIONS if name.startswith(f"{resource}:")]
            held = [format_permission(name, self.rights[name]) for name in names if name in self.rights]
            yield f"{resource:<12}{' '.join(held).replace(f'{resource}:', '') or '-'}"
        if self.graphs:
            yield f"graphs    {' '.join(sorted(self.graphs))}"


def explain_claims(claims: Mapping[str, object], rules: MappingRules, now: float) -> Explanation:
    """Return what claims grant by the rules of one issuer, and why."""
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
        resume_graphs=allowed_graphs(given, RESUME),
        refusal="" if given else _no_permissions_message(claims, rules),
    )


def _no_permissions_message(claims: Mapping[str, object], rules: MappingRules) -> str:
    """Return the claims that are read, the values that would grant something, and the values found."""
    details, maps = ERROR_DETAILS[ErrorCode.NO_PERMISSIONS], rules.permission_maps[:MAX_NAMED]
    expected = " or ".join(f"{format_path(each.path)} = {_granting_values(each)}" for each in maps)
    found = ", ".join(f"{format_path(each.path)} = {quote(_claim_or_none(claims, each.path))}" for each in maps)
    hint = next(_other_claims(claims, rules), details.hint)
    return f"{ErrorCode.NO_PERMISSIONS}: {details.client_message}; expected {expected}; found {found}; {hint}"


def _claim_or_none(claims: Mapping[str, object], path: ClaimPath) -> object:
    value = find_claim(claims, path)
    return None if value is MISSING else value


def _other_claims(claims: Mapping[str, object], rules: MappingRules) -> Iterator[str]:
    """Yield a hint for each claim with a value that a permission map expects in another claim."""
    read = {permission_map.path for permission_map in rules.permission_maps}
    for path, value in _leaves(claims, ()):
        for permission_map in rules.permission_maps if path not in read else ():
            texts = claim_values(value, permission_map)
            if text := next((text for text in texts if rights_from_value(text, permission_map)), None):
                name = quote(format_path(path))
                yield f"The claim {name} has {quote(text)}. To read it, set claim = {name} in the permission map."


def check_results(record: Sequence[ErrorCode], refusal: OIDCAuthError | None) -> tuple[CheckResult, ...]:
    """Return the outcome of each check of a token that ran.

    Args:
        record: The checks that passed, as the verifier recorded them.
        refusal: The refusal, or None. ``keys_unavailable`` is the result of no check.
    """
    passed, failed = frozenset(record), None if refusal is None else refusal.code
    results: list[CheckResult] = []
    for check in CHECKS:
        if refusal is not None and check.code is failed:
            results.append(CheckResult(check.code, check.name, "failed", _detail(refusal, refusal.hint)))
        elif check.code in passed:
            results.append(CheckResult(check.code, check.name, "passed"))
    return tuple(results)


def _detail(error: OIDCAuthError, hint: str) -> str:
    facts = f"expected {error.expected or '-'}; found {error.found or '-'}"
    return f"{facts}; {hint}" if hint else facts


def _run_checks(claims: Mapping[str, object], rules: MappingRules, now: float) -> Iterator[CheckResult]:
    for check in CLAIM_CHECKS:
        unchecked = check.code in NOT_CHECKED
        try:
            check.rule(claims, rules.policy, now)
        except TokenError as error:
            # Claims without a token often have no aud. Only an aud that is present can be the provider's mistake.
            hint = "" if unchecked and claims.get("aud") is None else diagnose_claims(error, {}, claims, rules.policy)
            if not unchecked:
                yield CheckResult(check.code, check.name, "failed", _detail(error, hint or error.hint))
                return
            # The general hint of a check that does not count would look like a fault.
            yield CheckResult(check.code, check.name, "not checked", _detail(error, hint))
        else:
            yield CheckResult(check.code, check.name, "not checked" if unchecked else "passed")


def _notes(claims: Mapping[str, object], permission_map: PermissionMap, tenancy: Tenancy | None) -> Iterator[str]:
    name, claim = format_path(permission_map.path), find_claim(claims, permission_map.path)
    if not conditions_met(permission_map.when, claims):
        yield f"{name}: its condition (when) is not met"
        return
    if claim is MISSING:
        yield f"{name}: the claim is missing"
        return
    values = claim_values(claim, permission_map)
    yield from (f"{name}: {note}" for note in _ignored_values(claim, permission_map))
    yield from (f"{name}: {quote(value)}: {_note(value, permission_map, tenancy)}" for value in values)


def _ignored_values(claim: object, permission_map: PermissionMap) -> Iterator[str]:
    if is_list(claim):
        # Quoted, because a value of a token could forge a line of the output.
        ignored = [quote(member) for member in claim if member_text(member, permission_map) is None]
        wanted = "a string, a number or a boolean" if permission_map.field is None else _wanted_object(permission_map)
        yield from (f"{member} is not {wanted}: ignored" for member in ignored)
    elif permission_map.field is not None:
        yield f"{quote(claim)} is not a list of objects: ignored"
    elif isinstance(claim, dict) and not permission_map.object_keys:
        yield "an object: its keys count only with object_keys = true"
    elif claim is None:
        yield "null: ignored"


def _wanted_object(permission_map: PermissionMap) -> str:
    return f"an object with a string, a number or a boolean in {permission_map.field!r}"


def _note(value: str, permission_map: PermissionMap, tenancy: Tenancy | None) -> str:
    # Users can often choose names of groups. A name must not work as a pattern.
    if "*" in value:
        return "ignored: wildcards in tokens never count"
    if not (rights := rights_from_value(value, permission_map)):
        return _explain_mismatch(value, permission_map)
    lost = [right for right in rights if not is_effective(right, tenancy)]
    kept = [right for right in rights if right not in lost]
    parts = [f"grants {format_rights(kept)}"] if kept else []
    parts += [f"{format_rights(lost)} ignored: the token has no tenant"] if lost else []
    return "; ".join(parts)


def _explain_mismatch(value: str, permission_map: PermissionMap) -> str:
    if not value.startswith(permission_map.strip_prefix):
        return f"no match: it does not start with {permission_map.strip_prefix!r}"
    bare = value[len(permission_map.strip_prefix) :]
    for known in (*permission_map.mapped, *permission_map.accepted):
        # Some providers write groups as paths with a leading slash, a frequent cause of mismatches.
        if known.strip("/").lower() == bare.strip("/").lower():
            return f"no match: the configuration has {known!r}, which differs only in case or a leading '/'"
    if permission_map.accepted and bare in NAMES:
        return "a permission that is not in accept"
    return "no match"


def _unread_claims(claims: Mapping[str, object], rules: MappingRules) -> Iterator[str]:
    """Yield claims that look like permissions, and that no permission map reads."""
    read = {permission_map.path for permission_map in rules.permission_maps}
    for path, value in _leaves(claims, ()):
        # A map on an object also reads what is below it.
        if not any(path[: len(known)] == known for known in read) and (
            _looks_like_permissions(path) or _names_permissions(value)
        ):
            yield f"{format_path(path)}: {quote(value)}: no permission map reads it"
    if hint := hint_for_claims(ErrorCode.NO_PERMISSIONS, claims, rules.policy):
        yield hint


def _leaves(value: object, path: ClaimPath) -> Iterator[tuple[ClaimPath, object]]:
    """Yield each claim without members, and each object that looks like permissions or is too deep."""
    # Bounded, because the token chooses how deep its claims are.
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
"""Claims, and values of a permission map, that one log line names."""


def explain_no_permissions(claims: Mapping[str, object], rules: MappingRules) -> str:
    """Return why a valid token grants nothing: the claims that are read, and those that look like permissions.

    The values of claims are left out, because they are the user's.
    """
    tenancy = read_tenancy(claims, rules.policy.tenant)
    read = dict.fromkeys(
        f"{format_path(permission_map.path)} ({_explain_unused(claims, permission_map, tenancy)})"
        for permission_map in rules.permission_maps
    )
    paths = {format_path(permission_map.path) for permission_map in rules.permission_maps}
    # Users can choose names of claims, so they are escaped and bounded.
    unread = [name for name, value in claims.items() if name not in paths and _names_permissions(value)]
    # Bounded, because one user could otherwise fill the log.
    named = ", ".join(quote(name) for name in unread[:MAX_NAMED])
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
        return "present, but its condition (when) is not met"
    if given := [
        right for value in claim_values(claim, permission_map) for right in rights_from_value(value, permission_map)
    ]:
        # Otherwise the program's mapper removed the permissions.
        return "present" if any(is_effective(right, tenancy) for right in given) else "present, but without a tenant"
    return f"present, but no value among {_granting_values(permission_map)}"


def _granting_values(permission_map: PermissionMap) -> str:
    known = [*permission_map.mapped, *(f"{start}*" for start in permission_map.mapped_prefixes)]
    more = f" and {len(known) - MAX_NAMED} more" if len(known) > MAX_NAMED else ""
    return f"{', '.join(known[:MAX_NAMED]) or 'the permission names of accept'}{more}"


def _names_permissions(value: object) -> bool:
    words = value.split(" ") if isinstance(value, str) else value
    return is_list(words) and any(isinstance(word, str) and word in NAMES for word in words)
