"""``oidc-auth demo``: a local provider, a real server, allowed and refused requests, and a page."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config.load import CONFIG_VARIABLE
from .approvals_demo import play_approvals
from .demo_app import demo_client, write_demo_app
from .demo_page.names import PAGE_USERS, PREFIX
from .demo_table import print_summary, run_rows
from .dev_server import DevServer, ServerError, running_dev_server
from .inputs import json_option
from .output import console as make_console
from .output import print_text
from .provider import local_provider_class
from .scenario import USERS, DemoSession, demo_users, rows

if TYPE_CHECKING:
    from rich.console import Console

    from ..local_provider import LocalProvider
    from ..local_provider.activity import Activity

NEXT = "next: oidc-auth init"


@click.command(short_help="Start a local provider and server, and show all rules and a page.")
@click.argument("scenario", type=click.Choice(["approvals"]), required=False)
@click.option("--page/--no-page", default=None, help="Keep the server and its page. Default: only on a terminal.")
@json_option
def demo(scenario: str | None, *, page: bool | None, as_json: bool) -> None:
    """Start a local provider and server, and show which requests are allowed.

    It needs no network, no model and no API key. On a terminal, it ends with the address of a page, on which you log in
    as sample users and see each decision. Exit code 0 if all requests have the expected result.

    "oidc-auth demo approvals" shows a payment that a second user must approve. It has no page.
    """
    # The server must not remain after SIGTERM.
    signal.signal(signal.SIGTERM, _end)
    # With --json, standard output contains only JSON.
    console = make_console(stderr=as_json)
    if scenario == "approvals":
        if page:
            raise click.UsageError("--page does not work with approvals.")
        status = play_approvals(console, as_json=as_json)
        console.print(NEXT)
        sys.exit(status)
    started = time.monotonic()
    with ExitStack() as stack:
        # Entered first, so that it is deleted last, after the server has stopped.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oidc-auth-demo-")))
        # Its key exists in this process only, so the tokens are worth nothing afterwards.
        provider = _make_provider(console)
        issuer_url = stack.enter_context(provider.served())
        server = _start(console, stack, folder, issuer_url)
        provider.put_client(demo_client(server.url))
        print_text(console, f"{server.url}, ready after {time.monotonic() - started:.1f} s", label="server    ")
        print_text(console, f"{issuer_url}, for this demo only", label="provider  ")
        users = ", ".join(f"{name} ({role}, {tenant})" for name, (role, tenant) in USERS.items())
        print_text(console, users, label="users     ")
        tokens = {name: provider.token(name) for name in USERS}
        played = run_rows(console, server, lambda client: rows(DemoSession(client, tokens), provider))
        failed = print_summary(console, played, time.monotonic() - started, as_json=as_json)
        if page if page is not None else _is_interactive() and not as_json:
            _show_page(console, server)
    console.print(NEXT)
    sys.exit(1 if failed else 0)


def _is_interactive() -> bool:
    """Tell whether a person reads the output and can press Ctrl-C."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _end(number: int, frame: object) -> None:
    # The exit code of a process that a signal ended, as in a shell.
    del frame
    sys.exit(128 + number)


def _make_provider(console: Console) -> LocalProvider:
    """Return the provider. It reports logins and logouts on the page to the terminal."""

    def report(activity: Activity) -> None:
        print_text(console, activity.text, label="provider  ", style="red" if activity.failed else "")

    return local_provider_class()(demo_users(), report=report)


def _start(console: Console, stack: ExitStack, folder: Path, issuer_url: str) -> DevServer:
    configuration = write_demo_app(folder / "demo")
    environ = {"OIDC_ISSUER": issuer_url, CONFIG_VARIABLE: str(configuration)}
    try:
        with console.status("starting langgraph dev ..."):
            return stack.enter_context(running_dev_server(configuration.parent, folder, environ))
    except ServerError as error:
        # The log is the only place with the reason, and its folder is deleted at the end.
        console.print(str(error), markup=False, highlight=False)
        raise click.ClickException(
            "The server did not start. Install it: pip install 'langgraph-oidc-auth[demo]'"
        ) from None


def _show_page(console: Console, server: DevServer) -> None:
    # The last lines of the table are still visible. The address alone on its line, so that it is easy to select.
    console.print(f"\n{server.url}{PREFIX}/", soft_wrap=True, markup=False, highlight=False)
    *names, last = PAGE_USERS
    print_text(console, f"Log in as {', '.join(names)} or {last}. Press Ctrl-C to end the demo.")
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
    # The terminal shows ^C on the line of the cursor.
    console.print()
