"""Checks of permission maps and roles: unknown names, cycles, wildcards, and reaches without a tenant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import Problem
from ..permissions.names import ALIASES, NAMES, Reach, UnknownPermissionError, expand, split_reach
from ..providers import PROVIDERS
from .raw_document import did_you_mean, read_path, read_strings, read_table, read_tables
from .schema import IssuerTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..providers.record import RoleClaim
    from .raw_document import Table

NOT_PERMISSIONS: Mapping[str, str] = {
    "threads:run": "threads:create_run",
    "runs:write": "threads:create_run",
    "runs:read": "threads:read",
    "threads:list": "threads:search",
    "assistants:list": "assistants:search",
    "store:list": "store:list_namespaces",
}
"""Names that people write by mistake, and the right name. The nearest spelling would be a different right."""

ROLE_CLAIMS = tuple(each.tokens.roles for each in PROVIDERS.values() if each.tokens.roles is not None)


def lint_permission_maps(table: Table, where: str, roles: Table) -> Iterator[Problem]:
    """Yield the problems of an issuer's permission maps."""
    for number, permission_map in read_tables(table.get("permission_map")):
        place = f"{where}.permission_map[{number}]"
        if ("accept" in permission_map) == ("values" in permission_map):
            found = "both accept and values" if "accept" in permission_map else "neither accept nor values"
            yield Problem(place, found, "write accept if the claim has permission names, or values to map its values")
        yield from _lint_values(permission_map, place)
        yield from _lint_role_claim(permission_map, place, roles)
        # An ID token describes a login, for the client (OpenID Connect Core §2). Access tokens carry permissions.
        if "accept" in permission_map and table.get("token_type") == "id":
            hint = "let the client send an access token, or map the claim's values"
            yield Problem(f"{place}.accept", "an ID token does not carry permissions of an API", hint)
        for name in read_strings(permission_map.get("accept")):
            yield from _lint_right(name, f"{place}.accept", {}, has_tenant="tenant" in table)
            # Such a pattern would accept names like threads:delete@all from any token.
            if "*" in name and "@" in name:
                hint = "list each name with a reach literally"
                yield Problem(f"{place}.accept", f"{name!r}: a pattern covers own objects only", hint)
        for value, names in read_table(permission_map.get("values")).items():
            # Every value would match, so every user of the provider would have these rights.
            if value == "*" and not permission_map.get("when"):
                hint = "add a condition, when = {...}, or name the values"
                yield Problem(f"{place}.values.*", "matches every value", hint)
            elif value != "*":
                yield from (Problem(f"{place}.values.{value}", *fault) for fault in pattern_faults(value))
            for name in read_strings(names):
                yield from _lint_right(name, f"{place}.values.{value}", roles, has_tenant="tenant" in table)


def lint_default_role(table: Table, where: str, roles: Table) -> Iterator[Problem]:
    """Yield the problems of ``default_role``."""
    role, place = table.get("default_role"), f"{where}.default_role"
    if isinstance(role, str) and role and role not in roles:
        hint = did_you_mean(role, roles) or f"add {role} = [...] to [roles]"
        yield Problem(place, f"role {role!r} does not exist", hint)
    elif isinstance(role, str):
        yield from _lint_role(role, place, roles, has_tenant="tenant" in table)


def _lint_values(permission_map: Table, place: str) -> Iterator[Problem]:
    """Yield the settings that read one claim in two ways, and separators that cannot work."""
    ways = [name for name in ("object_keys", "field", "split") if permission_map.get(name)]
    if "field" in ways and len(ways) > 1:
        found = " and ".join(ways)
        yield Problem(place, f"{found} cannot be combined", "keep the one that fits the claim")
    separator = permission_map.get("split")
    # A value with a * grants nothing. Split at the *, it would become values that grant. Brackets are trimmed before
    # the split, so a bracket would separate only some values.
    if isinstance(separator, str) and ("*" in separator or separator.strip(" ") in ("[", "]")):
        yield Problem(f"{place}.split", f"{separator!r} cannot separate values", 'write the separator, such as ","')


def _lint_role_claim(permission_map: Table, place: str, roles: Table) -> Iterator[Problem]:
    """Yield unsafe uses of a claim with roles that depend on more than their name."""
    path = read_path(permission_map.get("claim"))
    for rule in ROLE_CLAIMS:
        if len(path) == 1 and (named := re.fullmatch(rule.pattern, path[0])):
            # Without an id in its name, such a claim has the roles of any project that requested the token.
            if named[1] is None:
                yield Problem(f"{place}.claim", rule.unqualified, rule.unqualified_hint)
            yield from _lint_tenant_reach(rule, permission_map, place, roles)


def _lint_tenant_reach(rule: RoleClaim, permission_map: Table, place: str, roles: Table) -> Iterator[Problem]:
    names = {name for given in read_table(permission_map.get("values")).values() for name in read_strings(given)}
    for name in sorted(names | {*read_strings(permission_map.get("accept"))}):
        if name.endswith("@tenant") or _names_tenant(name, roles):
            yield Problem(place, f"{name!r}: {rule.tenant}", rule.tenant_hint)


def pattern_faults(value: str) -> Iterator[tuple[str, str]]:
    """Yield the problems of a value that may end in a wildcard, with their hints."""
    if value == "*":
        hint = 'name the values, or a prefix and *; only require may have a single "*", for any value'
        yield "'*' binds nothing: it matches every value", hint
    if "*" in value[:-1]:
        yield f"{value!r}: a * is allowed only at the end", "write the whole value, or a prefix and *"


def _lint_right(text: str, where: str, roles: Table, *, has_tenant: bool) -> Iterator[Problem]:
    """Yield the problems of a role, permission, group or pattern."""
    if text in roles:
        yield from _lint_role(text, where, roles, has_tenant=has_tenant)
        return
    try:
        name, reach = split_reach(text)
    except UnknownPermissionError as error:
        yield Problem(where, f"{text!r}: {error}", _suggest_name(text, roles))
        return
    try:
        expand(name)
    except UnknownPermissionError:
        yield Problem(where, f"unknown permission {text!r}", _suggest_name(text, roles))
        return
    # A store label names one user, so no namespace belongs to a tenant.
    if reach is Reach.TENANT and name.startswith("store:"):
        yield Problem(where, f"{text!r}: the store has no @tenant reach", "write it without a reach, or with @all")
    elif reach is Reach.TENANT and not has_tenant:
        yield Problem(where, f"{text!r}: this issuer has no tenant claim", 'add tenant = "<claim>" to the issuer')


def _lint_role(role: str, where: str, roles: Table, *, has_tenant: bool) -> Iterator[Problem]:
    if not has_tenant and _names_tenant(role, roles):
        hint = 'add tenant = "<claim>" to the issuer, or use another role for it'
        yield Problem(where, f"{role!r} has @tenant rights, and this issuer has no tenant claim", hint)


def _suggest_name(text: str, roles: Table) -> str:
    """Return the suggestion for an unknown right. It is never a pattern, which would give more."""
    if text in NOT_PERMISSIONS:
        return f"did you mean {NOT_PERMISSIONS[text]!r}?"
    known = {*NAMES, *ALIASES, *roles}
    return did_you_mean(text, known | {f"{name}@{reach}" for name in NAMES for reach in ("tenant", "all")} | {"*@all"})


def lint_roles(roles: Table, *, has_tenant: bool) -> Iterator[Problem]:
    """Yield the problems of the ``[roles]`` table."""
    for name, role in roles.items():
        where = f"roles.{name}"
        if name in IssuerTable.model_fields:
            # TOML: a key after a table's header belongs to that table.
            yield Problem(
                where,
                "looks like a key of [[issuer]]",
                "move it up, before the first [roles] or [[issuer.permission_map]]",
            )
            continue
        # Otherwise one text would name a role in one place and a permission in another.
        if name in NAMES or name in ALIASES or ":" in name or "*" in name or "@" in name:
            yield Problem(where, "a role must not look like a permission", "use a name without : * and @")
        # Expanding such a role would never end.
        if _is_cyclic(name, roles):
            yield Problem(where, "the role includes itself", "remove one of the references")
        for text in read_strings(read_table(role).get("permissions")):
            yield from _lint_right(text, where, roles, has_tenant=has_tenant)


def find_wide_permissions(role: str, roles: Table) -> list[str]:
    """Return the patterns and the ``@all`` permissions of a role, also through other roles."""
    return sorted(name for name in _collect_rights(role, roles) if "*" in name or name.endswith("@all"))


def unused_roles(issuers: Sequence[Table], roles: Table) -> list[str]:
    """Return the roles that no claim value, ``default_role`` or other role gives."""
    permission_maps = [
        permission_map for table in issuers for _, permission_map in read_tables(table.get("permission_map"))
    ]
    given = {
        name
        for permission_map in permission_maps
        for names in read_table(permission_map.get("values")).values()
        for name in read_strings(names)
    }
    # default_role can also be of a wrong type here, because lint reads the raw document.
    given |= {role for table in issuers if isinstance(role := table.get("default_role"), str)}
    used = given.union(*(_collect_rights(name, roles) for name in given))
    return [name for name in roles if name not in used]


def _is_cyclic(start: str, roles: Table) -> bool:
    return start in _collect_rights(start, roles)


def _names_tenant(start: str, roles: Table) -> bool:
    return any(text.endswith("@tenant") for text in _collect_rights(start, roles))


def _collect_rights(start: str, roles: Table) -> set[str]:
    """Return the names that a role includes, also through other roles."""
    found: set[str] = set()
    waiting = [start]
    # A loop over a set ends also for roles that include each other, which lint reports.
    while waiting:
        for name in read_strings(read_table(roles.get(waiting.pop())).get("permissions")):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found
