"""The scopes that MCP clients are asked to request, by the permission maps of the first issuer."""

from __future__ import annotations

from typing import Any

import pytest

from oidc_auth import OIDCAuth

URL = "https://agents.test"
CLIENT_ID = "0f2d6c4e-7c0b-4d5c-9b1a-2f3e4d5c6b7a"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
KEYCLOAK = {"preset": "keycloak", "url": "https://sso.test/realms/acme", "audience": "agents"}
ENTRA = {"preset": "entra", "tenants": TENANT, "audience": CLIENT_ID}
ROLES = {"claim": "roles", "values": {"user": ["threads:read"]}}
SCOPES = {"claim": "scope", "values": {"agents:read": ["threads:read"]}}


def requested(**issuer: Any) -> object:
    oidc = OIDCAuth.from_dict({"issuer": issuer, "web": {"public_url": URL}})
    assert oidc.resource is not None
    return oidc.resource.scopes


@pytest.mark.parametrize(
    ("issuer", "permission_map", "scopes"),
    [
        (KEYCLOAK, ROLES, ("openid",)),
        (KEYCLOAK, SCOPES, ("agents:read",)),
        (ENTRA, ROLES, (f"api://{CLIENT_ID}/.default",)),
        ({**ENTRA, "scope_prefix": f"{URL}/mcp/"}, ROLES, (f"{URL}/mcp/.default",)),
    ],
)
def test_first_login_requests_some_scope(
    issuer: dict[str, Any], permission_map: dict[str, Any], scopes: tuple[str, ...]
) -> None:
    assert requested(**issuer, permission_map=permission_map) == scopes


def test_challenge_issuer_decides_scopes() -> None:
    issuers = [
        {**KEYCLOAK, "permission_map": SCOPES, "identity_prefix": "sso:"},
        {**ENTRA, "permission_map": ROLES, "identity_prefix": ""},
    ]
    named = f"https://login.microsoftonline.com/{TENANT}/v2.0"
    oidc = OIDCAuth.from_dict({"issuer": issuers, "web": {"public_url": URL, "challenge_issuer": named}})
    assert oidc.resource is not None
    assert oidc.resource.scopes == (f"api://{CLIENT_ID}/.default",)
