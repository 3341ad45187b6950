"""Whose tokens: the exact issuers that one ``[[issuer]]`` stands for, and what binds their tokens to this API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..errors import Problem
from ..tokens.policy import is_scope
from .presets import preset_of
from .raw import conditions_in, path_in, strings_in, table_in, tables_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .raw import Condition, Table

TENANT = "{tenantid}"
"""Stands for a tenant's id in an issuer, as in the metadata of Entra's multi-tenant applications."""
TENANT_CLAIM = "tid"
CLIENT_ID = re.compile(r"[\w-]+\.apps\.googleusercontent\.com|0oa[0-9A-Za-z]{17}")
"""What the client ids of Google and Okta look like."""
ENTRA_V2 = re.compile(r"https://login\.microsoftonline\.com/[^/]+/v2\.0")
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CLIENT_AUDIENCES = ((re.compile(r".*/application/o/[^/]+/$"), re.compile(r".*")),)
"""Issuers whose access tokens are for the client id that people sign in to, and what that looks like (authentik).

Entra's are for a client id, too, but for the API's own, which nobody needs to sign in to.
"""

PUBLIC_ISSUERS: Mapping[str, tuple[str, ...]] = {
    "https://token.actions.githubusercontent.com": ("repository_owner_id", "repository_id", "repository"),
    "https://accounts.google.com": ("hd", "email", "sub"),
    "accounts.google.com": ("hd", "email", "sub"),
    "https://gitlab.com": ("namespace_id", "project_id", "project_path"),
    "https://agent.buildkite.com": ("organization_id", "organization_slug", "pipeline_id"),
    "https://app.terraform.io": ("terraform_organization_id", "terraform_workspace_id"),
}
"""Issuers that sign for anybody in the world, and the claims one of which must say whose token it is.

Whoever asks such an issuer for a token also chooses the audience, so that it proves nothing alone.
"""
PATHS = ("repository", "project_path")
"""Which of them are paths, <owner>/<name>: all that is below one owner may be named, ``acme/*``."""


class ExactIssuer(NamedTuple):
    """One value of ``iss`` that is trusted, and the tenant it was made for ("": none)."""

    issuer: str
    tenant: str


def exact_issuers(issuer: str, aliases: Sequence[str], tenants: Sequence[str]) -> list[ExactIssuer]:
    """Return every issuer that a table stands for: each tenant by name, never a pattern."""
    return [
        ExactIssuer(text.replace(TENANT, tenant), tenant)
        for text in (issuer, *aliases)
        for tenant in (tenants if TENANT in text else [""])
    ]


def issuers_of(table: Table) -> list[ExactIssuer]:
    """Return the exact issuers of a raw table, as far as it can be read."""
    issuer = table.get("issuer")
    aliases, tenants = strings_in(table.get("aliases")), strings_in(table.get("tenants"))
    return exact_issuers(issuer, aliases, tenants) if isinstance(issuer, str) else []


def lint_tenants(table: Table, where: str) -> Iterator[Problem]:
    """Yield what is wrong with the tenants of a multi-tenant issuer (Entra)."""
    texts = [table.get("issuer"), *strings_in(table.get("aliases"))]
    templates = any(isinstance(text, str) and TENANT in text for text in texts)
    if templates and not table.get("tenants"):
        cure = "list the GUIDs of the tenants that are trusted"
        yield Problem(f"{where}.tenants", f"is missing: the issuer holds {TENANT}", cure)
    elif "tenants" in table and not templates:
        cure = f"write {TENANT} in its place, or leave tenants out"
        yield Problem(f"{where}.tenants", "stands beside an issuer that names its tenant", cure)
    elif len(strings_in(table.get("tenants"))) > 1 and "tenant" not in table:
        cure = f'add tenant = "{TENANT_CLAIM}", which keeps their people and objects apart'
        yield Problem(f"{where}.tenant", "is missing: two tenants may use the same names", cure)
    for number, tenant in enumerate(strings_in(table.get("tenants"))):
        if not GUID.fullmatch(tenant):
            cure = "write the GUID in lower case; a domain, common or organizations never stands in a token"
            yield Problem(f"{where}.tenants[{number}]", "is no tenant's GUID", cure)


def lint_binding(table: Table, where: str) -> Iterator[Problem]:
    """An issuer signs for many: something must bind its tokens to this API."""
    required = _own_conditions(table)
    if not table.get("audience") and table.get("insecure_skip_audience") is not True and "client_claim" not in table:
        cure = "write this API's name; a provider without aud (Cognito, Clerk): client_claim with a scope prefix"
        yield Problem(f"{where}.audience", "is missing: any token of this issuer would do", cure)
    if "client_claim" in table and not (required or _scope_prefixes(table)):
        cure = "add a grant on scope with strip_prefix, or a [issuer.require] table"
        yield Problem(f"{where}.client_claim", "a client id alone does not bind a token to this API", cure)
    for issuer in dict.fromkeys(exact.issuer for exact in issuers_of(table)):
        telling = PUBLIC_ISSUERS.get(issuer, ())
        named = [condition for condition in required if condition.path in {(name,) for name in telling}]
        if telling and not any(map(_is_one_owners, named)):
            yield _unbound(where, issuer, named, telling)
            break


def _unbound(where: str, issuer: str, named: Sequence[Condition], telling: Sequence[str]) -> Problem:
    """Return what is wrong with the conditions on an issuer that signs for anybody."""
    if named:
        cure = 'write it out, or for a path its owner and a slash: "acme/*"'
        return Problem(f"{where}.require.{named[0].written}", "a * here lets in others whose name begins so", cure)
    cure = f"add [issuer.require] with one of {', '.join(telling)}"
    return Problem(f"{where}.require", f"does not say whose token: {issuer} signs tokens for anybody", cure)


def _is_one_owners(condition: Condition) -> bool:
    """Tell whether a condition names an owner: no stranger's id or name begins like a value that is written out."""
    patterns = [value for value in condition.values if value.endswith("*")]
    return all(condition.path[0] in PATHS and value.endswith("/*") for value in patterns)


def other_realms(table: Table) -> list[str]:
    """Return the aliases that look like another provider, or another part of it, than the issuer itself."""
    preset, issuer = preset_of(table), table.get("issuer")
    known = None if preset is None else preset.settings.get("aliases")
    theirs: list[str] = [] if known is None else known.value
    tenants = strings_in(table.get("tenants"))
    ours = {_realm(exact.issuer) for exact in exact_issuers(issuer if isinstance(issuer, str) else "", [], tenants)}
    aliases = [alias for alias in strings_in(table.get("aliases")) if alias not in theirs]
    return [alias for alias in aliases if any(_realm(e.issuer) not in ours for e in exact_issuers(alias, [], tenants))]


def _realm(issuer: str) -> str:
    """Return what tells the parts of a provider apart: a tenant's GUID, else the path, else the host."""
    host, _, path = issuer.rpartition("://")[2].partition("/")
    tenant = GUID.search(issuer)
    return tenant[0] if tenant else path.rstrip("/") or host


def client_audiences(table: Table) -> list[str]:
    """Return the audiences that are client ids: an ID token is for the same one, and nothing tells the two apart."""
    clients = {*strings_in(table.get("authorized_parties"))}
    clients |= {*strings_in(table_in(table.get("client_claim")).get("values"))}
    issuers = [exact.issuer for exact in issuers_of(table)]
    looks = [CLIENT_ID, *(look for of, look in CLIENT_AUDIENCES if any(map(of.match, issuers)))]
    audiences = strings_in(table.get("audience"))
    return [text for text in audiences if text in clients or any(look.fullmatch(text) for look in looks)]


def foreign_audiences(table: Table) -> list[str]:
    """Return the audiences of an issuer of Entra's version 2.0 whose tokens can have none of them: no client id."""
    exact = {each.issuer for each in issuers_of(table)}
    audiences = strings_in(table.get("audience"))
    known = bool(exact) and all(ENTRA_V2.fullmatch(issuer) for issuer in exact)
    return audiences if known and not any(GUID.fullmatch(text) for text in audiences) else []


def binding_scopes(table: Table) -> dict[str, list[str]]:
    """Return the scopes one of which must be there, by claim, where they and the client alone bind a token."""
    bound = table.get("client_claim") is None or table.get("audience") or _own_conditions(table)
    prefixes = {} if bound else _scope_prefixes(table)
    return {claim: [f"{start}*" for start in starts] for claim, starts in prefixes.items()}


def _own_conditions(table: Table) -> list[Condition]:
    """Return what the operator requires: a preset's say only that a token is one of its provider's."""
    preset = preset_of(table)
    fixed = None if preset is None else preset.settings.get("require")
    theirs = set[tuple[str, ...]]() if fixed is None else {path_in(name) for name in fixed.value}
    return [condition for condition in conditions_in(table.get("require")) if condition.path not in theirs]


def _scope_prefixes(table: Table) -> dict[str, list[str]]:
    """Return what this API's scopes begin with, by claim; nothing where a grant reads any scope."""
    found: dict[str, list[str]] = {}
    for _, grant in tables_in(table.get("grant")):
        path, prefix = path_in(grant.get("claim")), grant.get("strip_prefix")
        if is_scope(path):
            found.setdefault(path[0], []).append(prefix if isinstance(prefix, str) else "")
    return found if all(all(prefixes) for prefixes in found.values()) else {}
