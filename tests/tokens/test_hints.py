"""The hint of a refusal names the likely cause and the setting to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness
from kit.refusals import hint_of

from oidc_auth.errors import ERROR_DETAILS, ErrorCode

if TYPE_CHECKING:
    from kit.snapshots import Messages


def test_preset_requirement_names_preset(messages: Messages) -> None:
    url = "https://acme.supabase.co/auth/v1"
    permission_map = {"accept": "*", "claim": "scope"}
    harness = AuthHarness(
        url=url, preset="supabase", audience="agents", permission_map=permission_map, jwks_uri=f"{url}/keys"
    )
    messages.check(hint_of(harness, role="anon"))


ENTRA, OTHER_ENTRA = (f"https://login.microsoftonline.com/{tenant}/v2.0" for tenant in ("0f0f", "1e1e"))
ISSUERS: list[tuple[str, str]] = [
    (
        "https://a.test",
        "https://a.test/",
    ),
    (
        "https://a.test/",
        "https://a.test",
    ),
    (
        "https://a.test/Acme",
        "https://a.test/acme",
    ),
    (
        ENTRA,
        OTHER_ENTRA,
    ),
    (
        "https://acme.okta.com/oauth2/default",
        "https://acme.okta.com/",
    ),
    ("https://a.test/X", "https://b.test/X"),
    # One more letter is another issuer. So is Entra with another provider.
    ("https://a.test", "https://a.test/X"),
    ("https://a.test/X", "https://a.test"),
    ("https://a.test/X", "https://a.test/"),
    (ENTRA, "https://b.test"),
    ("https://b.test", ENTRA),
    ("https://b.test/", "https://[a"),
]


@pytest.mark.parametrize(("configured", "named"), ISSUERS)
def test_similar_issuer_shows_correct_value(configured: str, named: str, messages: Messages) -> None:
    messages.check(hint_of(AuthHarness(url=configured), iss=named))


AUDIENCES: list[dict[str, Any]] = [
    {"audience": "https://graph.microsoft.com"},
    {"audience": None, "token_use": "access"},
    {"audience": "x", "nonce": "n"},
    {"audience": "x", "token_use": "access"},
]


@pytest.mark.parametrize("token", AUDIENCES)
def test_other_audience_has_provider_hint(token: dict[str, Any], messages: Messages) -> None:
    messages.check(hint_of(AuthHarness(), **token))


def test_pending_session_is_named() -> None:
    pending = hint_of(AuthHarness(), sts="pending")
    assert pending != ERROR_DETAILS[ErrorCode.TOKEN_USE_NOT_ALLOWED].hint
    assert (
        hint_of(AuthHarness(), sts="pending", iss="https://other.test")
        == ERROR_DETAILS[ErrorCode.ISSUER_NOT_TRUSTED].hint
    )
    assert hint_of(AuthHarness(), typ="ID") == ERROR_DETAILS[ErrorCode.TOKEN_USE_NOT_ALLOWED].hint


@pytest.mark.parametrize("jti", ["trltcc:a:b", "trltcc:"])
def test_lightweight_token_is_recognized_by_jti(jti: str, messages: Messages) -> None:
    messages.check(hint_of(AuthHarness(), audience=None, azp="web", jti=jti))
