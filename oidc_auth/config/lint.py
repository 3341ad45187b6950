"""What a configuration means: every mistake at once, each with its key path and what to write instead.

Reads the raw document, whatever is in it: pydantic says nothing more about a table once one of its keys failed.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Problem
from ..keys.discovery import WELL_KNOWN
from ..keys.fetch import permitted_url
from ..keys.jwk import ASYMMETRIC, UnusableKeyError
from ..keys.keyset import read_key_set
from ..providers import PROVIDERS
from ..providers.lookup import resolve_name
from ..tokens.claim_path import ClaimPathError, parse_path
from .expand_presets import preset_of
from .issuers import client_audiences, foreign_audiences, issuers_of, lint_binding, lint_tenants, other_realms
from .origins import lint_origins
from .raw import conditions_in, did_you_mean, kind_of, path_in, strings_in, table_in, tables_in
from .rights import lint_grants, lint_roles, pattern_faults, unused_roles
from .schema import IssuerTable, LimitsTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..providers.record import IssuerFault, IssuerForm
    from .raw import Table

FILES = ("ca_file", "client_certificate", "client_key", "bearer_file")
PARAMETERS = frozenset(name for each in PROVIDERS.values() for name in each.issuer.replaced_keys) - {"issuer"}
DEFAULTED = frozenset(name for each in PROVIDERS.values() for name in each.issuer.defaults)


def lint(document: Table) -> Iterator[Problem]:
    """Yield what is wrong with a document whose presets are expanded and whose values are normalised."""
    issuers = tables_in(document.get("issuer"))
    roles = table_in(document.get("roles"))
    for number, table in issuers:
        where = f"issuer[{number}]"
        yield from _lint_preset(table, where)
        yield from lint_binding(table, where)
        yield from lint_tenants(table, where)
        yield from _lint_keys(table, where)
        yield from lint_origins(table, where)
        yield from _lint_paths(table, where)
        yield from _lint_identity(table, where)
        yield from lint_grants(table, where, roles)
    yield from _lint_many(issuers)
    yield from _lint_twice(issuers)
    yield from lint_roles(roles, has_tenant=any("tenant" in table for _, table in issuers))
    yield from _lint_limits(table_in(document.get("limits")))


def consequences(document: Table) -> frozenset[str]:
    """Return the key paths whose problems only follow from another that is reported: no issuer without its preset."""
    # A key of [[issuer]] that slipped below [roles] is no role of the wrong type too.
    silent = {f"roles.{name}.allow" for name in IssuerTable.model_fields}
    for number, table in tables_in(document.get("issuer")):
        where, preset = f"issuer[{number}]", preset_of(table)
        if "preset" in table and preset is None:
            silent |= {f"{where}.{name}" for name in ("issuer", *PARAMETERS, *DEFAULTED)}
        elif preset is not None and "issuer" not in table and preset.issuer.keys != ("issuer",):
            readable = [name for name in preset.issuer.replaced_keys if isinstance(table.get(name), str)]
            silent |= {f"{where}.{name}" for name in ("issuer", *readable)}
        if preset is not None and any(name in table for name in preset.issuer.defaults):
            grants = tables_in(table.get("grant"))
            silent |= {f"{where}.grant[{n}].claim" for n, grant in grants if grant.get("claim", "") is None}
    return frozenset(silent)


def warnings_of(document: Table) -> tuple[str, ...]:
    """Return what is dangerous, or hardly meant, although it is allowed."""
    issuers = tables_in(document.get("issuer"))
    open_ones = [number for number, table in issuers if table.get("insecure_skip_audience") is True]
    found = [f"issuer[{n}]: insecure_skip_audience: tokens are accepted, whichever API they are for" for n in open_ones]
    found += [
        f"issuer[{number}]: audience {text!r} is a client id: an ID token of that client has it too, and is accepted"
        for number, table in issuers
        if table.get("token_type") != "id" and table.get("strict_rfc9068") is not True
        for text in client_audiences(table)
    ]
    found += [
        f"issuer[{number}]: audience {text!r} {why}"
        for number, table in issuers
        for text, why in foreign_audiences(table)
    ]
    found += [
        f"issuer[{number}]: {table.get('issuer')} and its alias {alias} can produce the same identity for two people. "
        "If the alias is another provider or tenant, give it its own [[issuer]]"
        for number, table in issuers
        for alias in other_realms(table)
    ]
    faults = {number: fault for number, table in issuers if (fault := _issuer_fault(table)) and not fault.certain}
    found += [
        f"issuer[{number}]: {table.get('issuer')} {faults[number].message} ({faults[number].hint})"
        for number, table in issuers
        if number in faults
    ]
    if len([table for _, table in issuers if "tenant" in table]) > 1:
        found.append("several issuers name a tenant: the same name at two of them is one tenant")
    unused = unused_roles([table for _, table in issuers], table_in(document.get("roles")))
    found += [
        f"roles.{name}: nobody has it: no grant gives it, by its values or through another role" for name in unused
    ]
    return tuple(found)


def _lint_preset(table: Table, where: str) -> Iterator[Problem]:
    name, preset = table.get("preset"), preset_of(table)
    if "preset" in table and preset is None:
        if not isinstance(name, str):
            yield Problem(f"{where}.preset", "should be a string")
            return
        known, meant = ", ".join(sorted(PROVIDERS)), resolve_name(name)
        cure = f"did you mean {meant!r}?" if meant in PROVIDERS else did_you_mean(name, PROVIDERS)
        yield Problem(f"{where}.preset", f"unknown preset {name!r}; known: {known}", cure)
        return
    if not table.get("grant"):
        cure = "add [[issuer.grant]]" if preset is not None else "add [[issuer.grant]], or a preset"
        yield Problem(where, "no grant: nobody would be allowed anything", cure)
    if preset is not None:
        yield from _lint_parameters(table, where, str(name), preset.issuer)
    if (fault := _issuer_fault(table)) and fault.certain:
        yield Problem(f"{where}.issuer", fault.message, fault.hint)


def _lint_parameters(table: Table, where: str, name: str, preset: IssuerForm) -> Iterator[Problem]:
    wanted = " and ".join(repr(key) for key in preset.keys)
    for key in preset.keys if "issuer" not in table else ():
        if key not in table:
            yield Problem(f"{where}.{key}", "is missing", f"preset {name!r} wants {wanted}, or 'issuer'")
    for other in sorted((PARAMETERS | DEFAULTED) & set(table)):
        if other in preset.defaults and table[other] in (None, ""):
            yield Problem(f"{where}.{other}", f"is missing: {preset.defaults[other]} is not one value", "write it out")
        elif other not in (*preset.replaced_keys, *preset.defaults):
            cure = f"it takes {wanted}" if wanted else "it takes no address"
            yield Problem(f"{where}.{other}", f"does not belong to preset {name!r}", cure)
        elif "issuer" in table and other in preset.replaced_keys:
            yield Problem(f"{where}.{other}", "stands beside issuer", "keep one of the two")
        elif not isinstance(table[other], str):
            yield Problem(f"{where}.{other}", f"should be a string; found {kind_of(table[other])}")


def _issuer_fault(table: Table) -> IssuerFault | None:
    """Return why an issuer does not fit its preset, such as one without its final slash, or None."""
    preset, issuer = preset_of(table), table.get("issuer")
    # A missing variable is reported as such, and not as a wrong issuer too.
    if preset is None or not isinstance(issuer, str) or "${" in issuer:
        return None
    return preset.issuer.find_fault(issuer)


def _lint_keys(table: Table, where: str) -> Iterator[Problem]:
    static = "jwks" in table
    if static and "jwks_url" in table:
        yield Problem(f"{where}.jwks_url", "stands beside jwks", "keep one of the two")
    if static:
        try:
            read_key_set(table["jwks"])
        except UnusableKeyError as error:
            yield Problem(f"{where}.jwks", str(error), 'paste the provider\'s whole key set, {"keys": [...]}')
    addresses = [("issuer", table.get("issuer")), ("jwks_url", table.get("jwks_url"))]
    addresses += [(f"aliases[{number}]", text) for number, text in enumerate(strings_in(table.get("aliases")))]
    for name, url in addresses:
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
    required = conditions_in(table.get("require"))
    verified = any(each.path == ("email_verified",) and each.values == ["true"] for each in required)
    for number, source in tables_in(table.get("identity")):
        if path_in(source.get("claim")) == ("email",) and not verified:
            cure = "add [issuer.require] email_verified = true, or name people by a claim that never changes, sub"
            yield Problem(f"{where}.identity[{number}]", "an e-mail address that nobody verified names anybody", cure)
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
    yield from _lint_prefixes(issuers)
    cure = 'write one for each issuer, such as "ci:"; one of them may be ""'
    empty = [number for number, table in issuers if table.get("identity_prefix") == ""]
    for number, table in issuers:
        where = f"issuer[{number}].identity_prefix"
        if table.get("identity_prefix") is None:
            yield Problem(where, "is missing: two issuers may use the same sub", cure)
        elif number in empty[1:]:
            yield Problem(where, "'' stands twice", cure)


def _lint_twice(issuers: list[tuple[int, Table]]) -> Iterator[Problem]:
    """One ``iss`` has one meaning; the same one again, by an alias or a tenant too, would be hidden by the first."""
    seen: set[str] = set()
    for number, table in issuers:
        for issuer in (exact.issuer for exact in issuers_of(table)):
            if issuer in seen:
                yield Problem(f"issuer[{number}].issuer", f"{issuer!r} stands twice", "each issuer once")
            seen.add(issuer)


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
