"""Inputs of several commands: configuration, claims, token, server URL.

Claims and tokens are never printed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import click

from ..authentication import OIDCAuth
from ..config.load import FILE_NAME, LoadedConfig, load_environment, load_file
from ..errors import ConfigError
from ..json_values import is_object
from .auth_hook import AuthHook, find_hook
from .langgraph_json import find_deployment, read_environment

TOKEN_VARIABLE = "OIDC_AUTH_TOKEN"
MAX_INPUT_BYTES = 1_048_576
"""Characters of claims or of a token that are read."""

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
# Never as an argument, because other users of the machine can read arguments, and the shell keeps them.
token_option = click.option(
    "--token-file",
    metavar="FILE",
    type=click.File("r", encoding="utf-8"),
    help=f"A file with a token, or - for standard input. Default: ${TOKEN_VARIABLE}.",
)
claims_option = click.option(
    "--claims",
    "claims_file",
    metavar="FILE",
    type=click.File("r", encoding="utf-8"),
    help="A JSON file with the claims of a decoded token, or - for standard input.",
)


def load(file: Path | None, langgraph_file: Path | None = None, hook: AuthHook | None = None) -> LoadedConfig:
    """Return the configuration of a file, or the one that the server would use.

    Args:
        file: The configuration. None means the hook of langgraph.json, ``$OIDC_AUTH_CONFIG``, ``./oidc-auth.toml`` or
            ``$OIDC_AUTH_ISSUER``.
        langgraph_file: None means the langgraph.json or aegra.json in the folder of the configuration.
        hook: The hook of langgraph.json, if the caller has imported it.

    Raises:
        ConfigError: There is none, there are several, or it is invalid.
    """
    deployment = langgraph_file or find_deployment((file or Path(FILE_NAME)).parent)
    # langgraph.json wins, as on langgraph dev. A command must see the values that the server sees.
    environ = {**os.environ, **read_environment(deployment)}
    if file is not None:
        return load_file(file, environ)
    # A module can build its configuration in Python, without any file. Only importing it shows what the server uses.
    hook = hook or find_hook(deployment)
    if hook.error is not None:
        raise hook.error
    return load_environment(environ, deployment.parent.resolve()) if hook.oidc is None else hook.oidc.loaded


def open_auth(file: Path | None) -> OIDCAuth:
    """Return the ``OIDCAuth`` object of a configuration, or of the hook in langgraph.json.

    Raises:
        click.ClickException: The configuration is invalid. The message is the whole report.
    """
    hook = find_hook(find_deployment(Path())) if file is None else AuthHook()
    try:
        return hook.oidc or OIDCAuth(load(file, hook=hook))
    except ConfigError as error:
        raise click.ClickException(error.report()) from None


def read_claims(stream: IO[str]) -> dict[str, object]:
    """Return the claims in a stream."""
    try:
        claims: object = json.loads(_text(stream, "--claims"))
    except (ValueError, RecursionError):
        # The parser's message could quote a token that was given by mistake.
        raise click.ClickException(
            "--claims: not JSON. Expected the decoded claims. For a token, use --token-file FILE."
        ) from None
    if not is_object(claims):
        raise click.ClickException("--claims: expected a JSON object with claims.")
    return claims


def read_token(stream: IO[str] | None) -> str:
    """Return the token in a stream, or in the environment."""
    # A variable, because a CI job has its secrets in variables.
    token = os.environ.get(TOKEN_VARIABLE, "") if stream is None else _text(stream, "--token-file")
    if not token.strip():
        raise click.ClickException(
            f"No token. Use --token-file FILE, or set {TOKEN_VARIABLE}. For decoded claims, use --claims FILE."
        )
    # People copy the whole value of the header.
    return token.strip().removeprefix("Bearer ")


def _text(stream: IO[str], option: str) -> str:
    try:
        # Bounded, because standard input can be endless.
        return stream.read(MAX_INPUT_BYTES)
    except UnicodeDecodeError:
        raise click.ClickException(f"{option}: not UTF-8. Save it as UTF-8.") from None


def parse_server_url(_context: click.Context, _parameter: click.Parameter, url: str | None) -> str | None:
    """Return the URL of a server. It is printed, so it must not contain a secret.

    Raises:
        click.BadParameter: It is not a plain URL. The message does not quote it.
    """
    if url is not None and not _is_plain(url):
        raise click.BadParameter(
            "expected https://HOST:PORT (http:// for loopback addresses), without user name, password, query or "
            "fragment. Example: http://127.0.0.1:2024"
        )
    return url


def _is_plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    # Reports of the commands go into tickets and logs of CI.
    secret = "@" in parts.netloc or parts.query or parts.fragment
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not secret
