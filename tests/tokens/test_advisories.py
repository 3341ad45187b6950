"""Attacks from published advisories on other libraries (2022 to 2026) fail, through the public API.

Attacks that other test modules contain, such as unknown ``crit`` members, are not repeated here.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from kit.auth_harness import AuthHarness, bearer
from kit.clock import NOON
from kit.tokens import claims_of, header_of, json_text, rsa_key, rsa_private

from oidc_auth import ConfigError, OIDCAuth, presets
from oidc_auth.errors import ErrorCode, TokenError, UpstreamError
from oidc_auth.keys.fetch import Response
from oidc_auth.langgraph.server_entry import ConfigurationExit, server_auth
from oidc_auth.testing import Fault
from oidc_auth.testing.signing import SigningKey, compact, encode_base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from oidc_auth.permissions.caller import Caller

ISSUER = "https://issuer.test"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
MEGABYTE = 1_000_000

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


# Algorithms and keys --------------------------------------------------------------------------------------------------


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


# Addresses ------------------------------------------------------------------------------------------------------------

NO_ADDRESSES = (
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "data:application/json,{}",
    "ftp://issuer.test/keys",
    "gopher://issuer.test/keys",
    "jar:https://issuer.test/keys",
    "http://issuer.test/keys",
    "http://169.254.169.254/latest/meta-data/",
    "http://metadata.google.internal/",
    "//issuer.test/keys",
    "issuer.test/keys",
    "/etc/passwd",
)


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_only_https_addresses_are_fetched(url: str) -> None:
    """The opener of key sets opened files too. CVE-2026-48522 (GHSA-993g, PyJWT)."""
    tables: tuple[dict[str, Any], ...] = ({"jwks_uri": url}, {"url": url})
    for table in tables:
        with pytest.raises(ConfigError) as refused:
            AuthHarness(**table)
        assert {problem.where for problem in refused.value.problems} <= {"issuer[0].jwks_uri", "issuer[0].issuer"}
    fetched = fetched_for(url)
    assert fetched == [DISCOVERY]


def fetched_for(jwks_uri: str) -> list[str]:
    """Return what is fetched if metadata name this address for the keys. No token must be accepted."""
    fetched: list[str] = []
    harness = AuthHarness()

    async def fetch(method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        del method, headers, body
        fetched.append(url)
        document = {"issuer": ISSUER, "jwks_uri": jwks_uri} if url == DISCOVERY else harness.issuer.key_set()
        return Response(200, {}, json.dumps(document).encode())

    oidc = OIDCAuth.from_dict(
        {"issuer": {"preset": "generic", "issuer": ISSUER, "audience": "agents"}}, fetcher=fetch, clock=harness.clock
    )
    with pytest.raises(UpstreamError):
        asyncio.run(oidc.authenticate(bearer(harness.issuer.token())))
    return fetched


METADATA_SERVICE = {
    "its address": "169.254.169.254",
    "another port": "169.254.169.254:443",
    "its address as one number": "2852039166",
    "in hexadecimal": "0xa9fea9fe",
    "in octal": "0251.0376.0251.0376",
    "in three parts": "169.254.43518",
    "mapped into IPv6": "[::ffff:169.254.169.254]",
    "mapped into IPv6, in hexadecimal": "[::ffff:a9fe:a9fe]",
    "with dots of other scripts": "169\u3002254\u3002169\u3002254",
    "with dots of full width": "169\uff0e254\uff0e169\uff0e254",
    "with dots of half width": "169\uff61254\uff61169\uff61254",
    "ECS's": "169.254.170.2",
    "any address of this machine": "0.0.0.0",  # noqa: S104 - nothing listens here
    "any address of this machine, IPv6": "[::]",
    "link-local, IPv6": "[fe80::a9fe:a9fe]",
}


@pytest.mark.parametrize("host", METADATA_SERVICE.values(), ids=METADATA_SERVICE.keys())
def test_discovery_cannot_name_metadata_service(host: str) -> None:
    """A malicious discovery document made the server send requests inside its network. CVE-2026-41413 (Istio).

    GHSA-9v7f (PyJWT) did it by a redirect, which keys/test_fetch: a_redirect_is_not_followed has.
    """
    assert fetched_for(f"https://{host}/latest/meta-data/") == [DISCOVERY]
    with pytest.raises(ConfigError):
        AuthHarness(jwks_uri=f"https://{host}/latest/meta-data/")


def test_issuer_of_token_is_never_contacted() -> None:
    """Keys came from an address that the sender of the token chose. CVE-2026-41413 (Istio)."""
    harness = AuthHarness()
    for issuer in ("https://evil.test", "http://169.254.169.254", f"{ISSUER}/../evil", f"{ISSUER}@evil.test"):
        assert harness.authenticate(harness.issuer.token(iss=issuer)) is ErrorCode.ISSUER_NOT_TRUSTED
    assert harness.issuer.fetched == []


def test_redirect_brings_no_keys() -> None:
    """Redirects were followed for keys. CVE-2026-48522 (GHSA-9v7f, PyJWT)."""
    harness = AuthHarness()
    harness.issuer.fault = Fault.REDIRECT
    assert harness.authenticate(harness.issuer.token()) is ErrorCode.KEYS_UNAVAILABLE
    assert harness.issuer.fetched == [DISCOVERY, f"{ISSUER}/keys"]


# Work before the signature --------------------------------------------------------------------------------------------


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


# One text, two readings -----------------------------------------------------------------------------------------------


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


# Claims ---------------------------------------------------------------------------------------------------------------


def test_dot_in_configuration_is_literal() -> None:
    """A pattern of the operator's was read as a regular expression. CVE-2026-39350 (Istio)."""
    permission_map = {"claim": "groups", "values": {"a.b": "threads:read", "c.d-*": "store:get", "(e|f)": "crons:read"}}
    harness = AuthHarness(
        audience="a.b",
        require={"org": ["a.b", "c.d-*"]},
        client_claim={"claim": "client_id", "values": ["a.b"]},
        allowed_clients="a.b",
        permission_map=permission_map,
    )

    def token(**changes: Any) -> str:
        return harness.issuer.token(**{"audience": "a.b", "client_id": "a.b", "azp": "a.b", "org": "a.b", **changes})

    assert harness.authenticate(token()) is None
    assert harness.authenticate(token(audience="axb")) is ErrorCode.AUDIENCE_MISMATCH
    assert harness.authenticate(token(client_id="axb")) is ErrorCode.CLIENT_NOT_ALLOWED
    assert harness.authenticate(token(azp="axb")) is ErrorCode.CLIENT_NOT_ALLOWED
    for org in ("axb", "cxd-1", "a.b\n", "xa.b", "c.d"):
        assert harness.authenticate(token(org=org)) is ErrorCode.REQUIREMENT_NOT_MET
    held = {
        group: asyncio.run(harness.admit(token(groups=[group]))).permissions
        for group in ("axb", "cxd-1", "a.b ", "e", "f", "a.b", "c.d-1", "(e|f)")
    }
    assert [group for group, names in held.items() if names] == ["a.b", "c.d-1", "(e|f)"]


@pytest.mark.parametrize(
    "email", ["a@evil.test@acme.com", "a@acme.com@evil.test", "a@acme.com.evil.test", "a@xacme.com"]
)
def test_similar_domain_does_not_match(email: str) -> None:
    """A check of the domain split the address at the wrong @. CVE-2026-40574 (oauth2-proxy).

    No rule compares the end of a text. A domain is a separate claim, and an address is compared as a whole.
    """
    for pattern in ("*@acme.com", "@acme.com*com", ["*", "@acme.com"]):
        with pytest.raises(ConfigError) as refused:
            AuthHarness(require={"email": pattern})
        assert [problem.where for problem in refused.value.problems] == ["issuer[0].require.email"]
    harness = AuthHarness(require={"email": ["a@acme.com", "b@acme.com"]})
    assert harness.authenticate(harness.issuer.token(email="a@acme.com")) is None
    assert harness.authenticate(harness.issuer.token(email=email)) is ErrorCode.REQUIREMENT_NOT_MET
    domain = AuthHarness(require={"hd": "acme.com"})
    assert domain.authenticate(domain.issuer.token(email=email)) is ErrorCode.REQUIREMENT_NOT_MET
    assert (
        domain.authenticate(domain.issuer.token(email=email, hd=email.rpartition("@")[2] + "x"))
        is ErrorCode.REQUIREMENT_NOT_MET
    )


SMUGGLED = (
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-preferred-username",
    "x-forwarded-groups",
    "x-forwarded-access-token",
    "x-forwarded-authorization",
    "x-original-authorization",
    "x-auth-request-user",
    "x-auth-request-email",
    "x-auth-request-access-token",
    "x-remote-user",
    "remote-user",
    "x-user-id",
    "x-authorization",
    "authorization-",
    "authorizati\u043en",
    "http_authorization",
    "proxy-authorization",
    "user-agent",
    "cookie",
)


@pytest.mark.parametrize("name", SMUGGLED)
def test_other_headers_give_no_identity(name: str) -> None:
    """A header that a client can send was taken for one that the proxy had set.

    CVE-2025-54576, CVE-2025-64484, CVE-2026-34457, CVE-2026-40575, CVE-2026-41059 (oauth2-proxy).
    """
    harness = AuthHarness()
    mallory, alice = harness.issuer.token("mallory"), harness.issuer.token("alice")
    for value in ("mallory", mallory, f"Bearer {mallory}", f"token={mallory}"):
        assert harness.authenticate({name: value}) is ErrorCode.TOKEN_MISSING
        for headers in ([(name, value), ("authorization", f"Bearer {alice}")], {**bearer(alice), name: value}):
            assert asyncio.run(harness.oidc.authenticate(headers)).identity == "alice"


def test_request_url_gives_no_identity() -> None:
    """A route was let through by its path, fragment or method. CVE-2026-40575, CVE-2026-41059 (oauth2-proxy)."""
    harness = AuthHarness()
    token = harness.issuer.token()
    for method, url in (
        ("GET", f"https://agents.test/ok?access_token={token}"),
        ("GET", f"https://agents.test/threads#access_token={token}"),
        ("OPTIONS", "https://agents.test/threads"),
        ("HEAD", "https://agents.test/ok"),
        ("GET", "https://agents.test/threads/..;/health"),
        ("GET", f"https://{token}@agents.test/"),
    ):
        with pytest.raises(TokenError) as refused:
            asyncio.run(harness.oidc.authenticate({}, method=method, url=url))
        assert refused.value.code is ErrorCode.TOKEN_MISSING


def test_multi_audience_token_needs_allowed_client() -> None:
    """A token with a foreign API and ours in its audience was accepted. GHSA-p2fr-6hmx-4528 (better-auth).

    RFC 7519 says that membership is enough, and so does this library; ``allowed_clients`` is the way to be stricter.
    """
    both = ["agents", "https://foreign.test"]
    lenient, strict = AuthHarness(), AuthHarness(allowed_clients="web")
    assert lenient.authenticate(lenient.issuer.token(audience=both, azp="foreign")) is None
    assert strict.authenticate(strict.issuer.token(audience=both, azp="foreign")) is ErrorCode.CLIENT_NOT_ALLOWED
    assert strict.authenticate(strict.issuer.token(audience=both)) is ErrorCode.CLIENT_NOT_ALLOWED
    assert strict.authenticate(strict.issuer.token(audience=both, azp="web")) is None
    assert lenient.authenticate(lenient.issuer.token(audience=both[1:], azp="agents")) is ErrorCode.AUDIENCE_MISMATCH


@pytest.mark.parametrize("claims", [{"aud": "account"}, {"aud": ["account", "realm-management"]}, {"aud": None}])
def test_token_of_other_client_is_rejected(claims: dict[str, Any]) -> None:
    """Keycloak's default audience "account", which every token has, was accepted. mcp-gateway-registry PR#1533."""
    url = "https://sso.test/realms/acme"
    harness = AuthHarness(url=url)
    oidc = OIDCAuth.from_dict(
        {"issuer": presets.keycloak(url, audience="agents")}, fetcher=harness.issuer, clock=harness.clock
    )
    other: dict[str, Any] = {
        "azp": "other-client",
        "resource_access": {"agents": {"roles": ["user"]}},
        "scope": "openid agents",
    }
    with pytest.raises(TokenError) as refused:
        asyncio.run(oidc.authenticate(bearer(harness.issuer.token(**{**other, **claims}))))
    assert refused.value.code is ErrorCode.AUDIENCE_MISMATCH
    assert asyncio.run(oidc.authenticate(bearer(harness.issuer.token(**other)))).identity == "alice"


# The start of the server ----------------------------------------------------------------------------------------------


BROKEN: dict[str, str | None] = {
    "no configuration": None,
    "an empty file": "",
    "no TOML": "[[issuer",
    "no issuer": "[limits]\ntoken_bytes = 9",
    "no audience": '[[issuer]]\npreset = "generic"\nissuer = "https://issuer.test"',
    "a shared secret": '[[issuer]]\npreset = "generic"\nissuer = "https://issuer.test"\naudience = "a"\n'
    'algorithms = ["HS256"]',
}


@pytest.mark.parametrize("toml", BROKEN.values(), ids=BROKEN.keys())
def test_broken_configuration_stops_server(toml: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server logged the import error and served all requests as "anonymous". svelte-langgraph#302 (Aegra).

    Aegra catches ``Exception``; what ends it must not be one.
    """
    monkeypatch.chdir(tmp_path)
    for name in ("OIDC_AUTH_CONFIG", "OIDC_AUTH_ISSUER", "OIDC_AUTH_AUDIENCE"):
        monkeypatch.delenv(name, raising=False)
    if toml is not None:
        (tmp_path / "oidc-auth.toml").write_text(toml, encoding="utf-8")
    with pytest.raises(ConfigurationExit) as stop:
        server_auth()
    assert isinstance(stop.value, SystemExit)
    assert not isinstance(stop.value, Exception)
    assert str(stop.value.code).startswith("oidc_auth: ")


def test_swallowed_error_still_stops_server(tmp_path: Path) -> None:
    """A process like Aegra imports the module, logs any error and goes on."""
    swallowing = (
        "import importlib\n"
        "try:\n"
        "    auth = getattr(importlib.import_module('oidc_auth.langgraph'), 'auth')\n"
        "except Exception as error:\n"
        "    print('serving all requests', error)\n"
    )
    environment = {"PATH": "", "OIDC_AUTH_CONFIG": str(tmp_path / "missing.toml")}
    ended = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", swallowing], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "missing.toml" in ended.stderr


def test_unexpected_error_stops_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any error at the start must stop the server, not only a wrong configuration. svelte-langgraph#302 (Aegra)."""

    def broken(*arguments: object, **options: object) -> OIDCAuth:
        raise RuntimeError(arguments, options)

    monkeypatch.setattr(OIDCAuth, "from_env", broken)
    with pytest.raises(ConfigurationExit):
        server_auth()
