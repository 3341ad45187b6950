"""Enforced on each event of a LangGraph server.

``"auth": {"path": "oidc_auth.langgraph:auth"}`` in langgraph.json needs no code; ``protect`` and ``authenticate_hook``
are
for a module of your own. ``auth`` is made on first use, and is no part of ``__all__``: a star import must not read a
configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .protect import authenticate_hook, protect

if TYPE_CHECKING:
    from langgraph_sdk import Auth

    auth: Auth

__all__ = ["authenticate_hook", "protect"]


def __getattr__(name: str) -> object:
    if name != "auth":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .server_entry import server_auth  # noqa: PLC0415 - on first use only

    globals()["auth"] = made = server_auth()
    return made
