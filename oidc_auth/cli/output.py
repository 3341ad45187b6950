"""Output of the commands: console, tables and wrapped text."""

from __future__ import annotations

import json
import os
import textwrap
from typing import TYPE_CHECKING, ClassVar

import click
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..permissions.names import ACTIONS, EVENTS, LITERAL_PERMISSIONS, Reach

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

DEFAULT_WIDTH = 160
"""Columns of a table without a terminal and without COLUMNS. Programs read such output."""
NO_BREAK_HYPHEN = "\N{NON-BREAKING HYPHEN}"
PADDING = 3
"""Columns of a space on each side of a cell, and a line."""
EVENT_WIDTH = max(len(event) for event in EVENTS) + PADDING + 1
MIN_CELL_WIDTH = len("tenant")
REACH_NAMES = {Reach.OWN: "own", Reach.TENANT: "tenant", Reach.ALL: "all"}
ERROR_PREFIX = "Error: "


def console(*, stderr: bool = False) -> Console:
    """Return a console. Without a terminal, it prints plain text.

    NO_COLOR removes every escape code, also those of bold text (https://no-color.org).
    """
    plain = bool(os.environ.get("NO_COLOR"))
    # Users copy this output. rich would replace ":id:" in an audience such as urn:acme:id:1 by an emoji.
    screen = Console(stderr=stderr, highlight=False, emoji=False, color_system=None if plain else "auto")
    if not _wraps(screen):
        screen.width = DEFAULT_WIDTH
    return screen


def _wraps(screen: Console) -> bool:
    """Tell whether text is wrapped. Programs such as grep read whole lines."""
    return screen.is_terminal or "COLUMNS" in os.environ


def print_json(document: Mapping[str, object]) -> None:
    """Print a JSON object on one line."""
    click.echo(json.dumps(document))


def print_text(screen: Console, text: str, *, label: str = "", style: str = "") -> None:
    """Print a label and a text. Further lines are indented by the width of the label.

    Args:
        screen: The console.
        text: The text. It is printed without change, except for line breaks.
        label: Printed in front of the first line.
        style: The style of the label.
    """
    # Wrapped here, because rich splits long words, and a split URL or command cannot be copied.
    lines = wrap_text(text, screen.width - len(label)) if _wraps(screen) else [text]
    start = f"[{style}]{escape(label)}[/]" if style else escape(label)
    for line in lines:
        screen.print(start + escape(line), soft_wrap=True)
        start = " " * len(label)


def wrap_text(text: str, width: int) -> list[str]:
    """Return the lines of a text. Words such as URLs, options and file names are never split."""
    return [
        line
        for paragraph in text.split("\n")
        for line in textwrap.wrap(
            paragraph,
            max(width, 20),
            subsequent_indent=" " * (len(paragraph) - len(paragraph.lstrip(" -"))),
            break_long_words=False,
            break_on_hyphens=False,
        )
        or [""]
    ]


def print_list(screen: Console, items: Sequence[str]) -> None:
    """Print a numbered list."""
    for number, item in enumerate(items, 1):
        print_text(screen, item, label=f"  {number}. ")


def print_matrix(screen: Console, title: str, columns: Mapping[str, Mapping[str, Reach]]) -> None:
    """Print the reach of each permission, in several tables if one is too wide.

    Args:
        screen: The console.
        title: The meaning of the columns.
        columns: The heading of each column, and its permissions.
    """
    part: dict[str, Mapping[str, Reach]] = {}
    remaining = screen.width - EVENT_WIDTH
    for heading, names in columns.items():
        # Several narrow tables, because rich would cut the cells of a wide one. Cells are counted, because East Asian
        # characters take two columns.
        remaining -= (needed := max(cell_len(heading), MIN_CELL_WIDTH) + PADDING)
        if part and remaining < 0:
            print_table(screen, title, _matrix(part))
            part, remaining = {}, screen.width - EVENT_WIDTH - needed
        part[heading] = names
    print_table(screen, title, _matrix(part))


def print_table(screen: Console, title: str, table: Table) -> None:
    """Print a title and a table. A title of rich would have trailing spaces."""
    screen.print(title, style="italic")
    screen.print(table)


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    # Created with this mode, so that no other user can open it before the text is in it.
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")


def _matrix(columns: Mapping[str, Mapping[str, Reach]]) -> Table:
    table = Table()
    # A row without the whole name of its permission would be useless.
    table.add_column("", no_wrap=True, min_width=EVENT_WIDTH - PADDING - 1)
    for heading in columns:
        table.add_column(escape(heading), overflow="fold")
    for resource in ACTIONS:
        rows = _permissions_of(resource, columns)
        for name in rows:
            cells = [REACH_NAMES[names[name]] if name in names else "-" for names in columns.values()]
            table.add_row(name, *cells, end_section=name == rows[-1])
    return table


def _permissions_of(resource: str, columns: Mapping[str, Mapping[str, Reach]]) -> list[str]:
    """Return the events of a resource, and its other permissions if a column has them."""
    # Most configurations do not share threads.
    held = [name for name in LITERAL_PERMISSIONS if any(name in names for names in columns.values())]
    return [*(event for event in EVENTS if _is_of(event, resource)), *(name for name in held if _is_of(name, resource))]


def _is_of(name: str, resource: str) -> bool:
    return name.startswith(f"{resource}:")


class HelpFormatter(click.HelpFormatter):
    """Writes help texts without a line break inside of option names and file names."""

    def write_text(self, text: str) -> None:
        """Write a paragraph."""
        # click wraps at hyphens and has no setting for it.
        super().write_text(text.replace("-", NO_BREAK_HYPHEN))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write a list of terms and texts."""
        kept = [(term, text.replace("-", NO_BREAK_HYPHEN)) for term, text in rows]
        super().write_dl(kept, col_max, col_spacing)

    def getvalue(self) -> str:
        """Return the help text."""
        return super().getvalue().replace(NO_BREAK_HYPHEN, "-")


class Context(click.Context):
    """A context with our help texts."""

    formatter_class: ClassVar[type[click.HelpFormatter]] = HelpFormatter  # type: ignore[misc]


class Group(click.Group):
    """A group of commands. On a terminal, it wraps error messages."""

    context_class = Context

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command."""
        # click takes the formatter of help texts from the context. A command has no setting for it.
        cmd.context_class = Context
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        # First, because it is a ClickException too. It also prints the usage of the command.
        except click.UsageError as error:
            raise click.UsageError(_wrap_error(error.format_message()), ctx=error.ctx) from None
        except click.ClickException as error:
            raise click.ClickException(_wrap_error(error.format_message())) from None


def _wrap_error(message: str) -> str:
    # click prints an error as one long line.
    screen = console(stderr=True)
    if not _wraps(screen):
        return message
    first, *others = message.split("\n")
    lines = wrap_text(ERROR_PREFIX + first, screen.width)
    return "\n".join([*lines, *wrap_text("\n".join(others), screen.width)]).removeprefix(ERROR_PREFIX).rstrip("\n")
