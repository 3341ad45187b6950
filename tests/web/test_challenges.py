"""The header ``WWW-Authenticate`` of each refusal (RFC 6750 §3, RFC 9728 §5.1)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kit.web import ALL_SCOPES, METADATA, PUBLIC_URL, bearer, web_auth, web_client
from langgraph_sdk import Auth
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

from oidc_auth.langgraph.hook import build_hook
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.web import require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from oidc_auth import OIDCAuth

API = f'resource_metadata="{PUBLIC_URL}{METADATA}"'
MCP = f'resource_metadata="{PUBLIC_URL}{METADATA}/mcp"'
WITHOUT_TOKEN = f'Bearer scope="{ALL_SCOPES}", {API}'
OTHER = {
    "preset": "generic",
    "issuer": "https://other.test",
    "audience": "agents",
    "permission_map": {"claim": "scope", "accept": ["store:get", "threads:delete"]},
}


def refuse(oidc: OIDCAuth, headers: Mapping[str, str], path: str = "/threads/search") -> HTTPException:
    """Return the exception that the hook raises for a request."""
    scope = {"type": "http", "path": path, "headers": [(n.encode(), v.encode()) for n, v in headers.items()]}

    async def authenticate() -> None:
        await build_hook(oidc)(headers=headers, method="POST", path=path, scope=scope)

    with pytest.raises(HTTPException) as refused:
        asyncio.run(authenticate())
    assert isinstance(refused.value, Auth.exceptions.HTTPException)
    return refused.value


def challenge(oidc: OIDCAuth, headers: Mapping[str, str], path: str = "/threads/search") -> tuple[int, str]:
    refused = refuse(oidc, headers, path)
    return refused.status_code, dict(refused.headers or {}).get("WWW-Authenticate", "")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic dTpw"},
        {"authorization": f"Negotiate {'A' * 40_000}"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
    ],
    ids=["none", "other scheme", "long other scheme", "no value", "empty value"],
)
def test_without_token_there_is_no_error(issuer: LocalIssuer, headers: dict[str, str]) -> None:
    oidc = web_auth(issuer)
    assert challenge(oidc, headers) == (401, WITHOUT_TOKEN)
    assert challenge(oidc, headers, "/mcp") == (401, f'Bearer scope="{ALL_SCOPES}", {MCP}')


@pytest.mark.parametrize(
    ("claims", "code"),
    [({"lifetime": -60}, "token_expired"), ({"audience": "other"}, "audience_mismatch"), ({}, "signature_invalid")],
)
def test_bad_token_is_invalid_token(issuer: LocalIssuer, claims: dict[str, Any], code: str) -> None:
    oidc = web_auth(issuer)
    token = issuer.token(scope="threads:read", **claims)
    token = token if claims else f"{token[:-6]}AAAAAA"
    refused = refuse(oidc, bearer(token), "/mcp")
    expected = f'Bearer error="invalid_token", scope="{ALL_SCOPES}", {MCP}, error_description="{refused.detail}"'
    assert dict(refused.headers or {}) == {"WWW-Authenticate": expected}
    assert refused.detail.startswith(code if code != "signature_invalid" else "")


def test_long_token_is_invalid_token(issuer: LocalIssuer) -> None:
    assert 'error="invalid_token"' in challenge(web_auth(issuer), bearer("A" * 40_000))[1]


def test_malformed_token_is_invalid_token(issuer: LocalIssuer) -> None:
    status, header = challenge(web_auth(issuer), {"authorization": "Bearer a b"})
    assert (status, header.startswith('Bearer error="invalid_token", scope=')) == (401, True)


def test_outage_is_no_challenge(issuer: LocalIssuer) -> None:
    issuer.fault = Fault.DOWN
    refused = refuse(web_auth(issuer), bearer(issuer.token(scope="threads:read")), "/mcp")
    assert refused.status_code == 503
    assert set(refused.headers or {}) == {"Retry-After"}


def test_forbidden_origin_is_no_challenge(issuer: LocalIssuer) -> None:
    oidc = web_auth(issuer, allowed_origins=["https://app.test"])
    refused = refuse(oidc, {**bearer(issuer.token(scope="threads:read")), "origin": "https://evil.test"})
    assert (refused.status_code, dict(refused.headers or {})) == (403, {})


class Equal:
    """An endpoint of a user that equals everything, and has no hash."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


@pytest.mark.parametrize("endpoint", [Equal(), None, [], "ready"])
def test_other_endpoint_needs_token(issuer: LocalIssuer, endpoint: object) -> None:
    oidc = web_auth(issuer)
    web_client(oidc)
    scope = {"type": "http", "path": "/auth/ready", "headers": [], "endpoint": endpoint}

    async def authenticate() -> None:
        await build_hook(oidc)(headers={}, method="GET", path="/auth/ready", scope=scope)

    with pytest.raises(HTTPException) as refused:
        asyncio.run(authenticate())
    assert refused.value.status_code == 401


@pytest.mark.parametrize(
    ("web", "expected"), [({}, ALL_SCOPES), ({"challenge_issuer": "https://other.test"}, "store:get threads:delete")]
)
def test_scopes_are_those_of_one_issuer(issuer: LocalIssuer, web: dict[str, str], expected: str) -> None:
    oidc = web_auth(issuer, OTHER, web=web)
    assert challenge(oidc, {}) == (401, f'Bearer scope="{expected}", {API}')
    expired = challenge(oidc, bearer(issuer.token(scope="threads:read", lifetime=-60)))[1]
    assert f'scope="{expected}", {API}' in expired


def test_without_scope_maps_openid_is_requested(issuer: LocalIssuer) -> None:
    oidc = web_auth(issuer, permission_map={"claim": "roles", "values": {"all": ["*@all"]}})
    assert challenge(oidc, {}) == (401, f'Bearer scope="openid", {API}')


def test_without_mcp_metadata_is_that_of_api(issuer: LocalIssuer) -> None:
    assert challenge(web_auth(issuer, web={"mcp": False}), {}, "/mcp") == (401, WITHOUT_TOKEN)


def denied(oidc: OIDCAuth, token: str, *permissions: str, headers: Any = None) -> tuple[int, str]:
    """Return the answer to a caller without a required permission."""
    check = require(*permissions)

    async def guarded(request: Request) -> JSONResponse:
        await check(request)
        return JSONResponse({})

    client = web_client(oidc, Starlette(routes=[Route("/guarded", guarded)]))
    found = client.get("/guarded", headers=headers or bearer(token))
    return found.status_code, found.headers.get("www-authenticate", "")


@pytest.mark.parametrize(
    ("held", "needed", "scope"),
    [
        ("threads:read", "threads:create", "threads:read threads:write"),
        ("threads:read assistants:read", "threads:create", "threads:read threads:write assistants:read"),
        # A token with threads:write gives all that threads:read gives.
        ("threads:write", "assistants:search", "threads:read threads:write assistants:read"),
    ],
)
def test_denial_names_held_and_needed_scopes(issuer: LocalIssuer, held: str, needed: str, scope: str) -> None:
    status, header = denied(web_auth(issuer), issuer.token(scope=held), needed)
    assert status == 403
    assert header.startswith(f'Bearer error="insufficient_scope", scope="{scope}", {API}, error_description=')


def test_denial_names_scopes_of_own_issuer(issuer: LocalIssuer) -> None:
    other = LocalIssuer("https://other.test", algorithm="ES256")
    oidc = web_auth(issuer, {**OTHER, "jwks": other.key_set()})
    header = denied(oidc, other.token(scope="store:get"), "threads:delete")[1]
    assert 'error="insufficient_scope", scope="store:get threads:delete"' in header


def test_denial_without_helpful_scope_is_no_challenge(issuer: LocalIssuer) -> None:
    assert denied(web_auth(issuer), issuer.token(scope="threads:read"), "crons:create") == (403, "")


def test_denial_behind_proxy_is_no_challenge(issuer: LocalIssuer) -> None:
    oidc = web_auth(issuer, header="x-token", allowed_origins=[])
    token = issuer.token(scope="threads:read")
    assert denied(oidc, token, "threads:create", headers={"x-token": token}) == (403, "")


@pytest.mark.parametrize("claims", [{"roles": ["none"]}, {"scope": ""}])
def test_role_denial_is_no_insufficient_scope(issuer: LocalIssuer, claims: dict[str, Any]) -> None:
    oidc = web_auth(issuer, permission_map={"claim": "roles", "values": {"reader": ["threads:read"]}})
    status, header = denied(oidc, issuer.token(**{"roles": ["reader"], **claims}), "threads:create")
    assert (status, "insufficient_scope" in header) == (403, False)
