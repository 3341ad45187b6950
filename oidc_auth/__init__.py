"""OpenID Connect authentication and authorization for LangGraph servers.

The names below are loaded on first use: importing the package costs neither httpx nor langgraph_sdk.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .missing_names import missing_name, watch_imports

if TYPE_CHECKING:
    from .authentication import OIDCAuth
    from .errors import ConfigError, DeniedError, ErrorCode, OIDCAuthError, TokenError, UpstreamError
    from .keys.fetch import Fetcher
    from .observability import Observer
    from .permissions.caller import Caller, store_label
    from .permissions.explain import Explanation
    from .providers import presets

__version__ = "0.1.0"

__all__ = [
    "Caller",
    "ConfigError",
    "DeniedError",
    "ErrorCode",
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

_MODULES = {
    "Caller": ".permissions.caller",
    "ErrorCode": ".errors",
    "ConfigError": ".errors",
    "DeniedError": ".errors",
    "Explanation": ".permissions.explain",
    "Fetcher": ".keys.fetch",
    "OIDCAuth": ".authentication",
    "OIDCAuthError": ".errors",
    "Observer": ".observability",
    "TokenError": ".errors",
    "UpstreamError": ".errors",
    "presets": ".providers.presets",
    "store_label": ".permissions.caller",
}

watch_imports(__name__)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        if name == "auth":
            raise missing_name(__name__, name)
        # A graph may ask for any other name, for example with hasattr().
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_MODULES[name], __name__)
    loaded = module if name == "presets" else getattr(module, name)
    globals()[name] = loaded
    return loaded


def __dir__() -> list[str]:
    return __all__
