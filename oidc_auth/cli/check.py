"""``oidc-auth check FILE``: is the configuration right, what is dangerous in it, and what does each role give?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..config.build import rights_of_roles
from ..config.load import Loaded, load_file
from ..errors import ConfigError
from ..permissions.mapping import united
from ..permissions.names import ACTIONS, Reach, spelled
from .inputs import file_argument, json_option

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MARKS = {Reach.OWN: "own", Reach.TENANT: "tenant", Reach.ALL: "all"}


@click.command()
@file_argument
@json_option
def check(file: Path, *, as_json: bool) -> None:
    """Check a configuration: all that is wrong with it, what is dangerous, and what each role gives.

    Fetches nothing. Exit status 0 when it is valid (warnings or not), 1 when it is not.
    """
    try:
        loaded = load_file(file)
    except ConfigError as error:
        _refuse(error, as_json=as_json)
        return
    roles = {name: united(rights) for name, rights in rights_of_roles(loaded.document).items()}
    if as_json:
        click.echo(json.dumps(_described(loaded, roles)))
        return
    _print(loaded, roles)


def _refuse(error: ConfigError, *, as_json: bool) -> None:
    if not as_json:
        raise click.ClickException(error.report())
    problems = [{"where": p.where, "message": p.message, "cure": p.cure} for p in error.problems]
    click.echo(json.dumps({"valid": False, "problems": problems}))
    raise SystemExit(1)


def _described(loaded: Loaded, roles: Mapping[str, Mapping[str, Reach]]) -> dict[str, Any]:
    return {
        "valid": True,
        "digest": loaded.digest,
        "issuers": [table.issuer for table in loaded.document.issuer],
        "warnings": list(loaded.warnings),
        "roles": {role: sorted(spelled(name, reach) for name, reach in names.items()) for role, names in roles.items()},
    }


def _print(loaded: Loaded, roles: Mapping[str, Mapping[str, Reach]]) -> None:
    console = Console()
    console.print(f"[green]valid[/] {escape(loaded.source)} ({loaded.digest})", highlight=False, soft_wrap=True)
    for table in loaded.document.issuer:
        console.print(
            f"issuer  {table.issuer}, audience {', '.join(table.audience) or '-'}", soft_wrap=True, markup=False
        )
    for warning in loaded.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}", soft_wrap=True)
    if roles:
        console.print(_matrix(roles))


def _matrix(roles: Mapping[str, Mapping[str, Reach]]) -> Table:
    matrix = Table(title="How far each role reaches", title_justify="left")
    for heading in ("", *roles):
        matrix.add_column(escape(heading))
    for resource, actions in ACTIONS.items():
        for action in actions:
            event = f"{resource}:{action}"
            cells = [MARKS[names[event]] if event in names else "-" for names in roles.values()]
            matrix.add_row(event, *cells, end_section=action == actions[-1])
    return matrix
