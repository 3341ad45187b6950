"""What browsers and pages of other origins may do: CORS, the Host header, the headers of pages."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from kit.relying_party import APP_ORIGIN, RelyingParty

from oidc_auth.local_provider import Client, LocalProvider, User

if TYPE_CHECKING:
    from collections.abc import Iterator

FOR_SCRIPTS = [
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/keys"),
    ("GET", "/userinfo"),
    ("POST", "/token"),
    ("POST", "/introspect"),
    ("POST", "/revoke"),
]
PAGES = [("GET", "/authorize"), ("POST", "/login"), ("GET", "/end-session"), ("POST", "/end-session/confirm")]
LOOPBACK_ORIGINS = [APP_ORIGIN, "http://localhost:3000", "http://[::1]:8080", "https://localhost"]
FOREIGN_ORIGINS = ["https://evil.test", "null", "http://127.0.0.1.evil.test", "http://localhost:3000.evil.test"]
ALLOW_ORIGIN = "access-control-allow-origin"


def preflight(spa: RelyingParty, origin: str, method: str, path: str) -> httpx.Response:
    """Ask whether a script may send a request with a token."""
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type",
    }
    return spa.http.options(path, headers=headers)


@pytest.mark.parametrize(("method", "path"), FOR_SCRIPTS)
def test_loopback_pages_may_call_endpoints(method: str, path: str, spa: RelyingParty) -> None:
    for origin in LOOPBACK_ORIGINS:
        asked = preflight(spa, origin, method, path)
        assert (asked.status_code, asked.headers[ALLOW_ORIGIN]) == (200, origin)
        called = spa.http.request(method, path, headers={"origin": origin})
        assert called.headers[ALLOW_ORIGIN] == origin
        assert "access-control-allow-credentials" not in called.headers


@pytest.mark.parametrize(("method", "path"), FOR_SCRIPTS)
def test_foreign_pages_may_not_read_endpoints(method: str, path: str, spa: RelyingParty) -> None:
    for origin in FOREIGN_ORIGINS:
        asked = preflight(spa, origin, method, path)
        assert (asked.status_code, ALLOW_ORIGIN in asked.headers) == (400, False)
        called = spa.http.request(method, path, headers={"origin": origin})
        assert ALLOW_ORIGIN not in called.headers


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_scripts_may_not_read_pages(method: str, path: str, spa: RelyingParty) -> None:
    answer = spa.http.request(method, path, headers={"origin": APP_ORIGIN})
    assert ALLOW_ORIGIN not in answer.headers


@pytest.mark.parametrize(
    "host",
    ["evil.test", "0.0.0.0:9400", "127.0.0.1.evil.test", "127.0.0.2", "192.168.1.4:80", "", "localhost.", "[::]"],
)
def test_other_host_is_refused(host: str, spa: RelyingParty) -> None:
    for path in ("/keys", "/authorize", "/nothing"):
        assert spa.http.get(path, headers={"host": host}).status_code in {400, 421}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "[::1]:80", "LOCALHOST"])
def test_loopback_host_is_accepted(host: str, spa: RelyingParty) -> None:
    assert spa.http.get("/keys", headers={"host": host}).status_code == 200


def test_forwarded_headers_change_nothing(spa: RelyingParty) -> None:
    headers = {"x-forwarded-host": "evil.test", "x-forwarded-proto": "https", "forwarded": "host=evil.test"}
    metadata = spa.http.get("/.well-known/openid-configuration", headers=headers).json()
    assert {value.split("/")[2] for value in metadata.values() if str(value).startswith("http")} == {
        spa.provider.url.removeprefix("http://")
    }


def test_provider_listens_on_loopback_only(spa: RelyingParty) -> None:
    port = httpx.URL(spa.provider.url).port
    # All of 127.0.0.0/8 is this computer, so a listener on 0.0.0.0 would answer here.
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.2:{port}/keys")


def test_pages_allow_no_foreign_content(spa: RelyingParty) -> None:
    page = spa.authorize()
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "script-src" not in policy
    assert "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*" in policy
    assert "x-frame-options" not in page.headers
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text


def test_form_may_lead_to_the_application(spa: RelyingParty) -> None:
    page = spa.authorize(redirect_uri="http://localhost:3000/callback")
    assert "form-action 'self' http://localhost:3000;" in page.headers["content-security-policy"]


@pytest.fixture
def hostile() -> Iterator[RelyingParty]:
    """Return a client of a provider with a claim that looks like HTML."""
    user = User("alice", {"note": "<script>alert(1)</script>\"'"})
    clients = [Client("spa"), Client("shop", redirect_uris=("http://localhost/<script>",))]
    provider = LocalProvider([user], clients, algorithm="ES256")
    with provider.served(), RelyingParty(provider) as client:
        yield client


def test_values_on_pages_are_escaped(hostile: RelyingParty) -> None:
    answers = [
        hostile.authorize(state="\"'><script>alert(2)</script>", redirect_uri="http://localhost/?\"'><script>"),
        hostile.authorize(client_id="<script>"),
        hostile.authorize(client_id="shop"),
        hostile.http.get("/end-session", params={"post_logout_redirect_uri": "<script>"}),
    ]
    assert ["<script" in answer.text for answer in answers] == [False] * 4
    assert "?response_type=code&amp;client_id=spa&amp;" in answers[0].text


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke", "/login"])
def test_malformed_forms_are_refused(path: str, spa: RelyingParty) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    answers = [
        spa.http.post(path, json={}),
        spa.http.post(path, content=b"token=" + b"x" * 70_000, headers=form),
        spa.http.post(path, content=b"\xff", headers=form),
        spa.http.post(path, content=b"token=%ff", headers=form),
        spa.http.post(path, content=b"&".join(b"a%d=1" % number for number in range(60)), headers=form),
    ]
    assert [answer.status_code for answer in answers] == [400] * 5


def test_failure_shows_no_details(
    spa: RelyingParty, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the-secret-detail")

    monkeypatch.setattr("oidc_auth.local_provider.state.ProviderState.take_code", fail)
    answer = spa.exchange("x")
    # The server logs the failure after it has answered.
    end = time.monotonic() + 5
    while "RuntimeError" not in caplog.text:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert (answer.status_code, "the-secret-detail" in answer.text + caplog.text) == (500, False)


def test_log_has_no_tokens(spa: RelyingParty, robot: RelyingParty, caplog: pytest.LogCaptureFixture) -> None:
    # Authlib logs token responses at this level.
    caplog.set_level(logging.DEBUG)
    tokens = spa.log_in("alice")
    renewed = spa.refresh(tokens["refresh_token"]).json()
    machine = robot.token_request("client_credentials").json()
    secrets = [robot.secret or "", spa.verifier, *spa.http.cookies.values()]
    for response in (tokens, renewed, machine):
        secrets += [response[name] for name in response if name.endswith("_token")]
    assert "Issue token" in caplog.text
    # httpx logs the addresses of this test's own requests.
    said = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    )
    assert [secret for secret in secrets if secret in said] == []
