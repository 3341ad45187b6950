"""A token in the wrong place or form is named with its cause."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, IssuerRouter

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.testing import LocalIssuer
from oidc_auth.tokens.misplaced import API_KEY_HINT, COOKIE_HINT, PLACEHOLDER_HINT, PROXY_HEADERS, UNFILLED_HINT

if TYPE_CHECKING:
    from kit.snapshots import Messages

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzM2NyM3QifQ.c2ln"


def refuse(sent: object, **settings: Any) -> TokenError:
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness(**settings).oidc.authenticate(sent))  # type: ignore[arg-type]
    assert not any(part in refused.value.report() for part in TOKEN.split("."))
    return refused.value


@pytest.mark.parametrize("text", ["undefined", "null", "None", "NaN", "[object Object]", "[object Promise]", "true"])
def test_missing_value_is_named(text: str) -> None:
    error = refuse({"authorization": f"Bearer {text}"})
    assert (error.code, error.hint) == (ErrorCode.HEADER_MALFORMED, PLACEHOLDER_HINT)


@pytest.mark.parametrize(
    "text", ["$TOKEN", "${TOKEN}", "<token>", "{{token}}", "%TOKEN%", "YOUR_TOKEN", "access_token"]
)
def test_unfilled_variable_is_named(text: str) -> None:
    error = refuse({"authorization": f"Bearer {text}"})
    assert (error.code, error.hint) == (ErrorCode.HEADER_MALFORMED, UNFILLED_HINT)
    assert text not in error.found


@pytest.mark.parametrize("text", ["undefined", "null"])
def test_missing_value_in_proxy_header_is_named(text: str) -> None:
    error = refuse({"x-assertion": text}, header="x-assertion")
    assert (error.code, error.found) == (ErrorCode.HEADER_MALFORMED, f"the text {text!r}")


def test_opaque_token_is_no_placeholder() -> None:
    assert refuse({"authorization": "Bearer 2YotnFZFEjr1zCsicMWpAA"}).code is ErrorCode.TOKEN_MALFORMED


def test_bare_token_is_named(messages: Messages) -> None:
    error = refuse({"authorization": TOKEN})
    assert error.code is ErrorCode.HEADER_MALFORMED
    messages.check(error.found)


@pytest.mark.parametrize("scheme", ["Basic", "DPoP", "Token"])
def test_other_scheme_is_named(scheme: str, messages: Messages) -> None:
    error = refuse({"authorization": f"{scheme} {TOKEN}"})
    assert error.code is ErrorCode.HEADER_MALFORMED
    messages.check(error.found)


@pytest.mark.parametrize("name", sorted(PROXY_HEADERS))
def test_proxy_header_is_named_with_setting(name: str, messages: Messages) -> None:
    error = refuse({name.title(): TOKEN})
    assert error.code is ErrorCode.TOKEN_MISSING
    messages.check(error.found)
    assert f'header = "{name}"' in error.hint


def test_api_key_header_is_named_with_cause() -> None:
    error = refuse({"x-api-key": TOKEN})
    assert (error.code, API_KEY_HINT in error.hint) == (ErrorCode.TOKEN_MISSING, True)


@pytest.mark.parametrize(
    ("cookies", "named"),
    [
        (f"session=abc; access_token={TOKEN}", True),
        (f'access_token="{TOKEN}"', True),
        ("session=abc; theme=dark", False),
        ("", False),
    ],
)
def test_token_in_cookie_is_named(cookies: str, messages: Messages, *, named: bool) -> None:
    error = refuse({"cookie": cookies})
    assert (error.code, COOKIE_HINT in error.hint) == (ErrorCode.TOKEN_MISSING, named)
    messages.check(error.found)


def test_all_misplaced_headers_are_named(messages: Messages) -> None:
    error = refuse({"cookie": f"a={TOKEN}", "x-forwarded-access-token": TOKEN, "x-api-key": TOKEN})
    messages.check(error.found)
    assert all(hint in error.hint for hint in (COOKIE_HINT, API_KEY_HINT, 'header = "x-forwarded-access-token"'))


def test_hint_names_configured_header(messages: Messages) -> None:
    error = refuse({"authorization": f"Bearer {TOKEN}"}, header="x-goog-iap-jwt-assertion")
    assert error.code is ErrorCode.TOKEN_MISSING
    messages.check(error.expected)
    messages.check(error.found)
    assert "header x-goog-iap-jwt-assertion" in error.hint
    assert "Authorization: Bearer" not in error.hint


def with_two_headers() -> OIDCAuth:
    one, other = LocalIssuer("https://a.test"), LocalIssuer("https://b.test")
    common = {"preset": "generic", "audience": "agents"}
    tables = [
        {**common, "issuer": one.url, "identity_prefix": "a:"},
        {**common, "issuer": other.url, "identity_prefix": "b:", "header": "x-assertion"},
    ]
    return OIDCAuth.from_dict({"issuer": tables}, fetcher=IssuerRouter(one, other))


def test_hint_names_both_places() -> None:
    oidc = with_two_headers()
    with pytest.raises(TokenError) as refused:
        asyncio.run(oidc.authenticate({}))
    assert all(name in refused.value.hint for name in ("x-assertion", "Authorization: Bearer"))


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ([("authorization", "Bearer a"), ("x-assertion", "b")], "authorization and x-assertion"),
        ([("x-assertion", "a"), ("X-Assertion", "b")], "x-assertion, 2 times"),
    ],
)
def test_repeated_credentials_are_named(sent: list[tuple[str, str]], found: str) -> None:
    oidc = with_two_headers()
    with pytest.raises(TokenError) as refused:
        asyncio.run(oidc.authenticate(sent))
    assert (refused.value.code, refused.value.found) == (ErrorCode.HEADER_REPEATED, found)
