"""The hint of a refusal names the likely cause and the setting to change."""

from __future__ import annotations

from typing import Any

import pytest
from kit.auth_harness import AuthHarness
from kit.refusals import hint_of

from oidc_auth.errors import ERROR_DETAILS, ErrorCode
from oidc_auth.tokens.diagnose import OTHER_HOST_HINT


def test_preset_requirement_names_preset() -> None:
    url = "https://acme.supabase.co/auth/v1"
    permission_map = {"accept": "*", "claim": "scope"}
    harness = AuthHarness(
        url=url, preset="supabase", audience="agents", permission_map=permission_map, jwks_uri=f"{url}/keys"
    )
    hint = "Preset 'supabase' requires role = 'authenticated' of every token (docs/providers.md)."
    assert hint_of(harness, role="anon") == hint


ENTRA, OTHER_ENTRA = (f"https://login.microsoftonline.com/{tenant}/v2.0" for tenant in ("0f0f", "1e1e"))
ISSUERS: list[tuple[str, str, str]] = [
    (
        "https://a.test",
        "https://a.test/",
        "They differ only by a trailing '/'. Set issuer = 'https://a.test/', as in the token.",
    ),
    (
        "https://a.test/",
        "https://a.test",
        "They differ only by a trailing '/'. Set issuer = 'https://a.test', as in the token.",
    ),
    (
        "https://a.test/Acme",
        "https://a.test/acme",
        "They differ only in upper and lower case. Set issuer = 'https://a.test/acme', as in the token.",
    ),
    (
        ENTRA,
        OTHER_ENTRA,
        "Entra: another tenant. The issuer holds the tenant's GUID, never its domain, common or organizations.",
    ),
    (
        "https://acme.okta.com/oauth2/default",
        "https://acme.okta.com/",
        "A token of Okta's org authorization server, which only Okta can check: use the custom server.",
    ),
    ("https://a.test/X", "https://b.test/X", OTHER_HOST_HINT),
    # One more letter is another issuer. So is Entra with another provider.
    ("https://a.test", "https://a.test/X", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
    ("https://a.test/X", "https://a.test", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
    ("https://a.test/X", "https://a.test/", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
    (ENTRA, "https://b.test", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
    ("https://b.test", ENTRA, ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
    ("https://b.test/", "https://[a", ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint),
]


@pytest.mark.parametrize(("configured", "named", "hint"), ISSUERS)
def test_similar_issuer_shows_correct_value(configured: str, named: str, hint: str) -> None:
    assert hint_of(AuthHarness(url=configured), iss=named) == hint


AUDIENCES: list[tuple[dict[str, Any], str]] = [
    (
        {"audience": "https://graph.microsoft.com"},
        "A Microsoft Graph token, which only Graph can verify: request scope api://<your API>/.default.",
    ),
    (
        {"audience": None, "token_use": "access"},
        "Cognito access tokens carry client_id instead of aud: use client_claim and a scope prefix.",
    ),
    ({"audience": "x", "nonce": "n"}, "This looks like an ID token. Send the access token."),
    ({"audience": "x", "token_use": "access"}, ERROR_DETAILS[ErrorCode.AUDIENCE_MISMATCH].hint),
]


@pytest.mark.parametrize(("token", "hint"), AUDIENCES)
def test_other_audience_has_provider_hint(token: dict[str, Any], hint: str) -> None:
    assert hint_of(AuthHarness(), **token) == hint


def test_pending_session_is_named() -> None:
    pending = hint_of(AuthHarness(), sts="pending")
    assert pending != ERROR_DETAILS[ErrorCode.TOKEN_USE_NOT_ALLOWED].hint
    assert (
        hint_of(AuthHarness(), sts="pending", iss="https://other.test")
        == ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint
    )
    assert hint_of(AuthHarness(), typ="ID") == ERROR_DETAILS[ErrorCode.TOKEN_USE_NOT_ALLOWED].hint


@pytest.mark.parametrize("jti", ["trltcc:a:b", "trltcc:"])
def test_lightweight_token_is_recognized_by_jti(jti: str) -> None:
    assert "has lightweight access tokens" in hint_of(AuthHarness(), audience=None, azp="web", jti=jti)
