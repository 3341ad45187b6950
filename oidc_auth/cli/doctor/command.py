"""The command ``oidc-auth doctor``."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ...config.load import FILE_NAME
from ..inputs import TOKEN_VARIABLE, json_option, parse_server_url, read_token, token_option
from ..langgraph_json import find_deployment
from ..output import console, print_json, print_text
from . import CHECKS
from .check import Result, Severity, run_check
from .environment import collect_environment
from .running_server import RunningServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

COLOURS = {"ok": "green", "skipped": "dim", "error": "bold red", "warning": "yellow", "info": "cyan"}

LABEL_WIDTH = 9
INDENT = " " * LABEL_WIDTH


@click.command(short_help="Check provider, langgraph.json, packages and server.")
# A missing file is a finding of one check. The others, such as those of langgraph.json, still run.
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option(
    "--langgraph-json",
    "langgraph_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="The langgraph.json or aegra.json of the deployment. Default: in the folder of FILE.",
)
@click.option("--url", metavar="URL", callback=parse_server_url, help="A running server to test. Nothing is changed.")
@token_option
@json_option
def doctor(
    file: Path | None, langgraph_file: Path | None, url: str | None, token_file: IO[str] | None, *, as_json: bool
) -> None:
    """Check the provider, langgraph.json, packages and a running server.

    Without FILE, it uses the configuration that a server in this folder would use. It changes nothing. The page
    docs/doctor.md explains each check. Exit code 1 if a check finds an error.
    """
    # Read before the checks, so that a wrong option ends the command immediately.
    server = None if url is None else RunningServer(url, _token(token_file))
    screen = console()
    with screen.status("running the checks ..."):
        environment = collect_environment(
            file, langgraph_file or find_deployment((file or Path(FILE_NAME)).parent), server
        )
        results = [run_check(check, environment) for check in CHECKS]
    if as_json:
        print_json(_to_json(results))
    else:
        for result in results:
            _print_result(screen, result)
        counts = Counter(result.status for result in results)
        screen.print(", ".join(f"{counts[status]} {status}" for status in COLOURS if counts[status]))
    # Warnings do not fail a pipeline, because some of them are decisions, such as insecure_http_hosts.
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


def _print_result(screen: Console, result: Result) -> None:
    passed = result.skipped or result.check.passes_if
    text = result.check.id if result.findings else f"{result.check.id}: {passed}"
    print_text(screen, text, label=f"{result.status:<{LABEL_WIDTH}}", style=COLOURS[result.status])
    for finding in result.findings:
        print_text(screen, finding.what, label=INDENT)
        if finding.hint:
            print_text(screen, finding.hint, label=f"{INDENT}-> ")
