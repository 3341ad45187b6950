"""Clients learn which claims are wrong only with a valid signature."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, bearer
from kit.clock import NOON
from kit.tokens import claims_of, header_of, sign_token

from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.testing.signing import SigningKey, compact, encode_base64url

if TYPE_CHECKING:
    from kit.snapshots import Messages

SETTINGS: dict[str, Any] = {
    "allowed_clients": ["web"],
    "require": {"plan": "pro", "org": "*"},
    "tenant": "org",
    "max_token_age": 600,
    "revocation": {"store": "memory", "max_token_lifetime": 800},
}
RIGHT: dict[str, Any] = {"azp": "web", "plan": "pro", "org": "acme"}
WRONG: list[tuple[ErrorCode, dict[str, Any]]] = [
    (ErrorCode.TOKEN_USE_NOT_ALLOWED, {"typ": "Refresh"}),
    (ErrorCode.AUDIENCE_MISMATCH, {"aud": "others"}),
    (ErrorCode.TOKEN_EXPIRED, {"exp": NOON - 60}),
    (ErrorCode.TOKEN_NOT_YET_VALID, {"nbf": NOON + 60}),
    (ErrorCode.TOKEN_ISSUED_IN_FUTURE, {"iat": NOON + 60}),
    (ErrorCode.TOKEN_TOO_OLD, {"iat": NOON - 700}),
    (ErrorCode.TOKEN_LIFETIME_TOO_LONG, {"exp": NOON + 900}),
    (ErrorCode.CLAIM_MISSING, {"org": None}),
    (ErrorCode.CLIENT_NOT_ALLOWED, {"azp": "guess"}),
    (ErrorCode.BOUND_TOKEN_NOT_SUPPORTED, {"cnf": {"jkt": "x"}}),
    (ErrorCode.REQUIREMENT_NOT_MET, {"plan": "free"}),
    (ErrorCode.IDENTITY_INVALID, {"sub": ""}),
    (ErrorCode.TENANT_INVALID, {"org": 5.5}),
]
SIGNATURES = {"another key": None, "no signature": b"\x00", "zeros": bytes(64), "short": b"guess"}


def refuse(harness: AuthHarness, token: str) -> TokenError:
    with pytest.raises(TokenError) as refused:
        asyncio.run(harness.oidc.authenticate(bearer(token)))
    return refused.value


def signed(harness: AuthHarness, key: SigningKey, **claims: Any) -> str:
    return compact(header_of(harness.issuer), claims_of(harness.issuer, **{**RIGHT, **claims}), key)


def forged(harness: AuthHarness, signature: bytes | None, **claims: Any) -> str:
    token = signed(harness, SigningKey.make("key-1", "ES256"), **claims)
    text, _, _ = token.rpartition(".")
    return token if signature is None else f"{text}.{encode_base64url(signature)}"


def answer(error: TokenError) -> tuple[int, str, dict[str, str]]:
    challenge = error.challenge()
    return challenge.status, challenge.detail, challenge.headers()


@pytest.mark.parametrize(("code", "claims"), WRONG)
def test_valid_signature_gets_precise_code(code: ErrorCode, claims: dict[str, Any]) -> None:
    harness = AuthHarness(**SETTINGS)
    error = refuse(harness, signed(harness, harness.issuer.keys[0], **claims))
    assert (error.code, error.client_code) == (code, code)
    assert answer(error)[1].startswith(f"{code}: ")


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
@pytest.mark.parametrize(("code", "claims"), [*WRONG, (None, {})])
def test_unsigned_guess_learns_nothing(code: ErrorCode | None, claims: dict[str, Any], signature: bytes | None) -> None:
    harness = AuthHarness(**SETTINGS)
    error = refuse(harness, forged(harness, signature, **claims))
    right = refuse(harness, forged(harness, signature))
    assert error.client_code is ErrorCode.TOKEN_INVALID
    assert answer(error) == answer(right)
    # The log has the signature and the claims.
    assert error.code is ErrorCode.SIGNATURE_INVALID
    assert code is None or code in error.hint


@pytest.mark.parametrize(("code", "claims"), WRONG)
def test_unreadable_signature_hides_claims(code: ErrorCode, claims: dict[str, Any]) -> None:
    harness = AuthHarness(**SETTINGS)
    text, _, _ = signed(harness, harness.issuer.keys[0], **claims).rpartition(".")
    error = refuse(harness, f"{text}.%%")
    assert (error.code, code in error.report()) == (ErrorCode.TOKEN_BASE64_INVALID, False)


def test_refusal_is_logged_with_both_codes(caplog: pytest.LogCaptureFixture) -> None:
    harness = AuthHarness(**SETTINGS)
    refuse(harness, forged(harness, None, plan="free"))
    assert "signature_invalid" in caplog.messages[-1]
    assert "requirement_not_met" in caplog.messages[-1]


def test_right_claims_with_wrong_signature_have_no_fault(caplog: pytest.LogCaptureFixture, messages: Messages) -> None:
    harness = AuthHarness(**SETTINGS)
    refuse(harness, forged(harness, None))
    messages.check(caplog.messages[-1])


def test_unlogged_refusal_keeps_no_claims(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "oidc_auth")
    harness = AuthHarness(**SETTINGS)
    error = refuse(harness, forged(harness, None, plan="s3cr3t"))
    assert vars(error)["_find_hint"] is None
    assert "s3cr3t" not in error.report()


@pytest.mark.parametrize(
    ("header", "claims", "code"),
    [
        ({"kid": "gone"}, {"plan": "free"}, ErrorCode.KEY_NOT_FOUND),
        ({}, {"iss": "https://other.test", "plan": "free"}, ErrorCode.ISSUER_NOT_TRUSTED),
        ({"typ": "JOSE"}, {"plan": "free"}, ErrorCode.TYP_NOT_ALLOWED),
    ],
)
def test_header_and_issuer_come_before_claims(header: dict[str, Any], claims: dict[str, Any], code: ErrorCode) -> None:
    harness = AuthHarness(**SETTINGS)
    token = sign_token(harness.issuer, header, **{**RIGHT, **claims})
    assert refuse(harness, token).client_code is code
