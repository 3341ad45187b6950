"""Warnings: settings that are valid, and dangerous or without effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..providers.lookup import PUBLIC_ISSUERS, USER_WRITABLE_CLAIMS
from .issuers import client_audiences, find_foreign_aliases, foreign_audiences, list_issuers, shared_audiences
from .lint_identity import requires_verified
from .lint_literals import find_approval_warnings
from .lint_permission_maps import find_wide_permissions, unused_roles
from .lint_preset import issuer_fault
from .lint_web import find_web_warnings
from .raw_document import read_conditions, read_path, read_strings, read_table, read_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .raw_document import Condition, Table


def find_warnings(document: Table) -> tuple[str, ...]:
    """Return what is dangerous, or probably a mistake, although it is valid."""
    issuers, roles = read_tables(document.get("issuer")), read_table(document.get("roles"))
    found = [f"issuer[{number}]: {text}" for number, table in issuers for text in _issuer_warnings(table, roles)]
    # Two providers can give one tenant name to different customers.
    if len([table for _, table in issuers if "tenant" in table]) > 1:
        found.append("several issuers have tenant: a tenant of the same name at two of them is one tenant")
    # Such a role shows that a value of a permission map is missing or misspelt.
    unused = unused_roles([table for _, table in issuers], roles)
    found += [
        f"roles.{name}: no caller can have it: no permission map, role or default_role gives it" for name in unused
    ]
    found += find_web_warnings(read_table(document.get("web")), [table for _, table in issuers])
    found += find_approval_warnings(document)
    # The routes of oidc_auth.web receive logout tokens.
    found += [
        f"issuer[{number}]: logout_clients has no effect without [web]: add [web] with public_url, and name "
        "oidc_auth.web:app as http.app in langgraph.json"
        for number, table in issuers
        if table.get("logout_clients") and "web" not in document
    ]
    return tuple(found)


def _issuer_warnings(table: Table, roles: Table) -> Iterator[str]:
    if table.get("insecure_skip_audience") is True:
        yield "insecure_skip_audience: tokens that were issued for any API are accepted"
    if hosts := read_strings(table.get("insecure_http_hosts")):
        yield (
            f"insecure_http_hosts: keys are fetched over plain http from {', '.join(hosts)}. Anyone who can change "
            "this traffic can sign tokens for any user"
        )
        if read_table(table.get("introspection")):
            yield f"introspection: tokens and client credentials are sent unencrypted to {', '.join(hosts)}"
        if table.get("bearer_file") is not None:
            yield f"bearer_file: its token is sent unencrypted to {', '.join(hosts)}, a host of insecure_http_hosts"
    yield from _audience_warnings(table)
    # Aliases share identities. With another realm, two people with one sub would be one user.
    for alias in find_foreign_aliases(table):
        yield (
            f"{table.get('issuer')} and its alias {alias} can produce the same identity for two people. If the alias "
            "is another provider or tenant, give it its own [[issuer]]"
        )
    if (fault := issuer_fault(table)) is not None and not fault.certain:
        yield f"{table.get('issuer')} {fault.message} ({fault.hint})"
    yield from _default_role_warnings(table, roles)
    yield from _user_claim_warnings(table)


def _audience_warnings(table: Table) -> Iterator[str]:
    # Such an ID token has the right aud, and may have no claim that marks it as an ID token (RFC 8725 §2.8).
    if table.get("token_type") != "id" and table.get("strict_rfc9068") is not True:
        for text in client_audiences(table):
            yield f"audience {text!r} is a client id: ID tokens of that client have it too, and are accepted"
    for text, why in (*foreign_audiences(table), *shared_audiences(table)):
        yield f"audience {text!r} {why}"


def _default_role_warnings(table: Table, roles: Table) -> Iterator[str]:
    role = table.get("default_role")
    public = [exact.issuer for exact in list_issuers(table) if exact.issuer in PUBLIC_ISSUERS]
    # Every customer of the provider can get such a token.
    if role is not None and public:
        yield f"default_role: {public[0]} signs tokens for anyone: every token that meets require has role {role!r}"
    wide = find_wide_permissions(role, roles) if isinstance(role, str) else []
    # Without an audience, users of any other API of the provider have the role too.
    if wide and table.get("insecure_skip_audience") is True:
        yield (
            f"default_role: with insecure_skip_audience, every token of any API of this provider has role {role!r} "
            f"with {', '.join(wide)}"
        )


def _user_claim_warnings(table: Table) -> Iterator[str]:
    """Yield a warning for each setting that trusts a claim that users can write themselves."""
    for key, claim in dict.fromkeys(_trusted_claims(table)):
        yield (
            f"{key}: users can change the claim {claim} themselves at most providers. Use a claim that only an "
            "administrator can change"
        )


def _trusted_claims(table: Table) -> Iterator[tuple[str, str]]:
    """Yield each setting that decides about access, with the claim that users can write."""
    required = read_conditions(table.get("require"))
    # Conditions count too: one that users can meet by a change of their profile has no effect.
    yield from _unverified("require", [each.path for each in required], required)
    identities = [read_path(source.get("claim")) for _, source in read_tables(table.get("identity"))]
    yield from _unverified("identity", identities, required)
    yield from _unverified("tenant", [read_path(read_table(table.get("tenant")).get("claim"))], required)
    for number, permission_map in read_tables(table.get("permission_map")):
        place, conditions = f"permission_map[{number}]", read_conditions(permission_map.get("when"))
        yield from _unverified(place, [read_path(permission_map.get("claim"))], [*required, *conditions])
        yield from _unverified(f"{place}.when", [each.path for each in conditions], [*required, *conditions])


def _unverified(
    key: str, paths: Iterable[tuple[str, ...]], conditions: Iterable[Condition]
) -> Iterator[tuple[str, str]]:
    for path in paths:
        # Some providers put a claim under a URL that ends in its name.
        name = path[0].rpartition("/")[2] if path else ""
        # A user could write the e-mail address of an administrator into the profile.
        if name in USER_WRITABLE_CLAIMS and not requires_verified(conditions, name):
            yield key, name
