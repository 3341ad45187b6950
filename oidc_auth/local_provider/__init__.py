"""A local OpenID provider for development, on 127.0.0.1 only.

It signs tokens for anyone who can reach it. Never trust it on a server that others use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .accounts import Client, SettingsError, User
    from .provider import LocalProvider
    from .users_file import load_users_file

__all__ = ["Client", "LocalProvider", "SettingsError", "User", "load_users_file"]

_MODULES = {
    "Client": "accounts",
    "LocalProvider": "provider",
    "SettingsError": "accounts",
    "User": "accounts",
    "load_users_file": "users_file",
}


def __getattr__(name: str) -> object:
    # Imported on first use, because the command line imports the sample users without the extra for the server.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
