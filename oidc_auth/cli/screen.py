"""What the commands draw with: one console, and the matrix of permissions."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..permissions.names import ACTIONS, EVENTS, Reach

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDE = 160
"""Columns where no terminal says how many there are: in 80, which is what a pipe counts as, tables fold to shreds."""
PADDING = 3
"""Columns beside a cell: a space on each side, and a line."""
EVENT_WIDTH = max(len(event) for event in EVENTS) + PADDING + 1
NARROWEST = len("tenant")
MARKS = {Reach.OWN: "own", Reach.TENANT: "tenant", Reach.ALL: "all"}


def console(*, stderr: bool = False) -> Console:
    """Return a console; without a terminal it draws plain text, and wide (or COLUMNS wide)."""
    # What is shown is also copied: an audience such as urn:acme:id:1:aud contains rich's ":id:".
    own = Console(stderr=stderr, highlight=False, emoji=False)
    if not own.is_terminal and "COLUMNS" not in os.environ:
        own.width = WIDE
    return own


def print_json(document: Mapping[str, object]) -> None:
    """Print one JSON object on one line."""
    click.echo(json.dumps(document))


def matrix(screen: Console, title: str, columns: Mapping[str, Mapping[str, Reach]]) -> None:
    """Print the 21 permissions as rows, and how far each column's names reach; in several tables where one is too wide.

    Args:
        screen: where to.
        title: what the columns are.
        columns: a heading, and each name that it gives.
    """
    part: dict[str, Mapping[str, Reach]] = {}
    room = screen.width - EVENT_WIDTH
    for heading, names in columns.items():
        room -= (needed := max(cell_len(heading), NARROWEST) + PADDING)
        if part and room < 0:
            show(screen, title, _matrix(part))
            part, room = {}, screen.width - EVENT_WIDTH - needed
        part[heading] = names
    show(screen, title, _matrix(part))


def show(screen: Console, title: str, table: Table) -> None:
    """Print a table below its title; a title of rich's own is filled up with blanks to the table's width."""
    screen.print(title, style="italic")
    screen.print(table)


def _matrix(columns: Mapping[str, Mapping[str, Reach]]) -> Table:
    table = Table()
    # The names of the permissions are never cut: without them no row says anything.
    table.add_column("", no_wrap=True, min_width=EVENT_WIDTH - PADDING - 1)
    for heading in columns:
        table.add_column(escape(heading), overflow="fold")
    for resource, actions in ACTIONS.items():
        for action in actions:
            event = f"{resource}:{action}"
            cells = [MARKS[names[event]] if event in names else "-" for names in columns.values()]
            table.add_row(event, *cells, end_section=action == actions[-1])
    return table


def say(mark: str, text: str = "") -> None:
    """Print one line: a mark in our own markup, and a text that is shown as it is."""
    console().print(mark + escape(text), soft_wrap=True)
