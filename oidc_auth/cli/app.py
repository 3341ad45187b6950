"""The group of all commands, and ``oidc-auth schema``.

It is separate, so that no command imports the group, and the group imports every command once.
"""

from __future__ import annotations

import json
import logging

import click

from ..config.schema_document import text
from ..observability import logger
from .assign_owners import assign_owners
from .check import check
from .demo import demo
from .doctor.command import doctor
from .explain import can, explain, store_label
from .init import init
from .inputs import json_option
from .output import Group, print_json
from .provider import provider
from .revoke import revocations, revoke


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="langgraph-oidc-auth", prog_name="oidc-auth")
def app() -> None:
    """Authenticate and authorize users of a LangGraph server with OpenID Connect.

    To start, run: oidc-auth init PROVIDER
    """
    # The commands print the same warnings. Without a handler, Python would print the log too.
    logger.addHandler(logging.NullHandler())


@click.command(short_help="Print the JSON Schema of oidc-auth.toml.")
@json_option
def schema(*, as_json: bool) -> None:
    """Print the JSON Schema (2020-12) of oidc-auth.toml.

    Editors use it to complete and check keys. Write `#:schema PATH` as the first line of the TOML file.
    `oidc-auth check` also checks roles, permissions and claim paths. Exit code 0.
    """
    if as_json:
        # On one line, as the JSON of every command.
        print_json(json.loads(text()))
    else:
        click.echo(text(), nl=False)


for command in (
    init,
    check,
    explain,
    can,
    store_label,
    doctor,
    schema,
    assign_owners,
    revoke,
    revocations,
    provider,
    demo,
):
    app.add_command(command)
