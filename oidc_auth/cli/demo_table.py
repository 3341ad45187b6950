"""The table of a demo: each request with its expected and its actual result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from .output import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import Console

    from .dev_server import DevServer
    from .scenario import Row

REQUEST_TIMEOUT = 20.0
"""Seconds. The slowest request waits for a run."""


def run_rows(console: Console, server: DevServer, send_requests: Callable[[httpx.Client], Iterator[Row]]) -> list[Row]:
    """Send the requests of a scenario, and print their table."""
    played: list[Row] = []
    with (
        httpx.Client(base_url=server.url, timeout=REQUEST_TIMEOUT) as client,
        console.status("sending requests ...") as status,
    ):
        for row in send_requests(client):
            played.append(row)
            status.update(f"{len(played)}: {row.caller}: {row.request}")
    print_table(console, "Requests and results", _table(played))
    return played


def print_summary(console: Console, played: list[Row], seconds: float, *, as_json: bool) -> list[Row]:
    """Print how many results are as expected, and return the other ones."""
    failed = [row for row in played if not row.passed]
    colour = "red" if failed else "green"
    console.print(f"[{colour}]{len(played) - len(failed)} of {len(played)} as expected[/] in {seconds:.1f} s")
    if as_json:
        print_json({"rows": [_facts(row) for row in played], "passed": not failed})
    return failed


def _table(played: Iterable[Row]) -> Table:
    columns = (Column("", no_wrap=True), Column("caller", no_wrap=True), "request", "result")
    table = Table(*columns, box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for row in played:
        mark = "[green]ok[/]" if row.passed else "[bold red]NO[/]"
        # Of a passed row, the found value only repeats the expected one.
        result = row.expected if row.passed else f"expected {row.expected}; found {row.got}: {row.reason}"
        # The users are listed above with role and tenant.
        caller, _, _ = row.caller.partition(" ")
        table.add_row(mark, *(escape(cell) for cell in (caller, row.request, result)))
    return table


def _facts(row: Row) -> dict[str, object]:
    names = ("caller", "request", "expected", "got", "reason", "passed")
    return {name: getattr(row, name) for name in names}
