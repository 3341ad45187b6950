"""The command ``oidc-auth doctor FILE``."""

from __future__ import annotations

import logging
import os
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from ...config.load import FILE_NAME
from ...observability import logger
from ..inputs import TOKEN_VARIABLE, json_option, read_token, token_option
from ..langgraph_json import LANGGRAPH_JSON
from ..output import console, print_json, print_table
from ..server_address import server_address
from . import CHECKS
from .check import Result, run_check
from .environment import collect_environment
from .finding import Severity
from .server import RunningServer

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = {"ok": "green", "skipped": "dim", "error": "bold red", "warning": "yellow", "info": "cyan"}


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option(
    "--langgraph-json",
    "langgraph_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The deployment's langgraph.json; by default the one beside FILE.",
)
@click.option("--url", callback=server_address, help="A running server to try: searched only, nothing is changed.")
@token_option
@json_option
def doctor(
    file: Path | None, langgraph_file: Path | None, url: str | None, token_file: IO[str] | None, *, as_json: bool
) -> None:
    """Look at what surrounds a configuration: the provider, langgraph.json, installed versions, a running server.

    FILE may be left out where a server started here would find its configuration. Changes nothing. Each check is
    explained in docs/doctor.md under its name. Exit status 1 when one found an error.
    """
    # What the library would log about a provider is what the checks show.
    logger.addHandler(logging.NullHandler())
    server = None if url is None else RunningServer(url, _token(token_file))
    screen = console()
    with screen.status("asking the provider and the server ..."):
        environment = collect_environment(
            file, langgraph_file or (file or Path(FILE_NAME)).parent / LANGGRAPH_JSON, server
        )
        results = [run_check(check, environment) for check in CHECKS]
    if as_json:
        print_json(_to_json(results))
    else:
        print_table(screen, "What surrounds it", _table(results))
        counts = Counter(result.status for result in results)
        screen.print(", ".join(f"{counts[status]} {status}" for status in COLOURS if counts[status]))
    raise SystemExit(1 if any(result.status == Severity.ERROR for result in results) else 0)


def _token(stream: IO[str] | None) -> str:
    """Return the token, if there is one."""
    return read_token(stream) if stream is not None or os.environ.get(TOKEN_VARIABLE) else ""


def _to_json(results: Sequence[Result]) -> dict[str, Any]:
    return {"checks": [_entry(result) for result in results]}


def _entry(result: Result) -> dict[str, Any]:
    findings = [
        {"what": found.what, "hint": found.hint, "severity": found.severity or result.check.severity}
        for found in result.findings
    ]
    return {"id": result.check.id, "status": result.status, "skipped": result.skipped, "findings": findings}


def _table(results: Sequence[Result]) -> Table:
    table = Table("check", "result", "what was found")
    for result in results:
        found = [finding.what + (f"\n-> {finding.hint}" if finding.hint else "") for finding in result.findings]
        text = "\n".join(found) or result.skipped or result.check.expects
        table.add_row(result.check.id, f"[{COLOURS[result.status]}]{result.status}[/]", escape(text))
    return table
