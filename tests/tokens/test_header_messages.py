"""A refused credential, token text or JOSE header is reported with what was expected and found."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.auth_harness import AuthHarness
from kit.refusals import expected_and_found
from kit.tokens import sign_token

from oidc_auth.errors import ERROR_DETAILS, ErrorCode, TokenError
from oidc_auth.testing.signing import SigningKey
from oidc_auth.tokens.extract import extract_token
from oidc_auth.tokens.jws import split_token
from oidc_auth.tokens.states import PresentedToken


@pytest.mark.parametrize(
    ("header", "expected", "found"),
    [
        ({"typ": "logout+jwt"}, "typ in '', at+jwt, jwt", "'logout+jwt'"),
        ({"alg": "none"}, "ES256", "'none'"),
        ({"crit": ["x"], "b64": True}, "", "b64, crit"),
    ],
)
def test_rejected_header_shows_expected_value(header: dict[str, Any], expected: str, found: str) -> None:
    harness = AuthHarness(algorithms=["ES256"])
    token = sign_token(harness.issuer, header)
    assert expected_and_found(harness, token) == (expected, found)


def test_quotes_around_token_are_named() -> None:
    harness = AuthHarness()
    assert expected_and_found(harness, f'"{harness.issuer.token()}"')[1] == "quotes around it"
    assert expected_and_found(harness, f"{harness.issuer.token()}é")[1] == "characters that no token has"


@pytest.mark.parametrize("quote", ['"', "'"])
def test_each_quote_character_is_named(quote: str) -> None:
    assert expected_and_found(AuthHarness(), f"{quote}a.b.c{quote}")[1] == "quotes around it"


@pytest.mark.parametrize(("sent", "found"), [("Bearer ", "none"), ("Bearer X.é", "characters that no token has")])
def test_credential_fault_is_named(sent: str, found: str) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness().oidc.authenticate({"authorization": sent}))
    assert refusal.value.found == found


INVALID_BASE64URL = (
    "no characters, a character outside the alphabet, an impossible length, or unused bits that are not 0"
)


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ("a.b", "three segments", "another number, or an empty one"),
        ("YQ==.YQ.YQ", "", INVALID_BASE64URL),
        ("YR.YQ.YQ", "", INVALID_BASE64URL),
        ("YQ.YQ.YQ", "one JSON object in UTF-8 without repeated names", ""),
    ],
)
def test_malformed_token_shows_expected_form(text: str, expected: str, found: str) -> None:
    assert expected_and_found(AuthHarness(), text) == (expected, found)


@pytest.mark.parametrize("text", ["opaque", "a.b", "a.b.c.d", "a.b.c.d.e.f", "YQ.YQ.YQ"])
def test_other_segment_count_is_not_encrypted(text: str) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness().admit(text))
    assert refusal.value.hint == ERROR_DETAILS[refusal.value.code].hint


@pytest.mark.parametrize(
    ("sent", "found"),
    [("'a.b.c'", "quotes around it"), ("a.b.c d", "characters that no token has"), ("a.b.c\t", None), (" a.b.c", None)],
)
def test_header_with_only_token_is_expected(sent: str, found: str | None) -> None:
    harness = AuthHarness(header="x-token")
    with pytest.raises(TokenError) as refusal:
        asyncio.run(harness.oidc.authenticate({"x-token": sent}))
    said = refusal.value
    if found is None:
        assert said.code is not ErrorCode.HEADER_MALFORMED
    else:
        assert (said.code, said.expected, said.found) == (ErrorCode.HEADER_MALFORMED, "a token and nothing else", found)


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
    ("sent", "expected", "found"),
    [
        ("Basic YTpi", "the scheme Bearer", "the scheme basic"),
        ("Other YTpi", "the scheme Bearer", "another scheme, or none"),
        ("a.b.c", "the scheme Bearer", "a token without the scheme"),
        ("Bearer Bearer a.b.c", "the scheme once", "'Bearer Bearer ...'"),
        ("bearer BEARER a.b.c", "the scheme once", "'Bearer Bearer ...'"),
        ("Bearer a.b.c, d", "one token after 'Bearer '", "characters that no token has"),
    ],
)
def test_missing_bearer_scheme_shows_expected_form(sent: str, expected: str, found: str) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness().oidc.authenticate({"authorization": sent}))
    assert (refusal.value.code, refusal.value.expected, refusal.value.found) == (
        ErrorCode.HEADER_MALFORMED,
        expected,
        found,
    )


@pytest.mark.parametrize(
    ("header", "sent", "expected", "found"),
    [
        ("authorization", {}, "", ""),
        ("authorization", {"host": "agents.example"}, "", ""),
        ("authorization", {"x-api-key": "s"}, "", "a header x-api-key, which is not read"),
        (
            "x-token",
            {"authorization": "s", "x-api-key": "s"},
            "a token in the header x-token",
            "a header authorization, x-api-key, w",
        ),
        ("x-api-key", {"x-api-key": " "}, "a token in the header x-api-key", ""),
    ],
)
def test_missing_token_names_header(header: str, sent: dict[str, str], expected: str, found: str) -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness(header=header).oidc.authenticate(sent))
    assert refusal.value.code is ErrorCode.TOKEN_MISSING
    assert refusal.value.expected == expected
    assert refusal.value.found.startswith(found)
    assert bool(refusal.value.found) is bool(found)


def test_long_token_shows_limit() -> None:
    with pytest.raises(TokenError) as refusal:
        asyncio.run(AuthHarness(limits={"token_bytes": 2_000}).admit("x" * 2_001))
    assert refusal.value.code is ErrorCode.TOKEN_TOO_LONG
    assert (refusal.value.expected, refusal.value.found) == ("at most 2000 bytes", "2001")


@pytest.mark.parametrize("text", ["ab..cd.ef", "ab.cd..ef", ".ab.cd", "ab.cd.", "ab..cd", "..", "ab.cd.ef.gh"])
def test_adjacent_dots_count_as_segments(text: str) -> None:
    assert expected_and_found(AuthHarness(), text) == ("three segments", "another number, or an empty one")


@pytest.mark.parametrize("kid", ["k", "k" * 256])
def test_kid_may_have_1_to_256_characters(kid: str) -> None:
    harness = AuthHarness()
    harness.issuer.keys = [SigningKey.make(kid, "ES256")]
    assert harness.authenticate(harness.issuer.token()) is None
