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

from .approvals_demo import play_approvals
from .demo_table import print_summary, run_rows
from .dev_server import DevServer, ServerError, quickstart_folder, running_dev_server
from .inputs import json_option
from .output import console as make_console
from .output import print_text, write_private
from .provider import local_provider_class
from .scenario import USERS, DemoSession, demo_users, rows

if TYPE_CHECKING:
    from rich.console import Console

    from ..local_provider import LocalProvider


@click.command(short_help="Start a local provider and server, and show all rules.")
@click.argument("scenario", type=click.Choice(["approvals"]), required=False)
@click.option("--keep", is_flag=True, help="Keep the server running, and print curl commands for it.")
@json_option
def demo(scenario: str | None, *, keep: bool, as_json: bool) -> None:
    """Start a local provider and server, and show which requests are allowed.

    "oidc-auth demo approvals" shows a payment that a second user must approve.

    It needs no network, no model and no API key. Exit code 0 if all requests have the expected result.
    """
    # The server and the folder with tokens must not remain after SIGTERM.
    signal.signal(signal.SIGTERM, _end)
    # With --json, standard output contains only JSON.
    console = make_console(stderr=as_json)
    if scenario == "approvals":
        if keep:
            raise click.UsageError("--keep does not work with approvals.")
        sys.exit(play_approvals(console, as_json=as_json))
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
        played = run_rows(console, server, lambda client: rows(DemoSession(client, provider)))
        failed = print_summary(console, played, time.monotonic() - started, as_json=as_json)
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
