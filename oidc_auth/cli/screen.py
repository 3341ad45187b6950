"""What the commands draw with: one console, and the matrix of permissions."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..permissions.names import ACTIONS, Reach

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDE = 160
"""Columns where no terminal says how many there are: in 80, which is what a pipe counts as, tables fold to shreds."""
MARKS = {Reach.OWN: "own", Reach.TENANT: "tenant", Reach.ALL: "all"}


def console(*, stderr: bool = False) -> Console:
    """Return a console; without a terminal it draws plain text, and wide (or COLUMNS wide)."""
    # What is shown is also copied: an audience such as urn:zitadel:iam:org:project:id:1:aud holds rich's ":id:".
    own = Console(stderr=stderr, highlight=False, emoji=False)
    if not own.is_terminal and "COLUMNS" not in os.environ:
        own.width = WIDE
    return own


def print_json(document: Mapping[str, object]) -> None:
    """Print one JSON object on one line."""
    click.echo(json.dumps(document))


def matrix(title: str, columns: Mapping[str, Mapping[str, Reach]]) -> Table:
    """Return the 21 permissions as rows, and how far each column's names reach."""
    table = Table(title=title, title_justify="left")
    for heading in ("", *columns):
        table.add_column(escape(heading))
    for resource, actions in ACTIONS.items():
        for action in actions:
            event = f"{resource}:{action}"
            cells = [MARKS[names[event]] if event in names else "-" for names in columns.values()]
            table.add_row(event, *cells, end_section=action == actions[-1])
    return table


def say(mark: str, text: str = "") -> None:
    """Print one line: a mark in our own markup, and a text that is shown as it is."""
    console().print(mark + escape(text), soft_wrap=True)
