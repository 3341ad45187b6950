"""How this server authenticates at the introspection endpoint."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from kit.clock import NOON
from kit.introspection import IntrospectionHarness
from kit.tokens import rsa_key, rsa_private

from oidc_auth.errors import ErrorCode
from oidc_auth.introspection.client_auth import (
    ClientKey,
    ClientKeyError,
    ClientSecret,
    make_credentials,
    read_client_key,
)
from oidc_auth.keys.fetch import FetchError
from oidc_auth.testing.introspection import CLIENT
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from pathlib import Path

ODD = ClientSecret("a:b c/é", "p:w+d%&=ü")
ISSUER = "https://issuer.test"


def credentials(client: Any, methods: Any = None, algorithms: Any = None) -> Any:
    return make_credentials(client, methods=methods, algorithms=algorithms, audience=ISSUER, now=NOON)


def decode_basic(header: str) -> tuple[str, ...]:
    pair = base64.b64decode(header.removeprefix("Basic ")).decode()
    return tuple(unquote_plus(part) for part in pair.split(":"))


@pytest.mark.parametrize(
    "methods",
    [None, ("client_secret_basic",), ("client_secret_post", "client_secret_basic"), ("x", "client_secret_basic")],
)
def test_basic_is_default_and_form_encoded(methods: Any) -> None:
    sent = credentials(ODD, methods)
    assert decode_basic(sent.headers["authorization"]) == (ODD.client_id, ODD.secret)
    assert sent.form == {}


def test_post_is_used_if_basic_is_not_supported() -> None:
    sent = credentials(ODD, ("client_secret_post", "private_key_jwt"))
    assert sent == ({}, {"client_id": ODD.client_id, "client_secret": ODD.secret})


@pytest.mark.parametrize(
    ("client", "methods"),
    [
        (ODD, ()),
        (ODD, ("private_key_jwt", "none")),
        (ClientKey("c", object(), ("RS256",)), ("client_secret_basic",)),
    ],
)
def test_unsupported_method_is_refused(client: Any, methods: Any) -> None:
    with pytest.raises(FetchError):
        credentials(client, methods)


def key_file(folder: Path, key: SigningKey, **jwk: Any) -> str:
    """Write a private key, as a JWK if members are given."""
    path = folder / "client.key"
    if jwk:
        private = jwt.get_algorithm_by_name(key.algorithm).to_jwk(key._private, as_dict=True)
        path.write_text(json.dumps({**private, **jwk}))
    else:
        path.write_bytes(key.pem())
    return str(path)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "ES512", "EdDSA"])
@pytest.mark.parametrize("jwk", [{}, {"kid": "key-7"}])
def test_assertion_is_signed_and_short_lived(tmp_path: Path, algorithm: str, jwk: dict[str, Any]) -> None:
    key = rsa_key() if algorithm == "RS256" else SigningKey.make("k", algorithm)
    client = read_client_key("agents-api", key_file(tmp_path, key, **jwk))
    forms = [credentials(client, ("private_key_jwt",)).form for _ in range(2)]
    assertions = [form["client_assertion"] for form in forms]
    header = jwt.get_unverified_header(assertions[0])
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = [jwt.decode(each, key.public_key, [algorithm], audience=ISSUER, options=options) for each in assertions]
    assert (header["alg"], header.get("kid")) == (algorithm, jwk.get("kid"))
    assert {name: claims[0][name] for name in ("iss", "sub", "aud", "iat", "exp")} == {
        "iss": "agents-api",
        "sub": "agents-api",
        "aud": ISSUER,
        "iat": NOON,
        "exp": NOON + 60,
    }
    # The provider refuses a jti that was used.
    assert claims[0]["jti"] != claims[1]["jti"]
    assert len(claims[0]["jti"]) >= 32
    assert forms[0]["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.mark.parametrize(
    ("supported", "used"), [(None, "RS256"), (("PS256", "ES256"), "PS256"), (("RS512", "PS256", "RS256"), "RS256")]
)
def test_algorithm_follows_metadata(tmp_path: Path, supported: Any, used: str) -> None:
    client = read_client_key("c", key_file(tmp_path, rsa_key()))
    assertion = credentials(client, None, supported).form["client_assertion"]
    assert jwt.get_unverified_header(assertion)["alg"] == used


def test_alg_of_jwk_is_used(tmp_path: Path) -> None:
    client = read_client_key("c", key_file(tmp_path, rsa_key(), alg="PS384"))
    assert client.algorithms == ("PS384",)
    with pytest.raises(FetchError):
        credentials(client, None, ("ES256", "RS256"))


def pem(key: Any, encryption: Any = None) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        b"{}",
        b"{",
        b'{"kty": "RSA"}',
        b'{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ"}',
        json.dumps(rsa_key().jwk()).encode(),
        pem(rsa_private(1024)),
        pem(ec.generate_private_key(ec.SECP256K1())),
        pem(ed448.Ed448PrivateKey.generate()),
        pem(rsa_key()._private, BestAvailableEncryption(b"password")),
        rsa_key().pem().replace(b"M", b"!", 3),
    ],
)
def test_unusable_key_file_is_named_without_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "client.key"
    path.write_bytes(content)
    with pytest.raises(ClientKeyError) as refused:
        read_client_key("c", str(path))
    assert refused.value.__cause__ is None
    parts = [line for line in content.decode().splitlines() if len(line) > 20]
    assert not any(part in str(refused.value) for part in parts)


@pytest.mark.parametrize("alg", ["HS256", "none", "ES256", 5])
def test_alg_that_key_cannot_use_is_refused(tmp_path: Path, alg: Any) -> None:
    with pytest.raises(ClientKeyError):
        read_client_key("c", key_file(tmp_path, rsa_key(), alg=alg))


def test_missing_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClientKeyError):
        read_client_key("c", str(tmp_path / "none"))


@pytest.mark.parametrize("methods", [None, ("client_secret_basic",), ("client_secret_post",), ("private_key_jwt",)])
def test_provider_accepts_each_method(tmp_path: Path, methods: Any) -> None:
    key = rsa_key()
    uses_key = methods == ("private_key_jwt",)
    file = {"client_secret": None, "client_assertion_key_file": key_file(tmp_path, key)} if uses_key else {}
    harness = IntrospectionHarness(introspection={**file, "cache_seconds": 0})
    endpoint = harness.issuer.introspection
    endpoint.methods = methods
    endpoint.clients = {CLIENT[0]: key if uses_key else CLIENT[1]}
    tokens = [harness.issuer.opaque_token() for _ in range(2)]
    assert [harness.authenticate(token) for token in (*tokens, *tokens)] == [None] * 4


@pytest.mark.parametrize("client", [{"client_secret": "wrong"}, {"client_id": "other"}])
def test_wrong_credentials_are_503(client: dict[str, str]) -> None:
    harness = IntrospectionHarness(introspection=client)
    assert harness.authenticate(harness.issuer.opaque_token()) is ErrorCode.INTROSPECTION_UNAVAILABLE


def test_wrong_key_is_503(tmp_path: Path) -> None:
    file = {"client_secret": None, "client_assertion_key_file": key_file(tmp_path, rsa_key())}
    harness = IntrospectionHarness(introspection=file)
    harness.issuer.introspection.clients = {CLIENT[0]: SigningKey.make("other", "RS256")}
    assert harness.authenticate(harness.issuer.opaque_token()) is ErrorCode.INTROSPECTION_UNAVAILABLE


def test_reprs_show_no_secret(tmp_path: Path) -> None:
    client = read_client_key("c", key_file(tmp_path, rsa_key(), kid="k"))
    shown = "".join(map(repr, [ODD, client, credentials(ODD), credentials(ODD, ("client_secret_post",))]))
    shown += repr(credentials(client))
    assert not any(secret in shown for secret in (ODD.secret, "eyJ", "PrivateKey", "Basic"))


def test_configuration_shows_no_secret() -> None:
    harness = IntrospectionHarness()
    loaded = harness.oidc.loaded
    assert CLIENT[1] not in repr(loaded) + str(loaded) + repr(harness.oidc._settings) + repr(loaded.document.issuer)


def test_secret_does_not_change_digest() -> None:
    digests = {
        IntrospectionHarness(introspection={"client_secret": secret}).oidc.loaded.digest for secret in ("one", "two")
    }
    assert len(digests) == 1
    assert IntrospectionHarness(introspection={"client_id": "x"}).oidc.loaded.digest not in digests


def test_logs_and_errors_hold_no_secret_or_token(caplog: pytest.LogCaptureFixture) -> None:
    for answer in (None, {"active": False}, b"garbage"):
        harness = IntrospectionHarness()
        harness.issuer.introspection.answer = answer
        harness.issuer.introspection.status = 500 if answer is None else 200
        assert harness.authenticate("an-opaque-secret-token") is not None
    assert len(caplog.records) >= 3
    logged = "".join([caplog.text, *(repr(vars(record)) for record in caplog.records)])
    assert not any(text in logged for text in (CLIENT[1], "an-opaque-secret-token", "Basic "))
