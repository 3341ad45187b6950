"""The commands, gathered."""

from __future__ import annotations

import click

from .adopt import adopt
from .check import check
from .demo import demo
from .doctor.command import doctor
from .explain import can, explain, label
from .init import init
from .schema import schema


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="langgraph-oidc-auth", prog_name="oidc-auth")
def app() -> None:
    """OpenID Connect authentication and authorization for LangGraph servers."""


for command in (init, check, explain, can, label, doctor, schema, adopt, demo):
    app.add_command(command)
