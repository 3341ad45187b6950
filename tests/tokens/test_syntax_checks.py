"""The checks of segments, base64url and JSON."""

from __future__ import annotations

import json
import string
from time import process_time
from typing import TYPE_CHECKING

import pytest
from kit.auth_harness import AuthHarness, Publisher
from kit.check_cases import (
    Case,
    Cases,
    check_admission,
    check_refusal,
)
from kit.tokens import claims_of, header_of, json_text, sign_segments

from oidc_auth.errors import ErrorCode
from oidc_auth.testing.signing import compact, encode_base64url
from oidc_auth.tokens.checks import CHECKS, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"

cases = Cases()
refused, admitted = cases.refused, cases.admitted


def with_segments(form: str) -> Callable[[Publisher], str]:
    def sends(issuer: Publisher) -> str:
        header, payload, signature = issuer.token().split(".")
        return form.format(h=header, p=payload, s=signature)

    return sends


for form in ("{h}", "{h}.{p}", "{h}.{p}.", "{h}..{s}", ".{p}.{s}", "{h}.{p}.{s}.", ".{h}.{p}.{s}", "{h}.{p}.{s}.{s}"):
    refused(ErrorCode.TOKEN_MALFORMED, form, with_segments(form))
refused(ErrorCode.TOKEN_MALFORMED, "five, as an encrypted token has", with_segments("{h}.{p}.{s}.{s}.{s}"))
refused(ErrorCode.TOKEN_MALFORMED, "ten", with_segments("{h}.{p}.{s}" + ".x" * 7))
refused(ErrorCode.TOKEN_MALFORMED, "dots only", lambda _: "..")
refused(ErrorCode.TOKEN_MALFORMED, "an opaque token", lambda _: "ya29.x")
refused(ErrorCode.TOKEN_MALFORMED, "a name before it", lambda i: f"access.token={i.token()}")
refused(ErrorCode.TOKEN_MALFORMED, "alg none without a signature", lambda i: f"{with_segments('{h}.{p}')(i)}.")
refused(
    ErrorCode.TOKEN_MALFORMED,
    "a million dots where tokens may be long",
    lambda i: i.token() + "." * 1_000_000,
    limits={"token_bytes": 2_000_000},
)


def other_encoding(segment: str) -> str:
    """Return the segment with the next last character: unused bits differ, the bytes do not."""
    return segment[:-1] + ALPHABET[ALPHABET.index(segment[-1]) + 1]


def as_standard_base64(segment: str) -> str:
    return segment.replace("-", "+").replace("_", "/")


def nonzero_spare_bits(issuer: Publisher) -> tuple[str, str]:
    """Return a header and a payload with unused bits in their last characters."""
    segments = (
        next(
            segment
            for padding in range(4)
            if len(segment := encode_base64url(json_text({**members, "padding": "~?" * 9 + " " * padding}))) % 4
            if set("-_") & set(segment)
        )
        for members in (header_of(issuer), claims_of(issuer))
    )
    header, payload = segments
    return header, payload


def wrong_encoding(change: Callable[[str], str], which: str) -> Callable[[Publisher], str]:
    def sends(issuer: Publisher) -> str:
        header, payload = nonzero_spare_bits(issuer)
        if which == "header":
            return sign_segments(change(header), payload, issuer.keys[0])
        if which == "payload":
            return sign_segments(header, change(payload), issuer.keys[0])
        while True:
            token, _, signature = sign_segments(header, payload, issuer.keys[0]).rpartition(".")
            if set("-_") & set(signature):
                return f"{token}.{change(signature)}"

    return sends


WRONG_ENCODINGS: dict[str, Callable[[str], str]] = {
    "padding": lambda segment: segment + "=" * (-len(segment) % 4),
    "too much padding": lambda segment: segment + "=" * 8,
    "the standard alphabet": as_standard_base64,
    "unused bits": other_encoding,
    "an impossible length": lambda segment: segment + "A" * ((1 - len(segment)) % 4),
    "a line break": lambda segment: f"{segment[:4]}\n{segment[4:]}",
    "a character of no alphabet": lambda segment: f"{segment[:4]}!{segment[4:]}",
    "a NUL": lambda segment: f"{segment}\0",
}
for part in ("header", "payload", "signature"):
    for name, change in WRONG_ENCODINGS.items():
        refused(ErrorCode.TOKEN_BASE64_INVALID, f"{name} in the {part}", wrong_encoding(change, part))
    admitted(f"nothing misspelled in the {part}", wrong_encoding(lambda segment: segment, part))


def payload_text(change: Callable[[bytes], bytes]) -> Callable[[Publisher], str]:
    return lambda i: compact(header_of(i), change(json_text(claims_of(i))), i.keys[0])


def header_text(change: Callable[[bytes], bytes]) -> Callable[[Publisher], str]:
    return lambda i: compact(change(json_text(header_of(i))), claims_of(i), i.keys[0])


def with_member(member: str) -> Callable[[bytes], bytes]:
    return lambda text: text[:-1] + f", {member}}}".encode()


def in_turn(depth: int) -> str:
    """Return the same with lists and objects in turn. Each bracket counts."""
    turns = (depth - 1) // 2
    return '"x": ' + '[{"y":' * turns + "1" + "}]" * turns


def nested(depth: int) -> str:
    """Return a member with which the document is this deep, the document itself included."""
    return f'"x": {"[" * (depth - 1)}{"]" * (depth - 1)}'


NON_STRICT_JSON: dict[str, Callable[[bytes], bytes]] = {
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "UTF-16 without a mark": lambda text: text.decode().encode("utf-16-le"),
    "UTF-32": lambda text: text.decode().encode("utf-32"),
    "Latin-1": lambda text: text[:-1] + b', "x": "\xe9"}',
    "an overlong character": lambda text: text[:-1] + b', "x": "\xc0\xaf"}',
    "a surrogate in UTF-8": lambda text: text[:-1] + b', "x": "\xed\xa0\x80"}',
    "a list": lambda text: b"[" + text + b"]",
    "a string": lambda text: json.dumps(text.decode()).encode(),
    "a number": lambda _: b"1234",
    "null": lambda _: b"null",
    "something behind it": lambda text: text + b"x",
    "two objects": lambda text: text + text,
    "a comma too many": lambda text: text[:-1] + b",}",
    "single quotes": lambda text: text.replace(b'"', b"'"),
    "a comment": lambda text: text[:-1] + b"/**/}",
    "a line break in a string": with_member('"x": "\n"'),
    "an open string": lambda text: text[:-1] + b', "x": "}',
    "NaN": with_member('"x": NaN'),
    "Infinity": with_member('"x": Infinity'),
    "-Infinity": with_member('"x": [-Infinity]'),
    "1e999": with_member('"x": 1e999'),
    "-1e999": with_member('"x": {"y": -1e999}'),
    "an integer of 5,000 digits": with_member(f'"x": {"9" * 5_000}'),
    "a negative one": with_member(f'"x": -{"9" * 5_000}'),
    "the first integer over 64 bits": with_member(f'"x": {2**64}'),
    "the first one under them": with_member(f'"x": {-(2**63) - 1}'),
    "a name twice": with_member('"x": 1, "x": 1'),
    "a name twice, spelled differently": with_member('"x": 1, "\\u0078": 2'),
    "a name twice, further down": with_member('"x": [{"y": 1, "y": 2}]'),
    "one level too deep": with_member(nested(33)),
    "two levels too deep, lists and objects in turn": with_member(in_turn(35)),
    "a thousand levels": with_member(nested(1_000)),
    "one level too deep among other brackets": with_member(f'"s": [[], {{}}], {nested(33)}'),
    "one level too deep behind a string": with_member(f'"s": "\\"[[[", {nested(33)}'),
    "one level too deep around a string that closes": with_member(f'"x": {"[" * 32}"]]"{"]" * 32}'),
    "a lone surrogate": with_member('"x": "\\ud800"'),
    "a lone low surrogate": with_member('"x": ["\\udfff"]'),
    "a lone surrogate in a name": with_member('"\\ud800": 1'),
}
for name, strange in NON_STRICT_JSON.items():
    refused(ErrorCode.TOKEN_JSON_INVALID, f"{name}, payload", payload_text(strange))
    refused(ErrorCode.TOKEN_JSON_INVALID, f"{name}, header", header_text(strange))
refused(ErrorCode.TOKEN_JSON_INVALID, "sub twice", payload_text(with_member('"sub": "bob"')))
refused(ErrorCode.TOKEN_JSON_INVALID, "alg twice", header_text(with_member('"alg": "none"')))
refused(
    ErrorCode.TOKEN_JSON_INVALID,
    "one over a limit of 2",
    payload_text(with_member(nested(3))),
    limits={"json_depth": 2},
)

STRICT_JSON: dict[str, Callable[[bytes], bytes]] = {
    "space around it": lambda text: b" \n" + text + b"\t\r ",
    "the deepest nesting": with_member(nested(32)),
    "the deepest nesting among other brackets": with_member(f'"s": [[], {{}}], {nested(32)}'),
    "lists and objects in turn, as deep as may be": with_member(in_turn(31)),
    "many brackets side by side": with_member(f'"x": [{", ".join(["[]"] * 100)}]'),
    "many brackets side by side, and more in a string": with_member(f'"s": "]{{[", "x": [{", ".join(["[]"] * 100)}]'),
    "an escape before a string full of brackets": with_member(f'"s": "\\n", "x": ["{"{" * 40}", [[]]]'),
    "brackets in strings": with_member(f'"x": "{"[{" * 100}"'),
    "brackets behind an escaped quote": with_member(f'"x": "\\"{"[" * 100}\\\\"'),
    "a surrogate pair": with_member('"x": "\\ud83d\\ude00"'),
    "an escaped backslash before u": with_member('"x": "\\\\ud800"'),
    "the largest integer": with_member(f'"x": {2**64 - 1}'),
    "the smallest integer": with_member(f'"x": {-(2**63)}'),
    "a large number": with_member('"x": 1e308'),
    "the same name on two levels": with_member('"x": {"sub": "bob"}'),
}
for name, strict in STRICT_JSON.items():
    admitted(f"JSON with {name}, payload", payload_text(strict))
    admitted(f"JSON with {name}, header", header_text(strict))


@pytest.mark.parametrize(("code", "case"), cases.refusals)
def test_violated_rule_returns_its_code(code: ErrorCode, case: Case) -> None:
    check_refusal(code, case)


@pytest.mark.parametrize("case", cases.admissions)
def test_token_at_limit_is_accepted(case: Case) -> None:
    check_admission(case)


def test_every_check_has_cases() -> None:
    assert cases.codes == {check.code for check in CHECKS if check.stage is Stage.PARSE}


def test_unclosed_string_is_rejected_cheaply() -> None:
    harness = AuthHarness(limits={"token_bytes": 60_000})
    # Each quote may start a string that never ends: work in the square of the length, before anything is known.
    text = b"{" * 33 + b'"' + b'\\"' * 20_000
    before = process_time()
    assert harness.authenticate(f"{encode_base64url(text)}.e30.AA") is ErrorCode.TOKEN_JSON_INVALID
    assert process_time() - before < 1
