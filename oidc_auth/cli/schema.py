"""``oidc-auth schema``: the JSON Schema of a configuration file, for editors and other tools."""

from __future__ import annotations

import json

import click

from ..config.schema_document import text
from .inputs import json_option
from .output import print_json


@click.command()
@json_option
def schema(*, as_json: bool) -> None:
    """Print the JSON Schema (2020-12) of oidc-auth.toml.

    A TOML file names it in its first line, #:schema <path or address>, and an editor completes and checks the keys.
    What a schema cannot say (roles, permissions, claim paths) is what `oidc-auth check` looks at. Exit status 0.
    """
    if as_json:
        print_json(json.loads(text()))
    else:
        click.echo(text(), nl=False)
