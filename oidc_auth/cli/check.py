"""``oidc-auth check``: errors, warnings and permissions of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Column, Table

from ..config.build import role_rights, value_rights
from ..config.issuers import exact_issuers
from ..errors import ConfigError
from ..permissions.names import EVENTS, GROUPS, PATTERN_NAMES, clamp_reach, expand, format_permission, split_reach
from ..permissions.permission_maps import merge_rights
from ..tokens.claim_path import format_path
from .inputs import file_argument, json_option, load
from .output import console, print_json, print_matrix, print_table, print_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ..config.load import LoadedConfig
    from ..config.schema import Document, IssuerTable
    from ..permissions.names import Reach

    Columns = Mapping[str, Mapping[str, Reach]]


@click.command(short_help="Check a configuration, and show the permissions of roles.")
@file_argument
@json_option
def check(file: Path | None, *, as_json: bool) -> None:
    """Check a configuration, and show the permissions of each role.

    It reports all errors and warnings. Without FILE, it uses the configuration that a server in this folder would use,
    such as that of the module in langgraph.json. It does not use the network. Exit code 0 if the configuration is
    valid, also with warnings. Exit code 1 if it is invalid.
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
    # A script that reads only the exit code must not continue with an invalid file.
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
    print_text(screen, f"{loaded.source} ({loaded.digest})", label="valid ", style="green")
    for label, text in _describe_issuers(loaded.document):
        print_text(screen, text, label=label)
    for where, names in _accepted_names(loaded.document):
        print_text(screen, f"{where}: {', '.join(names)}", label="accepts ")
    # The tables show permissions only, and a limit of graphs is none.
    for name, role in loaded.document.roles.items():
        if role.graphs is not None:
            limit = f"can start {', '.join(role.graphs) or 'no graph'} only. List other assistants by their ID."
            print_text(screen, f"{name} {limit}", label="graphs  ")
    for warning in loaded.warnings:
        print_text(screen, warning, label="warning ", style="yellow")
    if roles:
        print_matrix(screen, "Permissions per role", roles)
    if values:
        print_matrix(screen, "Permissions per claim value", values)
    # A pattern is short and can give a lot, so a review needs its meaning.
    if wildcards := list(_wildcard_names(loaded.document)):
        print_table(screen, "Patterns", _expansions(wildcards))


def _describe_issuers(document: Document) -> Iterator[tuple[str, str]]:
    """Yield a label and a text for each issuer, and for its introspection."""
    for table in document.issuer:
        for issuer in _list_issuers(table):
            yield "issuer  ", f"{issuer}, audience {', '.join(table.audience) or '-'}"
        if (asks := table.introspection) is not None:
            tokens = "opaque tokens" if asks.mode == "opaque" else "every token"
            yield "asks    ", f"{tokens}, as client {asks.client_id}; an answer counts for {asks.cache_seconds:g} s"


def _expansions(wildcards: Iterable[str]) -> Table:
    table = Table(Column("pattern", no_wrap=True), Column("permissions", overflow="fold"))
    for text in wildcards:
        covered = _expand_wildcard(text)
        everything = f"all {len(EVENTS)} permissions and {len(GROUPS)} groups"
        # All names would fill the screen without more information than "all".
        table.add_row(escape(text), everything if len(covered) == len(PATTERN_NAMES) else ", ".join(covered))
    return table


def _list_issuers(table: IssuerTable) -> list[str]:
    """Return every issuer of a table, with aliases and tenants."""
    # Tokens are compared with these texts. The table alone has templates and aliases.
    return [exact.issuer for exact in exact_issuers(table.issuer, table.aliases, table.tenants)]


def _accepted_names(document: Document) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each claim that can contain permission names, and the accepted names."""
    for issuer in document.issuer:
        for permission_map in issuer.permission_map:
            if permission_map.accept:
                yield format_path(tuple(permission_map.claim)), tuple(permission_map.accept)


def _wildcard_names(document: Document) -> Iterator[str]:
    """Yield each pattern of the configuration once."""
    roles = [text for role in document.roles.values() for text in role.permissions]
    permission_maps = [permission_map for issuer in document.issuer for permission_map in issuer.permission_map]
    given = [
        text for permission_map in permission_maps for names in (permission_map.values or {}).values() for text in names
    ]
    accepted = [text for permission_map in permission_maps for text in permission_map.accept or ()]
    # Several roles can have the same pattern.
    yield from dict.fromkeys(text for text in (*roles, *given, *accepted) if "*" in text)


def _expand_wildcard(text: str) -> list[str]:
    name, reach = split_reach(text)
    # Clamped as at run time: *@tenant gives own store items only.
    return [format_permission(covered, clamp_reach(covered, reach)) for covered in sorted(expand(name))]
