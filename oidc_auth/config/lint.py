"""What a configuration means: every mistake at once, each with its key path and what to write instead.

Reads the raw document, whatever is in it: pydantic says nothing more about a table once one of its keys failed.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

from ..errors import Problem
from ..keys.fetch import permitted_url
from ..keys.jwk import ASYMMETRIC, UnusableKeyError
from ..keys.keyset import read_key_set
from ..permissions.names import ALIASES, NAMES, NameUnknownError, Reach, expand, split_reach
from ..tokens.claim_path import ClaimPathError, parse_path
from .presets import PRESETS
from .schema import NOT_YET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Table = dict[str, Any]

PUBLIC_ISSUERS = ("https://token.actions.githubusercontent.com", "https://accounts.google.com", "accounts.google.com")
"""Issuers that sign for anybody in the world: the audience is chosen by the caller, so it proves nothing alone."""


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return a suggestion, or ""."""
    close = get_close_matches(str(word), sorted(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""


def lint(document: Table) -> Iterator[Problem]:
    """Yield what is wrong with a document whose presets are expanded and whose values are normalised."""
    issuers = _tables(document.get("issuer"))
    roles = _dict(document.get("roles"))
    for number, table in enumerate(issuers):
        where = f"issuer[{number}]"
        yield from _lint_preset(table, where)
        yield from _lint_binding(table, where)
        yield from _lint_keys(table, where)
        yield from _lint_paths(table, where)
        yield from _lint_grants(table, where, roles)
    yield from _lint_many(issuers)
    yield from _lint_roles(roles, has_tenant=any("tenant" in table for table in issuers))


def warnings_of(document: Table) -> tuple[str, ...]:
    """Return what is dangerous although it is allowed."""
    return tuple(
        f"issuer[{number}]: insecure_skip_audience: every token of {table.get('issuer')} is accepted, whoever it is for"
        for number, table in enumerate(_tables(document.get("issuer")))
        if table.get("insecure_skip_audience") is True
    )


def not_yet(document: Table) -> Iterator[Problem]:
    """Yield the keys that belong to the vocabulary but are not built yet, and take them out."""
    for number, table in enumerate(_tables(document.get("issuer"))):
        for name in NOT_YET["issuer"]:
            if name in table:
                del table[name]
                yield Problem(f"issuer[{number}].{name}", "is not supported yet by this version", "leave it out")


def _lint_preset(table: Table, where: str) -> Iterator[Problem]:
    name = table.get("preset")
    if name is not None and name not in PRESETS:
        known = ", ".join(sorted(PRESETS))
        yield Problem(f"{where}.preset", f"unknown preset {name!r}; known: {known}", did_you_mean(name, PRESETS))
    if name is None and "grant" not in table:
        yield Problem(where, "no grant: nobody would be allowed anything", "add [[issuer.grant]], or a preset")
    if "issuer" not in table and name in PRESETS:
        parameter = PRESETS[str(name)].parameter
        yield Problem(f"{where}.{parameter}", "is missing", f"preset {name!r} wants {parameter!r}, or 'issuer'")


def _lint_binding(table: Table, where: str) -> Iterator[Problem]:
    """An issuer signs for many: something must bind its tokens to this API."""
    if not table.get("audience") and table.get("insecure_skip_audience") is not True and "client_claim" not in table:
        cure = "write this API's name; a provider without aud (Cognito, Clerk): client_claim with a scope prefix"
        yield Problem(f"{where}.audience", "is missing: any token of this issuer would do", cure)
    if "client_claim" in table and not (table.get("require") or _has_scope_prefix(table)):
        cure = "add a grant with strip_prefix, or a [issuer.require] table"
        yield Problem(f"{where}.client_claim", "a client id alone does not bind a token to this API", cure)
    if table.get("issuer") in PUBLIC_ISSUERS and not table.get("require"):
        cure = "add [issuer.require], for GitHub: repository_owner_id and repository"
        yield Problem(f"{where}.require", f"is missing: {table['issuer']} signs tokens for anybody", cure)


def _has_scope_prefix(table: Table) -> bool:
    grants = _tables(table.get("grant"))
    return bool(grants) and all(grant.get("strip_prefix") for grant in grants if grant.get("claim") in ("scope", "scp"))


def _lint_keys(table: Table, where: str) -> Iterator[Problem]:
    static = "jwks" in table
    if static and "jwks_url" in table:
        yield Problem(f"{where}.jwks_url", "stands beside jwks", "keep one of the two")
    if static:
        try:
            read_key_set(table["jwks"])
        except UnusableKeyError as error:
            yield Problem(f"{where}.jwks", str(error), 'paste the provider\'s whole key set, {"keys": [...]}')
    for name in ("issuer", "jwks_url"):
        url = table.get(name)
        fetched = name == "jwks_url" or not (static or "jwks_url" in table)
        if isinstance(url, str) and fetched and (why := permitted_url(url)) is not None:
            yield Problem(f"{where}.{name}", f"{url!r}: {why}")
    for name in _strings(table.get("algorithms")):
        if name not in ASYMMETRIC:
            cure = did_you_mean(name, ASYMMETRIC) or "only asymmetric ones: whoever checks HS256 could also sign it"
            yield Problem(f"{where}.algorithms", f"{name!r} is not accepted", cure)


def _lint_paths(table: Table, where: str) -> Iterator[Problem]:
    conditions = [(f"{where}.require", table.get("require"))]
    conditions += [
        (f"{where}.grant[{n}].when", grant.get("when")) for n, grant in enumerate(_tables(table.get("grant")))
    ]
    for place, condition in conditions:
        for path, values in _dict(condition).items():
            try:
                parse_path(path)
            except ClaimPathError as error:
                yield Problem(f"{place}.{path}", str(error))
            yield from (Problem(f"{place}.{path}", *fault) for value in _strings(values) for fault in _pattern(value))


def _pattern(value: str) -> Iterator[tuple[str, str]]:
    if "*" in value[:-1]:
        yield f"{value!r}: a * stands only at the end", "write the value out, or a prefix and *"


def _lint_grants(table: Table, where: str, roles: Table) -> Iterator[Problem]:
    for number, grant in enumerate(_tables(table.get("grant"))):
        place = f"{where}.grant[{number}]"
        if ("accept" in grant) == ("values" in grant):
            found = "both accept and values" if "accept" in grant else "neither accept nor values"
            yield Problem(place, found, "accept: the claim carries permission names; values: its values are mapped")
        for name in _strings(grant.get("accept")):
            yield from _lint_right(name, f"{place}.accept", {}, has_tenant="tenant" in table)
            if "*" in name and "@" in name:
                cure = "a token may widen its reach only by a name that is listed here literally"
                yield Problem(f"{place}.accept", f"{name!r}: a pattern covers own objects only", cure)
        for value, names in _dict(grant.get("values")).items():
            yield from (Problem(f"{place}.values.{value}", *fault) for fault in _pattern(value))
            if value == "*" and not grant.get("when"):
                yield Problem(
                    f"{place}.values.*", "matches every value", "add a condition, when = {...}, or name the values"
                )
            for name in _strings(names):
                yield from _lint_right(name, f"{place}.values.{value}", roles, has_tenant="tenant" in table)


def _lint_right(text: str, where: str, roles: Table, *, has_tenant: bool) -> Iterator[Problem]:
    """A right is a role, a permission, a group or a pattern; permissions may carry a reach."""
    if text in roles:
        return
    try:
        name, reach = split_reach(text)
        expand(name)
    except NameUnknownError as error:
        known = {*NAMES, *ALIASES, *roles, "*", "threads:*", "*:read", "*:write"}
        hint = did_you_mean(text, known | {f"{name}@{reach}" for name in NAMES for reach in ("tenant", "all")})
        yield Problem(where, f"{text!r}: {error}", hint)
        return
    if reach is Reach.TENANT and name.startswith("store:"):
        yield Problem(where, f"{text!r}: a store is one's own or everybody's", "write it without @tenant, or @all")
    if reach is Reach.TENANT and not has_tenant:
        yield Problem(where, f"{text!r}: this issuer has no tenant claim", 'add tenant = "<claim>" to the issuer')


def _lint_roles(roles: Table, *, has_tenant: bool) -> Iterator[Problem]:
    for name, role in roles.items():
        where = f"roles.{name}"
        if name in NAMES or name in ALIASES or ":" in name or "*" in name or "@" in name:
            yield Problem(where, "a role must not look like a permission", "choose a plain word")
        if _reaches_itself(name, roles):
            yield Problem(where, "the role includes itself", "break the circle")
        for text in _strings(_dict(role).get("allow")):
            yield from _lint_right(text, where, roles, has_tenant=has_tenant)


def _reaches_itself(start: str, roles: Table) -> bool:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in _strings(_dict(roles.get(waiting.pop())).get("allow")):
            if name == start:
                return True
            if name in roles and name not in seen:
                seen.add(name)
                waiting.append(name)
    return False


def _lint_many(issuers: list[Table]) -> Iterator[Problem]:
    if len(issuers) < 2:  # noqa: PLR2004 - one issuer is like no other
        return
    for key in ("issuer", "name"):
        seen: set[object] = set()
        for number, table in enumerate(issuers):
            value = table.get(key)
            if isinstance(value, str) and value in seen:
                yield Problem(
                    f"issuer[{number}].{key}", f"{value!r} stands twice", "each issuer once, with a name of its own"
                )
            seen.add(value if isinstance(value, str) else None)
    for number, table in enumerate(issuers):
        if "identity_prefix" not in table:
            cure = 'write one for each issuer, such as "ci:"; "" is allowed'
            yield Problem(f"issuer[{number}].identity_prefix", "is missing: two issuers may use the same sub", cure)


def _tables(value: object) -> list[Table]:
    tables = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("Table", table) for table in tables if isinstance(table, dict)]


def _dict(value: object) -> Table:
    return cast("Table", value) if isinstance(value, dict) else {}


def _strings(value: object) -> list[str]:
    return [text for text in cast("list[object]", value) if isinstance(text, str)] if isinstance(value, list) else []
