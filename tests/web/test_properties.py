"""Headers and documents for any text: MCP clients must find the right values."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oidc_auth.errors import Challenge, DeniedError, ErrorCode, TokenError
from oidc_auth.tokens.resource import ProtectedResource, Resource, find_resource

TEXT = st.one_of(
    st.text(max_size=60),
    st.text(st.sampled_from('"\\,= \r\n\x00\x7fé:abc'), max_size=60),
    st.sampled_from(
        [
            'scope="evil"',
            "error=evil",
            'x", resource_metadata="https://evil.test',
            "scope=evil",
            "resource_metadata=evil",
        ]
    ),
)
SCOPE = st.from_regex(r"[a-z:/.@*]{1,12}", fullmatch=True)
SCOPES = st.lists(SCOPE, unique=True, max_size=4)
RESOURCES = st.builds(
    ProtectedResource,
    public_url=st.sampled_from(["https://agents.test", "https://agents.test:8443/lg"]),
    has_mcp=st.booleans(),
    authorization_servers=st.lists(st.sampled_from(["https://a.test", "https://b.test/"]), min_size=1).map(tuple),
    scopes=SCOPES.filter(bool).map(tuple),
)
PARTS = st.sampled_from(Resource)


def field(header: str, name: str) -> str | None:
    """Return a value as the MCP clients for Python and TypeScript find it."""
    match = re.search(rf'{name}=(?:"([^"]+)"|([^\s,]+))', header)
    return None if match is None else match[1] or match[2]


def parameters(header: str) -> dict[str, str]:
    """Return all values as RFC 9110 §11.6.1 defines them. It fails for any other text."""
    assert re.fullmatch(r'Bearer [a-z_]+="[^"\\]*"(, [a-z_]+="[^"\\]*")*', header), header
    pairs = re.findall(r'([a-z_]+)="([^"\\]*)"', header)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


WITHOUT_SCOPES = ProtectedResource(
    public_url="https://agents.test", has_mcp=True, authorization_servers=("https://a.test",), scopes=()
)


@example(WITHOUT_SCOPES, Resource.MCP, 'sco"pe="evil"', [], "invalid_token")
@example(WITHOUT_SCOPES, Resource.API, "error=evil, resource_metadata=evil", [], "invalid_token")
@example(WITHOUT_SCOPES, Resource.API, 'resource_metadata="https://evil.test"', [], "insufficient_scope")
@given(RESOURCES, PARTS, TEXT, SCOPES, st.sampled_from([None, "invalid_token", "insufficient_scope"]))
def test_clients_find_values_whatever_message_says(
    resource: ProtectedResource, part: Resource, detail: str, needed: list[str], error: str | None
) -> None:
    # A 403 names the scopes that would help.
    status = 403 if error == "insufficient_scope" else 401
    challenge = resource.extend(Challenge(status=status, detail=detail, error=error, scope=" ".join(needed)), part)
    header = challenge.headers().get("WWW-Authenticate", "")
    if status == 403 and not needed:
        assert field(header, "resource_metadata") is None
        return
    expected = " ".join(needed or resource.scopes) or None
    found = parameters(header)
    assert (found.get("scope"), found.get("error")) == (expected, error)
    assert found["resource_metadata"] == resource.metadata_url(part) == field(header, "resource_metadata")
    assert (field(header, "scope"), field(header, "error")) == (expected, error)
    assert list(found)[-1] == "error_description" or "error_description" not in found


@given(TEXT, st.sampled_from(ErrorCode), PARTS, RESOURCES)
def test_every_refusal_gives_printable_header(
    message: str, code: ErrorCode, part: Resource, resource: ProtectedResource
) -> None:
    for refusal in (TokenError(code, client_message=message), DeniedError(code, client_message=message, scope=message)):
        for name, value in resource.extend(refusal.challenge(), part).headers().items():
            assert re.fullmatch("[ -~]*", name + value)
            if name == "WWW-Authenticate":
                parameters(value)


@given(RESOURCES, PARTS)
def test_metadata_has_exact_resource(resource: ProtectedResource, part: Resource) -> None:
    document: dict[str, Any] = resource.metadata(part)
    assert document["resource"] == resource.public_url + ("/mcp" if part is Resource.MCP else "")
    assert not document["resource"].endswith("/")
    assert document["authorization_servers"] == list(resource.authorization_servers)
    assert document["scopes_supported"] == list(resource.scopes)


@given(st.text(st.sampled_from("/mcpMCP.%lg"), max_size=10), st.sampled_from(["", "/lg", "/mcp"]))
def test_only_two_paths_are_mcp(path: str, prefix: str) -> None:
    is_mcp = path in (f"{prefix}/mcp", f"{prefix}/mcp/")
    assert (find_resource(path, prefix) is Resource.MCP) is is_mcp


@pytest.mark.parametrize("has_mcp", [True, False])
def test_address_of_metadata_is_below_public_url(has_mcp: bool) -> None:  # noqa: FBT001 - a parameter
    resource = ProtectedResource(public_url="https://a.test", has_mcp=has_mcp, authorization_servers=(), scopes=())
    ending = "/mcp" if has_mcp else ""
    expected = f"https://a.test/.well-known/oauth-protected-resource{ending}"
    assert resource.metadata_url(Resource.MCP) == expected
