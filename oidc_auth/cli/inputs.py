"""What several commands read: a configuration, claims, a token. Never printed back: both may be secret."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click

from ..auth import OIDCAuth
from ..errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_VARIABLE = "OIDC_AUTH_TOKEN"

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def claims_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--claims``: a file with a decoded token's claims, or ``-`` for standard input."""
    option = click.option("--claims", "claims_file", type=click.File("r", encoding="utf-8"), required=True)
    return option(command)


def loaded(file: Path) -> OIDCAuth:
    """Return the authenticator of a configuration; one that is wrong ends the command with the whole report."""
    try:
        return OIDCAuth.from_file(file)
    except ConfigError as error:
        raise click.ClickException(error.report()) from None


def read_claims(stream: IO[str]) -> dict[str, object]:
    """Return the claims in a stream."""
    try:
        claims: object = json.load(stream)
    except ValueError as error:
        raise click.ClickException(f"--claims: not JSON: {error}") from None
    if not isinstance(claims, dict):
        raise click.ClickException("--claims: a JSON object of claims is expected")
    return cast("dict[str, object]", claims)


def read_token(stream: IO[str] | None) -> str:
    """Return the token in a stream, or in the environment."""
    token = os.environ.get(TOKEN_VARIABLE, "") if stream is None else stream.read()
    if not token.strip():
        raise click.ClickException(f"no token: give --token-file FILE (or -), or set {TOKEN_VARIABLE}")
    return token.strip().removeprefix("Bearer ")
