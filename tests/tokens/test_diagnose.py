"""The log names the usual mistake. The answer to the client stays the same."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from kit.auth_harness import AuthHarness
from kit.messages import unread_header

from oidc_auth.errors import ERROR_DETAILS, ErrorCode, TokenError
from oidc_auth.testing.signing import SigningKey, encode_base64url
from oidc_auth.tokens.diagnose import CASE_HINT, SCHEME_HINT, SLASH_HINT

ENTRA = "https://login.microsoftonline.com/0f0f/v2.0"


def refusal(harness: AuthHarness, **token: Any) -> TokenError:
    """Return the refusal of a token. Its message has no part of the token, and the answer has no hint."""
    text = harness.issuer.token(**token)
    with pytest.raises(TokenError) as refused:
        asyncio.run(harness.admit(text))
    error = refused.value
    assert not any(part in error.report() for part in text.split("."))
    assert error.challenge().detail == f"{error.client_code}: {ERROR_DETAILS[error.client_code].client_message}"
    assert error.hint in error.report()
    return error


@pytest.mark.parametrize(
    ("configured", "said", "hint"),
    [
        ("https://a.test", "https://a.test/", "differ only by a trailing '/'. Set issuer = 'https://a.test/'"),
        ("https://a.test/", "https://a.test", "differ only by a trailing '/'. Set issuer = 'https://a.test'"),
        (ENTRA, "https://sts.windows.net/0f0f/", "An Entra token of the other version"),
        ("https://sts.windows.net/0f0f/", ENTRA, "An Entra token of the other version"),
        ("https://sso.test/realms/a", "http://keycloak:8080/realms/a", "The path is the same, but the host differs"),
        ("https://a.test/realms/Acme", "https://a.test/realms/acme", "differ only in upper and lower case"),
        (ENTRA, "https://login.microsoftonline.com/1e1e/v2.0", "Entra: another tenant"),
        ("https://login.microsoftonline.com/acme.com/v2.0", ENTRA, "never its domain, common or organizations"),
        ("https://acme.okta.com/oauth2/default", "https://acme.okta.com", "Okta's org authorization server"),
        ("https://a.test", "https://b.test", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
        ("https://a.test/", "https://b.test/", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
        ("https://a.test/realms/a", "https://b.test/realms/b", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
        ("https://a.test", "https://[b", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
        ("https://a.test", 5, ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
        ("https://a.test", None, ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
    ],
)
def test_unknown_issuer_is_compared_with_configured(configured: str, said: object, hint: str) -> None:
    error = refusal(AuthHarness(url=configured), iss=said)
    assert error.code is ErrorCode.ISSUER_NOT_TRUSTED
    assert hint in error.hint
    assert configured in error.expected


GRAPH = "A Microsoft Graph token"
KEYCLOAK = "Keycloak: add a mapper of type Audience to client"


@pytest.mark.parametrize(
    ("token", "hint"),
    [
        ({"audience": "00000003-0000-0000-c000-000000000000"}, GRAPH),
        ({"audience": "https://graph.microsoft.com"}, GRAPH),
        ({"audience": "x", "header": {"nonce": "n"}}, GRAPH),
        ({"audience": None, "token_use": "access", "client_id": "c"}, "Cognito access tokens carry client_id"),
        ({"audience": "x", "nonce": "n"}, "This looks like an ID token"),
        ({"audience": "x", "at_hash": "h"}, "This looks like an ID token"),
        ({"audience": None, "azp": "web"}, f"{KEYCLOAK} 'web'"),
        ({"audience": "account", "azp": "web", "client_id": "x"}, f"{KEYCLOAK} 'web'"),
        ({"audience": "x", "realm_access": {}, "client_id": "cli"}, f"{KEYCLOAK} 'cli'"),
        ({"audience": "account"}, "Audience to the client: Clients > <the client> > Client scopes > the one"),
        ({"audience": "account", "azp": 5}, "Audience to the client: Clients > <the client> > Client scopes"),
        ({"audience": "account", "azp": "web"}, "Clients > 'web' > Client scopes > the one that ends in -dedicated"),
        ({"audience": "account", "azp": "web"}, "Included Client Audience > agents"),
        ({"audience": None, "azp": "web", "jti": "trltcc:1"}, "client 'web' has lightweight access tokens"),
        ({"audience": None, "azp": "web", "jti": "trrtcc:1"}, f"{KEYCLOAK} 'web'"),
        ({"audience": None, "azp": "web", "jti": "trltcc"}, f"{KEYCLOAK} 'web'"),
        ({"audience": None, "azp": "web", "jti": "altitude:1"}, f"{KEYCLOAK} 'web'"),
        ({"audience": ["x", "y"]}, ERROR_DETAILS[ErrorCode.AUDIENCE_MISMATCH].hint),
        ({"audience": "x"}, ERROR_DETAILS[ErrorCode.AUDIENCE_MISMATCH].hint),
    ],
)
def test_audience_mismatch_has_provider_hint(token: dict[str, Any], hint: str) -> None:
    error = refusal(AuthHarness(), **token)
    assert error.code is ErrorCode.AUDIENCE_MISMATCH
    assert hint in error.hint
    assert error.expected == "agents"


@pytest.mark.parametrize(
    ("code", "token", "hint"),
    [
        (
            ErrorCode.AUDIENCE_MISMATCH,
            {"audience": "api://agents"},
            "They differ only in the scheme. Set audience = 'api://agents'",
        ),
        (
            ErrorCode.AUDIENCE_MISMATCH,
            {"audience": None},
            "aud is the API's Application (client) ID, a GUID in lower case",
        ),
        (ErrorCode.AUDIENCE_MISMATCH, {"audience": "x", "nonce": "n"}, "This looks like an ID token"),
        (ErrorCode.AUDIENCE_MISMATCH, {"audience": "https://graph.microsoft.com"}, GRAPH),
        (
            ErrorCode.IDENTITY_INVALID,
            {"azp": "web", "subject": None},
            "Entra: access tokens name every caller in oid and sub",
        ),
    ],
)
def test_entra_token_has_entra_hint(code: ErrorCode, token: dict[str, Any], hint: str) -> None:
    error = refusal(AuthHarness(url=ENTRA), **token)
    assert (error.code, "Keycloak" in error.hint) == (code, False)
    assert hint in error.hint


CIAM = "https://0f0f.ciamlogin.com/0f0f/v2.0"


@pytest.mark.parametrize(
    ("configured", "said", "hint"),
    [
        (ENTRA, CIAM, f"Write issuer = '{CIAM}' instead of tenants"),
        (ENTRA, "https://sts.windows.net/0f0f/", "set api.requestedAccessTokenVersion to 2"),
        ("https://acme.eu.auth0.com/", "https://login.acme.test/", "such as a custom domain, to aliases"),
    ],
)
def test_claims_are_diagnosed_like_tokens(configured: str, said: str, hint: str) -> None:
    harness = AuthHarness(url=configured)
    assert hint in refusal(harness, iss=said).hint
    assert hint in harness.oidc.explain({"sub": "u", "iss": said}).refusal


@pytest.mark.parametrize("url", [ENTRA, CIAM, "https://sts.windows.net/0f0f/"])
def test_unknown_entra_key_names_application_keys(url: str) -> None:
    harness = AuthHarness(url=url)

    async def refused() -> TokenError:
        await harness.admit(harness.issuer.token())
        with pytest.raises(TokenError) as error:
            await harness.admit(harness.issuer.token(key=SigningKey.make("stray", "ES256")))
        return error.value

    error = asyncio.run(refused())
    assert error.code is ErrorCode.KEY_NOT_FOUND
    assert "?appid=<the API's client ID>" in error.hint


CLERK = {"url": "https://clerk.acme.com", "audience": [], "require": {"plan": "pro"}}


@pytest.mark.parametrize(
    ("table", "token", "hint"),
    [
        (CLERK, {"azp": None}, "Clerk: the token has no azp, because the request for it had no Origin header"),
        (CLERK, {"azp": "https://evil.test"}, ERROR_DETAILS[ErrorCode.CLIENT_NOT_ALLOWED].hint),
        ({**CLERK, "url": "https://id.acme.com"}, {"azp": None}, "The token has no claim azp. Set client_claim to"),
    ],
)
def test_missing_client_claim_gets_its_own_hint(table: dict[str, Any], token: dict[str, Any], hint: str) -> None:
    harness = AuthHarness(**table, client_claim={"claim": "azp", "values": ["https://app.acme.com"]})
    error = refusal(harness, plan="pro", **token)
    assert error.code is ErrorCode.CLIENT_NOT_ALLOWED
    assert hint in error.hint


@pytest.mark.parametrize(
    ("configured", "named", "hint"),
    [
        ("https://api.test", "https://api.test/", SLASH_HINT),
        ("https://api.test/", "https://api.test", SLASH_HINT),
        ("Agents", "agents", CASE_HINT),
        ("http://api.test", "https://api.test", SCHEME_HINT),
        ("agents", "api://agents", SCHEME_HINT),
        (["other", "agents"], ["x", "AGENTS"], CASE_HINT),
    ],
)
def test_similar_audience_shows_correct_value(configured: Any, named: Any, hint: str) -> None:
    error = refusal(AuthHarness(audience=configured), audience=named, realm_access={}, azp="web")
    assert error.code is ErrorCode.AUDIENCE_MISMATCH
    wanted = named if isinstance(named, str) else named[-1]
    # A provider's own hint, such as Keycloak's mapper, is more probable than another scheme.
    if hint != SCHEME_HINT:
        assert error.hint == hint.replace("{setting}", "audience").replace("{value}", repr(wanted))
    plain = refusal(AuthHarness(audience=configured), audience=named)
    assert plain.hint == hint.replace("{setting}", "audience").replace("{value}", repr(wanted))


def test_similar_audience_fills_no_placeholder() -> None:
    error = refusal(AuthHarness(audience="{CLIENT}"), audience="{client}", azp="web")
    assert "'{client}'" in error.hint


@pytest.mark.parametrize(
    "named",
    [
        pytest.param(["x"] * 8 + ["AGENTS"], id="after eight others"),
        pytest.param("agents" + "/" * 600, id="too long"),
        pytest.param([5, None], id="no text"),
    ],
)
def test_audience_comparison_is_bounded(named: Any) -> None:
    assert refusal(AuthHarness(), audience=named).hint == ERROR_DETAILS[ErrorCode.AUDIENCE_MISMATCH].hint


@pytest.mark.parametrize(
    ("typ", "hint"),
    [
        ("JOSE", 'accepted_typ = ["", "at+jwt", "jwt", "JOSE"]'),
        ("application/okta-internal-at+jwt", '"application/okta-internal-at+jwt"]'),
        ("logout+jwt", ERROR_DETAILS[ErrorCode.TYP_NOT_ALLOWED].hint),
        ("application/DPoP+jwt", ERROR_DETAILS[ErrorCode.TYP_NOT_ALLOWED].hint),
        (5, ERROR_DETAILS[ErrorCode.TYP_NOT_ALLOWED].hint),
    ],
)
def test_unknown_typ_names_setting(typ: object, hint: str) -> None:
    error = refusal(AuthHarness(), header={"typ": typ})
    assert error.code is ErrorCode.TYP_NOT_ALLOWED
    assert hint in error.hint


ROLES = "urn:zitadel:iam:org:project:1:roles"


@pytest.mark.parametrize(
    ("token", "hint"),
    [
        ({}, "Give the user a role"),
        ({ROLES: {}, "jti": "j"}, "Give the user a role"),
        ({ROLES: {"user": {}}, "jti": None}, "Zitadel: ID tokens have no jti"),
        ({ROLES: {"user": {}}, "jti": "j"}, ERROR_DETAILS[ErrorCode.CLAIM_MISSING].hint),
    ],
)
def test_claim_that_preset_requires_gets_its_hint(token: dict[str, Any], hint: str) -> None:
    harness = AuthHarness(url="https://acme.zitadel.cloud", require={f'"{ROLES}"': "*", "jti": "*", "plan": "*"})
    error = refusal(harness, **token)
    assert error.code is ErrorCode.CLAIM_MISSING
    assert hint in error.hint


@pytest.mark.parametrize(
    ("url", "text", "hint"),
    [
        ("https://acme.eu.auth0.com/", "opaque", "audience=<your API id>"),
        ("https://acme.zitadel.cloud", "opaque", "Auth Token Type to JWT"),
        ("https://a.test", "a.b.c.d.e", "authentik: clear the provider's encryption key"),
        ("https://a.test/application/o/x/", "a.b.c.d.e", "authentik: clear the provider's encryption key"),
    ],
)
def test_opaque_token_gets_configured_providers_hint(url: str, text: str, hint: str) -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness(url=url).admit(text))
    assert refused.value.code is ErrorCode.TOKEN_MALFORMED
    assert hint in refused.value.hint


def test_made_up_issuer_is_compared_up_to_bound() -> None:
    error = refusal(AuthHarness(url="https://a.test/"), iss=f"https://a.test{'/' * 11_000}")
    assert error.hint == ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint


def test_placeholders_in_claims_are_not_filled() -> None:
    error = refusal(AuthHarness(), audience="account", azp="{audience}")
    assert "client '{audience}'" in error.hint


@pytest.mark.parametrize(
    ("token", "hint"),
    [
        ({"header": {"nonce": "n"}}, GRAPH),
        ({}, ERROR_DETAILS[ErrorCode.SIGNATURE_INVALID].hint),
        ({"nonce": "n", "realm_access": {}}, ERROR_DETAILS[ErrorCode.SIGNATURE_INVALID].hint),
    ],
)
def test_microsoft_graph_signature_has_hint(token: dict[str, Any], hint: str) -> None:
    error = refusal(AuthHarness(), key=SigningKey.make("key-1", "ES256"), **token)
    assert error.code is ErrorCode.SIGNATURE_INVALID
    assert hint in error.hint


@pytest.mark.parametrize(
    ("token", "hint"),
    [
        ({"subject": None, "azp": "web"}, "Keycloak: give client 'web' the default scope 'basic', which carries sub"),
        ({"subject": None}, ERROR_DETAILS[ErrorCode.IDENTITY_INVALID].hint),
        ({"subject": "", "azp": "web"}, ERROR_DETAILS[ErrorCode.IDENTITY_INVALID].hint),
    ],
)
def test_keycloak_token_without_sub_has_hint(token: dict[str, Any], hint: str) -> None:
    error = refusal(AuthHarness(), **token)
    assert error.code is ErrorCode.IDENTITY_INVALID
    assert hint in error.hint


@pytest.mark.parametrize(
    ("algorithm", "claims", "hint"),
    [
        (
            "HS512",
            {"typ": "Refresh", "azp": "web"},
            "Keycloak: this is the 'Refresh' token, which only Keycloak accepts",
        ),
        (
            "HS512",
            {"typ": "Offline", "azp": "web"},
            "Keycloak: this is the 'Offline' token, which only Keycloak accepts",
        ),
        ("HS256", {"typ": "Bearer", "azp": "web"}, "Clients > 'web' > Advanced > Fine grain OpenID Connect"),
        ("HS256", {"azp": "web"}, ERROR_DETAILS[ErrorCode.ALG_NOT_ALLOWED].hint),
        ("HS256", {"typ": "Bearer", "azp": "web", "long": "x" * 4_096}, ERROR_DETAILS[ErrorCode.ALG_NOT_ALLOWED].hint),
        (
            "HS256",
            {"typ": "Bearer"},
            "the client has its access tokens signed with a secret of the realm: Clients > <the",
        ),
        ("none", {"typ": "Refresh", "azp": "web"}, ERROR_DETAILS[ErrorCode.ALG_NOT_ALLOWED].hint),
        (["HS256"], {"typ": "Refresh", "azp": "web"}, ERROR_DETAILS[ErrorCode.ALG_NOT_ALLOWED].hint),
    ],
)
def test_secret_signed_token_has_hint(algorithm: object, claims: dict[str, Any], hint: str) -> None:
    error = refusal(AuthHarness(), header={"alg": algorithm}, **claims)
    assert error.code is ErrorCode.ALG_NOT_ALLOWED
    assert hint in error.hint


@pytest.mark.parametrize(("length", "explained"), [(4_096, True), (4_097, False)])
def test_secret_signed_payload_read_is_bounded(length: int, *, explained: bool) -> None:
    header = encode_base64url(b'{"alg":"HS256"}')
    size = (length - len(header) - 1) * 3 // 4
    payload = encode_base64url(b'{"typ":"Refresh"}'.ljust(size))
    assert len(f"{header}.{payload}") == length
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness().admit(f"{header}.{payload}.c2ln"))
    assert ("'Refresh' token" in refused.value.hint) is explained


@pytest.mark.parametrize("payload", [b"no json", b"[]", b'{"typ": "Refresh"'])
def test_secret_signed_token_is_always_rejected(payload: bytes) -> None:
    header = encode_base64url(b'{"alg": "HS256"}')
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness().admit(f"{header}.{encode_base64url(payload)}.c2ln"))
    assert refused.value.code is ErrorCode.ALG_NOT_ALLOWED
    assert refused.value.hint == ERROR_DETAILS[ErrorCode.ALG_NOT_ALLOWED].hint


def test_other_refusals_keep_default_hint() -> None:
    assert refusal(AuthHarness(), lifetime=-60).hint == ERROR_DETAILS[ErrorCode.TOKEN_EXPIRED].hint


@pytest.mark.parametrize("name", ["x-api-key", "x-auth-token", "x-access-token", "authentication"])
def test_misplaced_token_header_is_named(name: str) -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness().oidc.authenticate({name: "s3cr3t"}))
    assert refused.value.found == unread_header(name)
    assert "s3cr3t" not in refused.value.report()
    assert refused.value.challenge().error is None


def test_only_likely_headers_are_named() -> None:
    sent = {"host": "agents.example", "X-Auth-Token": "", "x-api-key": "s3cr3t", "Authentication": "s3cr3t"}
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness().oidc.authenticate(sent))
    assert refused.value.found == "a header authentication, x-api-key, which is not read"


def test_encrypted_token_is_named() -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness().admit("a.b.c.d.e"))
    assert "an encrypted token (JWE)" in refused.value.report()


def test_long_claim_is_truncated_to_one_line() -> None:
    error = refusal(AuthHarness(), audience="x\n" * 1_000)
    assert len(error.found) <= 120
    assert "\n" not in error.report()


def test_clock_error_seconds_are_shown() -> None:
    assert "31.0 s in this host's future" in refusal(AuthHarness(), iat=1_800_000_031).found
    assert "100.0 s past exp" in refusal(AuthHarness(), lifetime=-100).found


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        (
            {"alg": "dir", "enc": "A256GCM", "iss": "https://t.auth0.com/"},
            "(JWE, enc='A256GCM', iss='https://t.auth0.com/')",
        ),
        ({"alg": "dir"}, "an encrypted token (JWE), which"),
        (b"no json", "audience=<your API id>"),
    ],
)
def test_encrypted_token_shows_header_values(header: dict[str, str] | bytes, hint: str) -> None:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness().admit(f"{encode_base64url(raw)}..aXY.Y2lwaGVy.dGFn"))
    assert refused.value.code is ErrorCode.TOKEN_MALFORMED
    assert hint in refused.value.hint


def test_unknown_kid_lists_known_kids_and_age() -> None:
    harness = AuthHarness()

    async def scenario() -> TokenError:
        await harness.admit(harness.issuer.token())
        for stray in ("stray-1", "stray-2"):
            with pytest.raises(TokenError):
                await harness.admit(harness.issuer.token(key=SigningKey.make(stray, "ES256")))
        # Past jwks_refresh_after the keys are looked at again, so that this one is not refused out of hand.
        harness.clock.advance(601)
        harness.issuer.fault = None
        with pytest.raises(TokenError) as refused:
            await harness.admit(harness.issuer.token(key=SigningKey.make("stray-3", "ES256")))
        return refused.value

    error = asyncio.run(scenario())
    assert error.code is ErrorCode.KEY_NOT_FOUND
    assert (
        "expected a published key id: 'key-1' (fetched 0 s ago, the next fetch for an unknown key id in 0 s)"
        in error.report()
    )


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({}, "read: scope (missing), scp (missing)"),
        (
            {"scope": "openid"},
            "read: scope (present, but no value among the permission names of accept), scp (missing)",
        ),
        ({"permissions": ["threads:read"]}, "not read, but it holds permission names: 'permissions'"),
        ({"perms": "profile threads:read"}, "not read, but it holds permission names: 'perms'"),
        ({"hasgroups": True}, "left out for being too many"),
        ({"_claim_names": {"groups": "src1"}}, "left out for being too many"),
    ],
)
def test_token_without_permissions_logs_read_claims(
    caplog: pytest.LogCaptureFixture, claims: dict[str, Any], said: str
) -> None:
    harness = AuthHarness()
    caller = asyncio.run(harness.admit(harness.issuer.token(**claims)))
    assert caller.rights == {}
    assert said in caplog.text
    assert "alice" not in caplog.text
    assert caplog.messages[-1].endswith(" (issuer https://issuer.test, user 2bd806c97f0e)")


MANY = {f"role-{number}": ["threads:read"] for number in range(10)}


@pytest.mark.parametrize(
    ("permission_map", "claims", "said"),
    [
        ({"values": {"admin": ["*"], "eng-*": ["*:read"]}}, {"roles": ["Admin"]}, "no value among admin, eng-*"),
        (
            {"values": MANY},
            {"roles": "x"},
            "no value among role-0, role-1, role-2, role-3, role-4 a",
        ),
        ({"values": MANY}, {"roles": "x"}, "role-4 and 5 more)"),
        ({"values": dict([*MANY.items()][:5])}, {"roles": "x"}, "role-3, role-4)"),
        ({"values": {"admin": ["*@tenant"]}}, {"roles": ["admin"]}, "read: roles (present, but without a tenant) ("),
        (
            {"values": {"admin": ["*"]}, "when": {"azp": "web"}},
            {"roles": ["admin"], "azp": "cli"},
            "read: roles (present, but its condition (when) is not met) (",
        ),
    ],
)
def test_log_explains_unused_claims(
    caplog: pytest.LogCaptureFixture, permission_map: dict[str, Any], claims: dict[str, Any], said: str
) -> None:
    harness = AuthHarness(tenant="org", permission_map={"claim": "roles", **permission_map})
    assert asyncio.run(harness.admit(harness.issuer.token(**claims))).rights == {}
    assert said in caplog.messages[-1]


def test_rights_removed_by_mapper_blame_no_claim(
    caplog: pytest.LogCaptureFixture,
) -> None:
    harness = AuthHarness(
        permission_map={"claim": "roles", "values": {"admin": ["*"]}},
        mapper=lambda claims, caller: replace(caller, rights={}),
    )
    assert asyncio.run(harness.admit(harness.issuer.token(roles=["admin"]))).rights == {}
    assert "no permissions: read: roles (present) (" in caplog.messages[-1]
