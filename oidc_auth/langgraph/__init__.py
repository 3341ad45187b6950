"""The adapter for LangGraph servers.

``"auth": {"path": "oidc_auth.langgraph:auth"}`` in langgraph.json needs no code. ``protect`` and ``authenticate_hook``
are for your own module. ``auth`` is created on first use. It is not in ``__all__``, so that a star import does not read
a configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..missing_names import missing_name
from .protect import authenticate_hook, protect

if TYPE_CHECKING:
    from langgraph_sdk import Auth

    auth: Auth

__all__ = ["authenticate_hook", "protect"]


def __getattr__(name: str) -> object:
    if name != "auth":
        raise missing_name(__name__, name)
    from .server_entry import server_auth  # noqa: PLC0415 - on first use only

    globals()["auth"] = auth = server_auth()
    return auth
