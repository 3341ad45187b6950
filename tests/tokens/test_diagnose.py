"""The operator's log names the usual mistake; what decides, and what a client hears, stays the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from world.tokens import Door

from oidc_auth.errors import MEANINGS, Code, TokenError
from oidc_auth.testing.signing import SigningKey

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
        ({"audience": "account"}, f"{KEYCLOAK} none"),
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
        ({"subject": None, "azp": "web"}, "give the client the default scope 'basic', which carries sub"),
        ({"subject": None}, MEANINGS[Code.IDENTITY_INVALID].cure),
        ({"subject": "", "azp": "web"}, MEANINGS[Code.IDENTITY_INVALID].cure),
    ],
)
def test_a_keycloak_token_without_sub_is_explained(token: dict[str, Any], cure: str) -> None:
    error = refusal(Door(), **token)
    assert error.code is Code.IDENTITY_INVALID
    assert cure in error.cure


def test_other_refusals_keep_their_own_cure() -> None:
    assert refusal(Door(), lifetime=-60).cure == MEANINGS[Code.EXPIRED].cure


@pytest.mark.parametrize("name", ["x-api-key", "x-auth-token", "x-access-token", "authentication"])
def test_a_token_in_another_header_is_named_without_its_value(name: str) -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(Door().oidc.authenticate({name: "s3cr3t"}))
    assert refused.value.found == f"a header {name}, which is not read"
    assert "s3cr3t" not in refused.value.report()
    assert refused.value.challenge().error is None


def test_an_encrypted_token_is_named_as_such() -> None:
    with pytest.raises(TokenError) as refused:
        asyncio.run(Door().admit("a.b.c.d.e"))
    assert "JWE" in refused.value.found


def test_a_long_claim_is_cut_and_stays_on_one_line() -> None:
    error = refusal(Door(), audience="x\n" * 1_000)
    assert len(error.found) <= 120
    assert "\n" not in error.report()


def test_the_seconds_of_a_clock_that_is_wrong_are_told() -> None:
    assert "31.0 s in this host's future" in refusal(Door(), iat=1_800_000_031).found
    assert "100.0 s past exp" in refusal(Door(), lifetime=-100).found
