"""Tools for tests, never for production: an OpenID provider in the test's own process, and permission tables.

With pytest, the fixtures of ``plugin`` are there as soon as the package is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..providers import shapes
    from .clock import Clock
    from .hostile import Hostile
    from .issuer import Fault, LocalIssuer
    from .matrix import assert_matrix

__all__ = ["Clock", "Fault", "Hostile", "LocalIssuer", "assert_matrix", "shapes"]

_HOMES = {"Clock": "clock", "Fault": "issuer", "Hostile": "hostile", "LocalIssuer": "issuer", "assert_matrix": "matrix"}


def __getattr__(name: str) -> object:
    # On first use: every pytest run of an environment with this package imports the plugin, and should not pay for it.
    if name == "shapes":
        return import_module("..providers.shapes", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
