"""What a configuration means: every mistake at once, each with its key path and what to write instead.

Reads the raw document, whatever is in it: pydantic says nothing more about a table once one of its keys failed.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Problem
from ..keys.discovery import WELL_KNOWN
from ..keys.fetch import permitted_url
from ..keys.jwk import ASYMMETRIC, UnusableKeyError
from ..keys.keyset import read_key_set
from ..tokens.claim_path import ClaimPathError, parse_path
from .presets import PRESETS, preset_of
from .raw import did_you_mean, kind_of, strings_in, table_in, tables_in
from .rights import lint_grants, lint_roles, pattern_faults
from .schema import NOT_YET, LimitsTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .raw import Table

PUBLIC_ISSUERS: Mapping[str, tuple[str, ...]] = {
    "https://token.actions.githubusercontent.com": ("repository_owner_id", "repository_id", "repository"),
    "https://accounts.google.com": ("hd", "email", "sub"),
    "accounts.google.com": ("hd", "email", "sub"),
}
"""Issuers that sign for anybody in the world, and the claims one of which must say whose token it is.

Whoever asks such an issuer for a token also chooses the audience, so that it proves nothing alone.
"""
FILES = ("ca_file", "client_certificate", "client_key", "bearer_file")
PARAMETERS = frozenset(preset.parameter for preset in PRESETS.values()) - {"issuer"}


def lint(document: Table) -> Iterator[Problem]:
    """Yield what is wrong with a document whose presets are expanded and whose values are normalised."""
    issuers = tables_in(document.get("issuer"))
    roles = table_in(document.get("roles"))
    for number, table in issuers:
        where = f"issuer[{number}]"
        yield from _lint_preset(table, where)
        yield from _lint_binding(table, where)
        yield from _lint_keys(table, where)
        yield from _lint_paths(table, where)
        yield from _lint_identity(table, where)
        yield from lint_grants(table, where, roles)
    yield from _lint_many(issuers)
    yield from lint_roles(roles, has_tenant=any("tenant" in table for _, table in issuers))
    yield from _lint_limits(table_in(document.get("limits")))


def consequences(document: Table) -> frozenset[str]:
    """Return the key paths whose problems only follow from another that is reported: no issuer without its preset."""
    silent: set[str] = set()
    for number, table in tables_in(document.get("issuer")):
        where, preset = f"issuer[{number}]", preset_of(table)
        if "preset" in table and preset is None:
            silent |= {f"{where}.{name}" for name in ("issuer", *PARAMETERS)}
        elif preset is not None and "issuer" not in table and preset.parameter != "issuer":
            silent.add(f"{where}.issuer")
    return frozenset(silent)


def warnings_of(document: Table) -> tuple[str, ...]:
    """Return what is dangerous although it is allowed."""
    issuers = tables_in(document.get("issuer"))
    open_ones = [number for number, table in issuers if table.get("insecure_skip_audience") is True]
    found = [f"issuer[{n}]: insecure_skip_audience: tokens are accepted, whichever API they are for" for n in open_ones]
    odd = {number: _odd_address(table) for number, table in issuers}
    found += [f"issuer[{number}]: {table.get('issuer')} {odd[number]}" for number, table in issuers if odd[number]]
    if len([table for _, table in issuers if "tenant" in table]) > 1:
        found.append("several issuers name a tenant: the same name at two of them is one tenant")
    return tuple(found)


def not_yet(document: Table) -> Iterator[Problem]:
    """Yield the keys that belong to the vocabulary but are not built yet, and take them out."""
    for number, table in tables_in(document.get("issuer")):
        for name in NOT_YET["issuer"]:
            if name in table:
                del table[name]
                yield Problem(f"issuer[{number}].{name}", "is not supported yet by this version", "leave it out")


def _lint_preset(table: Table, where: str) -> Iterator[Problem]:
    name, preset = table.get("preset"), preset_of(table)
    if "preset" in table and preset is None:
        if not isinstance(name, str):
            yield Problem(f"{where}.preset", "should be a string")
            return
        known = ", ".join(sorted(PRESETS))
        yield Problem(f"{where}.preset", f"unknown preset {name!r}; known: {known}", did_you_mean(name, PRESETS))
        return
    if not table.get("grant"):
        yield Problem(where, "no grant: nobody would be allowed anything", "add [[issuer.grant]], or a preset")
    if preset is not None:
        yield from _lint_parameters(table, where, str(name), preset.parameter)


def _lint_parameters(table: Table, where: str, name: str, parameter: str) -> Iterator[Problem]:
    if "issuer" not in table and parameter not in table:
        yield Problem(f"{where}.{parameter}", "is missing", f"preset {name!r} wants {parameter!r}, or 'issuer'")
    for other in sorted(PARAMETERS & set(table)):
        if other != parameter:
            yield Problem(f"{where}.{other}", f"does not belong to preset {name!r}", f"it takes {parameter!r}")
        elif "issuer" in table:
            yield Problem(f"{where}.{other}", "stands beside issuer", "keep one of the two")
        else:
            yield Problem(f"{where}.{other}", f"should be a string; found {kind_of(table[other])}")


def _odd_address(table: Table) -> str:
    """Return what is odd about an address that was copied from the wrong field, or ""."""
    issuer = str(table.get("issuer"))
    if table.get("preset") == "keycloak" and not re.search(r"/realms/[^/]+$", issuer):
        return "is no Keycloak realm, https://<host>/realms/<realm>"
    if table.get("preset") == "auth0" and "." not in issuer.removeprefix("https://"):
        return "is no Auth0 domain, acme.eu.auth0.com"
    return ""


def _lint_binding(table: Table, where: str) -> Iterator[Problem]:
    """An issuer signs for many: something must bind its tokens to this API."""
    required = table_in(table.get("require"))
    if not table.get("audience") and table.get("insecure_skip_audience") is not True and "client_claim" not in table:
        cure = "write this API's name; a provider without aud (Cognito, Clerk): client_claim with a scope prefix"
        yield Problem(f"{where}.audience", "is missing: any token of this issuer would do", cure)
    if "client_claim" in table and not (required or _has_scope_prefix(table)):
        cure = "add a grant on scope with strip_prefix, or a [issuer.require] table"
        yield Problem(f"{where}.client_claim", "a client id alone does not bind a token to this API", cure)
    issuer = table.get("issuer")
    telling = PUBLIC_ISSUERS.get(issuer, ()) if isinstance(issuer, str) else ()
    if telling and not any(name in required for name in telling):
        cure = f"add [issuer.require] with one of {', '.join(telling)}"
        yield Problem(f"{where}.require", f"does not say whose token: {issuer} signs tokens for anybody", cure)


def _has_scope_prefix(table: Table) -> bool:
    scopes = [
        grant
        for _, grant in tables_in(table.get("grant"))
        if grant.get("claim") in ("scope", "scp", ["scope"], ["scp"])
    ]
    return bool(scopes) and all(grant.get("strip_prefix") for grant in scopes)


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
        # A variable that is missing is reported as such, and not as an odd address too.
        if isinstance(url, str) and WELL_KNOWN in url:
            yield Problem(f"{where}.{name}", "is the address of the discovery document", f"leave out {WELL_KNOWN}")
        elif isinstance(url, str) and url and "${" not in url and fetched and (why := permitted_url(url)) is not None:
            # Not the address itself: it may hold a password.
            yield Problem(f"{where}.{name}", f"cannot be fetched: {why}")
    yield from _lint_files(table, where)
    for name in strings_in(table.get("algorithms")):
        if name not in ASYMMETRIC:
            symmetric = name == "none" or name.startswith("HS")
            cure = "only asymmetric ones: whoever checks HS256 could also sign it"
            cure = cure if symmetric else did_you_mean(name, ASYMMETRIC) or cure
            yield Problem(f"{where}.algorithms", f"{name!r} is not accepted", cure)


def _lint_files(table: Table, where: str) -> Iterator[Problem]:
    for name in FILES:
        path = table.get(name)
        if path is not None and "jwks" in table:
            yield Problem(f"{where}.{name}", "stands beside jwks, which needs no fetch", "keep one of the two")
        elif name == "client_key" and path is not None and "client_certificate" not in table:
            yield Problem(f"{where}.{name}", "stands without client_certificate", "write the certificate's file too")
        elif isinstance(path, str) and not Path(path).is_file():
            yield Problem(f"{where}.{name}", f"there is no file {path!r}", f"the working directory is {Path.cwd()}")


def _lint_identity(table: Table, where: str) -> Iterator[Problem]:
    prefixes = [source.get("prefix", "") for _, source in tables_in(table.get("identity"))]
    if len(prefixes) != len({str(prefix) for prefix in prefixes}):
        cure = 'give each a prefix of its own, such as "client:"; one of them may have none'
        yield Problem(f"{where}.identity", "two claims share one space of names", cure)


def _lint_paths(table: Table, where: str) -> Iterator[Problem]:
    client = table_in(table.get("client_claim")).get("values")
    conditions = [(f"{where}.require", table.get("require")), (where, {"client_claim": client})]
    conditions += [(f"{where}.grant[{n}].when", grant.get("when")) for n, grant in tables_in(table.get("grant"))]
    for place, condition in conditions:
        for path, values in table_in(condition).items():
            try:
                parse_path(path)
            except ClaimPathError as error:
                yield Problem(f"{place}.{path}", str(error))
            yield from (
                Problem(f"{place}.{path}", *fault) for value in strings_in(values) for fault in pattern_faults(value)
            )


def _lint_many(issuers: list[tuple[int, Table]]) -> Iterator[Problem]:
    if len(issuers) < 2:  # noqa: PLR2004 - one issuer is like no other
        return
    cures = {
        "identity_prefix": 'write one for each issuer, such as "ci:"; one of them may be ""',
        "issuer": "each issuer once",
    }
    yield from _lint_prefixes(issuers)
    for key, cure in cures.items():
        seen: set[str] = set()
        for number, table in issuers:
            value = table.get(key)
            if value is None and key == "identity_prefix":
                yield Problem(f"issuer[{number}].{key}", "is missing: two issuers may use the same sub", cure)
            elif isinstance(value, str) and value in seen:
                yield Problem(f"issuer[{number}].{key}", f"{value!r} stands twice", cure)
            seen.add(value if isinstance(value, str) else "")


def _lint_prefixes(issuers: list[tuple[int, Table]]) -> Iterator[Problem]:
    """Two people must not have one name: "a" + "bob" and "ab" + "ob" would be the same."""
    full = [(number, prefix) for number, table in issuers for prefix in _full_prefixes(table)]
    for number, prefix in full:
        others = {other for n, other in full if n != number}
        if prefix and any(other.startswith(prefix) for other in others):
            cure = 'let none begin with another one, such as "ci:" and "sso:"'
            yield Problem(f"issuer[{number}].identity_prefix", f"{prefix!r} begins another issuer's prefix", cure)


def _full_prefixes(table: Table) -> list[str]:
    own = table.get("identity_prefix")
    sources = [source.get("prefix", "") for _, source in tables_in(table.get("identity"))] or [""]
    return [f"{own}{source}" for source in sources] if isinstance(own, str) else []


def _lint_limits(limits: Table) -> Iterator[Problem]:
    """Keys are refreshed behind, then waited for, then given up: in this order, or a healthy provider is an outage."""
    names = ("refresh_after", "wait_after", "max_stale")
    ages = {name: limits.get(name, LimitsTable.model_fields[name].default) for name in names}
    for earlier, later in pairwise(names):
        if all(isinstance(ages[name], (int, float)) for name in (earlier, later)) and ages[earlier] > ages[later]:
            yield Problem(f"limits.{later}", f"is less than {earlier}", f"write at least {ages[earlier]:g}")
