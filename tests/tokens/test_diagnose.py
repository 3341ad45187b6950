"""The operator's log names the usual mistake; what decides, and what a client hears, stays the same."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from world.tokens import Door

from oidc_auth.errors import MEANINGS, Code, TokenError
from oidc_auth.testing.signing import SigningKey, encode_base64url

ENTRA = "https://login.microsoftonline.com/0f0f/v2.0"


def refusal(door: Door, **token: Any) -> TokenError:
    """Return the refusal of a token; its message never shows the token, nor does the client hear the cure."""
    text = door.issuer.token(**token)
    with pytest.raises(TokenError) as refused:
        asyncio.run(door.admit(text))
    error = refused.value
    assert not any(part in error.report() for part in text.split("."))
    assert error.challenge().detail == f"{error.code}: {MEANINGS[error.code].says}"
    assert error.cure in error.report()
    return error


@pytest.mark.parametrize(
    ("configured", "said", "cure"),
    [
        ("https://a.test", "https://a.test/", "differ only by a trailing '/': write 'https://a.test/'"),
        ("https://a.test/", "https://a.test", "differ only by a trailing '/': write 'https://a.test'"),
        (ENTRA, "https://sts.windows.net/0f0f/", "An Entra token of the other version"),
        ("https://sts.windows.net/0f0f/", ENTRA, "An Entra token of the other version"),
        ("https://sso.test/realms/a", "http://keycloak:8080/realms/a", "The same path on another host"),
        ("https://a.test/realms/Acme", "https://a.test/realms/acme", "differ only in upper and lower case"),
        (ENTRA, "https://login.microsoftonline.com/1e1e/v2.0", "Entra: another tenant"),
        ("https://login.microsoftonline.com/acme.com/v2.0", ENTRA, "never its domain, common or organizations"),
        ("https://acme.okta.com/oauth2/default", "https://acme.okta.com", "Okta's org authorization server"),
        ("https://a.test", "https://b.test", MEANINGS[Code.ISSUER_UNKNOWN].cure),
        ("https://a.test/", "https://b.test/", MEANINGS[Code.ISSUER_UNKNOWN].cure),
        ("https://a.test/realms/a", "https://b.test/realms/b", MEANINGS[Code.ISSUER_UNKNOWN].cure),
        ("https://a.test", "https://[b", MEANINGS[Code.ISSUER_UNKNOWN].cure),
        ("https://a.test", 5, MEANINGS[Code.ISSUER_UNKNOWN].cure),
        ("https://a.test", None, MEANINGS[Code.ISSUER_UNKNOWN].cure),
    ],
)
def test_an_unknown_issuer_is_compared_with_the_configured_one(configured: str, said: object, cure: str) -> None:
    error = refusal(Door(url=configured), iss=said)
    assert error.code is Code.ISSUER_UNKNOWN
    assert cure in error.cure
    assert configured in error.expected


GRAPH = "A Microsoft Graph token"
KEYCLOAK = "Keycloak: add a mapper of type Audience to client"


@pytest.mark.parametrize(
    ("token", "cure"),
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
        ({"audience": ["x", "y"]}, MEANINGS[Code.AUDIENCE_MISMATCH].cure),
        ({"audience": "x"}, MEANINGS[Code.AUDIENCE_MISMATCH].cure),
    ],
)
def test_another_audience_is_explained_by_the_provider_it_comes_from(token: dict[str, Any], cure: str) -> None:
    error = refusal(Door(), **token)
    assert error.code is Code.AUDIENCE_MISMATCH
    assert cure in error.cure
    assert error.expected == "agents"


@pytest.mark.parametrize(
    ("code", "token", "cure"),
    [
        (Code.AUDIENCE_MISMATCH, {"audience": "api://agents"}, "write that as audience. Is it another application's?"),
        (Code.AUDIENCE_MISMATCH, {"audience": None}, "aud is the API's Application (client) ID, a GUID in lower case"),
        (Code.AUDIENCE_MISMATCH, {"audience": "x", "nonce": "n"}, "This looks like an ID token"),
        (Code.AUDIENCE_MISMATCH, {"audience": "https://graph.microsoft.com"}, GRAPH),
        (
            Code.IDENTITY_INVALID,
            {"azp": "web", "subject": None},
            "Entra: access tokens name every caller in oid and sub",
        ),
    ],
)
def test_a_token_of_entra_is_explained_by_what_entra_does(code: Code, token: dict[str, Any], cure: str) -> None:
    error = refusal(Door(url=ENTRA), **token)
    assert (error.code, "Keycloak" in error.cure) == (code, False)
    assert cure in error.cure


CIAM = "https://0f0f.ciamlogin.com/0f0f/v2.0"


@pytest.mark.parametrize(
    ("configured", "said", "cure"),
    [
        (ENTRA, CIAM, f"Write issuer = '{CIAM}' instead of tenants"),
        (ENTRA, "https://sts.windows.net/0f0f/", "set api.requestedAccessTokenVersion to 2"),
        ("https://acme.eu.auth0.com/", "https://login.acme.test/", "such as a custom domain, to aliases"),
    ],
)
def test_claims_are_diagnosed_like_tokens(configured: str, said: str, cure: str) -> None:
    door = Door(url=configured)
    assert cure in refusal(door, iss=said).cure
    assert cure in door.oidc.explain({"sub": "u", "iss": said}).refusal


@pytest.mark.parametrize("url", [ENTRA, CIAM, "https://sts.windows.net/0f0f/"])
def test_unknown_entra_key_names_the_application_keys(url: str) -> None:
    door = Door(url=url)

    async def refused() -> TokenError:
        await door.admit(door.issuer.token())
        with pytest.raises(TokenError) as error:
            await door.admit(door.issuer.token(key=SigningKey.make("stray", "ES256")))
        return error.value

    error = asyncio.run(refused())
    assert error.code is Code.KEY_UNKNOWN
    assert "?appid=<the API's client ID>" in error.cure


CLERK = {"url": "https://clerk.acme.com", "audience": [], "require": {"plan": "pro"}}


@pytest.mark.parametrize(
    ("table", "token", "cure"),
    [
        (CLERK, {"azp": None}, "Clerk: the token has no azp, because the request for it had no Origin header"),
        (CLERK, {"azp": "https://evil.test"}, MEANINGS[Code.CLIENT_REFUSED].cure),
        ({**CLERK, "url": "https://id.acme.com"}, {"azp": None}, "The token has no claim azp: name the claim that"),
    ],
)
def test_missing_client_claim_gets_its_own_hint(table: dict[str, Any], token: dict[str, Any], cure: str) -> None:
    door = Door(**table, client_claim={"claim": "azp", "values": ["https://app.acme.com"]})
    error = refusal(door, plan="pro", **token)
    assert error.code is Code.CLIENT_REFUSED
    assert cure in error.cure


ROLES = "urn:zitadel:iam:org:project:1:roles"


@pytest.mark.parametrize(
    ("token", "cure"),
    [
        ({}, "Give the user a role"),
        ({ROLES: {}, "jti": None}, "Zitadel: ID tokens have no jti"),
        ({ROLES: {}, "jti": "j"}, MEANINGS[Code.CLAIM_MISSING].cure),
    ],
)
def test_claim_that_the_preset_requires_gets_its_hint(token: dict[str, Any], cure: str) -> None:
    door = Door(url="https://acme.zitadel.cloud", required_claims=[[ROLES], "jti", "plan"])
    error = refusal(door, **token)
    assert error.code is Code.CLAIM_MISSING
    assert cure in error.cure


@pytest.mark.parametrize(
    ("url", "text", "cure"),
    [
        ("https://acme.eu.auth0.com/", "opaque", "audience=<your API id>"),
        ("https://acme.zitadel.cloud", "opaque", "Auth Token Type to JWT"),
        ("https://a.test", "a.b.c.d.e", "authentik: clear the provider's encryption key"),
        ("https://a.test/application/o/x/", "a.b.c.d.e", "authentik: clear the provider's encryption key"),
    ],
)
def test_opaque_token_gets_the_configured_providers_hint(url: str, text: str, cure: str) -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(Door(url=url).admit(text))
    assert refused.value.code is Code.SEGMENTS_WRONG
    assert cure in refused.value.cure


def test_made_up_issuer_is_compared_up_to_a_bound() -> None:
    error = refusal(Door(url="https://a.test/"), iss=f"https://a.test{'/' * 11_000}")
    assert error.cure == MEANINGS[Code.ISSUER_UNKNOWN].cure


def test_placeholders_in_claims_are_not_filled() -> None:
    error = refusal(Door(), audience="account", azp="{audience}")
    assert "client '{audience}'" in error.cure


@pytest.mark.parametrize(
    ("token", "cure"),
    [
        ({"header": {"nonce": "n"}}, GRAPH),
        ({}, MEANINGS[Code.SIGNATURE_INVALID].cure),
        ({"nonce": "n", "realm_access": {}}, MEANINGS[Code.SIGNATURE_INVALID].cure),
    ],
)
def test_a_graph_token_s_signature_is_explained(token: dict[str, Any], cure: str) -> None:
    error = refusal(Door(), key=SigningKey.make("key-1", "ES256"), **token)
    assert error.code is Code.SIGNATURE_INVALID
    assert cure in error.cure


@pytest.mark.parametrize(
    ("token", "cure"),
    [
        ({"subject": None, "azp": "web"}, "Keycloak: give client 'web' the default scope 'basic', which carries sub"),
        ({"subject": None}, MEANINGS[Code.IDENTITY_INVALID].cure),
        ({"subject": "", "azp": "web"}, MEANINGS[Code.IDENTITY_INVALID].cure),
    ],
)
def test_a_keycloak_token_without_sub_is_explained(token: dict[str, Any], cure: str) -> None:
    error = refusal(Door(), **token)
    assert error.code is Code.IDENTITY_INVALID
    assert cure in error.cure


@pytest.mark.parametrize(
    ("algorithm", "claims", "cure"),
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
        ("HS256", {"azp": "web"}, MEANINGS[Code.ALGORITHM_REFUSED].cure),
        ("HS256", {"typ": "Bearer", "azp": "web", "long": "x" * 4_096}, MEANINGS[Code.ALGORITHM_REFUSED].cure),
        (
            "HS256",
            {"typ": "Bearer"},
            "the client has its access tokens signed with a secret of the realm: Clients > <the",
        ),
        ("none", {"typ": "Refresh", "azp": "web"}, MEANINGS[Code.ALGORITHM_REFUSED].cure),
        (["HS256"], {"typ": "Refresh", "azp": "web"}, MEANINGS[Code.ALGORITHM_REFUSED].cure),
    ],
)
def test_a_token_that_a_secret_signed_is_explained(algorithm: object, claims: dict[str, Any], cure: str) -> None:
    error = refusal(Door(), header={"alg": algorithm}, **claims)
    assert error.code is Code.ALGORITHM_REFUSED
    assert cure in error.cure


@pytest.mark.parametrize(("length", "explained"), [(4_096, True), (4_097, False)])
def test_a_token_that_a_secret_signed_is_read_up_to_a_bound(length: int, *, explained: bool) -> None:
    header = encode_base64url(b'{"alg":"HS256"}')
    room = (length - len(header) - 1) * 3 // 4
    payload = encode_base64url(b'{"typ":"Refresh"}'.ljust(room))
    assert len(f"{header}.{payload}") == length
    with pytest.raises(TokenError) as refused:
        asyncio.run(Door().admit(f"{header}.{payload}.c2ln"))
    assert ("'Refresh' token" in refused.value.cure) is explained


@pytest.mark.parametrize("payload", [b"no json", b"[]", b'{"typ": "Refresh"'])
def test_a_token_that_a_secret_signed_is_refused_whatever_its_payload_is(payload: bytes) -> None:
    header = encode_base64url(b'{"alg": "HS256"}')
    with pytest.raises(TokenError) as refused:
        asyncio.run(Door().admit(f"{header}.{encode_base64url(payload)}.c2ln"))
    assert refused.value.code is Code.ALGORITHM_REFUSED
    assert refused.value.cure == MEANINGS[Code.ALGORITHM_REFUSED].cure


def test_other_refusals_keep_their_own_cure() -> None:
    assert refusal(Door(), lifetime=-60).cure == MEANINGS[Code.EXPIRED].cure


@pytest.mark.parametrize("name", ["x-api-key", "x-auth-token", "x-access-token", "authentication"])
def test_a_token_in_another_header_is_named_without_its_value(name: str) -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(Door().oidc.authenticate({name: "s3cr3t"}))
    assert refused.value.found == f"a header {name}, which is not read"
    assert "s3cr3t" not in refused.value.report()
    assert refused.value.challenge().error is None


def test_only_headers_that_hold_something_and_look_like_a_tokens_place_are_named() -> None:
    sent = {"host": "agents.example", "X-Auth-Token": "", "x-api-key": "s3cr3t", "Authentication": "s3cr3t"}
    with pytest.raises(TokenError) as refused:
        asyncio.run(Door().oidc.authenticate(sent))
    assert refused.value.found == "a header authentication, x-api-key, which is not read"


def test_an_encrypted_token_is_named_as_such() -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(Door().admit("a.b.c.d.e"))
    assert "An encrypted token (JWE)" in refused.value.report()


def test_a_long_claim_is_cut_and_stays_on_one_line() -> None:
    error = refusal(Door(), audience="x\n" * 1_000)
    assert len(error.found) <= 120
    assert "\n" not in error.report()


def test_the_seconds_of_a_clock_that_is_wrong_are_told() -> None:
    assert "31.0 s in this host's future" in refusal(Door(), iat=1_800_000_031).found
    assert "100.0 s past exp" in refusal(Door(), lifetime=-100).found


@pytest.mark.parametrize(
    ("header", "cure"),
    [
        (
            {"alg": "dir", "enc": "A256GCM", "iss": "https://t.auth0.com/"},
            "(JWE, enc='A256GCM', iss='https://t.auth0.com/')",
        ),
        ({"alg": "dir"}, "An encrypted token (JWE), which"),
        (b"no json", "audience=<your API id>"),
    ],
)
def test_an_encrypted_token_is_named_with_what_its_header_says(header: dict[str, str] | bytes, cure: str) -> None:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    with pytest.raises(TokenError) as refused:
        asyncio.run(Door().admit(f"{encode_base64url(raw)}..aXY.Y2lwaGVy.dGFn"))
    assert refused.value.code is Code.SEGMENTS_WRONG
    assert cure in refused.value.cure


def test_an_unknown_kid_is_named_with_the_known_ones_and_the_age_of_the_set() -> None:
    door = Door()

    async def tell() -> TokenError:
        await door.admit(door.issuer.token())
        for stray in ("stray-1", "stray-2"):
            with pytest.raises(TokenError):
                await door.admit(door.issuer.token(key=SigningKey.make(stray, "ES256")))
        # Past refresh_after the keys are looked at again, so that this one is not refused out of hand.
        door.clock.move(601)
        door.issuer.fault = None
        with pytest.raises(TokenError) as refused:
            await door.admit(door.issuer.token(key=SigningKey.make("stray-3", "ES256")))
        return refused.value

    error = asyncio.run(tell())
    assert error.code is Code.KEY_UNKNOWN
    assert "expected a kid among key-1 (fetched 0 s ago, the next fetch for an unknown kid in 0 s)" in error.report()


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({}, "read: scope (missing), scp (missing)"),
        ({"scope": "openid"}, "read: scope (there, but no value among the permission names of accept), scp (missing)"),
        ({"permissions": ["threads:read"]}, "not read, but it holds permission names: 'permissions'"),
        ({"perms": "profile threads:read"}, "not read, but it holds permission names: 'perms'"),
        ({"hasgroups": True}, "left out for being too many"),
        ({"_claim_names": {"groups": "src1"}}, "left out for being too many"),
    ],
)
def test_a_token_that_gives_nothing_is_logged_with_what_was_read(
    caplog: pytest.LogCaptureFixture, claims: dict[str, Any], said: str
) -> None:
    door = Door()
    caller = asyncio.run(door.admit(door.issuer.token(**claims)))
    assert caller.rights == {}
    assert said in caplog.text
    assert "alice" not in caplog.text
    assert caplog.messages[-1].endswith(" (issuer https://issuer.test, user 2bd806c97f0e)")


MANY = {f"role-{number}": ["threads:read"] for number in range(10)}


@pytest.mark.parametrize(
    ("grant", "claims", "said"),
    [
        ({"values": {"admin": ["*"], "eng-*": ["*:read"]}}, {"roles": ["Admin"]}, "no value among admin, eng-*"),
        (
            {"values": MANY},
            {"roles": "x"},
            "no value among role-0, role-1, role-2, role-3, role-4 a",
        ),
        ({"values": MANY}, {"roles": "x"}, "role-4 and 5 more)"),
        ({"values": dict([*MANY.items()][:5])}, {"roles": "x"}, "role-3, role-4)"),
        ({"values": {"admin": ["*@tenant"]}}, {"roles": ["admin"]}, "read: roles (there, but without a tenant) ("),
        (
            {"values": {"admin": ["*"]}, "when": {"azp": "web"}},
            {"roles": ["admin"], "azp": "cli"},
            "read: roles (there, but its condition (when) does not hold) (",
        ),
    ],
)
def test_the_log_says_why_a_claim_that_is_read_gives_nothing(
    caplog: pytest.LogCaptureFixture, grant: dict[str, Any], claims: dict[str, Any], said: str
) -> None:
    door = Door(tenant="org", grant={"claim": "roles", **grant})
    assert asyncio.run(door.admit(door.issuer.token(**claims))).rights == {}
    assert said in caplog.messages[-1]


def test_rights_that_a_programs_own_mapper_took_are_not_said_to_be_the_claims_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = Door(
        grant={"claim": "roles", "values": {"admin": ["*"]}}, mapper=lambda claims, caller: replace(caller, rights={})
    )
    assert asyncio.run(door.admit(door.issuer.token(roles=["admin"]))).rights == {}
    assert "no permission maps: read: roles (there) (" in caplog.messages[-1]
