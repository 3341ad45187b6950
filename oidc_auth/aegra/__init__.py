"""The adapter for Aegra, a server for LangGraph on PostgreSQL.

``"auth": {"path": "oidc_auth.aegra:auth"}`` in aegra.json needs no code. ``auth`` is created on first use. It is not in
``__all__``, so that a star import does not read a configuration.

Aegra treats all users as anonymous if the import of this module raises an ``Exception``, or if the name is not an
``Auth`` object (measured on aegra-api 0.11.0). So each fault here ends as ``SystemExit``, and Aegra refuses all
requests. For the same reason, this module imports nothing else before ``auth`` is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langgraph_sdk import Auth

    auth: Auth

__all__: list[str] = []


def __getattr__(name: str) -> object:
    if name == "auth":
        globals()["auth"] = auth = _load_auth()
        return auth
    from ..missing_names import missing_name  # noqa: PLC0415 - nothing is imported before "auth" is read

    raise missing_name(__name__, name)


def _load_auth() -> object:
    try:
        from .server_entry import server_auth  # noqa: PLC0415 - a missing package must not be an ImportError
    except Exception as error:
        raise SystemExit(f"oidc_auth: the installation is not complete: {error!r}") from error
    return server_auth()
