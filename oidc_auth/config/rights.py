"""What grants and roles give: unknown names, circles, wildcards, reaches without a tenant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import Problem
from ..permissions.names import ALIASES, NAMES, NameUnknownError, Reach, expand, split_reach
from ..providers import PROVIDERS
from .raw import did_you_mean, path_in, strings_in, table_in, tables_in
from .schema import IssuerTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..providers.record import RoleClaim
    from .raw import Table

SOUGHT: Mapping[str, str] = {
    "threads:run": "threads:create_run",
    "runs:write": "threads:create_run",
    "runs:read": "threads:read",
    "threads:list": "threads:search",
    "assistants:list": "assistants:search",
    "store:list": "store:list_namespaces",
}
"""Names that people write for another one; the nearest spelling would be a different right."""

ROLE_CLAIMS = tuple(each.tokens.roles for each in PROVIDERS.values() if each.tokens.roles is not None)


def lint_grants(table: Table, where: str, roles: Table) -> Iterator[Problem]:
    """Yield what is wrong with an issuer's grants."""
    for number, grant in tables_in(table.get("grant")):
        place = f"{where}.grant[{number}]"
        if ("accept" in grant) == ("values" in grant):
            found = "both accept and values" if "accept" in grant else "neither accept nor values"
            yield Problem(place, found, "accept: the claim carries permission names; values: its values are mapped")
        yield from _lint_role_claim(grant, place, roles)
        if "accept" in grant and table.get("token_type") == "id":
            cure = "let the client send an access token, or map the claim's values"
            yield Problem(f"{place}.accept", "an ID token says who somebody is, not what an API lets them do", cure)
        for name in strings_in(grant.get("accept")):
            yield from _lint_right(name, f"{place}.accept", {}, has_tenant="tenant" in table)
            if "*" in name and "@" in name:
                cure = "a token may widen its reach only by a name that is listed here literally"
                yield Problem(f"{place}.accept", f"{name!r}: a pattern covers own objects only", cure)
        for value, names in table_in(grant.get("values")).items():
            if value == "*" and not grant.get("when"):
                cure = "add a condition, when = {...}, or name the values"
                yield Problem(f"{place}.values.*", "matches every value", cure)
            elif value != "*":
                yield from (Problem(f"{place}.values.{value}", *fault) for fault in pattern_faults(value))
            for name in strings_in(names):
                yield from _lint_right(name, f"{place}.values.{value}", roles, has_tenant="tenant" in table)


def _lint_role_claim(grant: Table, place: str, roles: Table) -> Iterator[Problem]:
    """Yield unsafe uses of a claim with roles that depend on more than their name."""
    path = path_in(grant.get("claim"))
    for rule in ROLE_CLAIMS:
        if len(path) == 1 and (named := re.fullmatch(rule.pattern, path[0])):
            if named[1] is None:
                yield Problem(f"{place}.claim", rule.unqualified, rule.unqualified_hint)
            yield from _lint_tenant_reach(rule, grant, place, roles)


def _lint_tenant_reach(rule: RoleClaim, grant: Table, place: str, roles: Table) -> Iterator[Problem]:
    names = {name for given in table_in(grant.get("values")).values() for name in strings_in(given)}
    for name in sorted(names | {*strings_in(grant.get("accept"))}):
        if name.endswith("@tenant") or _names_tenant(name, roles):
            yield Problem(place, f"{name!r}: {rule.tenant}", rule.tenant_hint)


def pattern_faults(value: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a value that may end in a wildcard, and the cure."""
    if value == "*":
        yield "'*' binds nothing: it matches every value", "name the values, or a prefix and *; required_claims: any"
    if "*" in value[:-1]:
        yield f"{value!r}: a * stands only at the end", "write the value out, or a prefix and *"


def _lint_right(text: str, where: str, roles: Table, *, has_tenant: bool) -> Iterator[Problem]:
    """A right is a role, a permission, a group or a pattern; permissions may carry a reach."""
    if text in roles:
        if not has_tenant and _names_tenant(text, roles):
            cure = 'add tenant = "<claim>" to the issuer, or use another role for it'
            yield Problem(where, f"{text!r} has @tenant rights, and this issuer has no tenant claim", cure)
        return
    try:
        name, reach = split_reach(text)
    except NameUnknownError as error:
        yield Problem(where, f"{text!r}: {error}", _meant(text, roles))
        return
    try:
        expand(name)
    except NameUnknownError:
        yield Problem(where, f"unknown permission {text!r}", _meant(text, roles))
        return
    if reach is Reach.TENANT and name.startswith("store:"):
        yield Problem(where, f"{text!r}: a store is one's own or everybody's", "write it without @tenant, or @all")
    elif reach is Reach.TENANT and not has_tenant:
        yield Problem(where, f"{text!r}: this issuer has no tenant claim", 'add tenant = "<claim>" to the issuer')


def _meant(text: str, roles: Table) -> str:
    """Return the suggestion for an unknown right: never a pattern, which would give more than was asked for."""
    if text in SOUGHT:
        return f"did you mean {SOUGHT[text]!r}?"
    known = {*NAMES, *ALIASES, *roles}
    return did_you_mean(text, known | {f"{name}@{reach}" for name in NAMES for reach in ("tenant", "all")} | {"*@all"})


def lint_roles(roles: Table, *, has_tenant: bool) -> Iterator[Problem]:
    """Yield what is wrong with the ``[roles]`` table."""
    for name, role in roles.items():
        where = f"roles.{name}"
        if name in IssuerTable.model_fields:
            # TOML: a key after a table's header belongs to that table.
            yield Problem(
                where, "looks like a key of [[issuer]]", "move it up, before the first [roles] or [[issuer.grant]]"
            )
            continue
        if name in NAMES or name in ALIASES or ":" in name or "*" in name or "@" in name:
            yield Problem(where, "a role must not look like a permission", "choose a plain word")
        if _reaches_itself(name, roles):
            yield Problem(where, "the role includes itself", "break the circle")
        for text in strings_in(table_in(role).get("allow")):
            yield from _lint_right(text, where, roles, has_tenant=has_tenant)


def unused_roles(issuers: Iterable[Table], roles: Table) -> list[str]:
    """Return the roles that no claim value gives, neither by their name nor through another role."""
    grants = [grant for table in issuers for _, grant in tables_in(table.get("grant"))]
    given = {name for grant in grants for names in table_in(grant.get("values")).values() for name in strings_in(names)}
    used = given.union(*(_everything_in(name, roles) for name in given))
    return [name for name in roles if name not in used]


def _reaches_itself(start: str, roles: Table) -> bool:
    return start in _everything_in(start, roles)


def _names_tenant(start: str, roles: Table) -> bool:
    return any(text.endswith("@tenant") for text in _everything_in(start, roles))


def _everything_in(start: str, roles: Table) -> set[str]:
    """Return all that a role allows, through the roles it includes."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for name in strings_in(table_in(roles.get(waiting.pop())).get("allow")):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found
