"""Values of tokens are quoted on one line, bounded, at a bounded cost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.auth_harness import AuthHarness
from kit.tokens import sign_token

from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.quoting import list_examples, quote

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
INJECTED = "x\nWARNING oidc_auth: forged\r\x1b[31m\u2028\x85"


@given(JSON)
def test_any_value_is_one_bounded_line(value: object) -> None:
    text = quote(value)
    assert len(text) <= 120
    assert text.isprintable()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "True"),
        ("a\nb", "'a\\nb'"),
        (["a", 1], "['a', 1]"),
        ({"a": ["b"]}, "{'a': ['b']}"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, ...]"),
        ([[[[["deep"]]]]], "[[[[...]]]]"),
        ("x" * 118, f"'{'x' * 118}'"),
        ("x" * 119, f"'{'x' * 116}..."),
        ("x" * 9_000, f"'{'x' * 116}..."),
    ],
)
def test_value_is_quoted(value: object, text: str) -> None:
    assert quote(value) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((), "none"),
        (("b", "a"), "a, b"),
        (("",), "''"),
        (tuple("abcdefghijklmn"), "a, b, c, d, e, f, g, h, i, j, k, l and 2 more"),
    ],
)
def test_few_configured_values_are_listed(values: tuple[str, ...], text: str) -> None:
    assert list_examples(values) == text


@pytest.mark.parametrize(
    ("code", "header", "claims", "settings"),
    [
        (ErrorCode.ALG_NOT_ALLOWED, {"alg": INJECTED}, {}, {}),
        (ErrorCode.ALG_NOT_ALLOWED, {"alg": "HS256"}, {"typ": INJECTED, "azp": INJECTED, "realm_access": {}}, {}),
        (ErrorCode.KID_INVALID, {"kid": INJECTED * 30}, {}, {}),
        (ErrorCode.KEY_NOT_FOUND, {"kid": INJECTED}, {}, {}),
        (ErrorCode.TYP_NOT_ALLOWED, {"typ": INJECTED}, {}, {}),
        (ErrorCode.ISSUER_NOT_TRUSTED, {}, {"iss": INJECTED}, {}),
        (ErrorCode.ISSUER_NOT_TRUSTED, {}, {"iss": f"https://b.test/{INJECTED}"}, {"url": "https://a.test/x"}),
        (ErrorCode.TOKEN_USE_NOT_ALLOWED, {}, {"typ": "Refresh", "token_use": INJECTED}, {}),
        (ErrorCode.AUDIENCE_MISMATCH, {}, {"aud": INJECTED, "azp": INJECTED, "realm_access": {}}, {}),
        (ErrorCode.AUDIENCE_MISMATCH, {}, {"aud": [INJECTED, {INJECTED: INJECTED}]}, {}),
        (ErrorCode.CLIENT_NOT_ALLOWED, {}, {"azp": INJECTED}, {"allowed_clients": ["web"]}),
        (ErrorCode.REQUIREMENT_NOT_MET, {}, {"plan": INJECTED}, {"require": {"plan": "pro"}}),
        (ErrorCode.IDENTITY_INVALID, {}, {"sub": INJECTED}, {}),
        (ErrorCode.TENANT_INVALID, {}, {"org": INJECTED}, {"tenant": "org"}),
    ],
)
def test_token_cannot_forge_log_lines(
    code: ErrorCode,
    header: dict[str, Any],
    claims: dict[str, Any],
    settings: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    harness = AuthHarness(**settings)
    token = sign_token(harness.issuer, header, **claims)
    with pytest.raises(TokenError) as refused:
        asyncio.run(harness.admit(token))
    assert refused.value.code is code
    assert all(message.isprintable() for message in caplog.messages)
    assert len(refused.value.report()) < 2_000
