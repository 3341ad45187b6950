"""Checks of what a configuration means.

All mistakes are reported together, each with its key path and a hint. The checks read the raw document, because
pydantic reports nothing more about a table if one of its keys is invalid.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ..errors import Problem
from ..tokens.claim_path import ClaimPathError, parse_path
from ..tokens.policy import ANY_VALUE
from .expand_presets import preset_of
from .issuers import lint_binding, lint_tenants
from .lint_identity import lint_identity, lint_several_issuers
from .lint_introspection import lint_introspection, lint_opaque_issuers
from .lint_keys import lint_keys
from .lint_permission_maps import lint_default_role, lint_permission_maps, lint_roles, pattern_faults
from .lint_preset import PARAMETERS, PARAMETERS_WITH_DEFAULT, find_issuer_key, lint_preset
from .lint_revocation import lint_revocation
from .lint_web import lint_web
from .origins import lint_origins
from .raw_document import read_strings, read_table, read_tables
from .schema import IssuerTable
from .schema_server import LimitsTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .raw_document import Table


def lint(document: Table, written: Table) -> Iterator[Problem]:
    """Yield the problems of a document.

    Args:
        document: The document, with presets expanded and each value in one form.
        written: The same document before its presets were expanded, with the keys that the operator wrote.
    """
    issuers = read_tables(document.get("issuer"))
    own = dict(read_tables(written.get("issuer")))
    roles = read_table(document.get("roles"))
    for number, table in issuers:
        where, issuer_key = f"issuer[{number}]", find_issuer_key(own[number])
        yield from lint_preset(table, where, issuer_key)
        # Without a binding, tokens for any API of the provider would be accepted (RFC 8725 §3.9).
        yield from lint_binding(table, where)
        yield from lint_tenants(table, where)
        yield from lint_keys(table, where, issuer_key)
        yield from lint_introspection(table, where)
        yield from lint_origins(table, where)
        yield from _lint_strict_typ(table, where)
        yield from _lint_conditions(table, where)
        yield from lint_identity(table, where)
        yield from lint_permission_maps(table, where, roles)
        yield from lint_default_role(table, where, roles)
    yield from lint_several_issuers(issuers)
    yield from lint_opaque_issuers(issuers)
    yield from lint_roles(roles, has_tenant=any("tenant" in table for _, table in issuers))
    yield from lint_web(read_table(document.get("web")), [table for _, table in issuers])
    yield from lint_revocation(document)
    yield from _lint_limits(read_table(document.get("limits")))


def find_consequences(document: Table) -> frozenset[str]:
    """Return the key paths of problems that follow from another one, such as an unknown preset."""
    # A key of [[issuer]] that was written below [roles] is reported once.
    silent = {f"roles.{name}.permissions" for name in IssuerTable.model_fields}
    for number, table in read_tables(document.get("issuer")):
        where, preset = f"issuer[{number}]", preset_of(table)
        if "preset" in table and preset is None:
            # Without the preset, its parameters look like unknown keys.
            silent |= {f"{where}.{name}" for name in ("issuer", *PARAMETERS, *PARAMETERS_WITH_DEFAULT)}
        elif preset is not None and "issuer" not in table and preset.issuer.keys != ("issuer",):
            # The preset asks for its own parameter. The schema would also ask for the issuer.
            readable = [name for name in preset.issuer.replaced_keys if isinstance(table.get(name), str)]
            silent |= {f"{where}.{name}" for name in ("issuer", *readable)}
        if preset is not None and any(name in table for name in preset.issuer.defaults):
            # A placeholder without a value left no claim path. The missing parameter is reported.
            permission_maps = read_tables(table.get("permission_map"))
            silent |= {
                f"{where}.permission_map[{n}].claim"
                for n, permission_map in permission_maps
                if permission_map.get("claim", "") is None
            }
    return frozenset(silent)


def _lint_strict_typ(table: Table, where: str) -> Iterator[Problem]:
    """Yield a setting that contradicts ``strict_rfc9068``."""
    if table.get("strict_rfc9068") is not True:
        return
    place = f"{where}.strict_rfc9068"
    # Without an error, one of the two settings would have no effect.
    if "accepted_typ" in table:
        yield Problem(place, "cannot be combined with accepted_typ", "keep one of the two")
    # RFC 9068 defines the type of access tokens. No ID token has it.
    if table.get("token_type") == "id":
        yield Problem(place, 'cannot be combined with token_type = "id"', "leave it out")


def _lint_conditions(table: Table, where: str) -> Iterator[Problem]:
    """Yield the problems of claim paths and values in ``require``, ``when`` and ``client_claim``."""
    client = read_table(table.get("client_claim")).get("values")
    required = read_table(table.get("require"))
    # A single "*" asks for the claim with any value.
    valued: Table = {path: [] if values == [ANY_VALUE] else values for path, values in required.items()}
    conditions: list[tuple[str, object]] = [(f"{where}.require", valued), (where, {"client_claim": client})]
    conditions += [
        (f"{where}.permission_map[{n}].when", permission_map.get("when"))
        for n, permission_map in read_tables(table.get("permission_map"))
    ]
    for place, condition in conditions:
        for path, values in read_table(condition).items():
            try:
                parse_path(path)
            except ClaimPathError as error:
                yield Problem(f"{place}.{path}", str(error))
            yield from (
                Problem(f"{place}.{path}", *fault) for value in read_strings(values) for fault in pattern_faults(value)
            )


def _lint_limits(limits: Table) -> Iterator[Problem]:
    # In another order, a provider that works would look as if it were down.
    names = ("jwks_refresh_after", "jwks_max_age", "jwks_max_stale")
    ages = {name: limits.get(name, LimitsTable.model_fields[name].default) for name in names}
    for earlier, later in pairwise(names):
        if all(isinstance(ages[name], (int, float)) for name in (earlier, later)) and ages[earlier] > ages[later]:
            yield Problem(f"limits.{later}", f"is less than {earlier}", f"write at least {ages[earlier]:g}")
