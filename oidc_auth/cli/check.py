"""``oidc-auth check FILE``: is the configuration right, what is dangerous in it, and what does each role give?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from ..config.build import role_rights, value_rights
from ..config.issuers import exact_issuers
from ..errors import ConfigError
from ..permissions.names import EVENTS, GROUPS, NAMES, clamp_reach, expand, format_permission, split_reach
from ..permissions.permission_maps import merge_rights
from ..tokens.claim_path import format_path
from .inputs import file_argument, json_option, load
from .output import console, print_json, print_matrix, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ..config.load import LoadedConfig
    from ..config.schema import Document, IssuerTable
    from ..permissions.names import Reach

    Columns = Mapping[str, Mapping[str, Reach]]


@click.command()
@file_argument
@json_option
def check(file: Path | None, *, as_json: bool) -> None:
    """Check a configuration: all that is wrong with it, what is dangerous, and what each role gives.

    FILE may be left out where a server started here would find its configuration. Fetches nothing. Exit status 0 when
    it is valid (warnings or not), 1 when it is not.
    """
    try:
        loaded = load(file)
    except ConfigError as error:
        _refuse(error, as_json=as_json)
        return
    roles = {name: merge_rights(rights) for name, rights in role_rights(loaded.document).items()}
    values = {name: merge_rights(rights) for name, rights in value_rights(loaded.document).items()}
    if as_json:
        print_json(_to_json(loaded, roles, values))
    else:
        _print(loaded, roles, values)


def _refuse(error: ConfigError, *, as_json: bool) -> None:
    if not as_json:
        raise click.ClickException(error.report())
    problems = [{"where": p.where, "message": p.message, "hint": p.hint} for p in error.problems]
    print_json({"valid": False, "problems": problems})
    raise SystemExit(1)


def _to_json(loaded: LoadedConfig, roles: Columns, values: Columns) -> dict[str, Any]:
    return {
        "valid": True,
        "digest": loaded.digest,
        "issuers": [issuer for table in loaded.document.issuer for issuer in _list_issuers(table)],
        "warnings": list(loaded.warnings),
        "roles": {role: _names(given) for role, given in roles.items()},
        "values": {value: _names(given) for value, given in values.items()},
        "accepted": {where: list(names) for where, names in _accepted_names(loaded.document)},
        "wildcards": {text: _expand_wildcard(text) for text in _wildcard_names(loaded.document)},
        "graphs": {name: role.graphs for name, role in loaded.document.roles.items() if role.graphs is not None},
    }


def _names(given: Mapping[str, Reach]) -> list[str]:
    return sorted(format_permission(name, reach) for name, reach in given.items())


def _print(loaded: LoadedConfig, roles: Columns, values: Columns) -> None:
    screen = console()
    screen.print(f"[green]valid[/] {escape(loaded.source)} ({loaded.digest})", soft_wrap=True)
    for table in loaded.document.issuer:
        for issuer in _list_issuers(table):
            screen.print(f"issuer  {issuer}, audience {', '.join(table.audience) or '-'}", markup=False, soft_wrap=True)
    for where, names in _accepted_names(loaded.document):
        screen.print(f"accepts {where}: {', '.join(names)}", markup=False, soft_wrap=True)
    for name, role in loaded.document.roles.items():
        if role.graphs is not None:
            limit = (
                f"starts {', '.join(role.graphs) or 'no graph'} only; an assistant made of one must be listed by its id"
            )
            screen.print(f"graphs  {name} {limit}", markup=False, soft_wrap=True)
    for warning in loaded.warnings:
        screen.print(f"[yellow]warning[/] {escape(warning)}", soft_wrap=True)
    if roles:
        print_matrix(screen, "How far each role reaches", roles)
    if values:
        print_matrix(screen, "What claim values give without a role", values)
    if wildcards := list(_wildcard_names(loaded.document)):
        print_table(screen, "What wildcards stand for", _expansions(wildcards))


def _expansions(wildcards: Iterable[str]) -> Table:
    table = Table("wildcard", "stands for")
    for text in wildcards:
        covered = _expand_wildcard(text)
        everything = f"every permission: all {len(EVENTS)} and the {len(GROUPS)} groups"
        table.add_row(escape(text), everything if len(covered) == len(NAMES) else ", ".join(covered))
    return table


def _list_issuers(table: IssuerTable) -> list[str]:
    """Return every issuer that a table stands for: other spellings and each tenant too."""
    return [exact.issuer for exact in exact_issuers(table.issuer, table.aliases, table.tenants)]


def _accepted_names(document: Document) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each claim whose permission names are taken as they are, and those names."""
    for issuer in document.issuer:
        for permission_map in issuer.permission_map:
            if permission_map.accept:
                yield format_path(tuple(permission_map.claim)), tuple(permission_map.accept)


def _wildcard_names(document: Document) -> Iterator[str]:
    """Yield each pattern that the configuration writes, once."""
    roles = [text for role in document.roles.values() for text in role.permissions]
    permission_maps = [permission_map for issuer in document.issuer for permission_map in issuer.permission_map]
    given = [
        text for permission_map in permission_maps for names in (permission_map.values or {}).values() for text in names
    ]
    accepted = [text for permission_map in permission_maps for text in permission_map.accept or ()]
    yield from dict.fromkeys(text for text in (*roles, *given, *accepted) if "*" in text)


def _expand_wildcard(text: str) -> list[str]:
    name, reach = split_reach(text)
    return [format_permission(covered, clamp_reach(covered, reach)) for covered in sorted(expand(name))]
