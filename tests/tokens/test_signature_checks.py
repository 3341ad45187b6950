"""The check of the signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kit.auth_harness import AuthHarness, Publisher
from kit.check_cases import (
    Case,
    Cases,
    check_admission,
    check_refusal,
    with_embedded_key,
)
from kit.tokens import rsa_key

from oidc_auth.errors import ErrorCode
from oidc_auth.testing.signing import SigningKey, encode_base64url
from oidc_auth.tokens.checks import CHECKS, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

cases = Cases()
refused, admitted = cases.refused, cases.admitted


def bit_flipped(bit: int) -> Callable[[Publisher], str]:
    def sends(issuer: Publisher) -> str:
        token, _, _ = (whole := issuer.token()).rpartition(".")
        header, payload, _ = whole.split(".")
        raw = bytearray(issuer.keys[0].sign(f"{header}.{payload}".encode()))
        raw[bit // 8] ^= 1 << bit % 8
        return f"{token}.{encode_base64url(bytes(raw))}"

    return sends


def with_signature(change: Callable[[bytes], bytes], algorithm: str = "ES256") -> Callable[[Publisher], str]:
    def sends(issuer: Publisher) -> str:
        issuer.keys = [rsa_key() if algorithm == "RS256" else SigningKey.make("key-1", algorithm)]
        token, _, _ = issuer.token().rpartition(".")
        return f"{token}.{encode_base64url(change(issuer.keys[0].sign(token.encode())))}"

    return sends


for bit in (0, 1, 7, 8, 255, 256, 300, 511):
    refused(ErrorCode.SIGNATURE_INVALID, f"bit {bit} flipped", bit_flipped(bit))
for algorithm in ("ES256", "ES512", "EdDSA", "RS256"):
    for name, resign in {
        "truncated": lambda raw: raw[:-1],
        "one byte": lambda raw: raw[:1],
        "longer": lambda raw: raw + b"\0",
        "zeros": lambda raw: bytes(len(raw)),
        "ones": lambda raw: b"\xff" * len(raw),
        "swapped halves": lambda raw: raw[len(raw) // 2 :] + raw[: len(raw) // 2],
        "empty DER": lambda _: b"\x30\x06\x02\x01\x00\x02\x01\x00",
    }.items():
        refused(ErrorCode.SIGNATURE_INVALID, f"{algorithm}, {name}", with_signature(resign, algorithm))
    admitted(f"{algorithm}, untouched", with_signature(lambda raw: raw, algorithm))
refused(
    ErrorCode.SIGNATURE_INVALID,
    "another key with the same kid",
    lambda i: i.token(key=SigningKey.make("key-1", "ES256")),
)
refused(ErrorCode.SIGNATURE_INVALID, "a key brought along with a known kid", lambda i: with_embedded_key(i, "key-1"))
refused(
    ErrorCode.SIGNATURE_INVALID,
    "the signature of another token",
    lambda i: ".".join([*i.token("alice").split(".")[:2], i.token("bob").split(".")[2]]),
)
refused(
    ErrorCode.SIGNATURE_INVALID,
    "the payload of another token",
    lambda i: "{0[0]}.{1[1]}.{0[2]}".format(i.token("alice").split("."), i.token("bob").split(".")),
)


@pytest.mark.parametrize(("code", "case"), cases.refusals)
def test_violated_rule_returns_its_code(code: ErrorCode, case: Case) -> None:
    check_refusal(code, case)


@pytest.mark.parametrize("case", cases.admissions)
def test_token_at_limit_is_accepted(case: Case) -> None:
    check_admission(case)


def test_every_check_has_cases() -> None:
    assert cases.codes == {check.code for check in CHECKS if check.stage is Stage.SIGNATURE}


def test_signature_is_verified_before_claims() -> None:
    harness = AuthHarness()
    expired = harness.issuer.token(key=SigningKey.make("key-1", "ES256"), lifetime=-100)
    assert harness.authenticate(expired) is ErrorCode.SIGNATURE_INVALID
    assert harness.cached == []
