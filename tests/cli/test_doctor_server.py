"""``oidc-auth doctor``: checks of a running server."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest
from kit.command_runner import error_of
from kit.doctor import JWK, examined, run_doctor, serving, text, write_configuration

from oidc_auth.cli.dev_server import quickstart_folder, running_dev_server
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kit.snapshots import Messages


@pytest.fixture
def issuer() -> LocalIssuer:
    """Return a provider with a key that is fast to create."""
    return LocalIssuer(algorithm="ES256")


OF_SERVER = ["anonymous-denied", "studio-denied", "token-accepted"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalIssuer, str]]:
    """Return a provider, and the address of a real server that trusts it (the quickstart's configuration)."""
    issuer = LocalIssuer()
    folder = tmp_path_factory.mktemp("server")
    with (
        issuer.served() as url,
        running_dev_server(quickstart_folder(), folder, {"OIDC_ISSUER": url}) as server,
    ):
        yield issuer, server.url


def quickstart(monkeypatch: pytest.MonkeyPatch, issuer: LocalIssuer) -> Path:
    monkeypatch.setenv("OIDC_ISSUER", issuer.url)
    return quickstart_folder() / "oidc-auth.toml"


def test_real_server_passes_with_token(world: tuple[LocalIssuer, str], monkeypatch: pytest.MonkeyPatch) -> None:
    issuer, url = world
    token = issuer.token(roles=["viewer"], org="acme")
    checks = examined(quickstart(monkeypatch, issuer), "--url", url, token=token)
    assert {name: checks[name]["status"] for name in OF_SERVER} == {
        "anonymous-denied": "ok",
        "studio-denied": "ok",
        "token-accepted": "info",
    }
    said = "identity alice; allowed: threads:search, assistants:search, store:list_namespaces"
    assert text(checks["token-accepted"]) == f"{said} -> "


def test_other_server_configuration_is_detected(
    world: tuple[LocalIssuer, str], tmp_path: Path, messages: Messages
) -> None:
    issuer, url = world
    token = issuer.token(roles=["editor"], org="acme")
    entry = examined(write_configuration(tmp_path, issuer.url), "--url", url, token=token)["token-accepted"]
    assert entry["status"] == "error"
    messages.check(text(entry), {url: "SERVER"})
    assert "threads:search" not in text(entry).partition("identity")[0]


def test_token_rejected_on_both_sides_is_explained(
    world: tuple[LocalIssuer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer, url = world
    token = issuer.token(audience="billing")
    file = quickstart(monkeypatch, issuer)
    entry = examined(file, "--url", url, token=token)["token-accepted"]
    assert entry["status"] == "error"
    assert text(entry).startswith("audience_mismatch")
    shown = run_doctor(str(file), "--url", url, token=token).output
    assert not any(part in shown for part in token.split("."))


def test_refusal_is_shown_completely(world: tuple[LocalIssuer, str], tmp_path: Path, messages: Messages) -> None:
    issuer, url = world
    audience = "https://agents.acme.com/" + 100 * "a"
    file = write_configuration(tmp_path, issuer.url)
    file.write_text(file.read_text("utf-8").replace('"agents"', f'"{audience}"'), "utf-8")
    token = issuer.token(audience="account", azp="web", realm_access={"roles": []})
    entry = examined(file, "--url", url, token=token)["token-accepted"]
    messages.check(text(entry), {issuer.url: "PROVIDER", audience: "AUDIENCE"})


def test_nothing_is_compared_during_outage(tmp_path: Path, issuer: LocalIssuer, messages: Messages) -> None:
    with issuer.served() as url:
        token = issuer.token()
    with answering(503) as server:
        entry = examined(write_configuration(tmp_path, url), "--url", server, token=token)["token-accepted"]
    assert entry["status"] == "skipped"
    messages.check(entry["skipped"].partition(url)[0])


def test_nothing_is_compared_without_introspection(tmp_path: Path, issuer: LocalIssuer) -> None:
    setting = 'introspection = { mode = "always", client_id = "c", client_secret = "wrong" }'
    with issuer.served() as url, answering(200) as server:
        file = write_configuration(tmp_path, url, setting)
        entry = examined(file, "--url", server, token=issuer.token())["token-accepted"]
    assert entry["status"] == "skipped"
    assert "introspection_unavailable: " in entry["skipped"]


def test_server_unable_to_verify_is_error(tmp_path: Path, issuer: LocalIssuer, messages: Messages) -> None:
    with issuer.served() as url, answering(503) as server:
        file = write_configuration(tmp_path, url)
        entry = examined(file, "--url", server, token=issuer.token(roles=["editor"]))["token-accepted"]
    assert entry["status"] == "error"
    messages.check(text(entry), {server: "SERVER"})


@contextmanager
def answering(status: int, says: Callable[[str], str] = lambda _: "[]") -> Iterator[str]:
    """Serve on loopback a server with one answer for all requests, or with parts of the credential in it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            codes.append({name.lower(): value for name, value in self.headers.items()})
            self.rfile.read(int(self.headers["content-length"]))
            said = says(codes[-1].get("authorization", "")).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Keep quiet."""

    codes.clear()
    with serving(Handler) as url:
        yield url


codes: list[dict[str, str]] = []


@contextmanager
def closed() -> Iterator[str]:
    """Hold a port of this machine without a server."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def test_anonymous_access_is_error(tmp_path: Path, messages: Messages) -> None:
    file = write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    with answering(200) as url:
        checks = examined(file, "--url", url)
    assert (checks["anonymous-denied"]["status"], checks["studio-denied"]["status"]) == ("error", "error")
    messages.check(text(checks["anonymous-denied"]), {url: "SERVER"})
    assert checks["token-accepted"]["skipped"].startswith("no token")


def test_foreign_401_is_not_accepted(tmp_path: Path, messages: Messages) -> None:
    file = write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    with answering(401) as url:
        checks = examined(file, "--url", url)
    assert checks["anonymous-denied"]["status"] != "ok"
    messages.check(text(checks["anonymous-denied"]), {url: "SERVER"})


def test_unreachable_server_is_error(tmp_path: Path, messages: Messages) -> None:
    with answering(200) as gone:
        pass
    file = write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    checks = examined(file, "--url", gone, token="t")
    messages.check(text(checks["anonymous-denied"]).partition(gone)[0])
    assert (checks["anonymous-denied"]["status"], checks["studio-denied"]["status"]) == ("error", "skipped")


def test_token_needs_https_or_loopback(tmp_path: Path, messages: Messages) -> None:
    file = write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    checks = examined(file, "--url", "http://server.invalid:8000", token="secret")
    messages.check(checks["token-accepted"]["skipped"])


@pytest.mark.parametrize(
    "says",
    [
        lambda field: f"unknown credential {field}",
        lambda field: f"not understood: {field[7:40]}...",
        lambda field: f"no such user: {field.split('.')[1] if '.' in field else ''}",
        lambda field: f'{{"detail":"{field[-20:]}"}}',
    ],
    ids=["the field", "its beginning", "the claims", "its end"],
)
def test_repeated_token_is_masked(tmp_path: Path, issuer: LocalIssuer, says: Callable[[str], str]) -> None:
    key = json.dumps(issuer.keys[0].jwk()).replace('": ', '" = ')
    file = write_configuration(tmp_path, issuer.url, f"jwks = {{ keys = [{key}] }}")
    token = issuer.token(roles=["editor"])
    with answering(400, says) as url:
        shown = run_doctor(str(file), "--url", url, "--json", token=token).output
    assert "400" in shown
    assert not any(token[start : start + 12] in shown for start in range(len(token) - 12))


def test_server_message_is_shown(tmp_path: Path, issuer: LocalIssuer) -> None:
    key = json.dumps(issuer.keys[0].jwk()).replace('": ', '" = ')
    file = write_configuration(tmp_path, issuer.url, f"jwks = {{ keys = [{key}] }}")
    with answering(400, lambda _: "request 8d5f2a3e-0000-4000-8000-000000000001 went astray") as url:
        entry = examined(file, "--url", url, token=issuer.token(roles=["editor"]))["token-accepted"]
    assert "(request 8d5f2a3e-0000-4000-8000-000000000001 went astray)" in text(entry)


def test_unsendable_token_is_reported(tmp_path: Path) -> None:
    file = write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    with answering(200) as url:
        entry = examined(file, "--url", url, token="t\u00f6ken")["token-accepted"]
    assert "UnicodeEncodeError" in entry["skipped"]


@pytest.mark.parametrize("url", ["https://admin:s3cr3t@server.invalid", "http://server.invalid/?s3cr3t", "s3cr3t"])
def test_server_url_with_secret_is_hidden(tmp_path: Path, url: str, messages: Messages) -> None:
    file = write_configuration(tmp_path, "https://unknown.invalid", f"jwks = {{ keys = [{JWK}] }}")
    done = run_doctor(str(file), "--url", url, "--json", token="t")
    assert done.exit_code == 2
    messages.check(error_of(done))
    assert "s3cr3t" not in done.output


def test_loopback_token_bypasses_proxy(
    tmp_path: Path, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch, messages: Messages
) -> None:
    key = json.dumps(issuer.keys[0].jwk()).replace('": ', '" = ')
    file = write_configuration(tmp_path, issuer.url, f"jwks = {{ keys = [{key}] }}")
    with answering(200) as proxy, closed() as gone:
        monkeypatch.setenv("http_proxy", proxy)
        checks = examined(file, "--url", gone, token=issuer.token(roles=["editor"]))
    assert codes == []
    messages.check(checks["token-accepted"]["skipped"].partition(gone)[0])


def test_token_uses_issuer_header(tmp_path: Path, issuer: LocalIssuer) -> None:
    key = json.dumps(issuer.keys[0].jwk()).replace('": ', '" = ')
    file = write_configuration(tmp_path, issuer.url, f"header = 'x-proxy-token'\njwks = {{ keys = [{key}] }}")
    token = issuer.token(roles=["editor"])
    with answering(200) as url:
        entry = examined(file, "--url", url, token=token)["token-accepted"]
    sent = [headers for headers in codes if token in str(headers)]
    assert sent
    assert {headers["x-proxy-token"] for headers in sent} == {token}
    assert not any("authorization" in headers for headers in codes)
    assert "threads:search" not in text(entry).partition("identity")[0]
