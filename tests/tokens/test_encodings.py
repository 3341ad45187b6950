"""Different encodings of a token's JSON and base64 give the same claims, or a refusal."""

from __future__ import annotations

import json
import string
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.auth_harness import AuthHarness
from kit.tokens import claims_of, header_of

from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.testing.signing import encode_base64url
from oidc_auth.tokens.cache import PREFIX_LENGTH, SUFFIX_LENGTH, TokenCache
from oidc_auth.tokens.jws import decode_base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidc_auth.permissions.caller import Caller

QUICK = settings(max_examples=300, deadline=None, database=None)
ALPHABET = string.ascii_letters + string.digits + "-_"
STYLES: dict[str, dict[str, Any]] = {
    "as most libraries write it": {"separators": (",", ":"), "ensure_ascii": False},
    "with spaces": {"ensure_ascii": False},
    "in ASCII": {"separators": (",", ":")},
    "on many lines": {"indent": 1},
}
FINE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    # Surrogates cannot be encoded.
    | st.text(max_size=9) | st.sampled_from(['"', "\\", '":', "é", "\u2028", "\x7f", "{[", "\U0001f600"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


class ClaimsRecorder:
    """A server that keeps the claims of the last accepted token."""

    def __init__(self) -> None:
        self.codes: Mapping[str, object] = {}
        # Nothing is remembered: each token's claims pass the mapper.
        self.harness = AuthHarness(mapper=self._record, limits={"token_cache_entries": 0})

    def _record(self, claims: Mapping[str, object], caller: Caller) -> Caller:
        self.codes = claims
        return caller

    def authenticate(self, payload: bytes) -> ErrorCode | None:
        """Present a valid token with this encoded payload."""
        issuer = self.harness.issuer
        header = json.dumps(header_of(issuer)).encode()
        signed = f"{encode_base64url(header)}.{encode_base64url(payload)}"
        return self.harness.authenticate(f"{signed}.{encode_base64url(issuer.keys[0].sign(signed.encode()))}")


@pytest.mark.parametrize("style", STYLES)
def test_json_formatting_does_not_matter(style: str) -> None:
    listener = ClaimsRecorder()

    @QUICK
    @given(FINE)
    def authenticate_same(extra: object) -> None:
        claims = claims_of(listener.harness.issuer, extra=extra)
        assert listener.authenticate(json.dumps(claims, **STYLES[style]).encode()) is None
        assert listener.codes == claims
        # 1 == 1.0 == True: the texts tell them apart.
        assert json.dumps(listener.codes) == json.dumps(claims)

    authenticate_same()


BROKEN = {
    "a name twice": b'{"a":1,"a":1}',
    "a name twice, deep": b'{"a":[{"b":{"c":1,"c":2}}]}',
    "a name twice, spelled differently": b'{"a":1,"\\u0061":1}',
    "a name twice, once after a colon in a string": b'{"a":"\\":","a" :1}',
    "NaN": b"NaN",
    "an infinity": b"-Infinity",
    "a number too large": b"1e999",
    "an integer that fits nowhere": b"18446744073709551616",
    "a negative one": b"-9223372036854775809",
    "five thousand digits": b"1" * 5_000,
    "half a character": b'"\\ud800"',
    "half a character, as a name": b'{"\\udfff":1}',
    "bytes that are not UTF-8": b'"\xff"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "a control character": b'"\x00"',
    "single quotes": b"'a'",
    "a comma too many": b"[1,]",
    "a comment": b"1/**/",
    "a leading zero": b"01",
    "a plus": b"+1",
    "no fraction": b"1.",
    "no integer": b".5",
}
"""Values that no JSON library should take, or that two of them would take for different ones."""


@pytest.mark.parametrize("spaces", [b"", b" "])
@pytest.mark.parametrize("broken", BROKEN)
def test_payload_with_broken_value_is_rejected(broken: str, spaces: bytes) -> None:
    listener = ClaimsRecorder()
    fine = json.dumps(claims_of(listener.harness.issuer), separators=(",", ":")).encode()
    assert listener.authenticate(fine[:-1] + b',"extra":' + spaces + b"1}") is None
    assert (
        listener.authenticate(fine[:-1] + b',"extra":' + spaces + BROKEN[broken] + b"}") is ErrorCode.TOKEN_JSON_INVALID
    )


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\r", "\v", "\f", "\x1c", "\x85", "\xa0", "\u2003", "\ufeff"])
def test_only_json_whitespace_may_surround_payload(space: str) -> None:
    listener = ClaimsRecorder()
    fine = json.dumps(claims_of(listener.harness.issuer)).encode()
    expected = None if space in " \t\n\r" else ErrorCode.TOKEN_JSON_INVALID
    assert [listener.authenticate(space.encode() + fine), listener.authenticate(fine + space.encode())] == [
        expected
    ] * 2


@pytest.mark.parametrize("depth", [254, 255])
def test_payload_may_reach_configured_depth(depth: int) -> None:
    # Deeper than the faster of the two parsers writes.
    harness = AuthHarness(limits={"json_depth": 256})
    extra: object = 0
    for _ in range(depth):
        extra = [extra]
    assert harness.authenticate(harness.issuer.token(extra=extra)) is None
    assert harness.authenticate(harness.issuer.token(extra=[extra])) is (
        None if depth < 255 else ErrorCode.TOKEN_JSON_INVALID
    )


def strictly(segment: str) -> bytes | None:
    """Return what RFC 7515 reads, found by writing it again; or None."""
    with suppress(ValueError):
        decoded = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        if decoded and urlsafe_b64encode(decoded).decode().rstrip("=") == segment:
            return decoded
    return None


def ours(segment: str) -> bytes | None:
    with suppress(TokenError):
        return decode_base64url(segment)
    return None


@settings(max_examples=2_000, deadline=None, database=None)
@given(st.text(ALPHABET, max_size=12) | st.text(f'{ALPHABET}=+/ \n\\"\0é\u0660\uff21\ud800', max_size=6))
def test_only_canonical_base64url_is_accepted(segment: str) -> None:
    assert ours(segment) == strictly(segment)


@given(st.binary(min_size=1, max_size=300))
def test_base64url_round_trips(raw: bytes) -> None:
    assert decode_base64url(encode_base64url(raw)) == raw


def test_same_prefix_and_suffix_texts_are_separate() -> None:
    seen: TokenCache[str] = TokenCache(2)
    begin, end = "b" * PREFIX_LENGTH, "e" * SUFFIX_LENGTH
    seen.put(f"{begin}1{end}", "1", until=10)
    assert [seen.get(f"{begin}{middle}{end}", 0) for middle in ("1", "2", "")] == ["1", None, None]
    seen.put(f"{begin}2{end}", "2", until=10)
    assert [seen.get(f"{begin}{middle}{end}", 0) for middle in "12"] == [None, "2"]


def test_different_prefix_or_suffix_texts_are_separate() -> None:
    seen: TokenCache[str] = TokenCache(3)
    begin, end = "b" * PREFIX_LENGTH, "e" * SUFFIX_LENGTH
    texts = [f"{begin}-{end}", f"c{begin[1:]}-{end}", f"{begin}-{end[1:]}f"]
    for text in texts:
        seen.put(text, text, until=10)
    assert [seen.get(text, 0) for text in texts] == texts
