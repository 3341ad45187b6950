"""The exact issuers of an ``[[issuer]]`` table, and what binds their tokens to this API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..errors import Problem
from ..providers import PROVIDERS
from ..providers.lookup import CLIENT_ID, GENERIC, PUBLIC_ISSUERS, TENANTS, recognize_issuer
from ..tokens.policy import ANY_VALUE, is_scope
from .expand_presets import preset_of
from .raw_document import read_conditions, read_path, read_strings, read_table, read_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..providers.record import AudienceForm, PublicIssuer
    from .raw_document import Condition, Table

TENANT = TENANTS.placeholder
TENANT_CLAIM = TENANTS.claim
TENANT_ID = re.compile(TENANTS.pattern)


class ExactIssuer(NamedTuple):
    """One trusted value of ``iss``, and its tenant or ""."""

    issuer: str
    tenant: str


def exact_issuers(issuer: str, aliases: Sequence[str], tenants: Sequence[str]) -> list[ExactIssuer]:
    """Return every trusted issuer of a table, with each tenant filled in."""
    return [
        ExactIssuer(text.replace(TENANT, tenant), tenant)
        for text in (issuer, *aliases)
        for tenant in (tenants if TENANT in text else [""])
    ]


def same_provider(one: ExactIssuer, table: Sequence[ExactIssuer]) -> list[str]:
    """Return the issuers of a table that have the same users as one of them."""
    # Users of an alias are the same users. Those of another tenant are not.
    return [each.issuer for each in table if each.tenant == one.tenant]


def list_issuers(table: Table) -> list[ExactIssuer]:
    """Return the exact issuers of a raw table, as far as it can be read."""
    issuer = table.get("issuer")
    aliases, tenants = read_strings(table.get("aliases")), read_strings(table.get("tenants"))
    return exact_issuers(issuer, aliases, tenants) if isinstance(issuer, str) else []


def lint_tenants(table: Table, where: str) -> Iterator[Problem]:
    """Yield the problems of ``tenants``."""
    texts = [table.get("issuer"), *read_strings(table.get("aliases"))]
    templates = any(isinstance(text, str) and TENANT in text for text in texts)
    # Without a list, users of every tenant of the provider could log in.
    if templates and not table.get("tenants"):
        hint = "list the GUIDs of the tenants that are trusted"
        yield Problem(f"{where}.tenants", f"is missing: the issuer contains {TENANT}", hint)
    elif "tenants" in table and not templates:
        hint = f"write {TENANT} in its place, or leave tenants out"
        yield Problem(f"{where}.tenants", "cannot be combined with an issuer that names its tenant", hint)
    elif len(read_strings(table.get("tenants"))) > 1 and "tenant" not in table:
        hint = f'add tenant = "{TENANT_CLAIM}", which separates their users and objects'
        yield Problem(f"{where}.tenant", "is missing: two tenants can use the same names", hint)
    for number, tenant in enumerate(read_strings(table.get("tenants"))):
        # Tokens name the tenant by its GUID. A domain name or "common" would match no token.
        if not TENANT_ID.fullmatch(tenant):
            yield Problem(f"{where}.tenants[{number}]", "is not a tenant's GUID", TENANTS.id_hint)


def lint_binding(table: Table, where: str) -> Iterator[Problem]:
    """Yield the problems of what binds the tokens of an issuer to this API."""
    required = own_conditions(table)
    if not table.get("audience") and table.get("insecure_skip_audience") is not True and "client_claim" not in table:
        hint = f"write this API's name{_without_audience(table)}"
        yield Problem(f"{where}.audience", "is missing: tokens issued for other APIs would be accepted", hint)
    # One client often calls several APIs.
    if "client_claim" in table and not (required or _scope_prefixes(table)):
        hint = "add a permission map on scope with strip_prefix, or a [issuer.require] table"
        yield Problem(f"{where}.client_claim", "a client id alone does not bind a token to this API", hint)
    for issuer in dict.fromkeys(exact.issuer for exact in list_issuers(table)):
        # Such a provider has one issuer for all its customers, so the issuer alone identifies no organization.
        public = PUBLIC_ISSUERS.get(issuer)
        if public is None:
            continue
        named = [condition for condition in required if condition.path in {(name,) for name in public.owners}]
        if not any(_names_one_owner(condition, public) for condition in named):
            # One message is enough: all names of the issuer need the same condition.
            yield _binding_problem(where, issuer, named, public)
            break


def _without_audience(table: Table) -> str:
    """Return the advice for providers without ``aud``, or "" if the preset is of another provider."""
    preset = preset_of(table)
    known = preset is not None and preset.name != GENERIC
    titles = [each.title for each in ([preset] if known and preset else PROVIDERS.values()) if each.tokens.client_claim]
    return f"; for tokens without aud ({', '.join(titles)}): client_claim with a scope prefix" if titles else ""


def _binding_problem(where: str, issuer: str, named: Sequence[Condition], public: PublicIssuer) -> Problem:
    """Return the problem of the conditions on a public issuer."""
    if named:
        hint = 'write the whole value, or the owner of a path and a slash: "acme/*"'
        return Problem(f"{where}.require.{named[0].written}", "this * also matches other owners", hint)
    hint = f"add [issuer.require] with one of {', '.join(public.owners)}"
    return Problem(f"{where}.require", f"is missing: {issuer} signs tokens for anyone", hint)


def _names_one_owner(condition: Condition, public: PublicIssuer) -> bool:
    """Tell whether a condition names one customer.

    A wildcard is safe only in a path, after the owner and a slash. Ids and names can share a prefix.
    """
    patterns = [value for value in condition.values if value.endswith("*")]
    return all(condition.path[0] in public.paths and value.endswith("/*") for value in patterns)


def find_foreign_aliases(table: Table) -> list[str]:
    """Return the aliases that look like another provider, or another part of it, than the issuer itself."""
    preset, issuer = preset_of(table), table.get("issuer")
    known = None if preset is None else preset.tokens.settings.get("aliases")
    # The preset of the provider itself knows these, such as two spellings of one issuer.
    theirs: list[str] = [] if known is None else known.value
    tenants = read_strings(table.get("tenants"))
    ours = [exact.issuer for exact in exact_issuers(issuer if isinstance(issuer, str) else "", [], tenants)]
    aliases = [alias for alias in read_strings(table.get("aliases")) if alias not in theirs]
    return [
        alias
        for alias in aliases
        if any(all(_differ(each.issuer, own) for own in ours) for each in exact_issuers(alias, [], tenants))
    ]


def _differ(alias: str, issuer: str) -> bool:
    """Tell whether two issuers look like two providers, or two parts of one."""
    if _realm(alias) != _realm(issuer):
        return True
    # Two hosts without a path: one of them may be a custom domain. Two hosts of the provider itself are two tenants.
    bare = not _realm(alias) and _host(alias) != _host(issuer)
    return bare and recognize_issuer(alias) is not None and recognize_issuer(issuer) is not None


def _realm(issuer: str) -> str:
    """Return the part of a provider that an issuer names: a tenant's GUID, else the path; "" for a bare host."""
    # The issuers of one tenant can differ in host and version. Only its GUID is the same.
    tenant = TENANT_ID.search(issuer)
    return tenant[0] if tenant else issuer.rpartition("://")[2].partition("/")[2].rstrip("/")


def _host(issuer: str) -> str:
    return issuer.rpartition("://")[2].partition("/")[0]


def client_audiences(table: Table) -> list[str]:
    """Return the audiences that are client ids. ID tokens have the same audience, and cannot be distinguished."""
    clients = {*read_strings(table.get("allowed_clients"))}
    clients |= {*read_strings(read_table(table.get("client_claim")).get("values"))}
    issuers = [exact.issuer for exact in list_issuers(table)]
    # The aud of an ID token is the client id (OpenID Connect Core §2). An access token with the same aud looks alike.
    forms = [form.pattern for form in _audience_forms() if form.is_client_id and _match(form, issuers, any)]
    audiences = read_strings(table.get("audience"))
    return [
        text
        for text in audiences
        if text in clients or CLIENT_ID.fullmatch(text) or any(re.fullmatch(form, text) for form in forms)
    ]


def foreign_audiences(table: Table) -> list[tuple[str, str]]:
    """Return the audiences that no token of the issuer can have, each with the reason."""
    issuers = list({each.issuer for each in list_issuers(table)})
    audiences = read_strings(table.get("audience"))
    return [
        (text, form.mismatch)
        for form in _audience_forms()
        # All issuers of the table, because an alias can be a version with another form of aud.
        if form.mismatch and issuers and _match(form, issuers, all)
        # With one audience that fits, the others can be for tokens of another version.
        if not any(re.fullmatch(form.pattern, text) for text in audiences)
        for text in audiences
    ]


def shared_audiences(table: Table) -> list[tuple[str, str]]:
    """Return the audiences that tokens for other APIs of the issuer have too, each with the reason."""
    issuers = [exact.issuer for exact in list_issuers(table)]
    shared = {
        text: why for form in _audience_forms() if _match(form, issuers, any) for text, why in form.shared.items()
    }
    return [(text, shared[text]) for text in read_strings(table.get("audience")) if text in shared]


def _audience_forms() -> list[AudienceForm]:
    return [each.tokens.audience for each in PROVIDERS.values() if each.tokens.audience is not None]


def _match(form: AudienceForm, issuers: Sequence[str], how: Callable[[Iterable[bool]], bool]) -> bool:
    return how(re.fullmatch(form.issuers, issuer) is not None for issuer in issuers)


def binding_scopes(table: Table) -> dict[str, list[str]]:
    """Return the scopes of which a token needs one, by claim, if only they and the client bind it."""
    # Without aud, a listed client could use a token for another API here. Permission maps on groups do not prevent it,
    # because every token of the user has the groups.
    bound = table.get("client_claim") is None or table.get("audience") or own_conditions(table)
    prefixes = {} if bound else _scope_prefixes(table)
    return {claim: [f"{start}*" for start in starts] for claim, starts in prefixes.items()}


def own_conditions(table: Table) -> list[Condition]:
    """Return the conditions that the operator wrote. Those of a preset only say that the provider issued the token."""
    preset = preset_of(table)
    fixed = None if preset is None else preset.tokens.settings.get("require")
    theirs = set[tuple[str, ...]]() if fixed is None else {read_path(name) for name in fixed.value}
    return [
        condition
        for condition in read_conditions(table.get("require"))
        # A claim with any value binds a token to nothing.
        if condition.path not in theirs and condition.values != [ANY_VALUE]
    ]


def _scope_prefixes(table: Table) -> dict[str, list[str]]:
    """Return the prefixes of this API's scopes, by claim. None if a permission map reads any scope."""
    found: dict[str, list[str]] = {}
    for _, permission_map in read_tables(table.get("permission_map")):
        path, prefix = read_path(permission_map.get("claim")), permission_map.get("strip_prefix")
        if is_scope(path):
            found.setdefault(path[0], []).append(prefix if isinstance(prefix, str) else "")
    # A single map without a prefix reads the scopes of every API, so the others bind nothing.
    return found if all(all(prefixes) for prefixes in found.values()) else {}
