"""The routes for logout tokens and security event tokens."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest
from kit.notices import NoticeHarness
from kit.uvicorn_server import environment, running_uvicorn
from kit.web import bearer, web_client, web_document
from starlette.applications import Starlette

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode
from oidc_auth.observability import NoticeDecided
from oidc_auth.revocation.notices import LOGOUT_HINTS
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.web import install
from oidc_auth.web.notices import EVENT_TOKEN, FORM, MAX_BODY, MAX_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.redis_server import RedisServer
    from starlette.testclient import TestClient

LOGOUT, EVENTS = "/auth/backchannel-logout", "/auth/security-events"


@pytest.fixture
def harness() -> NoticeHarness:
    return NoticeHarness()


@pytest.fixture
def client(harness: NoticeHarness) -> TestClient:
    return web_client(harness.oidc)


def whoami(client: TestClient, token: str) -> int:
    return client.get("/auth/whoami", headers=bearer(token)).status_code


def send_event(client: TestClient, token: str, content_type: str = EVENT_TOKEN) -> Any:
    return client.post(EVENTS, content=token, headers={"content-type": content_type})


def post_form(client: TestClient, body: str | bytes, content_type: str = FORM) -> Any:
    return client.post(LOGOUT, content=body, headers={"content-type": content_type})


def test_logout_ends_session(harness: NoticeHarness, client: TestClient) -> None:
    token = harness.issuer.token("alice", sid="s")
    assert whoami(client, token) == 200
    answer = client.post(LOGOUT, data={"logout_token": harness.issuer.logout_token("alice", session="s")})
    assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (200, b"", "no-store")
    refused = client.get("/auth/whoami", headers=bearer(token))
    assert (refused.status_code, refused.json()["detail"].partition(":")[0]) == (401, "token_revoked")


def test_event_ends_user(harness: NoticeHarness, client: TestClient) -> None:
    token = harness.issuer.token("alice")
    answer = send_event(client, harness.issuer.security_event("account-disabled", "alice"))
    assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (202, b"", "no-store")
    assert whoami(client, token) == 401
    assert send_event(client, harness.issuer.security_event("account-disabled", "alice")).status_code == 202


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"nonce": "n"}, "notice_invalid"),
        ({"client": "else"}, "audience_mismatch"),
        ({"exp": None}, "token_expired"),
        ({"iss": "https://else.test"}, "issuer_not_trusted"),
        # The log has signature_invalid.
        ({"key": "other"}, "token_invalid"),
    ],
)
def test_refused_logout_is_400(harness: NoticeHarness, client: TestClient, claims: dict[str, Any], code: str) -> None:
    if "key" in claims:
        claims = {"key": harness.other.keys[0]}
    answer = client.post(LOGOUT, data={"logout_token": harness.issuer.logout_token(**claims)})
    assert (answer.status_code, answer.headers["cache-control"]) == (400, "no-store")
    body = answer.json()
    assert (body["error"], body["error_description"].partition(":")[0]) == ("invalid_request", code)


def test_replayed_logout_is_400(harness: NoticeHarness, client: TestClient) -> None:
    form = {"logout_token": harness.issuer.logout_token("alice")}
    statuses = [client.post(LOGOUT, data=form).status_code for _ in range(2)]
    assert statuses == [200, 400]


@pytest.mark.parametrize(
    ("claims", "error", "code"),
    [
        ({"exp": 1}, "invalid_request", "notice_invalid"),
        ({"audience": "else"}, "invalid_audience", "audience_mismatch"),
        ({"iss": "https://else.test"}, "invalid_issuer", "issuer_not_trusted"),
        ({"header": {"kid": "else"}}, "invalid_key", "key_not_found"),
        ({"header": {"alg": "none"}}, "invalid_request", "alg_not_allowed"),
        ({"key": "other"}, "invalid_key", "token_invalid"),
    ],
)
def test_refused_event_is_400_with_err(
    harness: NoticeHarness, client: TestClient, claims: dict[str, Any], error: str, code: str
) -> None:
    if "key" in claims:
        claims = {"key": harness.other.keys[0]}
    answer = send_event(client, harness.issuer.security_event(**claims))
    headers = [answer.headers[name] for name in ("content-type", "content-language", "cache-control")]
    assert (answer.status_code, headers) == (400, ["application/json", "en", "no-store"])
    assert (answer.json()["err"], answer.json()["description"].partition(":")[0]) == (error, code)


def malformed(answer: Any) -> bool:
    text = json.dumps(answer.json())
    return (answer.status_code, answer.headers["cache-control"], "notice_malformed" in text) == (400, "no-store", True)


@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=utf-8", f"{FORM.upper()};charset=UTF-8"])
def test_form_may_have_charset_and_other_fields(harness: NoticeHarness, client: TestClient, content_type: str) -> None:
    body = urlencode({"state": "é&=%", "logout_token": harness.issuer.logout_token(), "x": ""})
    assert post_form(client, body, content_type).status_code == 200


def test_percent_encoded_token_is_decoded(harness: NoticeHarness, client: TestClient) -> None:
    encoded = "".join(f"%{ord(character):02x}" for character in harness.issuer.logout_token())
    assert post_form(client, f"logout%5ftoken={encoded}").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        "",
        "&&&",
        "Logout_Token={token}",
        "token={token}",
        "{token}",
        "logout_token={token}&logout_token={token}",
        "logout_token=&logout_token={token}",
        "logout_token={token}&logout%5Ftoken=",
        "&".join(f"f{number}=1" for number in range(MAX_FIELDS)) + "&logout_token={token}",
        "logout_token={token}&x=é",
        '{{"logout_token": "{token}"}}',
    ],
)
def test_form_without_one_token_is_malformed(harness: NoticeHarness, client: TestClient, body: str) -> None:
    token = harness.issuer.logout_token("alice")
    assert malformed(post_form(client, body.format(token=token).encode()))
    assert harness.entries() == set()


def test_empty_token_is_refused(client: TestClient) -> None:
    assert [post_form(client, body).status_code for body in ("logout_token=", "logout_token")] == [400, 400]
    assert send_event(client, "").status_code == 400


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json", "multipart/form-data", f"x{FORM}"])
def test_other_content_type_is_malformed(harness: NoticeHarness, client: TestClient, content_type: str) -> None:
    body = urlencode({"logout_token": harness.issuer.logout_token()})
    assert malformed(post_form(client, body, content_type))
    assert malformed(send_event(client, harness.issuer.security_event(), content_type))
    assert malformed(send_event(client, harness.issuer.security_event(), FORM))
    assert harness.entries() == set()


def test_missing_content_type_is_malformed(harness: NoticeHarness, client: TestClient) -> None:
    assert malformed(client.post(LOGOUT, content=f"logout_token={harness.issuer.logout_token()}"))
    assert malformed(client.post(EVENTS, content=harness.issuer.security_event()))


def test_token_in_query_is_ignored(harness: NoticeHarness, client: TestClient) -> None:
    query = {"logout_token": harness.issuer.logout_token()}
    assert malformed(client.post(LOGOUT, params=query, headers={"content-type": FORM}))


def test_event_may_end_with_line_break(harness: NoticeHarness, client: TestClient) -> None:
    assert send_event(client, f"{harness.issuer.security_event()}\r\n").status_code == 202


@pytest.mark.parametrize("size", [MAX_BODY, MAX_BODY + 1])
def test_body_over_limit_is_malformed(harness: NoticeHarness, client: TestClient, size: int) -> None:
    body = urlencode({"logout_token": harness.issuer.logout_token()})
    padded = f"{body}&x={'y' * (size - len(body) - 3)}"
    assert post_form(client, padded).status_code == (200 if size == MAX_BODY else 400)


def endless_request(oidc: OIDCAuth, messages: Iterator[dict[str, Any]]) -> tuple[int, int]:
    """Send a request whose body comes in parts, and return the status and the number of parts that were read."""
    app, read, answers = Starlette(), 0, []
    install(app, oidc)

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": LOGOUT,
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", FORM.encode())],
    }
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return answers[0]["status"], read


def test_endless_body_is_not_read_to_end(harness: NoticeHarness) -> None:
    part = {"type": "http.request", "body": b"x" * 4_096, "more_body": True}
    assert endless_request(harness.oidc, iter([part] * 100)) == (400, 5)


def test_closed_connection_is_no_server_error(harness: NoticeHarness) -> None:
    part = {"type": "http.request", "body": b"logout_token=", "more_body": True}
    assert endless_request(harness.oidc, iter([part, {"type": "http.disconnect"}]))[0] == 400


def test_missing_keys_are_503(harness: NoticeHarness, client: TestClient) -> None:
    harness.issuer.fault = Fault.DOWN
    for answer in (
        client.post(LOGOUT, data={"logout_token": harness.issuer.logout_token()}),
        send_event(client, harness.issuer.security_event()),
    ):
        headers = answer.headers["retry-after"].isdigit(), answer.headers["cache-control"]
        assert (answer.status_code, headers) == (503, (True, "no-store"))
        assert answer.json()["detail"].partition(":")[0] == "keys_unavailable"


def test_missing_store_is_503(redis_server: RedisServer) -> None:
    harness = NoticeHarness(redis_server.address)
    client = web_client(harness.oidc)
    redis_server.kill()
    for answer in (
        client.post(LOGOUT, data={"logout_token": harness.issuer.logout_token()}),
        send_event(client, harness.issuer.security_event()),
    ):
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        assert "Redis" not in answer.text


def test_refusal_is_logged_once_without_token(
    harness: NoticeHarness, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "oidc_auth")
    token = harness.issuer.logout_token("secret-person", client="agents-mobile")
    client.post(LOGOUT, data={"logout_token": token})
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.__dict__["oidc_code"] == "audience_mismatch"
    assert record.__dict__["oidc_event"] == "backchannel-logout"
    said = record.getMessage()
    assert LOGOUT_HINTS[ErrorCode.AUDIENCE_MISMATCH] in said
    assert not any(part in said for part in ("secret-person", *token.split(".")))


def test_malformed_request_logs_no_body(
    harness: NoticeHarness, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "oidc_auth")
    post_form(client, "password=hunter2")
    post_form(client, "password=hunter2", "text/hunter3\x7f")
    assert "hunter2" not in caplog.text
    assert [record.__dict__["oidc_code"] for record in caplog.records] == ["notice_malformed"] * 2


def test_routes_exist_only_with_revocation(issuer: LocalIssuer) -> None:
    client = web_client(OIDCAuth.from_dict(web_document(issuer), fetcher=issuer))
    assert [client.post(path).status_code for path in (LOGOUT, EVENTS)] == [404, 404]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", [LOGOUT, EVENTS])
def test_other_methods_are_not_accepted(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path).status_code == 405


VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("", {}),
    "protected and mounted": ("/lg", {"enable_custom_route_auth": True}),
    "auth first": ("", {"enable_custom_route_auth": True, "middleware_order": "auth_first"}),
}


@pytest.fixture(scope="module", params=list(VARIANTS))
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Run a real server, and return its client and provider."""
    prefix, http = VARIANTS[request.param]
    folder, issuer = tmp_path_factory.mktemp("server"), LocalIssuer(algorithm="ES256")
    environ = environment(folder, issuer, app="oidc_auth.web:app", **http)
    document = web_document(issuer, jwks=issuer.key_set(), logout_clients=["agents-web"])
    (folder / "oidc-auth.json").write_text(json.dumps({**document, "revocation": {"store": "memory"}}), "utf-8")
    if prefix:
        environ["MOUNT_PREFIX"] = prefix
    with (
        running_uvicorn(folder, environ, "asyncio") as (host, port),
        httpx.Client(base_url=f"http://{host}:{port}{prefix}", timeout=20) as client,
    ):
        yield client, issuer


def test_real_server_needs_no_token_for_notices(real: tuple[httpx.Client, LocalIssuer]) -> None:
    client, issuer = real
    tokens = [bearer(issuer.token(name, scope="threads:read", sid=f"s-{name}")) for name in ("ann", "ben", "cid")]

    def statuses() -> list[int]:
        return [client.post("/threads/search", json={}, headers=token).status_code for token in tokens]

    assert statuses() == [200, 200, 200]
    ended = client.post(LOGOUT, data={"logout_token": issuer.logout_token("ann", session="s-ann")})
    assert (ended.status_code, ended.headers["cache-control"]) == (200, "no-store")
    assert statuses() == [401, 200, 200]
    content = issuer.security_event("account-disabled", "ben")
    assert client.post(EVENTS, content=content, headers={"content-type": EVENT_TOKEN}).status_code == 202
    assert statuses() == [401, 401, 200]
    assert client.post(LOGOUT, data={"logout_token": "x"}).status_code == 400


def test_real_server_opens_no_other_route(real: tuple[httpx.Client, LocalIssuer]) -> None:
    client, issuer = real
    for path in (LOGOUT, EVENTS):
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            assert client.request(method, path).status_code == 401
        assert client.post(f"/threads{path}").status_code in (401, 404)
        assert client.post(f"{path}/").status_code in (401, 404)
    # A revoked token does not stop the provider's notice, which has its own credential.
    headers = bearer(issuer.token("ann", scope="threads:read", sid="s-ann"))
    form = {"logout_token": issuer.logout_token("dan")}
    assert client.post(LOGOUT, data=form, headers=headers).status_code == 200


def test_notices_are_reported(harness: NoticeHarness, client: TestClient) -> None:
    logout = harness.issuer.logout_token("alice", session="s")
    for _ in range(2):
        client.post(LOGOUT, data={"logout_token": logout})
    send_event(client, harness.issuer.security_event("account-disabled", "alice"))
    client.post(LOGOUT, data={"logout_token": harness.issuer.logout_token("alice", iss="https://else.test")})
    send_event(client, "", "text/plain")
    decided = [event for event in harness.events if isinstance(event, NoticeDecided)]
    logout_name, events_name, issuer = "backchannel-logout", "security-events", harness.issuer.url
    assert decided == [
        NoticeDecided(outcome="accepted", event=logout_name, issuer=issuer),
        NoticeDecided(outcome="refused", code="notice_replayed", event=logout_name, issuer=issuer),
        NoticeDecided(outcome="accepted", event=events_name, issuer=issuer),
        # The issuer of this one is not configured, so anyone can have written it.
        NoticeDecided(outcome="refused", code="issuer_not_trusted", event=logout_name),
        NoticeDecided(outcome="refused", code="notice_malformed", event=events_name),
    ]


def test_notice_without_keys_is_reported(harness: NoticeHarness, client: TestClient) -> None:
    harness.issuer.fault = Fault.DOWN
    assert client.post(LOGOUT, data={"logout_token": harness.issuer.logout_token("alice")}).status_code == 503
    assert [event.code for event in harness.events if isinstance(event, NoticeDecided)] == ["keys_unavailable"]
