"""Private providers, with their own certificate authority, a client certificate or a bearer token.

A provider on 127.0.0.1 speaks TLS, asks for a certificate and for a bearer token, and notes what it was sent.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from oidc_auth import ConfigError, OIDCAuth, UpstreamError
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kit.snapshots import Messages

TODAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])


@dataclass
class Pair:
    """Files of a certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, folder: Path, name: str) -> tuple[str, str]:
        files = folder / f"{name}.pem", folder / f"{name}.key"
        files[0].write_bytes(self.certificate.public_bytes(Encoding.PEM))
        files[1].write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return str(files[0]), str(files[1])


def key_usage(*, authority: bool) -> x509.KeyUsage:
    """Return the key usage extension of a certificate."""
    # Python 3.13 and newer refuse a CA certificate without this extension (RFC 5280 §4.2.1.3).
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def issued(by: Pair | None = None) -> Pair:
    """Return a new certificate, signed by an authority or self-signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = by.certificate.subject if by else NAME
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "leaf")]) if by else NAME
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signer = by.key if by else key
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(TODAY)
        .not_valid_after(TODAY + dt.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(key_usage(authority=by is None), critical=True)
    )
    builder = builder.add_extension(names, critical=False) if by else builder
    return Pair(builder.sign(signer, SHA256()), key)


@dataclass
class Provider:
    """A running provider, with the Authorization headers that it received."""

    issuer: LocalIssuer
    files: dict[str, str]
    sent: list[str | None] = field(default_factory=list)


@contextmanager
def private_provider(folder: Path, *, requires_certificate: bool = True) -> Iterator[Provider]:
    authority = issued()
    ca_file, _ = authority.write(folder, "ca")
    server_files = issued(authority).write(folder, "server")
    client_files = issued(authority).write(folder, "client")
    bearer_file = folder / "token"
    bearer_file.write_text("first\n", encoding="utf-8")
    files = {"ca_file": ca_file, "client_certificate": client_files[0], "client_key": client_files[1]}
    provider = Provider(LocalIssuer(), {**files, "bearer_file": str(bearer_file)})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.sent.append(self.headers["authorization"])
            status, _, body = provider.issuer.answer(self.path)
            self.send_response(status if self.headers["authorization"] else 401)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Write nothing to the test's output."""

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca_file)
    context.verify_mode = ssl.CERT_REQUIRED if requires_certificate else ssl.CERT_NONE
    context.load_cert_chain(*server_files)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        # The handshake runs in the thread of its connection, so a failed one does not end the server.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        provider.issuer.url = f"https://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()


def identity(provider: Provider, **settings: Any) -> str:
    async def authenticate() -> str:
        table = {"preset": "generic", "issuer": provider.issuer.url, "audience": "agents", **settings}
        async with OIDCAuth.from_dict({"issuer": table}) as oidc:
            return (await oidc.authenticate({"authorization": f"Bearer {provider.issuer.token()}"})).identity

    return asyncio.run(authenticate())


def test_private_provider_keys_use_tls_files(tmp_path: Path) -> None:
    with private_provider(tmp_path) as provider:
        assert identity(provider, **provider.files) == "alice"
        (tmp_path / "token").write_text("second", encoding="utf-8")
        assert identity(provider, **provider.files) == "alice"
    assert provider.sent == ["Bearer first"] * 2 + ["Bearer second"] * 2


@pytest.mark.parametrize("missing", ["ca_file", "client_certificate", "bearer_file"])
def test_missing_tls_file_yields_no_keys(tmp_path: Path, missing: str) -> None:
    with private_provider(tmp_path) as provider:
        gone = {missing, "client_key"} if missing == "client_certificate" else {missing}
        with pytest.raises(UpstreamError):
            identity(provider, **{name: file for name, file in provider.files.items() if name not in gone})


def test_unknown_certificate_authority_is_rejected(tmp_path: Path) -> None:
    with private_provider(tmp_path, requires_certificate=False) as provider:
        token_only = {"bearer_file": provider.files["bearer_file"]}
        assert identity(provider, **token_only, ca_file=provider.files["ca_file"]) == "alice"
        asked = len(provider.sent)
        with pytest.raises(UpstreamError):
            identity(provider, **token_only)
        assert len(provider.sent) == asked


@pytest.mark.parametrize(
    "content", [b"", b"secret\nsecret", b"secret secret", b"secret\0", "secr\u00e9t".encode(), b"secret\xff"]
)
def test_malformed_bearer_file_is_named_not_quoted(
    issuer: LocalIssuer, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (file := tmp_path / "token").write_bytes(content)
    with issuer.served() as url:
        table = {"preset": "generic", "issuer": url, "audience": "agents", "bearer_file": str(file)}
        oidc, token = OIDCAuth.from_dict({"issuer": table}), issuer.token()
        with pytest.raises(UpstreamError) as refusal:
            asyncio.run(oidc.authenticate({"authorization": f"Bearer {token}"}))
    assert f"bearer_file {file}" in refusal.value.found
    assert "secr" not in f"{refusal.value} {caplog.text}"


def test_bearer_token_stays_with_its_origin(tmp_path: Path, issuer: LocalIssuer) -> None:
    """Metadata may have a key set on another host, which must not receive the token."""
    (tmp_path / "token").write_text("secret", encoding="utf-8")
    seen: dict[str, bool] = {}

    async def fetcher(method: str, url: str, headers: Any, body: bytes | None) -> Any:
        seen[url.rpartition("/")[2]] = "authorization" in headers
        answer = await issuer(method, url.replace("https://elsewhere.test", issuer.url), headers, body)
        named, other = f"{issuer.url}/keys".encode(), b"https://elsewhere.test/keys"
        return answer._replace(body=answer.body.replace(named, other))

    table = {"preset": "generic", "issuer": issuer.url, "audience": "agents", "bearer_file": str(tmp_path / "token")}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=fetcher)
    asyncio.run(oidc.authenticate({"authorization": f"Bearer {issuer.token()}"}))
    assert seen == {"openid-configuration": True, "keys": False}


def test_missing_file_stops_startup(issuer: LocalIssuer, messages: Messages) -> None:
    table = {"preset": "generic", "issuer": issuer.url, "audience": "agents"}
    files = {"ca_file": "no-such.pem", "client_key": "no-such.key", "bearer_file": "no-such"}
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict({"issuer": {**table, **files}})
    wheres = [problem.where for problem in caught.value.problems]
    assert wheres == ["issuer[0].ca_file", "issuer[0].client_key", "issuer[0].bearer_file"]
    for problem in caught.value.problems:
        messages.check(problem.message)
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict({"issuer": {**table, "jwks": issuer.key_set(), "ca_file": __file__}})
    messages.check(caught.value.problems[0].message)
