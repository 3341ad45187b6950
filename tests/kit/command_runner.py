"""Run a command of ``oidc-auth`` in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner, Result

from oidc_auth.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT: Mapping[str, str | None] = {"OIDC_ISSUER": "https://issuer.test", "OIDC_AUTH_TOKEN": "", "COLUMNS": None}
"""The quickstart needs OIDC_ISSUER. Without COLUMNS, lines are not wrapped."""


def run(*arguments: str, given: str | None = None, env: Mapping[str, str | None] | None = None) -> Result:
    """Run a command.

    Args:
        *arguments: The arguments after ``oidc-auth``.
        given: Standard input.
        env: More environment variables. None removes a variable.
    """
    return CliRunner().invoke(app, arguments, input=given, env={**ENVIRONMENT, **(env or {})})


def error_of(result: Result) -> str:
    """Return the error message of a command, in one line and without the usage that click adds."""
    return " ".join(result.output.partition("Error: ")[2].split())
