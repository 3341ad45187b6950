"""Why: each check, each grant and each value that came near, for the person who asks "why am I not admin?"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ..errors import MEANINGS, Code, TokenError
from ..json_values import is_list, is_object
from ..tokens.checks import CHECKS, CLAIM_CHECKS, shown
from ..tokens.claim_path import MISSING, find, spell
from ..tokens.diagnose import diagnose, hint_for_claims
from .mapping import (
    Grant,
    MappingRules,
    describe,
    graphs_of,
    holds,
    identity_of,
    rights_for,
    rights_of,
    survives,
    tenancy_of,
    united,
    values_of,
)
from .names import ACTIONS, NAMES, Reach, spelled, split_reach

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..errors import OIDCAuthError
    from ..tokens.claim_path import ClaimPath
    from .caller import Tenancy

NOT_JUDGED = frozenset({Code.AUDIENCE_MISMATCH, Code.EXPIRED, Code.NOT_YET_VALID, Code.ISSUED_IN_FUTURE, Code.TOO_OLD})
"""Checks of audience and time: claims that somebody wrote down, or an old token's, tell who may what without them."""
BY_PAYLOAD = frozenset({Code.ISSUER_UNKNOWN, Code.TYPE_REFUSED})
"""Rows that wait until the payload says who issued the token, although a kid may be refused before that."""
AUTHORITY_WORDS = frozenset(
    {"role", "roles", "group", "groups", "permission", "permissions", "scope", "scopes", "scp", "entitlements", "wids"}
)
"""Last words of the claims in which providers put what somebody may do."""
DEEPEST = 4
"""How many keys lead to an unread claim: resource_access.<client>.roles has three."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one row of ``CHECKS`` says; ``detail`` is what it expected and found, where it would refuse."""

    code: Code
    outcome: Literal["passed", "failed", "not judged", "not reached"]
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
        notes: one line for each grant and value: what it gave, or why not.
        unmapped: one line for each claim that looks like authority and that no grant reads.
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
        requirements, identity, tenant and grants; not audience or time, nor header, key and signature.

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
        yield from (f"grant     {note}" for note in self.notes)
        yield from (f"unmapped  {note}" for note in self.unmapped)
        if self.refusal:
            yield f"REFUSED   {self.refusal}"
            return
        for resource, actions in ACTIONS.items():
            held = [
                spelled(action, self.rights[f"{resource}:{action}"])
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
    checks = tuple(_results(claims, rules, now))
    failed = next((check for check in checks if check.outcome == "failed"), None)
    if failed is not None:
        return Explanation(issuer=rules.policy.issuer, checks=checks, refusal=f"{failed.code}: {failed.detail}")
    tenancy = tenancy_of(claims, rules.policy.tenant)
    given = [right for right in rights_of(claims, rules.grants) if survives(right, tenancy)]
    return Explanation(
        issuer=rules.policy.issuer,
        checks=checks,
        identity=identity_of(claims, rules.policy),
        tenancy=tenancy,
        notes=tuple(note for grant in rules.grants for note in _notes(claims, grant, tenancy)),
        unmapped=tuple(_unmapped(claims, rules)),
        rights=united(given),
        graphs=graphs_of(given),
        refusal="" if given else _nothing_given(),
    )


def _nothing_given() -> str:
    code = Code.NO_PERMISSION_MAPS
    return f"{code}: authenticated, but no permission maps from these claims; {MEANINGS[code].cure}"


def road_of_token(refusal: OIDCAuthError | None, *, admitted: bool) -> tuple[CheckResult, ...]:
    """Return how far a token came: what is called passed has passed, what is called not reached may not have been.

    Args:
        refusal: why it was refused; None: it is genuine. A code that is no row of ``CHECKS`` (keys_unavailable)
            ends the road where keys are needed.
        admitted: whether its header was good enough to look at its payload.
    """
    codes = [check.code for check in CHECKS]
    if refusal is None:
        return tuple(CheckResult(code, "passed") for code in codes)
    end = codes.index(refusal.code) if refusal.code in codes else codes.index(Code.KEY_UNKNOWN)
    early = frozenset[Code]() if admitted else BY_PAYLOAD
    before = [CheckResult(code, "not reached" if code in early else "passed") for code in codes[:end]]
    failed = [CheckResult(refusal.code, "failed", _detail(refusal))] if refusal.code in codes else []
    after = [CheckResult(code, "not reached") for code in codes[end + len(failed) :]]
    return (*before, *failed, *after)


def _detail(error: OIDCAuthError) -> str:
    return f"expected {error.expected or '-'}; found {error.found or '-'}; {error.cure}"


def _results(claims: Mapping[str, object], rules: MappingRules, now: float) -> Iterator[CheckResult]:
    for check in CHECKS:
        if check not in CLAIM_CHECKS:
            yield CheckResult(check.code, "not reached")
            continue
        unjudged = check.code in NOT_JUDGED
        try:
            check.rule(claims, rules.policy, now)
        except TokenError as error:
            # Written claims often leave out aud: only one that is there can be a mistake of the provider.
            silent = unjudged and claims.get("aud") is None
            told = error if silent else diagnose(error, {}, claims, (), rules.policy)
            yield CheckResult(check.code, "not judged" if unjudged else "failed", _detail(told))
        else:
            yield CheckResult(check.code, "not judged" if unjudged else "passed")


def _notes(claims: Mapping[str, object], grant: Grant, tenancy: Tenancy | None) -> Iterator[str]:
    name, claim = spell(grant.path), find(claims, grant.path)
    if not holds(grant.when, claims):
        yield f"{name}: its condition (when) does not hold"
        return
    if claim is MISSING:
        yield f"{name}: no such claim"
        return
    values = values_of(claim, grant)
    yield from (f"{name}: {note}" for note in _ignored(claim, grant))
    yield from (f"{name}: {value!r}: {_note(value, grant, tenancy)}" for value in values)


def _ignored(claim: object, grant: Grant) -> Iterator[str]:
    if is_list(claim):
        odd = [shown(member) for member in claim if not isinstance(member, str)]
        yield from (f"{member} is no string: ignored" for member in odd)
    elif isinstance(claim, dict) and not grant.keys:
        yield "an object: its keys grant only with keys = true"
    elif not isinstance(claim, (str, dict)):
        yield f"{shown(claim)} is neither a string nor a list: ignored"


def _note(value: str, grant: Grant, tenancy: Tenancy | None) -> str:
    if "*" in value:
        return "ignored, wildcards are never taken from a token"
    if not (rights := rights_for(value, grant)):
        return _near_miss(value, grant)
    lost = [right for right in rights if not survives(right, tenancy)]
    kept = [right for right in rights if right not in lost]
    parts = [f"gives {describe(kept)}"] if kept else []
    parts += [f"{describe(lost)} vanish without a tenant"] if lost else []
    return "; ".join(parts)


def _near_miss(value: str, grant: Grant) -> str:
    if not value.startswith(grant.strip_prefix):
        return f"no match: it does not start with {grant.strip_prefix!r}"
    bare = value[len(grant.strip_prefix) :]
    for known in (*grant.mapped, *grant.accepted):
        if known.strip("/").lower() == bare.strip("/").lower():
            return f"no match (the configuration has {known!r}: it differs only in case or a leading '/')"
    if grant.accepted and bare in NAMES:
        return "a known permission, but not in accept"
    return "no match"


def _unmapped(claims: Mapping[str, object], rules: MappingRules) -> Iterator[str]:
    """Yield what looks like authority and no grant reads: the usual answer to "why am I not admin?"."""
    read = {grant.path for grant in rules.grants}
    for path, value in _leaves(claims, ()):
        if not any(path[: len(known)] == known for known in read) and (
            _is_authority(path) or _names_permissions(value)
        ):
            yield f"{spell(path)}: {shown(value)}: no grant reads it"
    if hint := hint_for_claims(Code.NO_PERMISSION_MAPS, claims, rules.policy):
        yield hint


def _leaves(value: object, path: ClaimPath) -> Iterator[tuple[ClaimPath, object]]:
    """Yield each claim that is no table of further claims, or an authority's table, or lies too deep."""
    ends = _is_authority(path) or len(path) == DEEPEST
    members = value if is_object(value) and not ends else None
    if members is None:
        yield path, value
        return
    for key, member in members.items():
        yield from _leaves(member, (*path, key))


def _is_authority(path: ClaimPath) -> bool:
    return bool(path) and path[-1].replace("/", ":").rpartition(":")[2].lower() in AUTHORITY_WORDS


MOST_NAMED = 5
"""Claims, and values of a grant, that are named in one line of the log."""


def nothing_maps(claims: Mapping[str, object], rules: MappingRules) -> str:
    """Return why a genuine token gives nothing: the claims that are read, and those that look as if they should be.

    Names of claims and values of the configuration only: what the claims hold is the user's.
    """
    tenancy = tenancy_of(claims, rules.policy.tenant)
    read = dict.fromkeys(f"{spell(grant.path)} ({_why_nothing(claims, grant, tenancy)})" for grant in rules.grants)
    paths = {spell(grant.path) for grant in rules.grants}
    # The user may have chosen a name, too: on one line, and bounded.
    unread = [name for name, value in claims.items() if name not in paths and _names_permissions(value)]
    named = ", ".join(shown(name) for name in unread[:MOST_NAMED])
    parts = [f"read: {', '.join(read)}"]
    parts += [f"not read, but it holds permission names: {named}"] if named else []
    hint = hint_for_claims(Code.NO_PERMISSION_MAPS, claims, rules.policy)
    parts += [hint] if hint else []
    return "; ".join(parts)


def _why_nothing(claims: Mapping[str, object], grant: Grant, tenancy: Tenancy | None) -> str:
    claim = find(claims, grant.path)
    if claim is MISSING:
        return "missing"
    if not holds(grant.when, claims):
        return "there, but its condition (when) does not hold"
    if given := [right for value in values_of(claim, grant) for right in rights_for(value, grant)]:
        # Where some survive, it was the program's own mapper that took them.
        return "there" if any(survives(right, tenancy) for right in given) else "there, but without a tenant"
    known = [*grant.mapped, *(f"{start}*" for start in grant.mapped_prefixes)]
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    return f"there, but no value among {', '.join(known[:MOST_NAMED]) or 'the permission names of accept'}{more}"


def _names_permissions(value: object) -> bool:
    words = value.split(" ") if isinstance(value, str) else value
    return is_list(words) and any(isinstance(word, str) and word in NAMES for word in words)
