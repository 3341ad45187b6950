"""Routes without a row: other spellings, and routes without objects of users."""

from __future__ import annotations

SAME_HANDLER = {
    f"{method} {path}/": f"{method} {path}"
    for method in ("GET", "POST", "DELETE")
    for path in ("/mcp", "/a2a/{assistant_id}")
}
"""Other spellings of a path, which the server routes to the same function."""

TOKEN_ONLY = {
    "POST /ui/{graph_id}": "the page of a graph's user interface",
    "GET /mcp": "405",
    "DELETE /mcp": "404",
    "DELETE /a2a/{assistant_id}": "404",
}
"""Routes that need a token and no permission. They have no objects of users."""

OPEN = {
    "GET /": "health",
    "GET /ok": "health",
    "GET /info": "version and flags of the server",
    "GET /metrics": "counts of runs and requests",
    "GET /docs": "the page about the API",
    "GET /openapi.json": "the description of the API",
    "GET /ui/{path}": "the files of a graph's user interface, and every other GET below `/ui`",
}
"""Routes without a token. The server answers them before authentication."""

OPEN_IN_DEVELOPMENT = {
    "POST /internal/truncate": "deletes everything",
    "GET /internal/debug/thread/{thread_id}": "shows any thread as it is stored",
    "GET /deploy": "a form",
    "POST /deploy": "starts a deployment from the developer's machine",
    "GET /deploy/{operation_id}/stream": "its log",
}
"""Routes without a token that only ``langgraph dev`` has."""

WEB_OPEN = {
    "GET /.well-known/oauth-protected-resource": "the metadata of the API (RFC 9728)",
    "GET /.well-known/oauth-protected-resource/mcp": "the metadata of the MCP endpoint",
    "GET /auth/ready": "which issuers have usable keys, and the digest of the configuration",
    "POST /auth/backchannel-logout": "logout tokens, with `[revocation]` only",
    "POST /auth/security-events": "security event tokens, with `[revocation]` only",
}
"""Routes of ``oidc_auth.web`` without a token."""

WEB_TOKEN = {"GET /auth/whoami": "the caller of the token"}
"""Routes of ``oidc_auth.web`` that need a token and no permission."""
