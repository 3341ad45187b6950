"""The log names the usual mistake. The answer to the client stays the same."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness

from oidc_auth.errors import ERROR_DETAILS, ErrorCode, TokenError
from oidc_auth.testing.signing import SigningKey, encode_base64url
from oidc_auth.tokens.diagnose import CASE_HINT, SCHEME_HINT, SLASH_HINT

if TYPE_CHECKING:
    from kit.snapshots import Messages

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
    ("configured", "said"),
    [
        ("https://a.test", "https://a.test/"),
        ("https://a.test/", "https://a.test"),
        (ENTRA, "https://sts.windows.net/0f0f/"),
        ("https://sts.windows.net/0f0f/", ENTRA),
        ("https://sso.test/realms/a", "http://keycloak:8080/realms/a"),
        ("https://a.test/realms/Acme", "https://a.test/realms/acme"),
        (ENTRA, "https://login.microsoftonline.com/1e1e/v2.0"),
        ("https://login.microsoftonline.com/acme.com/v2.0", ENTRA),
        ("https://acme.okta.com/oauth2/default", "https://acme.okta.com"),
        ("https://a.test", "https://b.test"),
        ("https://a.test/", "https://b.test/"),
        ("https://a.test/realms/a", "https://b.test/realms/b"),
        ("https://a.test", "https://[b"),
        ("https://a.test", 5),
        ("https://a.test", None),
    ],
)
def test_unknown_issuer_is_compared_with_configured(configured: str, said: object, messages: Messages) -> None:
    error = refusal(AuthHarness(url=configured), iss=said)
    assert error.code is ErrorCode.ISSUER_NOT_TRUSTED
    messages.check(error.hint)
    assert configured in error.expected


@pytest.mark.parametrize(
    "token",
    [
        {"audience": "00000003-0000-0000-c000-000000000000"},
        {"audience": "https://graph.microsoft.com"},
        {"audience": "x", "header": {"nonce": "n"}},
        {"audience": None, "token_use": "access", "client_id": "c"},
        {"audience": "x", "nonce": "n"},
        {"audience": "x", "at_hash": "h"},
        {"audience": None, "azp": "web"},
        {"audience": "account", "azp": "web", "client_id": "x"},
        {"audience": "x", "realm_access": {}, "client_id": "cli"},
        {"audience": "account"},
        {"audience": "account", "azp": 5},
        {"audience": "account", "azp": "web"},
        {"audience": None, "azp": "web", "jti": "trltcc:1"},
        {"audience": None, "azp": "web", "jti": "trrtcc:1"},
        {"audience": None, "azp": "web", "jti": "trltcc"},
        {"audience": None, "azp": "web", "jti": "altitude:1"},
        {"audience": ["x", "y"]},
        {"audience": "x"},
    ],
)
def test_audience_mismatch_has_provider_hint(token: dict[str, Any], messages: Messages) -> None:
    error = refusal(AuthHarness(), **token)
    assert error.code is ErrorCode.AUDIENCE_MISMATCH
    messages.check(error.hint)
    assert error.expected == "agents"


@pytest.mark.parametrize(
    ("code", "token"),
    [
        (
            ErrorCode.AUDIENCE_MISMATCH,
            {"audience": "api://agents"},
        ),
        (
            ErrorCode.AUDIENCE_MISMATCH,
            {"audience": None},
        ),
        (ErrorCode.AUDIENCE_MISMATCH, {"audience": "x", "nonce": "n"}),
        (ErrorCode.AUDIENCE_MISMATCH, {"audience": "https://graph.microsoft.com"}),
        (
            ErrorCode.IDENTITY_INVALID,
            {"azp": "web", "subject": None},
        ),
    ],
)
def test_entra_token_has_entra_hint(code: ErrorCode, token: dict[str, Any], messages: Messages) -> None:
    error = refusal(AuthHarness(url=ENTRA), **token)
    assert (error.code, "Keycloak" in error.hint) == (code, False)
    messages.check(error.hint)


CIAM = "https://0f0f.ciamlogin.com/0f0f/v2.0"


@pytest.mark.parametrize(
    ("configured", "said"),
    [
        (ENTRA, CIAM),
        (ENTRA, "https://sts.windows.net/0f0f/"),
        ("https://acme.eu.auth0.com/", "https://login.acme.test/"),
    ],
)
def test_claims_are_diagnosed_like_tokens(configured: str, said: str, messages: Messages) -> None:
    harness = AuthHarness(url=configured)
    hint = refusal(harness, iss=said).hint
    assert hint in harness.oidc.explain({"sub": "u", "iss": said}).refusal
    messages.check(hint)


@pytest.mark.parametrize("url", [ENTRA, CIAM, "https://sts.windows.net/0f0f/"])
def test_unknown_entra_key_names_application_keys(url: str, messages: Messages) -> None:
    harness = AuthHarness(url=url)

    async def refused() -> TokenError:
        await harness.admit(harness.issuer.token())
        with pytest.raises(TokenError) as error:
            await harness.admit(harness.issuer.token(key=SigningKey.make("stray", "ES256")))
        return error.value

    error = asyncio.run(refused())
    assert error.code is ErrorCode.KEY_NOT_FOUND
    messages.check(error.hint)


CLERK = {"url": "https://clerk.acme.com", "audience": [], "require": {"plan": "pro"}}


@pytest.mark.parametrize(
    ("table", "token"),
    [
        (CLERK, {"azp": None}),
        (CLERK, {"azp": "https://evil.test"}),
        ({**CLERK, "url": "https://id.acme.com"}, {"azp": None}),
    ],
)
def test_missing_client_claim_gets_its_own_hint(
    table: dict[str, Any], token: dict[str, Any], messages: Messages
) -> None:
    harness = AuthHarness(**table, client_claim={"claim": "azp", "values": ["https://app.acme.com"]})
    error = refusal(harness, plan="pro", **token)
    assert error.code is ErrorCode.CLIENT_NOT_ALLOWED
    messages.check(error.hint)


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


def test_similar_audience_fills_no_placeholder(messages: Messages) -> None:
    error = refusal(AuthHarness(audience="{CLIENT}"), audience="{client}", azp="web")
    messages.check(error.hint)


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
    "typ",
    [
        "JOSE",
        "application/okta-internal-at+jwt",
        "logout+jwt",
        "application/DPoP+jwt",
        5,
    ],
)
def test_unknown_typ_names_setting(typ: object, messages: Messages) -> None:
    error = refusal(AuthHarness(), header={"typ": typ})
    assert error.code is ErrorCode.TYP_NOT_ALLOWED
    messages.check(error.hint)


ROLES = "urn:zitadel:iam:org:project:1:roles"


@pytest.mark.parametrize(
    "token",
    [
        {},
        {ROLES: {}, "jti": "j"},
        {ROLES: {"user": {}}, "jti": None},
        {ROLES: {"user": {}}, "jti": "j"},
    ],
)
def test_claim_that_preset_requires_gets_its_hint(token: dict[str, Any], messages: Messages) -> None:
    harness = AuthHarness(url="https://acme.zitadel.cloud", require={f'"{ROLES}"': "*", "jti": "*", "plan": "*"})
    error = refusal(harness, **token)
    assert error.code is ErrorCode.CLAIM_MISSING
    messages.check(error.hint)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://acme.eu.auth0.com/", "opaque"),
        ("https://acme.zitadel.cloud", "opaque"),
        ("https://a.test", "a.b.c.d.e"),
        ("https://a.test/application/o/x/", "a.b.c.d.e"),
    ],
)
def test_opaque_token_gets_configured_providers_hint(url: str, text: str, messages: Messages) -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness(url=url).admit(text))
    assert refused.value.code is ErrorCode.TOKEN_MALFORMED
    messages.check(refused.value.hint)


def test_made_up_issuer_is_compared_up_to_bound() -> None:
    error = refusal(AuthHarness(url="https://a.test/"), iss=f"https://a.test{'/' * 11_000}")
    assert error.hint == ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint


def test_placeholders_in_claims_are_not_filled(messages: Messages) -> None:
    error = refusal(AuthHarness(), audience="account", azp="{audience}")
    messages.check(error.hint)


@pytest.mark.parametrize(
    "token",
    [
        {"header": {"nonce": "n"}},
        {},
        {"nonce": "n", "realm_access": {}},
    ],
)
def test_microsoft_graph_signature_has_hint(token: dict[str, Any], messages: Messages) -> None:
    error = refusal(AuthHarness(), key=SigningKey.make("key-1", "ES256"), **token)
    assert error.code is ErrorCode.SIGNATURE_INVALID
    messages.check(error.hint)


@pytest.mark.parametrize(
    "token",
    [
        {"subject": None, "azp": "web"},
        {"subject": None},
        {"subject": "", "azp": "web"},
    ],
)
def test_keycloak_token_without_sub_has_hint(token: dict[str, Any], messages: Messages) -> None:
    error = refusal(AuthHarness(), **token)
    assert error.code is ErrorCode.IDENTITY_INVALID
    messages.check(error.hint)


@pytest.mark.parametrize(
    ("algorithm", "claims"),
    [
        (
            "HS512",
            {"typ": "Refresh", "azp": "web"},
        ),
        (
            "HS512",
            {"typ": "Offline", "azp": "web"},
        ),
        ("HS256", {"typ": "Bearer", "azp": "web"}),
        ("HS256", {"azp": "web"}),
        ("HS256", {"typ": "Bearer", "azp": "web", "long": "x" * 4_096}),
        (
            "HS256",
            {"typ": "Bearer"},
        ),
        ("none", {"typ": "Refresh", "azp": "web"}),
        (["HS256"], {"typ": "Refresh", "azp": "web"}),
    ],
)
def test_secret_signed_token_has_hint(algorithm: object, claims: dict[str, Any], messages: Messages) -> None:
    error = refusal(AuthHarness(), header={"alg": algorithm}, **claims)
    assert error.code is ErrorCode.ALG_NOT_ALLOWED
    messages.check(error.hint)


@pytest.mark.parametrize(("length", "explained"), [(4_096, True), (4_097, False)])
def test_secret_signed_payload_read_is_bounded(length: int, *, explained: bool) -> None:
    header = encode_base64url(b'{"alg":"HS256"}')
    size = (length - len(header) - 1) * 3 // 4
    payload = encode_base64url(b'{"typ":"Refresh"}'.ljust(size))
    assert len(f"{header}.{payload}") == length
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness().admit(f"{header}.{payload}.c2ln"))
    default = ERROR_DETAILS[ErrorCode.ALG_NOT_ALLOWED].hint
    assert (refused.value.hint != default) is explained


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
def test_misplaced_token_header_is_named(name: str, messages: Messages) -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness().oidc.authenticate({name: "s3cr3t"}))
    messages.check(refused.value.found)
    assert "s3cr3t" not in refused.value.report()
    assert refused.value.challenge().error is None


def test_only_likely_headers_are_named(messages: Messages) -> None:
    sent = {"host": "agents.example", "X-Auth-Token": "", "x-api-key": "s3cr3t", "Authentication": "s3cr3t"}
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness().oidc.authenticate(sent))
    messages.check(refused.value.found)


def test_encrypted_token_is_named(messages: Messages) -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness().admit("a.b.c.d.e"))
    messages.check(refused.value.hint)


def test_long_claim_is_truncated_to_one_line() -> None:
    error = refusal(AuthHarness(), audience="x\n" * 1_000)
    assert len(error.found) <= 120
    assert "\n" not in error.report()


def test_clock_error_seconds_are_shown(messages: Messages) -> None:
    messages.check(refusal(AuthHarness(), iat=1_800_000_031).found)
    messages.check(refusal(AuthHarness(), lifetime=-100).found)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "dir", "enc": "A256GCM", "iss": "https://t.auth0.com/"},
        {"alg": "dir"},
        b"no json",
    ],
)
def test_encrypted_token_shows_header_values(header: dict[str, str] | bytes, messages: Messages) -> None:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness().admit(f"{encode_base64url(raw)}..aXY.Y2lwaGVy.dGFn"))
    assert refused.value.code is ErrorCode.TOKEN_MALFORMED
    messages.check(refused.value.hint)


def test_unknown_kid_lists_known_kids_and_age(messages: Messages) -> None:
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
    messages.check(error.expected)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"scope": "openid"},
        {"permissions": ["threads:read"]},
        {"perms": "profile threads:read"},
        {"hasgroups": True},
        {"_claim_names": {"groups": "src1"}},
    ],
)
def test_token_without_permissions_logs_read_claims(
    caplog: pytest.LogCaptureFixture, claims: dict[str, Any], messages: Messages
) -> None:
    harness = AuthHarness()
    caller = asyncio.run(harness.admit(harness.issuer.token(**claims)))
    assert caller.rights == {}
    messages.check(caplog.messages[-1])
    assert "alice" not in caplog.text
    assert caplog.messages[-1].endswith(" (issuer https://issuer.test, user 2bd806c97f0e)")


MANY = {f"role-{number}": ["threads:read"] for number in range(10)}


@pytest.mark.parametrize(
    ("permission_map", "claims"),
    [
        ({"values": {"admin": ["*"], "eng-*": ["*:read"]}}, {"roles": ["Admin"]}),
        (
            {"values": MANY},
            {"roles": "x"},
        ),
        ({"values": dict([*MANY.items()][:5])}, {"roles": "x"}),
        ({"values": {"admin": ["*@tenant"]}}, {"roles": ["admin"]}),
        (
            {"values": {"admin": ["*"]}, "when": {"azp": "web"}},
            {"roles": ["admin"], "azp": "cli"},
        ),
    ],
)
def test_log_explains_unused_claims(
    caplog: pytest.LogCaptureFixture, permission_map: dict[str, Any], claims: dict[str, Any], messages: Messages
) -> None:
    harness = AuthHarness(tenant="org", permission_map={"claim": "roles", **permission_map})
    assert asyncio.run(harness.admit(harness.issuer.token(**claims))).rights == {}
    messages.check(caplog.messages[-1])


def test_rights_removed_by_mapper_blame_no_claim(caplog: pytest.LogCaptureFixture, messages: Messages) -> None:
    harness = AuthHarness(
        permission_map={"claim": "roles", "values": {"admin": ["*"]}},
        mapper=lambda claims, caller: replace(caller, rights={}),
    )
    assert asyncio.run(harness.admit(harness.issuer.token(roles=["admin"]))).rights == {}
    messages.check(caplog.messages[-1])
