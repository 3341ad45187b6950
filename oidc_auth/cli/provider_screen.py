"""What ``oidc-auth provider`` prints, and the folder with its tokens."""

from __future__ import annotations

import secrets
import shlex
import time
from typing import TYPE_CHECKING

from ..json_values import is_list
from ..local_provider.accounts import Client
from .output import print_text, write_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rich.console import Console

    from ..local_provider import LocalProvider
    from ..local_provider.activity import Activity
    from ..local_provider.state import Session

SAMPLE_PERMISSIONS = """tenant = "org"

[[issuer.permission_map]]
claim = "roles"

[issuer.permission_map.values]
editor = ["threads:write", "assistants:read", "crons:write", "store:write"]
viewer = ["threads:read", "assistants:read", "store:read"]
admin = ["*@tenant"]
robot = ["threads:create_run"]"""
"""Permissions for the sample users and the sample client, as in ``examples/quickstart``."""
SERVER = "http://127.0.0.1:2024"
"""Where ``langgraph dev`` listens."""


class TokenFolder:
    """A folder with a ready-made token for each user, and the secrets of the clients.

    Attributes:
        folder: the folder. Only its owner can read it.
        current: the tokens by user.
    """

    def __init__(self, provider: LocalProvider, folder: Path) -> None:
        self._provider = provider
        self.folder = folder
        self.current: dict[str, str] = {}
        for client in provider.clients:
            if client.secret is not None:
                write_private(folder / f"{client.id}.secret", client.secret)
        self.renew()

    def renew(self) -> None:
        """Write new tokens."""
        self.current = {user.name: self._provider.token(user.name) for user in self._provider.users}
        for name, token in self.current.items():
            write_private(self.folder / f"{name}.token", token)


class Screen:
    """Prints to a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def report(self, activity: Activity) -> None:
        """Print what happened."""
        label = f"{time.strftime('%H:%M:%S')}  "
        print_text(self._console, activity.text, label=label, style="red" if activity.failed else "dim")

    def show_text(self, text: str, *, label: str = "") -> None:
        """Print a text with a label."""
        print_text(self._console, text, label=label)

    def show_start(
        self, provider: LocalProvider, tokens: TokenFolder, audience: str, lifetime: float, *, is_sample: bool
    ) -> None:
        """Print everything that a developer needs."""
        # First, because it is long. The lines that follow stay in sight.
        self.show_tokens(tokens)
        warning = (
            "For development only. This provider has no passwords, and it signs tokens for anyone who can reach it. "
            "Never trust it on a server that others use."
        )
        print_text(self._console, warning, label="warning   ", style="bold yellow")
        self.show_text(f"{provider.url}, until Ctrl-C", label="issuer    ")
        self.show_text(
            "; ".join(f"{user.name} ({_claims(user.claims)})" for user in provider.users), label="users     "
        )
        kinds = (f"{client.id} ({'public' if client.secret is None else 'secret'})" for client in provider.clients)
        self.show_text(", ".join(kinds), label="clients   ")
        self.show_text(f"valid for {lifetime:.0f} s, in {tokens.folder}: NAME.token", label="tokens    ")
        self.show_text("\nAdd to oidc-auth.toml:\n")
        self._copyable(issuer_table(provider.url, audience, with_permissions=is_sample).splitlines())
        self.show_text("\nTry it:\n")
        self._copyable(curl_lines(provider, tokens.folder))
        self.show_text("")

    def show_tokens(self, tokens: TokenFolder) -> None:
        """Print the ready-made tokens."""
        for name, token in tokens.current.items():
            self.show_text(name)
            self._copyable([token])

    def show_sessions(self, sessions: Iterable[Session]) -> None:
        """Print the live sessions."""
        lines = [
            f"{session.user.name}, since {time.strftime('%H:%M:%S', time.localtime(session.auth_time))}, "
            f"at {', '.join(sorted(session.clients)) or 'no client'}"
            for session in sessions
        ]
        self.show_text("\n".join(lines) or "none", label="sessions  ")

    def _copyable(self, lines: Iterable[str]) -> None:
        for line in lines:
            # Not wrapped, because it is copied.
            self._console.print(line, soft_wrap=True, markup=False, highlight=False)


def sample_robot() -> Client:
    """Return a client with a new secret, for client credentials."""
    claims = {"roles": ["robot"], "org": "acme"}
    return Client("robot", secrets.token_urlsafe(24), redirect_uris=(), claims=claims)


def _claims(claims: Mapping[str, object]) -> str:
    values = (", ".join(map(str, value)) if is_list(value) else str(value) for value in claims.values())
    return ", ".join(values) or "no claims"


def issuer_table(url: str, audience: str, *, with_permissions: bool) -> str:
    """Return the configuration that trusts the provider."""
    table = f'[[issuer]]\npreset = "generic"\nissuer = "{url}"\naudience = "{audience}"'
    return f"{table}\n{SAMPLE_PERMISSIONS}" if with_permissions else table


def curl_lines(provider: LocalProvider, folder: Path) -> list[str]:
    """Return commands to try. The shell reads tokens and secrets from files, so its history has none of them."""
    bearer = '-H "Authorization: Bearer $(cat "$T")"'
    lines = [
        f"T={shlex.quote(str(folder / provider.users[0].name))}.token",
        f"curl -s {provider.url}/userinfo \\\n  {bearer}",
        f"curl -s {SERVER}/threads/search \\\n  {bearer} \\\n  -H 'content-type: application/json' -d '{{}}'",
    ]
    for client in provider.clients:
        if client.secret is not None:
            form = f'-d client_id={client.id} --data-urlencode client_secret@"$S"'
            lines += [
                f"S={shlex.quote(str(folder / client.id))}.secret",
                f"curl -s {provider.url}/token -d grant_type=client_credentials \\\n  {form}",
            ]
            break
    return lines
