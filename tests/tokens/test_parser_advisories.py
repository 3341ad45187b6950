"""Attacks on the parser, from published advisories, fail before the signature is checked.

The advisories (2022 to 2026) are about other libraries. Attacks that other modules contain are not repeated here.
"""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, bearer
from kit.clock import NOON
from kit.tokens import claims_of, header_of, json_text

from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.testing.signing import SigningKey, compact, encode_base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidc_auth.permissions.caller import Caller

ISSUER = "https://issuer.test"

DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"

MEGABYTE = 1_000_000


def malicious_texts() -> dict[str, bytes]:
    """Return texts that cost a careless parser its stack, its memory or its time."""
    return {
        "lists": b"[" * 12_000,
        "lists that are closed": b"[" * 6_000 + b"]" * 6_000,
        "objects": b'{"a":' * 2_400,
        "lists in an object": b'{"a":' + b"[" * 6_000 + b"]" * 6_000 + b"}",
        "an integer": b'{"exp":' + b"9" * 12_000 + b"}",
        "a number": b'{"exp":0.' + b"9" * 12_000 + b"}",
        "an exponent": b'{"exp":1e' + b"9" * 12_000 + b"}",
        "quotes": b'{"a":"' + b'\\"' * 6_000,
        "escapes": b'{"a":"' + b"\\u0000" * 2_000 + b'"}',
        "surrogates": b'{"a":"' + b"\\ud800" * 2_000 + b'"}',
        "names": b"{" + b",".join(b'"%d":0' % number for number in range(1_200)) + b"}",
        "spaces": b" " * 12_000,
        "NULs": b"\0" * 12_000,
        "no text": b"\xff" * 12_000,
    }


@pytest.mark.parametrize("text", malicious_texts().values(), ids=malicious_texts().keys())
def test_malicious_text_is_rejected_safely(text: bytes) -> None:
    """Deep nesting ended the process, and errors of the parser came through.

    CVE-2026-48525 (GHSA-w7vc, GHSA-8wjv, GHSA-w6j9, PyJWT). The key even signs it: nothing but its text is wrong.
    """
    harness = AuthHarness()
    for header, payload in ((text, b"{}"), (json_text(header_of(harness.issuer)), text)):
        with pytest.raises(TokenError):
            asyncio.run(harness.admit(compact(header, payload, harness.issuer.keys[0])))
    for spelled in (encode_base64url(text), encode_base64url(text) + "...."):
        with pytest.raises(TokenError):
            asyncio.run(harness.admit(spelled))
        assert asyncio.run(harness.oidc.explain_token(spelled)).refusal


@pytest.mark.parametrize("depth", [33, 256])
def test_deep_nesting_never_overflows_stack(depth: int) -> None:
    """An operator who allows deep nesting gets refusals, no RecursionError. GHSA-8wjv, GHSA-w6j9 (PyJWT)."""
    harness = AuthHarness(limits={"json_depth": depth, "token_bytes": MEGABYTE})
    for levels in (100, 500, *range(900, 1_000, 9), 10_000):
        nested: dict[str, bytes] = {
            name: b'{"iss":"https://issuer.test","sub":"alice","exp":1800000300,"%s":' % name.encode()
            + b"[" * levels
            + b"]" * levels
            + b"}"
            for name in ("aud", "iss2", "scope")
        }
        for text in nested.values():
            token = compact(json_text(header_of(harness.issuer)), text, harness.issuer.keys[0])
            assert harness.authenticate(token) in (None, ErrorCode.AUDIENCE_MISMATCH, ErrorCode.TOKEN_JSON_INVALID)


def test_detached_payload_is_rejected() -> None:
    """With b64=false the payload was used before the signature was verified. CVE-2026-48525 (GHSA-w7vc, PyJWT)."""
    harness = AuthHarness()
    key = harness.issuer.keys[0]
    header = encode_base64url(json_text(header_of(harness.issuer, b64=False, crit=["b64"])))
    claims = json_text(claims_of(harness.issuer)).decode()
    for payload in (claims, encode_base64url(claims.encode()), ""):
        signature = encode_base64url(key.sign(f"{header}.{claims}".encode()))
        assert harness.authenticate(f"{header}.{payload}.{signature}") in (
            ErrorCode.CRIT_NOT_SUPPORTED,
            ErrorCode.TOKEN_MALFORMED,
            ErrorCode.HEADER_MALFORMED,
        )


def test_token_has_one_encoding() -> None:
    """Unused bits made several texts of one token, which revocation lists and caches took for others.

    GHSA-hxm8 (PyJWT).
    """
    harness = AuthHarness()
    token = harness.issuer.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [f"{token[:-1]}{letter}" for letter in alphabet if letter != token[-1]]
    assert harness.authenticate(token) is None
    assert {harness.authenticate(other) for other in others} <= {
        ErrorCode.TOKEN_BASE64_INVALID,
        ErrorCode.SIGNATURE_INVALID,
    }
    spellings = (f"{token}=", f"{token}==", f"{token}\n", token.replace(".", ".\n", 1), f"{token}%3D", f"{token}\0")
    assert {harness.authenticate(other) for other in spellings} <= {
        ErrorCode.TOKEN_BASE64_INVALID,
        ErrorCode.HEADER_MALFORMED,
        ErrorCode.SIGNATURE_INVALID,
    }


@pytest.mark.parametrize(
    "shape",
    [
        lambda token: "." * MEGABYTE,
        lambda token: f"{token}{'.' * MEGABYTE}",
        lambda token: f"{'.' * MEGABYTE}{token}",
        lambda token: f"{'A' * MEGABYTE}.{token}",
        lambda token: f"{'A' * (MEGABYTE // 2)}{token}",
        lambda token: f"{token}{'A' * MEGABYTE}",
        lambda token: ".".join(["A" * 9] * (MEGABYTE // 10)),
    ],
    ids=["dots", "dots after", "dots before", "four segments", "a header of 500 kB", "a signature", "many segments"],
)
@pytest.mark.parametrize("limit", [16_384, 10 * MEGABYTE])
def test_huge_token_is_rejected_cheaply(shape: Callable[[str], str], limit: int) -> None:
    """Segments had no bound, and a token of dots became as many strings.

    CVE-2025-61920 (Authlib), CVE-2025-30204 (golang-jwt), CVE-2025-27144 (go-jose).
    """
    harness = AuthHarness(limits={"token_bytes": limit})
    sent = bearer(shape(harness.issuer.token()))
    tracemalloc.start()
    try:
        codes = harness.authenticate(sent)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert codes is not None
    # A list of a million strings takes fifty megabytes.
    assert peak < (20 * MEGABYTE if limit > MEGABYTE else MEGABYTE)


ENCRYPTED_HEADERS: dict[str, dict[str, Any]] = {
    "p2c": {"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 2**31 - 1, "p2s": "AAAA"},
    "zip": {"alg": "dir", "enc": "A256GCM", "zip": "DEF"},
    "epk": {"alg": "ECDH-ES", "enc": "A256GCM", "epk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}},
    "no epk": {"alg": "ECDH-ES+A256KW", "enc": "A256GCM"},
    "a tag that is too short": {"alg": "A256GCMKW", "enc": "A256GCM", "tag": "A", "iv": ""},
    "a signature's algorithm": {"alg": "ES256", "kid": "key-1", "typ": "at+jwt"},
    "strange types": {"alg": [], "enc": {"a": {"b": {"c": {"d": {}}}}}, "iss": 2**62},
    "a long issuer": {"alg": "dir", "enc": "A" * 6_000, "iss": "\u001b[2J\n" * 300},
}


@pytest.mark.parametrize("header", ENCRYPTED_HEADERS.values(), ids=ENCRYPTED_HEADERS.keys())
def test_encrypted_token_is_rejected_before_decryption(header: dict[str, Any]) -> None:
    """The sender chose how many rounds, or how large a text, decryption takes; missing members ended the process.

    CVE-2023-6681 (jwcrypto), CVE-2024-28180, CVE-2026-34986 (go-jose), CVE-2023-49290, CVE-2024-21664, CVE-2024-28122
    (jwx).
    """
    harness = AuthHarness()
    head = encode_base64url(json.dumps(header).encode())
    for rest in ("AAAA.AAAA.AAAA.AAAA", "...", ".AAAA.AAAA.AAAA", "....", "!.!.!.!"):
        with pytest.raises(TokenError) as refused:
            asyncio.run(harness.admit(f"{head}.{rest}"))
        assert refused.value.code is ErrorCode.TOKEN_MALFORMED
        assert "\n" not in refused.value.report()
        assert len(refused.value.report()) < 1_000
    # With three segments: the header has an algorithm for encryption, or no key signed the token.
    assert harness.authenticate(f"{head}.AAAA.AAAA") is not None
    assert set(harness.issuer.fetched) <= {DISCOVERY, f"{ISSUER}/keys"}


@pytest.mark.parametrize(
    "token", ["....", ".a.b.c.d", "....a", ".....", "...", ".", "a....", "=....", "!....", "a.b.c.d."]
)
def test_empty_segments_are_rejected(token: str) -> None:
    """Empty and missing segments ended the process. CVE-2024-21664 (jwx), CVE-2026-34986 (go-jose)."""
    with pytest.raises(TokenError) as refused:
        asyncio.run(AuthHarness().admit(token))
    assert refused.value.code is ErrorCode.TOKEN_MALFORMED


def test_two_tokens_in_one_text_are_rejected() -> None:
    """One parser checked the JSON form's signature, the other read the compact form's claims. CVE-2022-39227.

    The text of that attack (python-jwt), which carries a right signature over other claims.
    """
    harness = AuthHarness()
    header, payload, signature = harness.issuer.token().split(".")
    forged = encode_base64url(json_text(claims_of(harness.issuer, sub="admin")))
    polyglots = [
        f'{{"  {header}.{forged}.":"","protected":"{header}","payload":"{payload}","signature":"{signature}"}}',
        f'{{"{header}.{forged}.{signature}":"","protected":"{header}","payload":"{payload}","signature":"{signature}"}}',
        f'{header}.{forged}.{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}',
        f"{header}.{forged}.{signature}.{payload}",
        f"{header}.{payload}.{signature},{header}.{forged}.{signature}",
        f"{header}.{forged}.{signature} {header}.{payload}.{signature}",
        f"{header}.{payload}.{signature}#{header}.{forged}.",
        f"{header}.{payload}\0.{signature}",
    ]
    assert None not in [harness.authenticate(text) for text in polyglots]
    for text in polyglots:
        assert asyncio.run(harness.oidc.explain_token(text)).refusal
    assert harness.cached == []


def test_expired_forged_token_shows_no_claims() -> None:
    """Of two errors, callers saw the less serious one and used the claims. CVE-2024-51744 (golang-jwt)."""
    seen: list[Mapping[str, object]] = []

    def mapper(claims: Mapping[str, object], caller: Caller) -> Caller:
        seen.append(claims)
        return caller

    harness = AuthHarness(mapper=mapper)
    forger = SigningKey.make("key-1", "ES256")
    faults: list[dict[str, Any]] = [
        {"lifetime": -100},
        {"nbf": NOON + 100},
        {"audience": "other"},
        {"lifetime": -100, "audience": "other", "subject": None},
    ]
    for fault in faults:
        token = harness.issuer.token(key=forger, secret="s3cr3t-claim", **fault)
        for _ in range(2):
            with pytest.raises(TokenError) as refused:
                asyncio.run(harness.admit(token))
            assert refused.value.challenge().status == 401
            assert refused.value.challenge().error == "invalid_token"
            assert "s3cr3t-claim" not in repr((vars(refused.value), refused.value.args, refused.value.__context__))
        explained = asyncio.run(harness.oidc.explain_token(token))
        assert (bool(explained.refusal), explained.identity, dict(explained.rights)) == (True, "", {})
    assert seen == []
    assert harness.cached == []
