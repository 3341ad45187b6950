"""This server as a protected resource: metadata, challenges and the audience of each path."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.auth_harness import AuthHarness, bearer

from oidc_auth.errors import Challenge, ErrorCode, TokenError
from oidc_auth.tokens.resource import (
    ProtectedResource,
    Resource,
    check_resource,
    check_stream_start,
    find_resource,
    is_for_mcp_only,
    mcp_address,
)

URL = "https://agents.test"
MCP_URL = mcp_address(URL)
METADATA = f"{URL}/.well-known/oauth-protected-resource"
SERVER = ProtectedResource(
    public_url=URL, has_mcp=True, authorization_servers=("https://issuer.test",), scopes=("a", "b")
)
PLAIN = ProtectedResource(
    public_url=URL, has_mcp=False, authorization_servers=("https://issuer.test",), scopes=("openid",)
)


def harness(**web: Any) -> AuthHarness:
    maps = {"claim": "scope", "accept": ["threads:read"]}
    found = AuthHarness(permission_map=maps)
    document = {
        "issuer": {"preset": "generic", "issuer": found.issuer.url, "audience": "agents", "permission_map": maps},
        "web": {"public_url": URL, **web},
    }
    found.oidc = type(found.oidc).from_dict(document, fetcher=found.issuer, clock=found.clock)
    return found


def code(found: AuthHarness, audience: Any, resource: Resource) -> ErrorCode | None:
    token = found.issuer.token(audience=audience, scope="threads:read")
    try:
        asyncio.run(found.oidc.authenticate(bearer(token), resource=resource))
    except TokenError as refused:
        return refused.code
    return None


@pytest.mark.parametrize("audience", [MCP_URL, [MCP_URL], [MCP_URL, "https://other.test"]])
def test_token_for_mcp_is_for_mcp_only(audience: Any) -> None:
    found = harness()
    assert code(found, audience, Resource.API) is ErrorCode.AUDIENCE_MISMATCH
    assert code(found, audience, Resource.MCP) is None
    assert code(found, audience, Resource.ANY) is None
    assert code(harness(mcp=False), audience, Resource.MCP) is ErrorCode.AUDIENCE_MISMATCH


@pytest.mark.parametrize("audience", ["agents", URL, [MCP_URL, URL], ["agents", MCP_URL]])
@pytest.mark.parametrize("resource", Resource)
def test_other_audiences_are_for_all_parts(audience: Any, resource: Resource) -> None:
    assert code(harness(), audience, resource) is None


def test_expected_audiences_leave_out_mcp() -> None:
    found = harness()
    with pytest.raises(TokenError) as refused:
        check_resource(found.oidc._settings.mapping[found.issuer.url].policy, Resource.API)
    assert MCP_URL not in refused.value.expected
    assert (refused.value.found, refused.value.issuer) == (MCP_URL, found.issuer.url)


def test_without_audience_no_token_is_for_mcp_only() -> None:
    found = AuthHarness(audience=None, insecure_skip_audience=True)
    policy = found.oidc._settings.mapping[found.issuer.url].policy
    assert not is_for_mcp_only({"aud": MCP_URL}, policy)
    assert check_resource(policy, Resource.API) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("path", "prefix", "resource"),
    [
        ("/mcp", "", Resource.MCP),
        ("/mcp/", "", Resource.MCP),
        ("/lg/mcp", "/lg", Resource.MCP),
        ("/lg/mcp", "", Resource.API),
        ("/mcp", "/lg", Resource.API),
        ("/assistants/7/subgraphs/mcp", "", Resource.API),
        ("/mcp/x", "", Resource.API),
        ("", "", Resource.API),
    ],
)
def test_exact_path_decides_about_resource(path: str, prefix: str, resource: Resource) -> None:
    assert find_resource(path, prefix) is resource


def test_metadata_of_each_resource() -> None:
    common = {"authorization_servers": ["https://issuer.test"], "bearer_methods_supported": ["header"]}
    assert SERVER.metadata(Resource.API) == {"resource": URL, **common, "scopes_supported": ["a", "b"]}
    assert SERVER.metadata(Resource.MCP) == {"resource": MCP_URL, **common, "scopes_supported": ["a", "b"]}
    assert PLAIN.metadata(Resource.API) == {"resource": URL, **common, "scopes_supported": ["openid"]}


@pytest.mark.parametrize(
    ("server", "resource", "expected"),
    [(SERVER, Resource.API, ""), (SERVER, Resource.MCP, "/mcp"), (SERVER, Resource.ANY, ""), (PLAIN, Resource.MCP, "")],
)
def test_address_of_metadata(server: ProtectedResource, resource: Resource, expected: str) -> None:
    assert server.metadata_url(resource) == METADATA + expected


@pytest.mark.parametrize(
    ("challenge", "scope", "metadata"),
    [
        (Challenge(status=401, detail=""), "a b", METADATA),
        (Challenge(status=401, detail="", scope="x"), "x", METADATA),
        (Challenge(status=403, detail="", scope="x"), "x", METADATA),
        (Challenge(status=403, detail=""), "", ""),
        (Challenge(status=503, detail="", retry_after=1), "", ""),
    ],
)
def test_only_what_new_token_can_change_is_challenge(challenge: Challenge, scope: str, metadata: str) -> None:
    extended = SERVER.extend(challenge, Resource.API)
    assert (extended.scope, extended.resource_metadata) == (scope, metadata)


@pytest.mark.parametrize(
    ("value", "has_token"), [("Bearer", False), ("Bearer  ", False), ("Basic x", False), ("Bearer a b", True)]
)
def test_scheme_without_token_is_no_token(value: str, *, has_token: bool) -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(harness().oidc.authenticate({"authorization": value}))
    assert refused.value.has_token is has_token
    assert refused.value.challenge().error == ("invalid_token" if has_token else None)


@pytest.mark.parametrize(("now", "is_refused"), [(99.9, False), (100, True), (130, True)])
def test_new_stream_needs_current_token(now: float, *, is_refused: bool) -> None:
    found: ErrorCode | None = None
    try:
        check_stream_start("https://issuer.test", 100, now)
    except TokenError as refused:
        found = refused.code
    assert found is (ErrorCode.TOKEN_EXPIRED if is_refused else None)
