"""A configuration of the web application, and clients for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from oidc_auth import OIDCAuth
from oidc_auth.web import install

if TYPE_CHECKING:
    from oidc_auth.testing import LocalIssuer

PUBLIC_URL = "https://agents.test"
MCP_URL = f"{PUBLIC_URL}/mcp"
METADATA = "/.well-known/oauth-protected-resource"
SCOPES = ("threads:read", "threads:write", "assistants:read")
ALL_SCOPES = " ".join(SCOPES)


def web_document(issuer: LocalIssuer, *more: dict[str, Any], web: Any = None, **settings: Any) -> dict[str, Any]:
    """Return a configuration whose permissions come from scopes, with the ``[web]`` table."""
    table = {
        "preset": "generic",
        "issuer": issuer.url,
        "audience": "agents",
        "permission_map": [
            {"claim": "scope", "accept": list(SCOPES)},
            {"claim": "roles", "values": {"all": ["*@all"]}},
        ],
        **settings,
    }
    # Two issuers need different identities.
    tables = [{"identity_prefix": f"{n}:", **each} for n, each in enumerate([table, *more])] if more else [table]
    return {"issuer": tables, "web": {"public_url": PUBLIC_URL, **(web or {})}}


def web_auth(issuer: LocalIssuer, *more: dict[str, Any], web: Any = None, **settings: Any) -> OIDCAuth:
    """Return the authenticator of this configuration."""
    return OIDCAuth.from_dict(web_document(issuer, *more, web=web, **settings), fetcher=issuer)


def web_client(oidc: OIDCAuth, app: Starlette | None = None) -> TestClient:
    """Return a client of an application with the web application, without its lifespan."""
    app = app or Starlette()
    install(app, oidc)
    return TestClient(app, base_url="http://internal:8123", raise_server_exceptions=False)


def bearer(token: str) -> dict[str, str]:
    """Return request headers with a token."""
    return {"authorization": f"Bearer {token}"}
