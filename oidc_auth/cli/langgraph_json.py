"""langgraph.json: what must stand in it for the server to ask this library, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LANGGRAPH_JSON = "langgraph.json"
ENTRY = "oidc_auth.langgraph:auth"
CHALLENGE = "WWW-Authenticate"
EXPOSED = (CHALLENGE, "Retry-After", "x-pagination-total", "x-pagination-next", "content-location")
"""What a browser's script may read of an answer: why it was refused, and what the server exposes by itself."""
AUTH: Mapping[str, Any] = {
    "path": ENTRY,
    "disable_studio_auth": True,
    "openapi": {
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        "security": [{"bearer": []}],
    },
}
NEW: Mapping[str, Any] = {"dependencies": ["."], "graphs": {"agent": "./graph.py:graph"}}


def secured(known: Mapping[str, Any], origins: Sequence[str]) -> dict[str, Any]:
    """Return a langgraph.json with this library's hook, whose refusals a browser may read; all other keys stay."""
    http = _table(known.get("http"))
    cors = {"allow_origins": [*origins], "allow_methods": ["*"], "allow_headers": ["*"], **_table(http.get("cors"))}
    cors["expose_headers"] = [*dict.fromkeys((*EXPOSED, *cors.get("expose_headers", ())))]
    return {**(known or NEW), "auth": AUTH, "http": {**http, "cors": cors}}


def hook_of(known: Mapping[str, Any]) -> str:
    """Return the hook that a langgraph.json names, or ""."""
    return str(_table(known.get("auth")).get("path") or "")


def _table(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
