"""Attacks with algorithms and keys, from published advisories, fail.

The advisories (2022 to 2026) are about other libraries. Attacks that other modules contain are not repeated here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from kit.auth_harness import AuthHarness
from kit.clock import NOON
from kit.tokens import claims_of, header_of, json_text, rsa_key, rsa_private

from oidc_auth import ConfigError
from oidc_auth.errors import ErrorCode
from oidc_auth.testing.signing import SigningKey, encode_base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


ISSUER = "https://issuer.test"

DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"

P256 = SigningKey("key-1", "ES256", ec.derive_private_key(2_026, ec.SECP256R1()))
ED25519 = SigningKey("key-1", "EdDSA", ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
PUBLIC: dict[str, PublicKeyTypes] = {
    "RSA": rsa_private().public_key(),
    "P-256": ec.derive_private_key(2_026, ec.SECP256R1()).public_key(),
    "Ed25519": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key(),
}
SIGNERS = {"RSA": rsa_key(), "P-256": P256, "Ed25519": ED25519}


def harness_for(key: SigningKey, **settings: Any) -> AuthHarness:
    """Return a server with an issuer that signs with this key."""
    harness = AuthHarness(**settings)
    harness.issuer.keys = [key]
    return harness


def segments(header: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
    return f"{encode_base64url(json_text(header))}.{encode_base64url(json_text(payload))}"


def certificate_of(private: Any) -> x509.Certificate:
    """Return a certificate that a key made for itself."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer.test")])
    noon = datetime.fromtimestamp(NOON, tz=UTC)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, noon, noon + timedelta(days=1))
    return builder.sign(private, SHA256())


def published_forms(kind: str) -> dict[str, bytes]:
    """Return every published form of a public key, as bytes that a library could use as a secret."""
    key = PUBLIC[kind]
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    jwk = SIGNERS[kind].jwk()
    bare = {name: value for name, value in jwk.items() if name in ("kty", "crv", "n", "e", "x", "y")}
    forms = {
        "PEM": pem,
        "PEM, no line break at the end": pem.strip(),
        "PEM, line breaks of DOS": pem.replace(b"\n", b"\r\n"),
        "PEM, its body only": b"".join(pem.splitlines()[1:-1]),
        "DER": der,
        "DER, base64": base64.b64encode(der),
        "OpenSSH": ssh,
        "OpenSSH with a comment": ssh + b" root@issuer.test",
        "OpenSSH, its body only": ssh.split()[1],
        "OpenSSH, decoded": base64.b64decode(ssh.split()[1]),
        "JWK": json.dumps(jwk).encode(),
        "JWK, compact": json.dumps(jwk, separators=(",", ":")).encode(),
        "JWK, sorted, as for its thumbprint": json.dumps(bare, separators=(",", ":"), sort_keys=True).encode(),
        "JWK Set": json.dumps({"keys": [jwk]}).encode(),
        **{f"member {name}": str(value).encode() for name, value in bare.items()},
    }
    if kind == "RSA":
        forms["certificate"] = certificate_of(rsa_private()).public_bytes(Encoding.PEM)
        forms["certificate, DER"] = certificate_of(rsa_private()).public_bytes(Encoding.DER)
    if kind == "P-256":
        forms["point"] = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        forms["compressed point"] = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return {**forms, **{f"{name}, behind a byte order mark": b"\xef\xbb\xbf" + form for name, form in forms.items()}}


@pytest.mark.parametrize("kind", PUBLIC)
def test_public_key_is_no_shared_secret(kind: str) -> None:
    """A public key was used as an HMAC secret.

    CVE-2022-29217, CVE-2026-48526 (GHSA-xgmm-8j9v-c9wx), GHSA-r6x4, GHSA-ffc3, GHSA-p4g4, GHSA-w2cx (PyJWT),
    CVE-2024-33663 and its bypass by DER (python-jose), CVE-2024-37568 (Authlib).
    """
    harness = harness_for(SIGNERS[kind])
    assert harness.authenticate(harness.issuer.token()) is None
    for name, secret in published_forms(kind).items():
        for digest in ("sha256", "sha384", "sha512"):
            text = segments(header_of(harness.issuer, alg=f"HS{digest[3:]}"), claims_of(harness.issuer))
            mac = hmac.new(secret, text.encode(), getattr(hashlib, digest)).digest()
            assert harness.authenticate(f"{text}.{encode_base64url(mac)}") is ErrorCode.ALG_NOT_ALLOWED, name
            # The same secret under the name of the key's own algorithm.
            text = segments(header_of(harness.issuer), claims_of(harness.issuer))
            mac = hmac.new(secret, text.encode(), getattr(hashlib, digest)).digest()
            assert harness.authenticate(f"{text}.{encode_base64url(mac)}") is ErrorCode.SIGNATURE_INVALID, name


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512", "none", "None", "dir", "HS256 ", "hs256"])
def test_shared_secrets_cannot_be_configured(algorithm: str) -> None:
    """Symmetric and asymmetric algorithms were in one list. CVE-2022-29217 (PyJWT), CVE-2024-37568 (Authlib)."""
    for listed in ([algorithm], ["RS256", algorithm], algorithm):
        with pytest.raises(ConfigError) as refused:
            AuthHarness(algorithms=listed)
        assert {problem.where for problem in refused.value.problems} == {"issuer[0].algorithms"}


RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


@pytest.mark.parametrize("published", RSA)
@pytest.mark.parametrize("said", [*RSA, "ES256", "ES512", "EdDSA"])
def test_header_key_and_issuer_need_one_algorithm(said: str, published: str) -> None:
    """The allow-list was compared with the header, and the key's own algorithm was used.

    CVE-2026-48523 (GHSA-jq35-7prp-9v3f, PyJWT), CVE-2024-37568 (Authlib). With any header, the token is signed
    as the key is published, or as the header says: neither may pass unless all three are one.
    """
    for signed in {published, said} & set(RSA):
        for allowed in ([said], [published], ["RS256"]):
            harness = AuthHarness(algorithms=allowed)
            harness.issuer.published = [rsa_key(algorithm=published).jwk()]
            codes = harness.authenticate(harness.issuer.token(key=rsa_key(algorithm=signed), header={"alg": said}))
            if said not in allowed:
                assert codes is ErrorCode.ALG_NOT_ALLOWED
            elif said != published:
                assert codes is ErrorCode.KEY_ALG_MISMATCH
            else:
                assert codes is None


def own_key_headers() -> dict[str, dict[str, Any]]:
    """Return headers that bring a key along, each in one of the ways there are (RFC 7515 section 4.1.2 to 4.1.8)."""
    private = ec.generate_private_key(ec.SECP256R1())
    der = certificate_of(private).public_bytes(Encoding.DER)
    jwk = SigningKey("key-1", "ES256", private).jwk()
    headers: dict[str, dict[str, Any]] = {
        "jwk": {"jwk": jwk},
        "x5c": {"x5c": [base64.b64encode(der).decode()]},
        "jku": {"jku": "https://evil.test/keys"},
        "x5u": {"x5u": "https://evil.test/x5u"},
        "x5t": {"x5t#S256": encode_base64url(hashlib.sha256(der).digest())},
        "jku of the issuer's own host": {"jku": f"{ISSUER}/uploads/keys"},
        "kid that is an address": {"kid": "https://evil.test/keys#1"},
        "kid that is a path": {"kid": "../../dev/null"},
        "kid that is a query": {"kid": "key-1' UNION SELECT 'secret"},
        "kid that is a key": {"kid": json.dumps(jwk, separators=(",", ":"))[:256]},
    }
    headers["all of them"] = {name: value for header in headers.values() for name, value in header.items()}
    return {name: {"_private": private, **header} for name, header in headers.items()}


@pytest.mark.parametrize("header", own_key_headers().values(), ids=own_key_headers().keys())
def test_key_in_token_is_never_used(header: dict[str, Any]) -> None:
    """Without a configured key, the library trusted the key in the header. CVE-2026-27962 (GHSA-wvwj, Authlib)."""
    members = {name: value for name, value in header.items() if name != "_private"}
    forger = SigningKey("key-1", "ES256", header["_private"])
    for kid in ({}, {"kid": None}) if "kid" not in members else ({},):
        harness = AuthHarness()
        codes = harness.authenticate(harness.issuer.token(key=forger, header={**members, **kid}))
        assert codes in (ErrorCode.SIGNATURE_INVALID, ErrorCode.KEY_NOT_FOUND)
        assert set(harness.issuer.fetched) <= {DISCOVERY, f"{ISSUER}/keys"}


@pytest.mark.parametrize("header", own_key_headers().values(), ids=own_key_headers().keys())
def test_key_in_token_needs_known_issuer(header: dict[str, Any]) -> None:
    """A token without any key must fail. CVE-2026-27962 (GHSA-wvwj, Authlib)."""
    members = {name: value for name, value in header.items() if name != "_private"}
    forger = SigningKey("key-1", "ES256", header["_private"])
    no_keys: tuple[Any, ...] = ([], [{"kty": "oct", "k": "AA"}], [None], [{**forger.jwk(), "use": "enc"}])
    for published in no_keys:
        harness = AuthHarness()
        harness.issuer.published = published
        assert harness.authenticate(harness.issuer.token(key=forger, header=members)) is ErrorCode.KEYS_UNAVAILABLE
    with pytest.raises(ConfigError):
        AuthHarness(jwks={"keys": []})
