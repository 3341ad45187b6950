"""``oidc-auth init``: the files for a provider, and the steps in its console."""

from __future__ import annotations

import difflib
import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..config.load import FILE_NAME
from ..config.raw_document import did_you_mean
from ..providers import PROVIDERS
from ..providers.lookup import ALIASES, resolve_name
from .dev_server import quickstart_folder
from .doctor.packages import DISTRIBUTION, REQUIREMENT_FILES, names_library
from .inputs import json_option
from .langgraph_json import (
    AEGRA_AUTH,
    AEGRA_ENTRY,
    AEGRA_JSON,
    AUTH,
    DEFAULT_ORIGIN,
    ENTRY,
    LANGGRAPH_JSON,
    add_auth_hook,
    read_document,
    read_hook,
)
from .output import console, print_json, print_list, print_text
from .starter import Starter, option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..providers.record import Setup

GRAPH = "graph.py"
PRESET_NAMES = ", ".join(sorted(PROVIDERS))
REQUIREMENTS = """\
# The packages in the image of this server. If the build cannot download langgraph-oidc-auth, copy its wheel to this
# folder and write its path instead: ./langgraph_oidc_auth-<version>-py3-none-any.whl
langgraph-oidc-auth
"""
REQUIREMENT_NOTE = f"No dependency names this library. Add {DISTRIBUTION} to {REQUIREMENT_FILES[0]}."
FORCE_EFFECTS = f"Replace {FILE_NAME}, and the table auth in {LANGGRAPH_JSON} or {AEGRA_JSON}. All other settings stay."


class Server(NamedTuple):
    """A server that ``init`` writes the files for."""

    file: str
    entry: str
    auth: Mapping[str, Any]
    requirements: str
    start: str
    url: str


SERVERS: Mapping[str, Server] = {
    # Without the option, the server opens LangGraph Studio, which langgraph.json does not let in.
    "langgraph": Server(
        LANGGRAPH_JSON, ENTRY, AUTH, REQUIREMENTS, "langgraph dev --no-browser", "http://127.0.0.1:2024"
    ),
    "aegra": Server(
        AEGRA_JSON,
        AEGRA_ENTRY,
        AEGRA_AUTH,
        f"{REQUIREMENTS}aegra-api>=0.11,<0.12\n",
        "DATABASE_URL=postgresql://USER:PASSWORD@HOST/DATABASE uvicorn aegra_api.main:app --port 2026",
        "http://127.0.0.1:2026",
    ),
}


def _parameter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each parameter of a provider. Providers share parameters with the same name."""
    parameters = [each for provider in PROVIDERS.values() for each in provider.issuer.parameters]
    # Reversed, because decorators apply from the inside, and the help shows the outermost one first.
    for parameter in reversed({each.name: each for each in reversed(parameters)}.values()):
        takers = ", ".join(sorted(name for name, each in PROVIDERS.items() if parameter.name in each.issuer.keys))
        text = f"{parameter.help} ({takers})."
        command = click.option(option(parameter.name), parameter.name, multiple=parameter.listed, help=text)(command)
    return command


class ProviderName(click.Choice[str]):
    """The name of a provider, or one of its aliases. A mistake gets a suggestion instead of all names."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the provider's own name."""
        name = resolve_name(value)
        if name not in self.choices:
            # Aliases too, because a typo in an alias is near to no name of a preset.
            meant = did_you_mean(value, [*self.choices, *ALIASES])
            self.fail(f"no provider {value!r}: {meant or PRESET_NAMES}", param, ctx)
        return name


@click.command(
    short_help="Write langgraph.json and oidc-auth.toml for a provider.", epilog=f"PROVIDER is one of {PRESET_NAMES}."
)
@click.argument("provider", type=ProviderName(sorted(PROVIDERS)), metavar="PROVIDER")
@_parameter_options
@click.option("--audience", default="", help="The name of this API, which must be in aud of a token.")
@click.option("--client", "clients", multiple=True, help="A client that may call, if tokens have no audience.")
@click.option("--require", "conditions", multiple=True, metavar="CLAIM=VALUE", help="A condition for every token.")
@click.option(
    "--dir",
    "folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    help="The folder of the files. Default: this folder.",
)
@click.option(
    "--origin",
    "origins",
    metavar="URL",
    multiple=True,
    help=f"The origin of a front end (CORS). Default for a new langgraph.json: {DEFAULT_ORIGIN}.",
)
@click.option("--public-url", metavar="URL", default="", help="Add the web application. URL is that of this server.")
@click.option(
    "--server",
    type=click.Choice([*SERVERS]),
    default="langgraph",
    help=f"aegra writes {AEGRA_JSON} in place of {LANGGRAPH_JSON}. Default: langgraph.",
)
@click.option("--force", is_flag=True, help=FORCE_EFFECTS)
@click.option("--dry-run", is_flag=True, help="Show the changes, and write nothing.")
@json_option
def init(  # noqa: PLR0913 - one argument for each option
    provider: str,
    audience: str,
    clients: Sequence[str],
    conditions: Sequence[str],
    folder: Path,
    origins: Sequence[str],
    public_url: str,
    server: str,
    *,
    force: bool,
    dry_run: bool,
    as_json: bool,
    **given: str | Sequence[str] | None,
) -> None:
    """Write langgraph.json and oidc-auth.toml for a provider.

    It then prints the steps for the provider's console. It asks no question and does not use the network. An existing
    langgraph.json keeps its settings. With a new one, it also writes a graph that needs no model, and a
    requirements.txt.

    Exit code 0 if the files are written. Exit code 1 if a setting would be replaced (see --force) or a value is
    invalid. Exit code 2 if options are missing or wrong.
    """
    addresses = {name: _parts(value) for name, value in given.items() if value}
    starter = Starter(
        provider=provider,
        audience=audience,
        clients=clients,
        conditions=conditions,
        addresses=addresses,
        public_url=public_url,
        own_only=server == "aegra",
    )
    # Everything is computed and checked before anything is written. A refused init leaves the project as it was.
    text, warnings = starter.toml()
    target = SERVERS[server]
    if public_url and target.file == AEGRA_JSON:
        raise click.UsageError("--public-url adds the web application, which Aegra cannot run. Leave it out.")
    plan = _plan(folder, text, origins, target, force=force, web=bool(public_url))
    diff = _diff(plan.files) if dry_run else ""
    if not dry_run:
        _write(plan.files)
    steps, following = starter.setup.steps_for(audience), _next_commands(folder, target)
    if as_json:
        written = [] if dry_run else [str(file) for file in plan.files]
        document = {"written": written, "notes": [*warnings, *plan.notes], "steps": steps, "next": following}
        print_json({**document, "diff": diff} if dry_run else document)
        return
    _print_files(plan, warnings, diff)
    if not dry_run:
        _print_steps(starter.setup, steps, following)


class Plan(NamedTuple):
    """The files to write, and notes for the user."""

    files: Mapping[Path, str]
    notes: Sequence[str]


def _plan(folder: Path, toml: str, origins: Sequence[str], server: Server, *, force: bool, web: bool) -> Plan:
    """Return the new content of all files.

    Raises:
        click.ClickException: A setting would be replaced, or langgraph.json is not valid.
    """
    file = folder / server.file
    before = _read_existing(file, server.entry)
    merged = add_auth_hook(before, origins, web=web, auth=server.auth)
    # The file is the access policy of a server. A second init must not replace it by accident.
    replaced = [f"{folder / FILE_NAME} exists"] if (folder / FILE_NAME).exists() else []
    replaced += [f"{file} has another value for auth.{key}" for key in merged.replaced]
    if replaced and not force:
        raise click.ClickException(f"{'. '.join(replaced)}. Nothing was written. To replace it, add --force.")
    files = {folder / FILE_NAME: toml, file: _format(file, before, merged.document)}
    # An existing project has its own graph and its own dependencies.
    if not file.exists():
        return Plan(files | _missing(folder, server.requirements), merged.notes)
    notes = [] if names_library(merged.document, folder) else [REQUIREMENT_NOTE]
    return Plan(files, [*merged.notes, *notes])


def _missing(folder: Path, requirements: str) -> dict[Path, str]:
    """Return the files that a new langgraph.json needs and the folder lacks."""
    files: dict[Path, str] = {}
    if not (folder / GRAPH).exists():
        # The example of the demo, because it needs no model and no key.
        files[folder / GRAPH] = (quickstart_folder() / GRAPH).read_text("utf-8")
    if not any((folder / name).exists() for name in REQUIREMENT_FILES):
        # Without it, the image of this server has no oidc_auth, and does not start.
        files[folder / REQUIREMENT_FILES[0]] = requirements
    return files


def _parts(value: str | Sequence[str]) -> str | list[str]:
    return value if isinstance(value, str) else [part.strip() for text in value for part in text.split(",")]


def _read_existing(file: Path, entry: str) -> Mapping[str, Any]:
    if not file.exists():
        return {}
    try:
        document = read_document(file)
    except ValueError as error:
        raise click.ClickException(f"{file} {error}. Nothing was written. Write it as a JSON object.") from None
    # --force does not help here. The user's own hook can contain rules that would be lost.
    if (hook := read_hook(document)) not in ("", entry):
        raise click.ClickException(
            f"{file}: auth.path is {hook!r}, your own hook. Nothing was written. To use {entry!r}, remove auth from "
            "the file. To keep your hook, call protect() in it."
        )
    return document


def _format(file: Path, before: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Return the text of langgraph.json. Unchanged lines stay as they are, if possible."""
    text = file.read_text("utf-8") if file.exists() else ""
    # The indentation of the file, so that the diff in version control shows only what was added.
    indent = found[1] if (found := re.search(r'^([ \t]+)"', text, re.MULTILINE)) else 2
    added = {key: value for key, value in document.items() if key not in before}
    if before and all(before[key] == document[key] for key in before):
        start = text.rstrip().removesuffix("}").rstrip()
        return f"{start},{json.dumps(added, indent=indent).removeprefix('{')}\n"
    return json.dumps(document, indent=indent) + "\n"


def _diff(files: Mapping[Path, str]) -> str:
    """Return a unified diff of all files."""
    lines: list[str] = []
    for file, text in files.items():
        before = file.read_text("utf-8", "replace").splitlines() if file.exists() else []
        # As patch expects for a new file.
        old = str(file) if file.exists() else "/dev/null"
        lines += difflib.unified_diff(before, text.splitlines(), old, str(file), lineterm="")
    return "\n".join(lines)


def _write(files: Mapping[Path, str]) -> None:
    try:
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None


def _next_commands(folder: Path, server: Server) -> list[str]:
    # The commands are copied into a shell.
    file = shlex.quote(str(folder / FILE_NAME))
    # The server reads its file in the current folder.
    there = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    return [
        f"oidc-auth check {file}",
        f"oidc-auth doctor {file}",
        f"{there}{server.start}",
        f"oidc-auth doctor --url {server.url} {file}",
    ]


def _print_files(plan: Plan, warnings: Sequence[str], diff: str) -> None:
    screen = console()
    for warning in warnings:
        # On standard error, so that they are seen if the output goes to a file.
        print_text(console(stderr=True), warning, label="warning ", style="yellow")
    if diff:
        # A wrapped line of a diff would be another diff.
        click.echo(diff)
        print_text(screen, "Dry run: nothing was written.")
    else:
        for file in plan.files:
            print_text(screen, str(file), label="written ", style="green")
    for note in plan.notes:
        print_text(screen, note, label="note ", style="yellow")


def _print_steps(setup: Setup, steps: Sequence[str], following: Sequence[str]) -> None:
    screen = console()
    print_text(screen, f"\nIn {setup.place}:")
    print_list(screen, steps)
    print_text(screen, "\nThen, in this order:")
    for line in following:
        # A wrapped command could not be copied.
        click.echo(f"  {line}")
    click.echo(f"\nnext: {following[0]}")
