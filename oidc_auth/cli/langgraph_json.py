"""langgraph.json: what must stand in it for the server to ask this library, and nobody else; what ``env`` sets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ..config.raw_document import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

LANGGRAPH_JSON = "langgraph.json"
ENTRY = "oidc_auth.langgraph:auth"
CHALLENGE = "WWW-Authenticate"
EXPOSED_HEADERS = (CHALLENGE, "Retry-After", "x-pagination-total", "x-pagination-next", "content-location")
"""What a browser's script may read of an answer: why it was refused, and what the server exposes by itself."""
AUTH: Mapping[str, Any] = {
    "path": ENTRY,
    "disable_studio_auth": True,
    "openapi": {
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        "security": [{"bearer": []}],
    },
}
ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*"""
    r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|([^'"\r\n][^\r\n]*)?)""",
    re.MULTILINE,
)
"""A line of an env file; what is in quotes may have several lines."""
NEW_DOCUMENT: Mapping[str, Any] = {"dependencies": ["."], "graphs": {"agent": "./graph.py:graph"}}


def add_auth_hook(known: Mapping[str, Any], origins: Sequence[str]) -> dict[str, Any]:
    """Return a langgraph.json with this library's hook, whose refusals a browser may read; all other keys stay."""
    http = read_table(known.get("http"))
    cors = {"allow_origins": [*origins], "allow_methods": ["*"], "allow_headers": ["*"], **read_table(http.get("cors"))}
    cors["expose_headers"] = [*dict.fromkeys((*EXPOSED_HEADERS, *cors.get("expose_headers", ())))]
    return {**(known or NEW_DOCUMENT), "auth": AUTH, "http": {**http, "cors": cors}}


def read_hook(known: Mapping[str, Any]) -> str:
    """Return the hook that a langgraph.json names, or ""."""
    return str(read_table(known.get("auth")).get("path") or "")


def read_environment(file: Path) -> dict[str, str]:
    """Return what the key ``env`` of a langgraph.json sets: a table, or a file beside it; without them, nothing."""
    try:
        env: object = read_table(json.loads(file.read_text("utf-8"))).get("env")
        return dict(_pairs((file.parent / env).read_text("utf-8-sig")) if isinstance(env, str) else _members(env))
    except (OSError, ValueError):
        return {}


def _members(env: object) -> Iterator[tuple[str, str]]:
    return ((name, str(value)) for name, value in read_table(env).items())


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield what an env file sets: as python-dotenv reads it, which the server uses, but for ${...} in values."""
    for name, single, double, plain in ASSIGNMENT.findall(text):
        yield name, single or re.sub(r"\\(.)", _unescaped, double) or re.sub(r"(^|\s+)#.*", "", plain).strip()


def _unescaped(match: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1])
