"""OpenID Connect authentication and authorization for LangGraph servers.

The names below are loaded on first use: importing the package costs neither httpx nor langgraph_sdk.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .auth import OIDCAuth
    from .errors import Code, ConfigError, DeniedError, OIDCAuthError, TokenError, UpstreamError
    from .keys.fetch import Fetcher
    from .observe import Observer
    from .permissions.caller import Caller, store_label
    from .permissions.decide import Decision
    from .permissions.explain import Explanation
    from .providers import presets

__version__ = "0.1.0"

__all__ = [
    "Caller",
    "Code",
    "ConfigError",
    "Decision",
    "DeniedError",
    "Explanation",
    "Fetcher",
    "OIDCAuth",
    "OIDCAuthError",
    "Observer",
    "TokenError",
    "UpstreamError",
    "__version__",
    "presets",
    "store_label",
]

_HOMES = {
    "Caller": ".permissions.caller",
    "Code": ".errors",
    "ConfigError": ".errors",
    "Decision": ".permissions.decide",
    "DeniedError": ".errors",
    "Explanation": ".permissions.explain",
    "Fetcher": ".keys.fetch",
    "OIDCAuth": ".auth",
    "OIDCAuthError": ".errors",
    "Observer": ".observe",
    "TokenError": ".errors",
    "UpstreamError": ".errors",
    "presets": ".providers.presets",
    "store_label": ".permissions.caller",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOMES[name], __name__)
    loaded = home if name == "presets" else getattr(home, name)
    globals()[name] = loaded
    return loaded


def __dir__() -> list[str]:
    return __all__
