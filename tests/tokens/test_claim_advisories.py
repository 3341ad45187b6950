"""Attacks with claims and headers, from published advisories, fail.

The advisories (2022 to 2026) are about other libraries. Attacks that other modules contain are not repeated here.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.auth_harness import AuthHarness, bearer

from oidc_auth import ConfigError, OIDCAuth, presets
from oidc_auth.errors import ErrorCode, TokenError


def test_dot_in_configuration_is_literal() -> None:
    """A pattern of the operator's was read as a regular expression. CVE-2026-39350 (Istio)."""
    permission_map = {"claim": "groups", "values": {"a.b": "threads:read", "c.d-*": "store:get", "(e|f)": "crons:read"}}
    harness = AuthHarness(
        audience="a.b",
        require={"org": ["a.b", "c.d-*"]},
        client_claim={"claim": "client_id", "values": ["a.b"]},
        allowed_clients="a.b",
        permission_map=permission_map,
    )

    def token(**changes: Any) -> str:
        return harness.issuer.token(**{"audience": "a.b", "client_id": "a.b", "azp": "a.b", "org": "a.b", **changes})

    assert harness.authenticate(token()) is None
    assert harness.authenticate(token(audience="axb")) is ErrorCode.AUDIENCE_MISMATCH
    assert harness.authenticate(token(client_id="axb")) is ErrorCode.CLIENT_NOT_ALLOWED
    assert harness.authenticate(token(azp="axb")) is ErrorCode.CLIENT_NOT_ALLOWED
    for org in ("axb", "cxd-1", "a.b\n", "xa.b", "c.d"):
        assert harness.authenticate(token(org=org)) is ErrorCode.REQUIREMENT_NOT_MET
    held = {
        group: asyncio.run(harness.admit(token(groups=[group]))).permissions
        for group in ("axb", "cxd-1", "a.b ", "e", "f", "a.b", "c.d-1", "(e|f)")
    }
    assert [group for group, names in held.items() if names] == ["a.b", "c.d-1", "(e|f)"]


@pytest.mark.parametrize(
    "email", ["a@evil.test@acme.com", "a@acme.com@evil.test", "a@acme.com.evil.test", "a@xacme.com"]
)
def test_similar_domain_does_not_match(email: str) -> None:
    """A check of the domain split the address at the wrong @. CVE-2026-40574 (oauth2-proxy).

    No rule compares the end of a text. A domain is a separate claim, and an address is compared as a whole.
    """
    for pattern in ("*@acme.com", "@acme.com*com", ["*", "@acme.com"]):
        with pytest.raises(ConfigError) as refused:
            AuthHarness(require={"email": pattern})
        assert [problem.where for problem in refused.value.problems] == ["issuer[0].require.email"]
    harness = AuthHarness(require={"email": ["a@acme.com", "b@acme.com"]})
    assert harness.authenticate(harness.issuer.token(email="a@acme.com")) is None
    assert harness.authenticate(harness.issuer.token(email=email)) is ErrorCode.REQUIREMENT_NOT_MET
    domain = AuthHarness(require={"hd": "acme.com"})
    assert domain.authenticate(domain.issuer.token(email=email)) is ErrorCode.REQUIREMENT_NOT_MET
    assert (
        domain.authenticate(domain.issuer.token(email=email, hd=email.rpartition("@")[2] + "x"))
        is ErrorCode.REQUIREMENT_NOT_MET
    )


SMUGGLED = (
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-preferred-username",
    "x-forwarded-groups",
    "x-forwarded-access-token",
    "x-forwarded-authorization",
    "x-original-authorization",
    "x-auth-request-user",
    "x-auth-request-email",
    "x-auth-request-access-token",
    "x-remote-user",
    "remote-user",
    "x-user-id",
    "x-authorization",
    "authorization-",
    "authorizati\u043en",
    "http_authorization",
    "proxy-authorization",
    "user-agent",
    "cookie",
)


@pytest.mark.parametrize("name", SMUGGLED)
def test_other_headers_give_no_identity(name: str) -> None:
    """A header that a client can send was taken for one that the proxy had set.

    CVE-2025-54576, CVE-2025-64484, CVE-2026-34457, CVE-2026-40575, CVE-2026-41059 (oauth2-proxy).
    """
    harness = AuthHarness()
    mallory, alice = harness.issuer.token("mallory"), harness.issuer.token("alice")
    for value in ("mallory", mallory, f"Bearer {mallory}", f"token={mallory}"):
        assert harness.authenticate({name: value}) is ErrorCode.TOKEN_MISSING
        for headers in ([(name, value), ("authorization", f"Bearer {alice}")], {**bearer(alice), name: value}):
            assert asyncio.run(harness.oidc.authenticate(headers)).identity == "alice"


def test_request_url_gives_no_identity() -> None:
    """A route was let through by its path, fragment or method. CVE-2026-40575, CVE-2026-41059 (oauth2-proxy)."""
    harness = AuthHarness()
    token = harness.issuer.token()
    for method, url in (
        ("GET", f"https://agents.test/ok?access_token={token}"),
        ("GET", f"https://agents.test/threads#access_token={token}"),
        ("OPTIONS", "https://agents.test/threads"),
        ("HEAD", "https://agents.test/ok"),
        ("GET", "https://agents.test/threads/..;/health"),
        ("GET", f"https://{token}@agents.test/"),
    ):
        with pytest.raises(TokenError) as refused:
            asyncio.run(harness.oidc.authenticate({}, method=method, url=url))
        assert refused.value.code is ErrorCode.TOKEN_MISSING


def test_multi_audience_token_needs_allowed_client() -> None:
    """A token with a foreign API and ours in its audience was accepted. GHSA-p2fr-6hmx-4528 (better-auth).

    RFC 7519 says that membership is enough, and so does this library; ``allowed_clients`` is the way to be stricter.
    """
    both = ["agents", "https://foreign.test"]
    lenient, strict = AuthHarness(), AuthHarness(allowed_clients="web")
    assert lenient.authenticate(lenient.issuer.token(audience=both, azp="foreign")) is None
    assert strict.authenticate(strict.issuer.token(audience=both, azp="foreign")) is ErrorCode.CLIENT_NOT_ALLOWED
    assert strict.authenticate(strict.issuer.token(audience=both)) is ErrorCode.CLIENT_NOT_ALLOWED
    assert strict.authenticate(strict.issuer.token(audience=both, azp="web")) is None
    assert lenient.authenticate(lenient.issuer.token(audience=both[1:], azp="agents")) is ErrorCode.AUDIENCE_MISMATCH


@pytest.mark.parametrize("claims", [{"aud": "account"}, {"aud": ["account", "realm-management"]}, {"aud": None}])
def test_token_of_other_client_is_rejected(claims: dict[str, Any]) -> None:
    """Keycloak's default audience "account", which every token has, was accepted. mcp-gateway-registry PR#1533."""
    url = "https://sso.test/realms/acme"
    harness = AuthHarness(url=url)
    oidc = OIDCAuth.from_dict(
        {"issuer": presets.keycloak(url, audience="agents")}, fetcher=harness.issuer, clock=harness.clock
    )
    other: dict[str, Any] = {
        "azp": "other-client",
        "resource_access": {"agents": {"roles": ["user"]}},
        "scope": "openid agents",
    }
    with pytest.raises(TokenError) as refused:
        asyncio.run(oidc.authenticate(bearer(harness.issuer.token(**{**other, **claims}))))
    assert refused.value.code is ErrorCode.AUDIENCE_MISMATCH
    assert asyncio.run(oidc.authenticate(bearer(harness.issuer.token(**other)))).identity == "alice"
