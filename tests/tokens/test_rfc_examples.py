"""The examples of the RFCs: what is right verifies, and what this library does not do is refused.

RFC 9864 has no example. It gives the algorithm of RFC 8037 its own name, so that example is read under both.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from kit.auth_harness import AuthHarness
from kit.rfc_examples import (
    BILBO,
    COOKBOOK,
    FORMS,
    JOE_EXPIRES,
    JOE_SEGMENT,
    JWTS,
    MACS,
    RFC7515_A1_HEADER,
    RFC7515_A1_KEY,
    RFC7515_A1_SIGNATURE,
    RFC7515_A2_KEY,
    RFC7515_A2_PRIVATE,
    RFC7515_A2_SIGNATURE,
    RFC7515_A3_KEY,
    RFC7515_A3_PRIVATE,
    RFC7515_A3_SIGNATURE,
    RFC7515_A4_KEY,
    RFC7515_A4_PRIVATE,
    RFC7515_A5,
    RFC7520_31_KEY,
    RFC7520_32_PRIVATE,
    RFC7520_33_KEY,
    RFC7520_34_PRIVATE,
    RFC7520_35_KEY,
    RFC7520_45,
    RFC8037_A1_PRIVATE,
    RFC8037_A2_KEY,
    RFC8037_A6_KEY,
    SIGNED,
    UNPROTECTED,
    Example,
    Jwk,
)

from oidc_auth.errors import ErrorCode, TokenError
from oidc_auth.keys.jwk import UnusableKeyError, read_key
from oidc_auth.keys.key_set import read_key_set, select_key
from oidc_auth.testing import Clock
from oidc_auth.testing.signing import SigningKey, encode_base64url
from oidc_auth.tokens.jws import decode_base64url, parse_object, split_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.snapshots import Messages


def octets(text: str) -> bytes:
    """Return the bytes of unpadded base64url, without the code that is tested here."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def joe_harness(seconds: float = -1) -> AuthHarness:
    """Return a server that trusts RFC 7515's issuer "joe", this long after the end of its only token.

    That token has no audience and no subject. The audience is not checked, and the issuer is the identity claim.
    """
    return AuthHarness(
        url="joe",
        jwks={"keys": [RFC7515_A2_KEY, RFC7515_A3_KEY, RFC7515_A4_KEY]},
        audience=None,
        insecure_skip_audience=True,
        identity="iss",
        claims=["http://example.com/is_root"],
        leeway=0,
        clock=Clock(JOE_EXPIRES + seconds),
    )


def bilbo_harness() -> AuthHarness:
    """Return a server that trusts both public keys of RFC 7520 section 3, which share one kid."""
    return AuthHarness(jwks={"keys": [RFC7520_31_KEY, RFC7520_33_KEY]})


def each(examples: Mapping[str, Example]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("example", examples.values(), ids=examples.keys())


# What verifies --------------------------------------------------------------------------------------------------------


@each(SIGNED)
def test_rfc_example_is_parsed(example: Example) -> None:
    segments = split_token(example.compact)
    header = parse_object(decode_base64url(segments.header), 32)
    assert header["alg"] == example.algorithm
    assert header.get("kid") == example.key.get("kid")
    assert decode_base64url(segments.payload) == example.says
    assert segments.signing_input == f"{example.header}.{example.payload}".encode()
    assert decode_base64url(segments.signature) == octets(example.signature)


@each(SIGNED)
def test_rfc_example_encoding_matches(example: Example) -> None:
    for segment in (example.header, example.payload, example.signature):
        assert encode_base64url(decode_base64url(segment)) == segment


@each(SIGNED | UNPROTECTED)
def test_rfc_example_signature_is_valid(example: Example) -> None:
    key = read_key(example.key)
    signing_input = f"{example.header}.{example.payload}".encode()
    assert example.algorithm in key.algorithms
    assert key.verifies(example.algorithm, signing_input, octets(example.signature))


@each(SIGNED | UNPROTECTED)
def test_rfc_example_signature_needs_its_input(example: Example) -> None:
    key, signature = read_key(example.key), octets(example.signature)
    signing_input = f"{example.header}.{example.payload}".encode()
    for other in (b"", signing_input[:-1], signing_input + b"A", b"e" + signing_input):
        assert not key.verifies(example.algorithm, other, signature)
    for wrong in (b"", signature[:-1], signature + b"\0", bytes([signature[0] ^ 1]) + signature[1:]):
        assert not key.verifies(example.algorithm, signing_input, wrong)


@each(SIGNED)
def test_rfc_example_signature_needs_its_algorithm(example: Example) -> None:
    key = read_key(example.key)
    same = {"EdDSA", "Ed25519"} if example.algorithm == "EdDSA" else {example.algorithm}
    segments = split_token(example.compact)
    for algorithm in key.algorithms - same:
        assert not key.verifies(algorithm, segments.signing_input, octets(example.signature))


def test_rfc_example_signature_needs_its_key() -> None:
    for example in SIGNED.values():
        fitting = [
            other
            for other in SIGNED.values()
            if other.key is not example.key and example.algorithm in read_key(other.key).algorithms
        ]
        segments = split_token(example.compact)
        for other in fitting:
            verified = read_key(other.key).verifies(
                example.algorithm, segments.signing_input, octets(example.signature)
            )
            assert not verified


@each(JWTS)
def test_rfc_example_jwt_is_accepted(example: Example) -> None:
    harness = joe_harness()
    caller = asyncio.run(harness.admit(example.compact))
    assert (caller.identity, caller.issuer, caller.claims) == ("joe", "joe", {"http://example.com/is_root": True})
    assert harness.issuer.fetched == []


@each(JWTS)
def test_rfc_example_jwt_expires(example: Example) -> None:
    assert joe_harness(-0.5).authenticate(example.compact) is None
    assert joe_harness(0).authenticate(example.compact) is ErrorCode.TOKEN_EXPIRED


@each(JWTS)
def test_rfc_example_jwt_with_other_signature_is_rejected(example: Example) -> None:
    (other,) = (one for one in JWTS.values() if one is not example)
    for signature in (other.signature, f"A{example.signature[1:]}", RFC7515_A1_SIGNATURE):
        assert (
            joe_harness().authenticate(f"{example.header}.{example.payload}.{signature}") is ErrorCode.SIGNATURE_INVALID
        )
    for header in (other.header, RFC7515_A1_HEADER):
        assert joe_harness().authenticate(f"{header}.{example.payload}.{example.signature}") is not None


@each(COOKBOOK)
def test_shared_cookbook_kid_is_resolved_by_algorithm(example: Example) -> None:
    key = select_key(read_key_set({"keys": [RFC7520_31_KEY, RFC7520_33_KEY]}), example.algorithm, BILBO)
    segments = split_token(example.compact)
    assert key.verifies(example.algorithm, segments.signing_input, octets(example.signature))


# Ed25519: one algorithm, two names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("named", [None, "EdDSA", "Ed25519"])
def test_rfc8037_key_verifies_under_both_names(named: str | None, said: str) -> None:
    key = read_key(RFC8037_A2_KEY if named is None else {**RFC8037_A2_KEY, "alg": named})
    example = SIGNED["RFC 8037 A.4"]
    assert said in key.algorithms
    assert key.verifies(said, split_token(example.compact).signing_input, octets(example.signature))


def rfc8037_signer() -> SigningKey:
    return SigningKey("rfc8037", "EdDSA", Ed25519PrivateKey.from_private_bytes(octets(RFC8037_A1_PRIVATE)))


def test_rfc8037_private_key_matches_public_key() -> None:
    key, example = rfc8037_signer(), SIGNED["RFC 8037 A.4"]
    assert encode_base64url(key.sign(f"{example.header}.{example.payload}".encode())) == example.signature
    assert {name: key.jwk()[name] for name in RFC8037_A2_KEY} == RFC8037_A2_KEY


@pytest.mark.parametrize("said", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("named", [None, "EdDSA", "Ed25519"])
def test_rfc8037_token_is_accepted_under_both_names(named: str | None, said: str) -> None:
    harness = AuthHarness(jwks={"keys": [RFC8037_A2_KEY if named is None else {**RFC8037_A2_KEY, "alg": named}]})
    assert harness.authenticate(harness.issuer.token(key=rfc8037_signer(), header={"alg": said, "kid": None})) is None


@pytest.mark.parametrize("said", ["ed448", "ed25519", "EDDSA", "ES25519", "Ed25519ph"])
def test_other_names_of_ed25519_are_rejected(said: str) -> None:
    harness = AuthHarness(jwks={"keys": [RFC8037_A2_KEY]})
    refused = harness.authenticate(harness.issuer.token(key=rfc8037_signer(), header={"alg": said, "kid": None}))
    assert refused is ErrorCode.ALG_NOT_ALLOWED


# What is refused ------------------------------------------------------------------------------------------------------


@each(MACS)
def test_rfc_example_mac_is_valid_elsewhere(example: Example) -> None:
    signing_input = f"{example.header}.{example.payload}".encode()
    assert hmac.digest(octets(example.key["k"]), signing_input, hashlib.sha256) == octets(example.signature)


@pytest.mark.parametrize("example", [MACS["RFC 7515 A.1"], MACS["RFC 7520 4.4"], MACS["RFC 7520 4.6"]])
def test_mac_is_rejected_by_algorithm(example: Example) -> None:
    for harness in (joe_harness(), bilbo_harness()):
        assert harness.authenticate(example.compact) is ErrorCode.ALG_NOT_ALLOWED
        assert harness.issuer.fetched == []


def test_unsecured_token_is_rejected_twice() -> None:
    assert RFC7515_A5.endswith(f".{JOE_SEGMENT}.")
    assert joe_harness().authenticate(RFC7515_A5) is ErrorCode.TOKEN_MALFORMED
    for signature in ("AA", RFC7515_A2_SIGNATURE, RFC7515_A3_SIGNATURE):
        assert joe_harness().authenticate(RFC7515_A5 + signature) is ErrorCode.ALG_NOT_ALLOWED


@each({name: example for name, example in SIGNED.items() if name not in JWTS})
def test_signed_text_without_claims_is_rejected(example: Example) -> None:
    harness = AuthHarness(jwks={"keys": [example.key]})
    assert harness.authenticate(example.compact) is ErrorCode.TOKEN_JSON_INVALID


@each(COOKBOOK)
def test_detached_content_is_rejected(example: Example) -> None:
    assert bilbo_harness().authenticate(f"{example.header}..{example.signature}") is ErrorCode.TOKEN_MALFORMED
    with pytest.raises(TokenError, match="token_malformed"):
        split_token(f"{example.header}..{example.signature}")


def test_printed_detached_content_is_rejected() -> None:
    assert bilbo_harness().authenticate(RFC7520_45) is ErrorCode.TOKEN_MALFORMED


@pytest.mark.parametrize("example", [MACS["RFC 7520 4.7"], UNPROTECTED["RFC 7520 4.8, EC"]])
def test_unprotected_header_has_no_compact_form(example: Example) -> None:
    assert example.header == ""
    assert bilbo_harness().authenticate(example.compact) is ErrorCode.TOKEN_MALFORMED


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_json_serialization_is_rejected(form: dict[str, Any]) -> None:
    for text in (json.dumps(form), json.dumps(form, indent=2), json.dumps(form, separators=(",", ":"))):
        for harness in (joe_harness(), bilbo_harness()):
            assert harness.authenticate(text) in (ErrorCode.HEADER_MALFORMED, ErrorCode.TOKEN_MALFORMED)
            assert harness.authenticate(encode_base64url(text.encode())) is ErrorCode.TOKEN_MALFORMED
        with pytest.raises(TokenError, match="token_malformed"):
            split_token(text)


def test_json_serialization_signatures_are_valid() -> None:
    known = {example.signature: example for example in (SIGNED | UNPROTECTED | MACS).values()}
    for form in FORMS.values():
        for signed in form.get("signatures", [form]):
            example = known[signed["signature"]]
            assert signed.get("protected", "") == example.header
            assert form.get("payload", example.payload) == example.payload


PRIVATE: dict[str, tuple[Jwk, str]] = {
    "RFC 7515 A.2": (RFC7515_A2_KEY, RFC7515_A2_PRIVATE),
    "RFC 7515 A.3": (RFC7515_A3_KEY, RFC7515_A3_PRIVATE),
    "RFC 7515 A.4": (RFC7515_A4_KEY, RFC7515_A4_PRIVATE),
    "RFC 7520 3.2": (RFC7520_31_KEY, RFC7520_32_PRIVATE),
    "RFC 7520 3.4": (RFC7520_33_KEY, RFC7520_34_PRIVATE),
    "RFC 8037 A.1": (RFC8037_A2_KEY, RFC8037_A1_PRIVATE),
}


@pytest.mark.parametrize(("public", "private"), PRIVATE.values(), ids=PRIVATE.keys())
def test_rfc_private_key_is_rejected_as_public(public: Jwk, private: str, messages: Messages) -> None:
    assert read_key(public).algorithms
    with pytest.raises(UnusableKeyError) as refused:
        read_key({**public, "d": private})
    messages.check(refused.value)


@pytest.mark.parametrize("jwk", [RFC7515_A1_KEY, RFC7520_35_KEY, RFC8037_A6_KEY])
def test_rfc_non_signature_key_is_rejected(jwk: Jwk, messages: Messages) -> None:
    with pytest.raises(UnusableKeyError) as refused:
        read_key(jwk)
    messages.check(refused.value)


@each(COOKBOOK)
def test_cookbook_encryption_key_is_rejected(example: Example) -> None:
    with pytest.raises(UnusableKeyError, match="use is 'enc'"):
        read_key({**example.key, "use": "enc"})
