"""A refused credential, token text or JOSE header is reported with what was expected and found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness
from kit.refusals import reason_of, refusal_of
from kit.tokens import sign_token

from oidc_auth.errors import ERROR_DETAILS, ErrorCode, TokenError
from oidc_auth.testing.signing import SigningKey
from oidc_auth.tokens.extract import extract_token
from oidc_auth.tokens.jws import split_token
from oidc_auth.tokens.states import PresentedToken

if TYPE_CHECKING:
    from kit.snapshots import Messages


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "logout+jwt"},
        {"alg": "none"},
        {"crit": ["x"], "b64": True},
    ],
)
def test_rejected_header_shows_expected_value(header: dict[str, Any], messages: Messages) -> None:
    harness = AuthHarness(algorithms=["ES256"])
    token = sign_token(harness.issuer, header)
    messages.check(reason_of(refusal_of(harness, token)))


def test_quotes_around_token_are_named(messages: Messages) -> None:
    harness = AuthHarness()
    messages.check(reason_of(refusal_of(harness, f'"{harness.issuer.token()}"')))
    messages.check(reason_of(refusal_of(harness, f"{harness.issuer.token()}é")))


@pytest.mark.parametrize("quote", ['"', "'"])
def test_each_quote_character_is_named(quote: str, messages: Messages) -> None:
    messages.check(reason_of(refusal_of(AuthHarness(), f"{quote}a.b.c{quote}")))


@pytest.mark.parametrize("sent", ["Bearer ", "Bearer X.é"])
def test_credential_fault_is_named(sent: str, messages: Messages) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness().oidc.authenticate({"authorization": sent}))
    messages.check(reason_of(refusal.value))


@pytest.mark.parametrize(
    "text",
    [
        "a.b",
        "YQ==.YQ.YQ",
        "YR.YQ.YQ",
        "YQ.YQ.YQ",
    ],
)
def test_malformed_token_shows_expected_form(text: str, messages: Messages) -> None:
    messages.check(reason_of(refusal_of(AuthHarness(), text)))


@pytest.mark.parametrize("text", ["opaque", "a.b", "a.b.c.d", "a.b.c.d.e.f", "YQ.YQ.YQ"])
def test_other_segment_count_is_not_encrypted(text: str) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness().admit(text))
    assert refusal.value.hint == ERROR_DETAILS[refusal.value.code].hint


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("'a.b.c'", ErrorCode.HEADER_MALFORMED),
        ("a.b.c d", ErrorCode.HEADER_MALFORMED),
        ("a.b.c\t", ErrorCode.TOKEN_BASE64_INVALID),
        (" a.b.c", ErrorCode.TOKEN_BASE64_INVALID),
    ],
)
def test_header_with_only_token_is_expected(sent: str, code: ErrorCode, messages: Messages) -> None:
    harness = AuthHarness(header="x-token")
    with pytest.raises(TokenError) as refusal:
        asyncio.run(harness.oidc.authenticate({"x-token": sent}))
    assert refusal.value.code is code
    messages.check(reason_of(refusal.value))


def test_presented_token_keeps_request_data() -> None:
    presented = extract_token(
        {"Authorization": b"BEARER a.b.c"}, method="GET", url="https://agents.test/x", max_bytes=99
    )
    assert presented == PresentedToken("bearer", "a.b.c", "GET", "https://agents.test/x", None, "authorization")


def test_segments_repr_names_type() -> None:
    assert repr(split_token("a.b.c")) == "Segments(...)"


@pytest.mark.parametrize(
    ("around", "code"),
    [
        ("{}", None),
        (" \t{}\t ", None),
        ("\x0b{}", ErrorCode.TOKEN_BASE64_INVALID),
        ("Bearer {}", ErrorCode.HEADER_MALFORMED),
    ],
)
def test_bare_token_may_have_surrounding_whitespace(around: str, code: ErrorCode | None) -> None:
    harness = AuthHarness(header="x-assertion")
    assert harness.authenticate({"x-assertion": around.format(harness.issuer.token())}) is code


@pytest.mark.parametrize(
    "sent",
    [
        "Basic YTpi",
        "Other YTpi",
        "a.b.c",
        "Bearer Bearer a.b.c",
        "bearer BEARER a.b.c",
        "Bearer a.b.c, d",
    ],
)
def test_missing_bearer_scheme_shows_expected_form(sent: str, messages: Messages) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness().oidc.authenticate({"authorization": sent}))
    assert refusal.value.code is ErrorCode.HEADER_MALFORMED
    messages.check(reason_of(refusal.value))


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        ("authorization", {}),
        ("authorization", {"host": "agents.example"}),
        ("authorization", {"x-api-key": "s"}),
        (
            "x-token",
            {"authorization": "s", "x-api-key": "s"},
        ),
        ("x-api-key", {"x-api-key": " "}),
    ],
)
def test_missing_token_names_header(header: str, sent: dict[str, str], messages: Messages) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness(header=header).oidc.authenticate(sent))
    assert refusal.value.code is ErrorCode.TOKEN_MISSING
    messages.check(reason_of(refusal.value))


def test_long_token_shows_limit(messages: Messages) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness(limits={"token_bytes": 2_000}).admit("x" * 2_001))
    assert refusal.value.code is ErrorCode.TOKEN_TOO_LONG
    messages.check(reason_of(refusal.value))


@pytest.mark.parametrize("text", ["ab..cd.ef", "ab.cd..ef", ".ab.cd", "ab.cd.", "ab..cd", "..", "ab.cd.ef.gh"])
def test_adjacent_dots_count_as_segments(text: str, messages: Messages) -> None:
    error = refusal_of(AuthHarness(), text)
    assert error.code is ErrorCode.TOKEN_MALFORMED
    messages.check(reason_of(error))


@pytest.mark.parametrize("kid", ["k", "k" * 256])
def test_kid_may_have_1_to_256_characters(kid: str) -> None:
    harness = AuthHarness()
    harness.issuer.keys = [SigningKey.make(kid, "ES256")]
    assert harness.authenticate(harness.issuer.token()) is None
