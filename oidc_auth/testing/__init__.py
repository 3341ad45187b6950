"""Tools for tests: a local OpenID provider, invalid tokens and permission tables.

Never use them in production. pytest loads the fixtures of ``plugin`` automatically.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..providers import shapes
    from .invalid_tokens import InvalidToken
    from .issuer import Clock, Fault, LocalIssuer
    from .matrix import assert_matrix

__all__ = ["Clock", "Fault", "InvalidToken", "LocalIssuer", "assert_matrix", "shapes"]

_MODULES = {
    "Clock": "issuer",
    "Fault": "issuer",
    "InvalidToken": "invalid_tokens",
    "LocalIssuer": "issuer",
    "assert_matrix": "matrix",
}


def __getattr__(name: str) -> object:
    # Imported on first use, because every pytest run in this environment imports the plugin.
    if name == "shapes":
        return import_module("..providers.shapes", __name__)
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
