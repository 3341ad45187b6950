"""The checks of the JOSE header: algorithm, extensions and key id."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from kit.check_cases import (
    Case,
    Cases,
    check_admission,
    check_refusal,
    with_header,
    without_header,
)
from kit.clock import NOON
from kit.tokens import claims_of, header_of, json_text, rsa_key, rsa_private

from oidc_auth.errors import ErrorCode
from oidc_auth.testing.signing import SigningKey, encode_base64url
from oidc_auth.tokens.checks import CHECKS, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit.auth_harness import Publisher

cases = Cases()
refused, admitted = cases.refused, cases.admitted


for algorithm in ("none", "None", "NONE", "", "HS256", "ES256K", "RS1", "es256", "ES256 ", None, 256, ["ES256"], True):
    refused(ErrorCode.ALG_NOT_ALLOWED, f"alg {algorithm!r}", with_header(alg=algorithm))
refused(ErrorCode.ALG_NOT_ALLOWED, "no alg", without_header("alg"))
refused(ErrorCode.ALG_NOT_ALLOWED, "not the issuer's", lambda i: i.token(), algorithms=["ES384", "RS256"])
admitted("the issuer's only algorithm", lambda i: i.token(), algorithms="ES256")


def public_bytes(encoding: Encoding, layout: PublicFormat) -> bytes:
    return rsa_private().public_key().public_bytes(encoding, layout)


SERIALISED: dict[str, bytes] = {
    "PEM": public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "PEM without its last line break": public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
    "DER": public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "PKCS 1, PEM": public_bytes(Encoding.PEM, PublicFormat.PKCS1),
    "PKCS 1, DER": public_bytes(Encoding.DER, PublicFormat.PKCS1),
    "OpenSSH": public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    "JWK": json.dumps(rsa_key().jwk()).encode(),
    "JWK, compact": json.dumps(rsa_key().jwk(), separators=(",", ":")).encode(),
    "JWK Set": json.dumps({"keys": [rsa_key().jwk()]}).encode(),
    "the modulus": rsa_private().public_key().public_numbers().n.to_bytes(256, "big"),
    "the modulus, encoded": str(rsa_key().jwk()["n"]).encode(),
    "nothing": b"",
}


def hmac_signed(algorithm: str, secret: bytes) -> Callable[[Publisher], str]:
    """Sign with a public value as the secret (CVE-2022-29217)."""

    def sends(issuer: Publisher) -> str:
        issuer.keys = [rsa_key()]
        header, payload = header_of(issuer, alg=algorithm), claims_of(issuer)
        text = f"{encode_base64url(json_text(header))}.{encode_base64url(json_text(payload))}"
        digest = hmac.new(secret, text.encode(), getattr(hashlib, f"sha{algorithm[2:]}")).digest()
        return f"{text}.{encode_base64url(digest)}"

    return sends


for algorithm in ("HS256", "HS384", "HS512"):
    for name, secret in SERIALISED.items():
        refused(ErrorCode.ALG_NOT_ALLOWED, f"{algorithm}, its secret {name}", hmac_signed(algorithm, secret))

refused(ErrorCode.CRIT_NOT_SUPPORTED, "crit", with_header(crit=["exp"], exp=NOON))
refused(ErrorCode.CRIT_NOT_SUPPORTED, "an empty crit", with_header(crit=[]))
refused(ErrorCode.CRIT_NOT_SUPPORTED, "crit null", with_header(crit=None))
refused(ErrorCode.CRIT_NOT_SUPPORTED, "b64 false", with_header(b64=False, crit=["b64"]))
refused(ErrorCode.CRIT_NOT_SUPPORTED, "b64 true", with_header(b64=True))
refused(ErrorCode.CRIT_NOT_SUPPORTED, "zip", with_header(zip="DEF"))
admitted("unknown members of the header", with_header(cty="JWT", x5t="AAAA", nonce="n", exp=1))

for kid in ("", "k" * 257, 1, True, 1.5, ["key-1"], {"key-1": 1}):
    refused(ErrorCode.KID_INVALID, f"kid {str(kid)[:9]!r} of type {type(kid).__name__}", with_header(kid=kid))


def with_long_kid(issuer: Publisher) -> str:
    issuer.keys = [SigningKey.make("k" * 256, "ES256")]
    return issuer.token()


admitted("a kid of 256 characters", with_long_kid)
admitted("no kid, and one key", without_header("kid"))


@pytest.mark.parametrize(("code", "case"), cases.refusals)
def test_violated_rule_returns_its_code(code: ErrorCode, case: Case) -> None:
    check_refusal(code, case)


@pytest.mark.parametrize("case", cases.admissions)
def test_token_at_limit_is_accepted(case: Case) -> None:
    check_admission(case)


def test_every_check_has_cases() -> None:
    assert cases.codes == {check.code for check in CHECKS if check.stage is Stage.HEADER}
