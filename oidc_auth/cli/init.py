"""``oidc-auth init PROVIDER``: the files that put a provider in front of a LangGraph server, and what else to do."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ..config.load import FILE_NAME
from ..config.raw import did_you_mean
from ..providers import PROVIDERS
from ..providers.lookup import ALIASES, resolve_name
from .dev_server import quickstart_folder
from .doctor.library_shipped import ASKING
from .inputs import json_option
from .langgraph_json import ENTRY, LANGGRAPH_JSON, hook_of, secured
from .screen import print_json, say
from .starter import Starter, option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..providers.record import Setup

GRAPH = "graph.py"
KNOWN = ", ".join(sorted(PROVIDERS))
REQUIREMENTS = """\
# What the image of this server installs. Where langgraph-oidc-auth is on no package index that the build reaches,
# put its wheel beside this file and write its path instead: ./langgraph_oidc_auth-<version>-py3-none-any.whl
langgraph-oidc-auth
"""
DEFAULT_ORIGIN = "http://localhost:3000"
"""Where a chat front end runs while it is developed."""
FORCED = (
    f"replaces {FILE_NAME}, and in {LANGGRAPH_JSON} the table auth; it adds to http.cors what is missing, and "
    "keeps everything else"
)


def _parameter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each parameter of a provider. Providers share a parameter of the same name."""
    parameters = [each for provider in PROVIDERS.values() for each in provider.issuer.parameters]
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
            meant = did_you_mean(value, [*self.choices, *ALIASES])
            self.fail(f"no provider {value!r}: {meant or KNOWN}", param, ctx)
        return name


@click.command(epilog=f"PROVIDER is one of {KNOWN}.")
@click.argument("provider", type=ProviderName(sorted(PROVIDERS)), metavar="PROVIDER")
@_parameter_options
@click.option("--audience", default="", help="This API's name, which must be in a token's aud.")
@click.option("--client", "clients", multiple=True, help="A client that may call, where tokens name no audience.")
@click.option("--require", "conditions", multiple=True, metavar="CLAIM=VALUE", help="What must hold of each token.")
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=".", help="Where to write.")
@click.option("--origin", "origins", multiple=True, default=[DEFAULT_ORIGIN], help="A front end that may call the API.")
@click.option("--force", is_flag=True, help=f"{FORCED[0].upper()}{FORCED[1:]}.")
@json_option
def init(
    provider: str,
    audience: str,
    clients: Sequence[str],
    conditions: Sequence[str],
    folder: Path,
    origins: Sequence[str],
    *,
    force: bool,
    as_json: bool,
    **given: str | Sequence[str] | None,
) -> None:
    """Write langgraph.json and oidc-auth.toml for a provider, and print the steps in its dashboard.

    Asks nothing and fetches nothing. With a new langgraph.json, it also writes a graph that needs no model and a
    requirements.txt that names this library, if they are missing. Exit status 0 when written, 1 when a file exists
    already (see --force) or a value is not valid, 2 when options are missing or wrong.
    """
    addresses = {name: _parts(value) for name, value in given.items() if value}
    starter = Starter(provider=provider, audience=audience, clients=clients, conditions=conditions, addresses=addresses)
    files = {
        folder / FILE_NAME: starter.toml(),
        folder / LANGGRAPH_JSON: _langgraph_json(folder / LANGGRAPH_JSON, origins),
    }
    _refuse_existing([file for file in files if file.exists()], force=force)
    if not (folder / LANGGRAPH_JSON).exists():
        files |= _missing(folder)
    _write(files)
    steps, following = starter.setup.steps_for(audience), _following(folder)
    if as_json:
        print_json({"written": [str(file) for file in files], "steps": steps, "next": following})
    else:
        _print(starter.setup, files, steps, following)


def _missing(folder: Path) -> dict[Path, str]:
    """Return what a new langgraph.json needs and the folder lacks: a graph, and the packages of the image."""
    files: dict[Path, str] = {}
    if not (folder / GRAPH).exists():
        files[folder / GRAPH] = (quickstart_folder() / GRAPH).read_text("utf-8")
    if not any((folder / name).exists() for name in ASKING):
        files[folder / ASKING[0]] = REQUIREMENTS
    return files


def _parts(value: str | Sequence[str]) -> str | list[str]:
    return value if isinstance(value, str) else [part.strip() for text in value for part in text.split(",")]


def _langgraph_json(file: Path, origins: Sequence[str]) -> str:
    known: object = {}
    if file.exists():
        try:
            known = json.loads(file.read_text("utf-8"))
        except ValueError:
            raise click.ClickException(f"{file}: not JSON") from None
        if not isinstance(known, dict):
            raise click.ClickException(f"{file}: a JSON object is expected")
    document = cast("dict[str, Any]", known)
    if (hook := hook_of(document)) not in ("", ENTRY):
        raise click.ClickException(
            f"{file}: auth.path is {hook!r}, a hook of your own; nothing was written. Take auth out of it to have "
            f"{ENTRY!r} written there, or keep it and call protect() in it"
        )
    return json.dumps(secured(document, origins), indent=2) + "\n"


def _refuse_existing(existing: Sequence[Path], *, force: bool) -> None:
    if existing and not force:
        names = " and ".join(str(file) for file in existing)
        verb = "are" if len(existing) > 1 else "is"
        raise click.ClickException(f"{names} {verb} already there; nothing was written. --force {FORCED}")


def _write(files: Mapping[Path, str]) -> None:
    try:
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None


def _following(folder: Path) -> list[str]:
    file = shlex.quote(str(folder / FILE_NAME))
    there = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    return [
        f"oidc-auth check {file}",
        f"oidc-auth doctor {file}",
        f"{there}langgraph dev",
        f"oidc-auth doctor --url http://127.0.0.1:2024 {file}",
    ]


def _print(setup: Setup, files: Mapping[Path, str], steps: Sequence[str], following: Sequence[str]) -> None:
    for file in files:
        say("[green]written[/]", f" {file}")
    reminder = " (an API, not an application; an access token, not an ID token)" if setup.access_tokens else ""
    say("", f"\nIn {setup.place}{reminder}:")
    for number, step in enumerate(steps, 1):
        say("", f"  {number}. {step}")
    say("", "\nThen:")
    for line in following:
        say("", f"  {line}")
