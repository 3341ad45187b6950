"""``oidc-auth demo``: a local provider, the real server, and everything that must be allowed or refused, in a table."""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
import httpx
from rich.markup import escape
from rich.table import Table

from ..observability import logger
from ..testing import LocalIssuer
from .demo_users import USERS, user_token
from .dev_server import DevServer, ServerError, quickstart_folder, running_dev_server
from .inputs import json_option
from .output import console as wide_console
from .output import print_json, print_table
from .scenario import DemoSession, Row, rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

REQUEST_TIMEOUT = 20.0
"""Seconds; the slowest request waits for a run."""


@click.command()
@click.option("--keep", is_flag=True, help="Leave the server running afterwards, and print curl lines for it.")
@json_option
def demo(*, keep: bool, as_json: bool) -> None:
    """Start a local provider and a real LangGraph server, and show what is allowed and what is refused.

    Needs no network, no model and no key. Exit status 0 only if every row is as expected.
    """
    # As Ctrl-C does: the server is a child that must not outlive the demo, nor the folder with its tokens.
    signal.signal(signal.SIGTERM, _end)
    # With --json the table goes where people look and programs do not.
    console = wide_console(stderr=as_json)
    started = time.monotonic()
    # A LocalIssuer warns of itself in the log, which nobody reads here: the line about the server says it.
    logger.addHandler(logging.NullHandler())
    issuer = LocalIssuer()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oidc-auth-demo-")))
        issuer_url = stack.enter_context(issuer.served())
        server = _start(console, stack, folder, issuer_url)
        ready = f"ready after {time.monotonic() - started:.1f} s"
        console.print(f"server {server.url}, provider {issuer_url} (it signs anything: for this demo only), {ready}")
        played = _run_rows(console, server, issuer)
        failed = [row for row in played if not row.passed]
        _summary(console, played, failed, time.monotonic() - started)
        if as_json:
            print_json({"rows": [_facts(row) for row in played], "passed": not failed})
        if keep:
            _keep_running(console, server, issuer, folder)
    sys.exit(1 if failed else 0)


def _end(number: int, frame: object) -> None:
    del frame
    sys.exit(128 + number)


def _start(console: Console, stack: ExitStack, folder: Path, issuer_url: str) -> DevServer:
    try:
        with console.status("starting langgraph dev ..."):
            return stack.enter_context(running_dev_server(quickstart_folder(), folder, {"OIDC_ISSUER": issuer_url}))
    except ServerError as error:
        console.print(str(error), markup=False, highlight=False)
        raise click.ClickException("the server did not start; is langgraph-cli[inmem] installed?") from None


def _run_rows(console: Console, server: DevServer, issuer: LocalIssuer) -> list[Row]:
    played: list[Row] = []
    with httpx.Client(base_url=server.url, timeout=REQUEST_TIMEOUT) as client, console.status("playing ...") as status:
        for row in rows(DemoSession(client, issuer)):
            played.append(row)
            status.update(f"{len(played)}: {row.caller}: {row.request}")
    print_table(console, "Who may do what", _table(played))
    return played


def _table(played: Iterable[Row]) -> Table:
    table = Table()
    for name in ("", "caller", "request", "expected", "got", "reason"):
        table.add_column(name, overflow="fold")
    for row in played:
        mark = "[green]ok[/]" if row.passed else "[bold red]NO[/]"
        cells = (row.caller, row.request, row.expected, row.got, row.reason)
        table.add_row(mark, *(escape(cell) for cell in cells))
    return table


def _facts(row: Row) -> dict[str, object]:
    names = ("caller", "request", "expected", "got", "reason", "passed")
    return {name: getattr(row, name) for name in names}


def _summary(console: Console, played: list[Row], failed: list[Row], seconds: float) -> None:
    colour = "red" if failed else "green"
    console.print(f"[{colour}]{len(played) - len(failed)} of {len(played)} as expected[/] in {seconds:.1f} s")


def _keep_running(console: Console, server: DevServer, issuer: LocalIssuer, folder: Path) -> None:
    console.print(f"\nThe server goes on until you press Ctrl-C; its log is {server.log}.", soft_wrap=True)
    console.print(f"A token for each of {', '.join(USERS)} is in {folder}, valid for an hour:", soft_wrap=True)
    for name in USERS:
        file = folder / f"{name}.token"
        file.touch(mode=0o600)
        file.write_text(user_token(issuer, name), encoding="utf-8")
    for name, method, path in (("alice", "POST", "/threads/search"), ("guest", "POST", "/threads/search")):
        bearer = f'-H "Authorization: Bearer $(cat {folder / name}.token)"'
        line = f"curl -s -X {method} {server.url}{path} {bearer} -H 'content-type: application/json' -d '{{}}'"
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("stopped")
