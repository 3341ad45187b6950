"""``oidc-auth provider``: a local OpenID provider for development."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..local_provider.accounts import SettingsError
from ..local_provider.addresses import LOOPBACK
from ..local_provider.samples import SAMPLE_CLIENTS
from ..local_provider.users_file import load_users_file
from .inputs import json_option
from .output import console as make_console
from .output import print_json
from .provider_keys import KeyCommands, key_presses
from .provider_screen import Screen, TokenFolder, sample_robot

if TYPE_CHECKING:
    from ..local_provider import LocalProvider

DEFAULT_PORT = 9400
INSTALL = "The extra demo is missing. Install it: pip install 'langgraph-oidc-auth[demo]'"


def local_provider_class() -> type[LocalProvider]:
    """Return the class of the provider.

    Raises:
        click.ClickException: Its web server is not installed.
    """
    try:
        # Imported late. The other commands work without the extra, and start faster.
        from ..local_provider.provider import LocalProvider  # noqa: PLC0415
    except ImportError:
        raise click.ClickException(INSTALL) from None
    return LocalProvider


def _refuse_host(_context: click.Context, _parameter: click.Parameter, host: str | None) -> None:
    if host not in (None, LOOPBACK):
        raise click.BadParameter(
            f"the provider listens on {LOOPBACK} only, because it signs tokens for anyone who can reach it. "
            "Omit --host."
        )


@click.command(short_help="Start a local OpenID provider for development.")
@click.option(
    "--users",
    "users_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with users and clients. Default: alice, bob, ada and victor.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    help="The port. 0 chooses a free one. Default: 9400.",
)
@click.option("--audience", default="agents", help="The audience (aud) of access tokens. Default: agents.")
@click.option(
    "--lifetime", type=click.IntRange(1, 86_400), default=3600, help="Seconds until tokens expire. Default: 3600."
)
# Hidden, because it has one value. It explains why another address is refused.
@click.option("--host", hidden=True, expose_value=False, callback=_refuse_host)
@json_option
def provider(users_file: Path | None, port: int, audience: str, lifetime: int, *, as_json: bool) -> None:
    """Start a local OpenID provider on 127.0.0.1 for development.

    It has a login page without passwords, and signs tokens for anyone who can reach it. It runs until Ctrl-C.
    With --json, it prints issuer, users, clients and tokens as its first line. Exit code 0, or 1 if it cannot start.
    """
    # The folder with tokens must not remain after SIGTERM.
    signal.signal(signal.SIGTERM, _end)
    screen = Screen(make_console(stderr=as_json))
    running = _make_provider(screen, users_file, audience, lifetime)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oidc-auth-provider-")))
        try:
            stack.enter_context(running.served(port))
        except OSError as error:
            raise click.ClickException(f"Port {port}: {error.strerror}. Choose a free one: --port 0") from None
        tokens = TokenFolder(running, folder)
        screen.show_start(running, tokens, audience, lifetime, is_sample=users_file is None)
        if as_json:
            print_json(_facts(running, tokens))
            # A pipe keeps text back. The program that reads it waits for this line.
            sys.stdout.flush()
        try:
            _run(KeyCommands(running, screen, tokens))
        except KeyboardInterrupt:
            screen.show_text("stopped")


def _make_provider(screen: Screen, users_file: Path | None, audience: str, lifetime: float) -> LocalProvider:
    make = local_provider_class()
    if users_file is None:
        clients = [*SAMPLE_CLIENTS, sample_robot()]
        return make(clients=clients, audience=audience, lifetime=lifetime, report=screen.report)
    try:
        users, clients = load_users_file(users_file)
        return make(users, clients, audience=audience, lifetime=lifetime, report=screen.report)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def _facts(running: LocalProvider, tokens: TokenFolder) -> dict[str, object]:
    return {
        "issuer": running.url,
        "users": [user.name for user in running.users],
        "clients": [client.id for client in running.clients],
        "tokens": tokens.current,
    }


def _run(commands: KeyCommands) -> None:
    """Run key commands, or wait if there is no terminal."""
    with key_presses() as keys:
        if keys is not None:
            commands.show_help()
            for key in keys:
                if not commands.press(key):
                    return
    threading.Event().wait()


def _end(number: int, frame: object) -> None:
    # The exit code of a process that a signal ended, as in a shell.
    del frame
    sys.exit(128 + number)
