"""Sessions: silent logins, hints, switching users, logout, and logout tokens for a real server."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import jwt
import pytest
from kit.relying_party import REDIRECT_URI, RelyingParty, claims_of, code_of, redirect_of

from oidc_auth.local_provider import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidc_auth.local_provider import LocalProvider
    from oidc_auth.local_provider.activity import Activity
    from oidc_auth.testing import Clock

BYE = "http://127.0.0.1:5173/bye"


def sid_of(tokens: dict[str, Any]) -> str:
    """Return the session of a token response."""
    sid: str = claims_of(tokens["access_token"])["sid"]
    return sid


def test_second_login_needs_no_page(spa: RelyingParty) -> None:
    first = spa.log_in("alice")
    second = spa.exchange(code_of(spa.authorize())).json()
    assert sid_of(first) == sid_of(second)


def test_prompt_none_without_session_is_login_required(spa: RelyingParty, activities: list[Activity]) -> None:
    redirect = redirect_of(spa.authorize(prompt="none", login_hint="alice"))
    assert (redirect["error"], redirect["state"]) == ("login_required", "the-state")
    redirect_of(spa.authorize(scope='"'))
    # Only the second one is a mistake of the application.
    assert [each.failed for each in activities] == [False, True]


def test_prompt_none_with_session_gives_code(spa: RelyingParty) -> None:
    tokens = spa.log_in("alice")
    renewed = spa.exchange(code_of(spa.authorize(prompt="none", id_token_hint=tokens["id_token"]))).json()
    assert sid_of(renewed) == sid_of(tokens)


def test_prompt_none_of_another_user_is_login_required(spa: RelyingParty) -> None:
    of_alice = spa.log_in("alice")["id_token"]
    spa.log_in("bob")
    for changes in ({"id_token_hint": of_alice}, {"id_token_hint": "x"}, {"login_hint": "alice"}):
        assert redirect_of(spa.authorize(prompt="none", **changes))["error"] == "login_required"


@pytest.mark.parametrize("prompt", ["login", "select_account", "consent", "login consent"])
def test_other_prompts_show_the_page(prompt: str, spa: RelyingParty) -> None:
    spa.log_in("alice")
    assert spa.authorize(prompt=prompt).status_code == 200


def test_login_hint_selects_the_user(spa: RelyingParty) -> None:
    assert claims_of(spa.exchange(code_of(spa.authorize(login_hint="bob"))).json()["access_token"])["sub"] == "bob"
    # The hint also switches the user of a browser with a session.
    assert claims_of(spa.exchange(code_of(spa.authorize(login_hint="ada"))).json()["access_token"])["sub"] == "ada"
    assert spa.authorize(login_hint="mallory").status_code == 200


def test_max_age_requires_recent_login(spa: RelyingParty, clock: Clock) -> None:
    spa.log_in("alice")
    clock.advance(60)
    assert spa.authorize(max_age="60").status_code == 303
    clock.advance(1)
    assert spa.authorize(max_age="60").status_code == 200
    assert redirect_of(spa.authorize(max_age="60", prompt="none"))["error"] == "login_required"


def test_cookie_is_not_the_session_id(spa: RelyingParty) -> None:
    sid = sid_of(spa.log_in("alice"))
    assert spa.http.cookies
    assert sid not in set(spa.http.cookies.values())
    with RelyingParty(spa.provider) as thief:
        for name in spa.http.cookies:
            thief.http.cookies.set(name, sid)
        assert redirect_of(thief.authorize(prompt="none"))["error"] == "login_required"


def test_cookies_are_hidden_from_scripts(spa: RelyingParty) -> None:
    cookies = spa.choose("alice").headers.get_list("set-cookie")
    assert len(cookies) == 2
    assert all("httponly" in cookie.lower() for cookie in cookies)
    assert sorted("samesite=none" in cookie.lower() for cookie in cookies) == [False, True]


def test_each_cookie_alone_is_enough(spa: RelyingParty) -> None:
    cookies = [cookie.partition(";")[0] for cookie in spa.choose("alice").headers.get_list("set-cookie")]
    for cookie in cookies:
        with RelyingParty(spa.provider) as frame:
            answer = frame.http.get("/authorize", params=frame.request(prompt="none"), headers={"cookie": cookie})
            assert "code" in redirect_of(answer)


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://127.0.0.1:5173", ""])
def test_login_form_of_another_page_is_refused(origin: str, spa: RelyingParty) -> None:
    answer = spa.choose("alice", headers={"origin": origin})
    assert (answer.status_code, answer.headers.get_list("set-cookie")) == (400, [])


def test_own_login_form_has_own_origin(spa: RelyingParty) -> None:
    assert spa.choose("alice", headers={"origin": spa.provider.url}).status_code == 303


def test_logout_ends_session_and_its_tokens(spa: RelyingParty, activities: list[Activity]) -> None:
    tokens = spa.log_in("alice")
    query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE, "state": "s"}
    answer = spa.http.get("/end-session", params=query)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{BYE}?state=s")
    assert redirect_of(spa.authorize(prompt="none"))["error"] == "login_required"
    assert spa.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert spa.userinfo(tokens["access_token"]).status_code == 401
    assert [each.text for each in activities if "ended" in each.text] == ["session of alice ended"]


def test_code_of_ended_session_is_refused(spa: RelyingParty, provider: LocalProvider) -> None:
    code = code_of(spa.choose("alice"))
    provider.end_sessions("alice")
    assert spa.exchange(code).json()["error"] == "invalid_grant"


def test_logout_accepts_expired_id_token(spa: RelyingParty, clock: Clock) -> None:
    tokens = spa.log_in("alice")
    clock.advance(100_000)
    answer = spa.http.post("/end-session", data={"id_token_hint": tokens["id_token"]})
    assert (answer.status_code, spa.provider.sessions()) == (200, [])


def test_logout_without_hint_asks_first(spa: RelyingParty) -> None:
    spa.log_in("alice")
    query = {"client_id": "spa", "post_logout_redirect_uri": BYE}
    assert spa.http.get("/end-session", params=query).status_code == 200
    assert len(spa.provider.sessions()) == 1
    foreign = spa.http.post("/end-session/confirm", params=query, headers={"origin": "http://evil.test"})
    assert (foreign.status_code, len(spa.provider.sessions())) == (400, 1)
    confirmed = spa.http.post("/end-session/confirm", params=query)
    assert (confirmed.headers["location"], spa.provider.sessions()) == (BYE, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"post_logout_redirect_uri": "https://evil.test/"},
        {"post_logout_redirect_uri": BYE, "id_token_hint": "x"},
        {"client_id": "web"},
        {"id_token_hint": None, "client_id": None, "post_logout_redirect_uri": BYE},
    ],
)
def test_wrong_logout_request_changes_nothing(changes: dict[str, Any], spa: RelyingParty) -> None:
    hint = spa.log_in("alice")["id_token"]
    query = {"id_token_hint": hint, "client_id": "spa", **changes}
    answer = spa.http.get("/end-session", params={name: value for name, value in query.items() if value is not None})
    assert (answer.status_code, "location" in answer.headers, len(spa.provider.sessions())) == (400, False, 1)


def test_access_token_is_no_logout_hint(spa: RelyingParty) -> None:
    token = spa.log_in("alice")["access_token"]
    assert spa.http.get("/end-session", params={"id_token_hint": token}).status_code == 400


def test_registered_logout_address_is_exact(web: RelyingParty) -> None:
    hint = web.log_in("alice")["id_token"]
    other = web.http.get("/end-session", params={"id_token_hint": hint, "post_logout_redirect_uri": REDIRECT_URI})
    assert other.status_code == 400
    right = web.http.get("/end-session", params={"id_token_hint": hint, "post_logout_redirect_uri": BYE})
    assert right.headers["location"] == BYE


class LogoutReceiver:
    """A client that receives logout tokens.

    Attributes:
        url: the address.
        tokens: the logout tokens so far.
        status: the status of its answers.
    """

    def __init__(self) -> None:
        self.url = ""
        self.tokens: list[str] = []
        self.status = 200


@pytest.fixture
def receiver() -> Iterator[LogoutReceiver]:
    """Return a running receiver."""
    received = LogoutReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            received.tokens += form["logout_token"]
            self.send_response(received.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.url = f"http://127.0.0.1:{server.server_port}/logout"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield received
        server.shutdown()
        thread.join()


def test_clients_of_session_receive_logout_tokens(
    spa: RelyingParty, web: RelyingParty, provider: LocalProvider, receiver: LogoutReceiver
) -> None:
    provider.put_client(Client("spa", backchannel_logout_uri=receiver.url))
    sid = sid_of(spa.log_in("alice"))
    # Neither another user's session nor another client belongs to it.
    web.log_in("bob")
    assert provider.end_sessions("alice") == 1
    (token,) = receiver.tokens
    unchecked: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, provider.keys[0].public_key, ["ES256"], unchecked, audience="spa")
    events: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
    expected = {"iss": provider.url, "sub": "alice", "sid": sid, "events": events}
    assert {name: claims[name] for name in expected} == expected
    assert (jwt.get_unverified_header(token)["typ"], "nonce" in claims, "jti" in claims) == ("logout+jwt", False, True)


def test_failed_logout_is_reported(
    spa: RelyingParty, provider: LocalProvider, receiver: LogoutReceiver, activities: list[Activity]
) -> None:
    receiver.status = 400
    provider.put_client(Client("spa", backchannel_logout_uri=receiver.url))
    spa.log_in("alice")
    provider.end_sessions("alice")
    (failure,) = (each.text for each in activities if each.failed)
    assert ("spa" in failure, "400" in failure, receiver.url in failure) == (True, True, True)
    assert receiver.tokens[0] not in failure


def test_unreachable_receiver_is_reported(
    spa: RelyingParty, provider: LocalProvider, activities: list[Activity]
) -> None:
    provider.put_client(Client("spa", backchannel_logout_uri="http://127.0.0.1:1/"))
    tokens = spa.log_in("alice")
    assert spa.http.get("/end-session", params={"id_token_hint": tokens["id_token"]}).status_code == 200
    assert [each.failed for each in activities] == [False, False, True]


def test_all_sessions_of_a_user_end(spa: RelyingParty, web: RelyingParty, provider: LocalProvider) -> None:
    spa.log_in("alice")
    web.log_in("alice")
    provider.token("alice")
    provider.token("alice")
    assert [session.user.name for session in provider.sessions()] == ["alice"] * 3
    assert (provider.end_sessions("alice"), provider.end_sessions("alice"), provider.sessions()) == (3, 0, [])
    assert sid_of({"access_token": provider.token("alice")}) == provider.sessions()[0].sid
