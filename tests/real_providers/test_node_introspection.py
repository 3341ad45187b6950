"""Opaque tokens of a certified provider (npm oidc-provider), on the real LangGraph server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.clock import OffsetClock
from real_providers.node_provider import TENANT_CLAIM, NodeProvider
from real_providers.relying_party import (
    AUDIENCE,
    ENCRYPTED_AUDIENCE,
    OPAQUE_AUDIENCE,
    OTHER_AUDIENCE,
    WEB_CLIENT,
)

from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from real_providers.protected_server import ProtectedServer

CLIENT_KEY = SigningKey.make("client", "ES256")
SECRET = "p:w+d%&"
"""A secret whose characters must be encoded for HTTP Basic (RFC 6749 §2.3.1)."""
CACHE_SECONDS = 30


@pytest.fixture(scope="module")
def introspecting(installed_provider: None) -> Iterator[NodeProvider]:
    with NodeProvider(client_keys=[CLIENT_KEY.jwk()], refresh=True) as provider:
        yield provider


def document(
    provider: NodeProvider, mode: str = "opaque", *, introspection: dict[str, Any] | None = None, **table: Any
) -> dict[str, Any]:
    """Return a configuration. None removes a key of the introspection."""
    credentials = {"client_id": "api", "client_secret": SECRET, "cache_seconds": CACHE_SECONDS}
    setting = {"mode": mode, **credentials, **(introspection or {})}
    issuer = {
        "issuer": provider.issuer,
        "audience": [AUDIENCE, OPAQUE_AUDIENCE],
        "tenant": TENANT_CLAIM,
        "permission_map": [
            {"claim": "scope", "accept": ["threads:*"]},
            {"claim": "roles", "values": {"agent-user": ["threads:write"]}},
        ],
        "introspection": {name: value for name, value in setting.items() if value is not None},
    }
    return {"issuer": {**issuer, **table}}


def refused(at_server: ProtectedServer, token: str) -> tuple[int, str]:
    """Return the status and the code of a refused token."""
    answer = at_server.request("POST", "/threads", token, {})
    return answer.status_code, answer.json()["detail"].partition(":")[0]


def test_opaque_login_token_maps_role_and_tenant(at_server: ProtectedServer, introspecting: NodeProvider) -> None:
    at_server.install(document(introspecting))
    token = introspecting.user_token("alice", "", resource=OPAQUE_AUDIENCE)
    assert "." not in token
    made = at_server.request("POST", "/threads", token, {})
    assert (made.status_code, made.json()["metadata"]) == (200, {"owner": "alice", "tenant": "acme"})


def test_opaque_machine_token_needs_client_id(at_server: ProtectedServer, introspecting: NodeProvider) -> None:
    token = introspecting.client_credentials("threads:write", resource=OPAQUE_AUDIENCE)
    at_server.install(document(introspecting))
    # Such an answer has no sub.
    assert refused(at_server, token) == (401, "identity_invalid")
    at_server.install(document(introspecting, identity=["sub", {"claim": "client_id", "prefix": "client:"}]))
    made = at_server.request("POST", "/threads", token, {})
    assert made.json()["metadata"]["owner"] == "client:m2m"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_provider_with_one_method_is_asked_with_it(
    at_server: ProtectedServer, installed_provider: None, method: str
) -> None:
    with NodeProvider(secret_method=method) as provider:
        # It has no list for the introspection endpoint.
        assert provider.metadata["token_endpoint_auth_methods_supported"] == ["none", method]
        at_server.install(document(provider))
        token = provider.user_token("alice", "", resource=OPAQUE_AUDIENCE)
        assert at_server.request("POST", "/threads", token, {}).status_code == 200


def test_each_assertion_is_accepted(at_server: ProtectedServer, introspecting: NodeProvider, tmp_path: Path) -> None:
    file = tmp_path / "client.pem"
    file.write_bytes(CLIENT_KEY.pem())
    credentials = {"client_id": "api-key", "client_secret": None, "client_assertion_key_file": str(file)}
    at_server.install(document(introspecting, introspection=credentials))
    tokens = [introspecting.user_token("alice", "", resource=OPAQUE_AUDIENCE) for _ in range(2)]
    # The provider refuses an assertion with a jti that was used.
    assert [at_server.request("POST", "/threads", token, {}).status_code for token in tokens] == [200, 200]


def test_revoked_tokens_are_refused(at_server: ProtectedServer, introspecting: NodeProvider) -> None:
    clock = OffsetClock()
    at_server.install(document(introspecting), clock=clock)
    token = introspecting.user_token("alice", "", resource=OPAQUE_AUDIENCE)
    assert at_server.request("POST", "/threads", token, {}).status_code == 200
    introspecting.revoke(token, (WEB_CLIENT, ""))
    clock.offset += CACHE_SECONDS
    assert refused(at_server, token) == (401, "token_inactive")


def test_made_up_and_encrypted_tokens_are_refused(at_server: ProtectedServer, introspecting: NodeProvider) -> None:
    at_server.install(document(introspecting))
    assert refused(at_server, "made-up") == (401, "token_inactive")
    encrypted = introspecting.user_token("alice", "", resource=ENCRYPTED_AUDIENCE)
    assert encrypted.count(".") == 4
    # This provider answers 400: it does not introspect its structured tokens.
    assert refused(at_server, encrypted) == (503, "introspection_unavailable")


def test_token_without_api_and_refresh_token_are_refused(
    at_server: ProtectedServer, introspecting: NodeProvider
) -> None:
    tokens = introspecting.user_tokens("alice", "", resource=OPAQUE_AUDIENCE)
    without_api = introspecting.user_token("alice", "", resource="")
    at_server.install(document(introspecting))
    assert refused(at_server, without_api) == (401, "audience_mismatch")
    assert refused(at_server, tokens["refresh_token"]) == (401, "token_use_not_allowed")
    # Without aud, require binds the tokens. The provider calls a refresh token active, too.
    at_server.install(document(introspecting, require={"client_id": WEB_CLIENT}))
    assert at_server.request("POST", "/threads", without_api, {}).status_code == 200
    assert refused(at_server, tokens["refresh_token"]) == (401, "token_use_not_allowed")


def test_jwt_is_verified_locally_in_mode_opaque(at_server: ProtectedServer, introspecting: NodeProvider) -> None:
    at_server.install(document(introspecting, introspection={"client_secret": "wrong"}))
    token = introspecting.user_token("alice", "")
    assert at_server.request("POST", "/threads", token, {}).status_code == 200
    assert refused(at_server, introspecting.user_token("alice", "", resource=OTHER_AUDIENCE))[1] == "audience_mismatch"


def test_provider_that_refuses_jwts_gives_503(at_server: ProtectedServer, introspecting: NodeProvider) -> None:
    at_server.install(document(introspecting, "always"))
    assert refused(at_server, introspecting.user_token("alice", "")) == (503, "introspection_unavailable")


def test_wrong_secret_is_503(at_server: ProtectedServer, introspecting: NodeProvider) -> None:
    at_server.install(document(introspecting, introspection={"client_secret": "wrong"}))
    token = introspecting.user_token("alice", "", resource=OPAQUE_AUDIENCE)
    assert refused(at_server, token) == (503, "introspection_unavailable")
