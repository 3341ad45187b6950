"""The web application: metadata for MCP clients, whoami, readiness, and help for browsers and streams.

``"http": {"app": "oidc_auth.web:app"}`` in langgraph.json needs no code. ``install`` adds the same to your own
application. It needs starlette, which the LangGraph server brings. The hook alone never imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..missing_names import missing_name
from .application import install
from .callers import current_caller, require

if TYPE_CHECKING:
    from starlette.applications import Starlette

    app: Starlette

__all__ = ["current_caller", "install", "require"]


def __getattr__(name: str) -> object:
    if name != "app":
        raise missing_name(__name__, name)
    from .application import server_app  # noqa: PLC0415 - on first use only, because it reads the configuration

    globals()["app"] = app = server_app()
    return app
