"""What several commands read: a configuration, claims, a token. Never printed back: both may be secret."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO

import click

from ..authentication import OIDCAuth
from ..config.load import FILE_NAME, LoadedConfig, load_environment, load_file
from ..errors import ConfigError
from ..json_values import is_object
from .langgraph_json import LANGGRAPH_JSON, read_environment

TOKEN_VARIABLE = "OIDC_AUTH_TOKEN"
MAX_INPUT_BYTES = 1_048_576
"""Characters that are read of claims or a token: more is neither."""

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
token_option = click.option(
    "--token-file",
    type=click.File("r", encoding="utf-8"),
    help=f"A file with a token; - for standard input. Otherwise ${TOKEN_VARIABLE}.",
)
claims_option = click.option(
    "--claims",
    "claims_file",
    type=click.File("r", encoding="utf-8"),
    help="A JSON file with a decoded token's claims; - for standard input.",
)


def load(file: Path | None, langgraph_file: Path | None = None) -> LoadedConfig:
    """Return the configuration of a file, or the one that a server started here finds, as that server reads it.

    Args:
        file: the configuration; None: $OIDC_AUTH_CONFIG, ./oidc-auth.toml or $OIDC_AUTH_ISSUER.
        langgraph_file: whose ``env`` counts; None: that of the langgraph.json beside the configuration.

    Raises:
        ConfigError: none, more than one, or one that is not valid.
    """
    deployment = langgraph_file or (file or Path(FILE_NAME)).parent / LANGGRAPH_JSON
    environ = {**os.environ, **read_environment(deployment)}
    return load_environment(environ, deployment.parent.resolve()) if file is None else load_file(file, environ)


def loaded(file: Path | None) -> OIDCAuth:
    """Return the authenticator of a configuration; one that is wrong ends the command with the whole report."""
    try:
        return OIDCAuth(load(file))
    except ConfigError as error:
        raise click.ClickException(error.report()) from None


def read_claims(stream: IO[str]) -> dict[str, object]:
    """Return the claims in a stream."""
    try:
        claims: object = json.loads(_text(stream, "--claims"))
    except (ValueError, RecursionError):
        # Not the parser's words: a token given by mistake would be quoted by some of them.
        raise click.ClickException(
            "--claims: not JSON: the decoded claims are expected; a token: --token-file"
        ) from None
    if not is_object(claims):
        raise click.ClickException("--claims: a JSON object of claims is expected")
    return claims


def read_token(stream: IO[str] | None) -> str:
    """Return the token in a stream, or in the environment."""
    token = os.environ.get(TOKEN_VARIABLE, "") if stream is None else _text(stream, "--token-file")
    if not token.strip():
        raise click.ClickException(
            f"no token: give --token-file FILE (or -), or set {TOKEN_VARIABLE}; of decoded claims: --claims FILE"
        )
    return token.strip().removeprefix("Bearer ")


def _text(stream: IO[str], option: str) -> str:
    try:
        return stream.read(MAX_INPUT_BYTES)
    except UnicodeDecodeError:
        raise click.ClickException(f"{option}: not UTF-8 text") from None
