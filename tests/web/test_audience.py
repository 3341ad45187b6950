"""A token for the MCP endpoint is accepted there, and nowhere else (RFC 8707 §2)."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from kit.introspection import SECRET
from kit.routes import ROUTES
from kit.web import MCP_URL, PUBLIC_URL, bearer, web_auth, web_client
from starlette.exceptions import HTTPException

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.langgraph.hook import build_hook
from oidc_auth.tokens.resource import Resource, find_resource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oidc_auth.testing import LocalIssuer

Audience = str | list[str]
EVERYWHERE: list[Audience] = ["agents", PUBLIC_URL, [MCP_URL, "agents"], [PUBLIC_URL, MCP_URL]]
REST_PATHS = sorted({route.partition(" ")[2] for route in ROUTES} - {"/mcp", "/mcp/"})
LOOKALIKES = ["/assistants/7/subgraphs/mcp", "/files/mcp", "//mcp", "/mcp/x", "/MCP", "/mcp//", "/x/mcp/", "/mcpx", ""]


def admitted(oidc: OIDCAuth, token: str, path: str, **scope: Any) -> int:
    """Return the status that the hook gives a request."""
    found = {"type": "http", "path": path, "headers": [(b"authorization", f"Bearer {token}".encode())], **scope}

    async def authenticate() -> None:
        await build_hook(oidc)(headers={}, method="POST", path=path, scope=found)

    try:
        asyncio.run(authenticate())
    except HTTPException as refused:
        return refused.status_code
    return 200


@pytest.mark.parametrize("audience", EVERYWHERE, ids=str)
@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/threads/search", "/assistants/7/subgraphs/mcp"])
def test_own_audiences_are_accepted_everywhere(issuer: LocalIssuer, audience: Audience, path: str) -> None:
    assert admitted(web_auth(issuer), issuer.token(scope="threads:read", audience=audience), path) == 200


@pytest.mark.parametrize("path", [*REST_PATHS, *LOOKALIKES])
@pytest.mark.parametrize("audience", [MCP_URL, [MCP_URL, "https://elsewhere.test"]], ids=str)
def test_token_for_mcp_is_refused_elsewhere(issuer: LocalIssuer, audience: Audience, path: str) -> None:
    token = issuer.token(scope="threads:read", audience=audience)
    assert admitted(web_auth(issuer), token, path) == 401


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
@pytest.mark.parametrize("audience", [MCP_URL, [MCP_URL, "https://elsewhere.test"]], ids=str)
def test_token_for_mcp_is_accepted_there(issuer: LocalIssuer, audience: Audience, path: str) -> None:
    assert admitted(web_auth(issuer), issuer.token(scope="threads:read", audience=audience), path) == 200


@pytest.mark.parametrize(
    "audience", [f"{MCP_URL}/", f"{PUBLIC_URL}/", "https://elsewhere.test", f"{PUBLIC_URL}/MCP", "http://agents.test"]
)
@pytest.mark.parametrize("path", ["/mcp", "/threads/search"])
def test_other_audience_is_refused(issuer: LocalIssuer, audience: str, path: str) -> None:
    assert admitted(web_auth(issuer), issuer.token(scope="threads:read", audience=audience), path) == 401


@pytest.mark.parametrize("order", [(Resource.MCP, Resource.API), (Resource.API, Resource.MCP)], ids=str)
def test_cached_token_is_checked_for_each_path(issuer: LocalIssuer, order: Sequence[Resource]) -> None:
    oidc, token = web_auth(issuer), issuer.token(scope="threads:read", audience=MCP_URL)

    async def code(resource: Resource) -> ErrorCode | None:
        try:
            await oidc.authenticate(bearer(token), resource=resource)
        except TokenError as refused:
            return refused.code
        return None

    async def codes() -> dict[Resource, ErrorCode | None]:
        return {resource: await code(resource) for resource in [*order, *order]}

    assert asyncio.run(codes()) == {Resource.API: ErrorCode.AUDIENCE_MISMATCH, Resource.MCP: None}


def test_authenticate_without_path_refuses_token_for_mcp(issuer: LocalIssuer) -> None:
    token = issuer.token(scope="threads:read", audience=MCP_URL)
    with pytest.raises(TokenError) as refused:
        asyncio.run(web_auth(issuer).authenticate(bearer(token)))
    assert (refused.value.code, refused.value.issuer) == (ErrorCode.AUDIENCE_MISMATCH, issuer.url)


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"web": {"mcp": False}}, 401),
        # Clients cannot request an ID token for this server.
        ({"token_type": "id", "permission_map": {"claim": "scope", "values": {"threads:read": ["*"]}}}, 401),
        # The operator's own audiences are accepted everywhere.
        ({"audience": MCP_URL}, 200),
    ],
    ids=str,
)
def test_settings_decide_about_mcp_audience(issuer: LocalIssuer, settings: Any, status: int) -> None:
    token = issuer.token(scope="threads:read", audience=MCP_URL, header={"typ": "JWT"})
    oidc = web_auth(issuer, **settings)
    assert {admitted(oidc, token, path) for path in ("/mcp", "/threads/search")} == {status}


@pytest.mark.parametrize("audience", [PUBLIC_URL, MCP_URL])
def test_without_web_table_addresses_are_no_audience(issuer: LocalIssuer, audience: str) -> None:
    table = {
        "preset": "generic",
        "issuer": issuer.url,
        "audience": "agents",
        "permission_map": {"claim": "scope", "accept": ["*"]},
    }
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=issuer)
    token = issuer.token(scope="threads:read", audience=audience)
    assert {admitted(oidc, token, path) for path in ("/mcp", "/threads/search")} == {401}


@pytest.mark.parametrize("insecure", [{"insecure_skip_audience": True, "audience": []}])
def test_skipped_audience_stays_skipped(issuer: LocalIssuer, insecure: Any) -> None:
    token = issuer.token(scope="threads:read", audience=MCP_URL)
    assert admitted(web_auth(issuer, **insecure), token, "/threads/search") == 200


@pytest.mark.parametrize("path", ["/mcp", "/threads/search"])
def test_introspected_token_without_audience_is_accepted(issuer: LocalIssuer, path: str) -> None:
    oidc = web_auth(issuer, introspection={"mode": "opaque", **SECRET}, require={"scope": ["agents"]})
    answer = {"active": True, "token_type": "Bearer", "sub": "alice", "scope": "agents threads:read"}
    issuer.introspection.answer = answer
    assert admitted(oidc, "opaque-token", path) == 200


@pytest.mark.parametrize("audience", [MCP_URL, "agents", PUBLIC_URL])
def test_whoami_accepts_every_own_audience(issuer: LocalIssuer, audience: str) -> None:
    token = issuer.token(scope="threads:read", audience=audience)
    assert web_client(web_auth(issuer)).get("/auth/whoami", headers=bearer(token)).status_code == 200


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Return a function that sets ``mount_prefix`` of the server in this process."""

    def mount(prefix: str | None) -> None:
        server = sys.modules.get("langgraph_api.config") or SimpleNamespace()
        monkeypatch.setitem(sys.modules, "oidc_auth_test_server", server)
        monkeypatch.setattr("oidc_auth.langgraph.request_kind.CONFIG_MODULE", "oidc_auth_test_server")
        monkeypatch.setattr(server, "MOUNT_PREFIX", prefix, raising=False)

    return mount


@pytest.mark.parametrize(
    ("path", "scope", "prefix", "status"),
    [
        ("/lg/mcp", {"root_path": "/lg", "app_root_path": ""}, "/lg", 200),
        ("/lg/mcp/", {"root_path": "/lg", "app_root_path": ""}, "/lg", 200),
        ("/mcp", {"root_path": "/lg", "app_root_path": ""}, "/lg", 401),
        ("/lg/lg/mcp", {"root_path": "/lg", "app_root_path": ""}, "/lg", 401),
        ("/lgx/mcp", {"root_path": "/lg", "app_root_path": ""}, "/lg", 401),
        # A Mount of the user's application also extends root_path.
        ("/files/mcp", {"root_path": "/files", "app_root_path": ""}, None, 401),
        ("/lg/files/mcp", {"root_path": "/lg/files", "app_root_path": ""}, "/lg", 401),
        # uvicorn --root-path
        ("/proxy/mcp", {"root_path": "/proxy"}, None, 200),
        ("/proxy/lg/mcp", {"root_path": "/proxy/lg", "app_root_path": "/proxy"}, "/lg", 200),
    ],
)
def test_mount_prefix_is_part_of_path(
    issuer: LocalIssuer, mounted: Callable[[str | None], None], path: str, scope: Any, prefix: str | None, status: int
) -> None:
    mounted(prefix)
    token = issuer.token(scope="threads:read", audience=MCP_URL)
    assert admitted(web_auth(issuer), token, path, **scope) == status


@pytest.mark.parametrize("path", LOOKALIKES)
def test_only_exact_path_is_mcp(path: str) -> None:
    assert find_resource(path) is Resource.API
