"""``oidc-auth demo``: a local provider, a real server, and allowed and refused requests."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
import httpx
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from .dev_server import DevServer, ServerError, quickstart_folder, running_dev_server
from .inputs import json_option
from .output import console as make_console
from .output import print_json, print_table, print_text, write_private
from .provider import local_provider_class
from .scenario import USERS, DemoSession, Row, demo_users, rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from ..local_provider import LocalProvider

REQUEST_TIMEOUT = 20.0
"""Seconds. The slowest request waits for a run."""


@click.command(short_help="Start a local provider and server, and show all rules.")
@click.option("--keep", is_flag=True, help="Keep the server running, and print curl commands for it.")
@json_option
def demo(*, keep: bool, as_json: bool) -> None:
    """Start a local provider and server, and show which requests are allowed.

    It needs no network, no model and no API key. Exit code 0 if all requests have the expected result.
    """
    # The server and the folder with tokens must not remain after SIGTERM.
    signal.signal(signal.SIGTERM, _end)
    # With --json, standard output contains only JSON.
    console = make_console(stderr=as_json)
    started = time.monotonic()
    # Its key exists in this process only, so the tokens are worth nothing afterwards.
    provider = local_provider_class()(demo_users())
    with ExitStack() as stack:
        # Entered first, so that it is deleted last, after the server has stopped.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oidc-auth-demo-")))
        issuer_url = stack.enter_context(provider.served())
        server = _start(console, stack, folder, issuer_url)
        print_text(console, f"{server.url}, ready after {time.monotonic() - started:.1f} s", label="server    ")
        print_text(console, f"{issuer_url}, for this demo only", label="provider  ")
        users = ", ".join(f"{name} ({role}, {tenant})" for name, (role, tenant) in USERS.items())
        print_text(console, users, label="users     ")
        played = _run_rows(console, server, provider)
        failed = [row for row in played if not row.passed]
        _summary(console, played, failed, time.monotonic() - started)
        if as_json:
            print_json({"rows": [_facts(row) for row in played], "passed": not failed})
        if keep:
            _keep_running(console, server, provider, folder)
    sys.exit(1 if failed else 0)


def _end(number: int, frame: object) -> None:
    # The exit code of a process that a signal ended, as in a shell.
    del frame
    sys.exit(128 + number)


def _start(console: Console, stack: ExitStack, folder: Path, issuer_url: str) -> DevServer:
    try:
        with console.status("starting langgraph dev ..."):
            return stack.enter_context(running_dev_server(quickstart_folder(), folder, {"OIDC_ISSUER": issuer_url}))
    except ServerError as error:
        # The log is the only place with the reason, and its folder is deleted at the end.
        console.print(str(error), markup=False, highlight=False)
        raise click.ClickException(
            "The server did not start. Install it: pip install 'langgraph-oidc-auth[demo]'"
        ) from None


def _run_rows(console: Console, server: DevServer, provider: LocalProvider) -> list[Row]:
    played: list[Row] = []
    with (
        httpx.Client(base_url=server.url, timeout=REQUEST_TIMEOUT) as client,
        console.status("sending requests ...") as status,
    ):
        for row in rows(DemoSession(client, provider)):
            played.append(row)
            status.update(f"{len(played)}: {row.caller}: {row.request}")
    print_table(console, "Requests and results", _table(played))
    return played


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


def _summary(console: Console, played: list[Row], failed: list[Row], seconds: float) -> None:
    colour = "red" if failed else "green"
    console.print(f"[{colour}]{len(played) - len(failed)} of {len(played)} as expected[/] in {seconds:.1f} s")


def _keep_running(console: Console, server: DevServer, provider: LocalProvider, folder: Path) -> None:
    print_text(console, f"\nThe server runs until you press Ctrl-C. Its log: {server.log}")
    print_text(console, f"The tokens are valid for one hour. They are in {folder}: NAME.token")
    for name in USERS:
        write_private(folder / f"{name}.token", provider.token(name))
    for name, method, path in (("alice", "POST", "/threads/search"), ("guest", "POST", "/threads/search")):
        # The shell reads the token from the file, so that its history does not contain it.
        bearer = f'-H "Authorization: Bearer $(cat {folder / name}.token)"'
        line = f"curl -s -X {method} {server.url}{path} {bearer} -H 'content-type: application/json' -d '{{}}'"
        # Not wrapped, because it is copied.
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("stopped")
