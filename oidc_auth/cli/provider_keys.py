"""The key presses of ``oidc-auth provider``."""

from __future__ import annotations

import os
import string
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from ..local_provider import LocalProvider
    from .provider_screen import Screen, TokenFolder

CHOICES = string.digits[1:] + string.ascii_lowercase
"""The keys that choose a user."""


@contextmanager
def key_presses() -> Generator[Iterator[str] | None]:
    """Return the keys that the user presses, or None without a terminal."""
    if not sys.stdin.isatty() or sys.platform == "win32":
        yield None
        return
    # It does not exist on Windows.
    import termios  # noqa: PLC0415
    import tty  # noqa: PLC0415

    terminal = sys.stdin.fileno()
    settings = termios.tcgetattr(terminal)
    # Not raw, so that Ctrl-C ends the command and line breaks look right.
    tty.setcbreak(terminal)
    try:
        yield iter(lambda: os.read(terminal, 1).decode("ascii", "replace"), "")
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, settings)


class KeyCommands:
    """The commands of the running provider."""

    def __init__(self, provider: LocalProvider, screen: Screen, tokens: TokenFolder) -> None:
        self._provider = provider
        self._screen = screen
        self._tokens = tokens
        self._choices: dict[str, str] | None = None
        self._commands: dict[str, tuple[str, Callable[[], None]]] = {
            "r": ("rotate the key", self._rotate),
            "t": ("new tokens", self._renew_tokens),
            "s": ("sessions", self._show_sessions),
            "e": ("end sessions", self._ask_user),
            "h": ("help", self.show_help),
            "q": ("quit", lambda: None),
        }

    def press(self, key: str) -> bool:
        """Run the command of a key. Return False for the end."""
        if self._choices is not None:
            self._end_sessions(key)
            return True
        if key in self._commands:
            self._commands[key][1]()
        return key != "q"

    def show_help(self) -> None:
        """Show the keys."""
        self._screen.show_text(
            "   ".join(f"{key} {text}" for key, (text, _) in self._commands.items()), label="keys      "
        )

    def _rotate(self) -> None:
        key = self._provider.rotate()
        count = len(self._provider.keys)
        self._screen.show_text(f"new tokens have the key {key.kid}. {count} keys are published.", label="rotated   ")

    def _renew_tokens(self) -> None:
        self._tokens.renew()
        self._screen.show_tokens(self._tokens)

    def _show_sessions(self) -> None:
        self._screen.show_sessions(self._provider.sessions())

    def _ask_user(self) -> None:
        names = sorted({session.user.name for session in self._provider.sessions()})
        if not names:
            self._screen.show_text("no sessions")
            return
        self._choices = dict(zip(CHOICES, names, strict=False))
        offered = "   ".join(f"{key} {name}" for key, name in self._choices.items())
        self._screen.show_text(f"{offered}   any other key: cancel", label="end all of ")

    def _end_sessions(self, key: str) -> None:
        name, self._choices = (self._choices or {}).get(key), None
        if name is None:
            self._screen.show_text("nothing ended")
            return
        count = self._provider.end_sessions(name)
        self._screen.show_text(f"{count} of {name}", label="ended     ")
