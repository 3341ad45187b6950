"""``oidc-auth demo approvals``: a payment that a second user must approve."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..testing import LocalIssuer
from .approvals_scenario import USERS, rows, user_tokens
from .demo_table import print_summary, run_rows
from .dev_server import ServerError, example_folder, running_dev_server
from .output import print_text
from .scenario import DemoSession

if TYPE_CHECKING:
    from rich.console import Console


def play_approvals(console: Console, *, as_json: bool) -> int:
    """Run the example with a local provider, send all requests and return the exit code."""
    started, issuer = time.monotonic(), LocalIssuer()
    with tempfile.TemporaryDirectory(prefix="oidc-auth-demo-") as folder, issuer.served() as url:
        try:
            with running_dev_server(example_folder("approvals"), Path(folder), {"OIDC_ISSUER": url}) as server:
                print_text(console, f"{server.url}, ready after {time.monotonic() - started:.1f} s", label="server    ")
                print_text(console, f"{url}, for this demo only", label="provider  ")
                users = ", ".join(f"{name} ({person.description})" for name, person in USERS.items())
                print_text(console, users, label="users     ")
                tokens = user_tokens(issuer)
                played = run_rows(console, server, lambda client: rows(DemoSession(client, tokens)))
        except ServerError as error:
            # The log is the only place with the reason, and its folder is deleted at the end.
            console.print(str(error), markup=False, highlight=False)
            raise click.ClickException(
                "The server did not start. Install it: pip install 'langgraph-oidc-auth[demo]'"
            ) from None
    failed = print_summary(console, played, time.monotonic() - started, as_json=as_json)
    console.print("next: oidc-auth init")
    return 1 if failed else 0
