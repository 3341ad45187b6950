"""Authorization code with PKCE, from the request of the application to its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt
import pytest
from kit.clock import NOON
from kit.relying_party import REDIRECT_URI, RelyingParty, challenge_of, claims_of, code_of, redirect_of

if TYPE_CHECKING:
    from oidc_auth.local_provider import LocalProvider
    from oidc_auth.testing import Clock


def test_login_gives_all_three_tokens(spa: RelyingParty, provider: LocalProvider) -> None:
    shown = spa.authorize()
    assert (shown.status_code, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert all(f'value="{name}"' in shown.text for name in ("alice", "bob", "ada", "victor"))
    redirect = redirect_of(spa.choose("alice"))
    assert (redirect["state"], redirect["iss"]) == ("the-state", provider.url)
    tokens = spa.exchange(redirect["code"]).json()
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 3600, "openid")


def test_access_token_has_documented_claims(spa: RelyingParty, provider: LocalProvider) -> None:
    token = spa.log_in("ada", scope="openid threads:read")["access_token"]
    claims = claims_of(token)
    assert {name: claims.pop(name) for name in ("jti", "sid")}.keys() == {"jti", "sid"}
    assert claims == {
        "iss": provider.url,
        "sub": "ada",
        "aud": "agents",
        "iat": NOON,
        "exp": NOON + 3600,
        "auth_time": NOON,
        "client_id": "spa",
        "scope": "openid threads:read",
        "roles": ["admin"],
        "org": "acme",
    }
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": provider.keys[0].kid, "typ": "at+jwt"}


def test_id_token_is_for_the_client(spa: RelyingParty, provider: LocalProvider) -> None:
    tokens = spa.log_in("alice")
    claims, access = claims_of(tokens["id_token"]), claims_of(tokens["access_token"])
    expected = {"iss": provider.url, "sub": "alice", "aud": "spa", "nonce": "the-nonce", "sid": access["sid"]}
    assert {name: claims[name] for name in expected} == expected
    algorithm = jwt.get_algorithm_by_name("ES256")
    assert algorithm.compute_hash_digest(tokens["access_token"].encode())[:16].hex() == _hex(claims["at_hash"])


def _hex(value: str) -> str:
    return jwt.utils.base64url_decode(value).hex()


def test_login_without_openid_has_no_id_token(spa: RelyingParty) -> None:
    assert "id_token" not in spa.log_in("alice", scope="threads:read")


def test_client_with_secret_logs_users_in(web: RelyingParty) -> None:
    assert claims_of(web.log_in("bob")["access_token"])["client_id"] == "web"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:5173/other"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"client_id": "robot"}, "invalid_client"),
        ({"client_id": "web"}, "invalid_client"),
        ({"client_id": "stranger"}, "invalid_client"),
        ({"code": "unknown"}, "invalid_grant"),
    ],
)
def test_wrong_token_request_is_refused(changes: dict[str, Any], error: str, spa: RelyingParty) -> None:
    code = code_of(spa.choose("alice"))
    answer = spa.exchange(code, **changes)
    assert (answer.status_code in {400, 401}, answer.json()["error"]) == (True, error)


def test_wrong_verifier_uses_code_up(spa: RelyingParty) -> None:
    code = code_of(spa.choose("alice"))
    assert spa.exchange(code, code_verifier="x" * 43).json()["error"] == "invalid_grant"
    assert spa.exchange(code).json()["error"] == "invalid_grant"


def test_second_use_of_code_revokes_tokens(spa: RelyingParty) -> None:
    code = code_of(spa.choose("alice"))
    tokens = spa.exchange(code).json()
    assert spa.userinfo(tokens["access_token"]).status_code == 200
    assert spa.exchange(code).json()["error"] == "invalid_grant"
    assert spa.userinfo(tokens["access_token"]).status_code == 401
    assert spa.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_code_expires_after_a_minute(spa: RelyingParty, clock: Clock) -> None:
    first, second = code_of(spa.choose("alice")), code_of(spa.choose("alice"))
    clock.advance(59)
    assert spa.exchange(first).status_code == 200
    clock.advance(1)
    assert spa.exchange(second).json()["error"] == "invalid_grant"


def test_code_of_another_client_is_refused(spa: RelyingParty, web: RelyingParty) -> None:
    code = code_of(spa.choose("alice"))
    answer = web.exchange(code, code_verifier=spa.verifier)
    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_type": 'é"'}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "http://127.0.0.1/request"}, "request_uri_not_supported"),
        ({"scope": 'openid "quoted"'}, "invalid_scope"),
        ({"resource": "no-uri"}, "invalid_target"),
        ({"prompt": "none login"}, "invalid_request"),
    ],
)
def test_wrong_request_returns_to_application(changes: dict[str, Any], error: str, spa: RelyingParty) -> None:
    answers = [spa.authorize(**changes), spa.choose("alice", **changes)]
    # The page was shown before, so its form has an answer for every prompt.
    for answer in answers[: 1 if "prompt" in changes else 2]:
        redirect = redirect_of(answer)
        assert answer.headers["location"].startswith(f"{REDIRECT_URI}?")
        assert (redirect["error"], redirect["state"], "code" in redirect) == (error, "the-state", False)


def test_plain_challenge_gives_no_code(spa: RelyingParty) -> None:
    redirect = redirect_of(spa.choose("alice", code_challenge=spa.verifier, code_challenge_method="plain"))
    assert (redirect["error"], "code" in redirect) == ("invalid_request", False)


FOREIGN = [
    "https://evil.test/callback",
    "http://127.0.0.1.evil.test/",
    "http://127.0.0.1@evil.test/",
    "http://127.0.0.1:80@evil.test/",
    "http://evil.test\\@127.0.0.1/",
    "http://127.0.0.1\\.evil.test/",
    "http://127.0.0.1:5173#fragment",
    "http://127.0.0.1 .evil.test/",
    "http://127.0.0.1\t/",
    "//127.0.0.1/callback",
    "javascript:alert(1)//127.0.0.1",
    "http://localhost.evil.test/",
    "http://[::1].evil.test/",
    "http://[::ffff:127.0.0.1]/",
    "http://127.0.0.1:99999999/",
    "http://192.168.0.1/",
    "http://0.0.0.0/",
    "http://127.0.0.2/",
    "http://ünicode.test/",
    "",
]


@pytest.mark.parametrize("uri", FOREIGN)
def test_foreign_redirect_uri_is_refused(uri: str, spa: RelyingParty) -> None:
    for answer in (spa.authorize(redirect_uri=uri), spa.choose("alice", redirect_uri=uri)):
        assert (answer.status_code, "location" in answer.headers) == (400, False)


@pytest.mark.parametrize(
    "uri", ["http://localhost:3000/", "http://[::1]:8080/a?b=c", "https://localhost", REDIRECT_URI]
)
def test_public_client_may_use_any_loopback_address(uri: str, spa: RelyingParty) -> None:
    answer = spa.choose("alice", redirect_uri=uri)
    assert answer.headers["location"].startswith(uri)
    assert spa.exchange(code_of(answer), redirect_uri=uri).status_code == 200


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        (REDIRECT_URI, 303),
        # The port is free (RFC 8252 §7.3).
        ("http://127.0.0.1:9999/callback", 303),
        ("http://127.0.0.1/callback", 303),
        ("http://localhost:5173/callback", 400),
        ("https://127.0.0.1:5173/callback", 400),
        ("http://127.0.0.1:5173/callback/", 400),
        ("http://127.0.0.1:5173/callback?next=x", 400),
        ("http://127.0.0.1:5173/call:1back", 400),
        (None, 400),
    ],
)
def test_registered_redirect_uri_is_exact(uri: str | None, status: int, web: RelyingParty) -> None:
    assert web.choose("alice", redirect_uri=uri).status_code == status


def test_unknown_client_gets_a_page(spa: RelyingParty) -> None:
    answer = spa.authorize(client_id="stranger")
    assert (answer.status_code, "location" in answer.headers) == (400, False)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "scope", "code_challenge", "prompt"])
def test_repeated_parameter_is_refused(name: str, spa: RelyingParty) -> None:
    value = spa.request(prompt="login")[name]
    assert spa.authorize(**{name: [value, value]}).status_code == 400


def test_authorization_request_may_be_a_post(spa: RelyingParty) -> None:
    answer = spa.http.post("/authorize", data=spa.request())
    assert (answer.status_code, challenge_of(spa.verifier) in answer.text) == (200, True)


def test_cancel_returns_access_denied(spa: RelyingParty) -> None:
    answer = spa.http.post("/login", params=spa.request(), data={"cancel": "1"})
    assert redirect_of(answer)["error"] == "access_denied"


def test_unknown_user_cannot_log_in(spa: RelyingParty) -> None:
    assert redirect_of(spa.choose("mallory"))["error"] == "access_denied"
