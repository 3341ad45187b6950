"""An application that logs users in at the local provider, over real HTTP."""

from __future__ import annotations

import secrets
import ssl
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import jwt

from oidc_auth.local_provider import Client

if TYPE_CHECKING:
    from oidc_auth.local_provider import LocalProvider

NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Shared, because a client with the certificates of the system takes long to create."""
REDIRECT_URI = "http://127.0.0.1:5173/callback"
APP_ORIGIN = "http://127.0.0.1:5173"
ROBOT_SECRET = "robot-secret"
ROBOT = Client("robot", ROBOT_SECRET, (), claims={"roles": ["robot"], "org": "acme"})
WEB_SECRET = "web secret: with % and /"
WEB = Client("web", WEB_SECRET, (REDIRECT_URI,), ("http://127.0.0.1:5173/bye",))


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier (RFC 7636 §4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class RelyingParty:
    """A client of a local provider, with the cookies of one browser.

    Attributes:
        provider: the provider.
        http: the browser, which does not follow redirects.
        verifier: the PKCE verifier of all requests.
    """

    def __init__(self, provider: LocalProvider, client_id: str = "spa", secret: str | None = None) -> None:
        self.provider = provider
        self.client_id = client_id
        self.secret = secret
        self.http = httpx.Client(
            base_url=provider.url, timeout=10, transport=httpx.HTTPTransport(verify=NO_CERTIFICATES)
        )
        self.verifier = secrets.token_urlsafe(32)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.http.close()

    def request(self, **changes: str | list[str] | None) -> dict[str, Any]:
        """Return the parameters of an authorization request. A value of None omits one."""
        standard = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": "openid",
            "state": "the-state",
            "nonce": "the-nonce",
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in {**standard, **changes}.items() if value is not None}

    def authorize(self, **changes: str | list[str] | None) -> httpx.Response:
        """Send an authorization request."""
        return self.http.get("/authorize", params=self.request(**changes))

    def choose(self, user: str, headers: dict[str, str] | None = None, **changes: str | None) -> httpx.Response:
        """Send the form of the login page."""
        return self.http.post("/login", params=self.request(**changes), data={"user": user}, headers=headers)

    def exchange(self, code_: str, /, **changes: str | list[str] | None) -> httpx.Response:
        """Exchange a code for tokens."""
        standard: dict[str, str | list[str] | None] = {
            "code": code_,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": self.verifier,
        }
        return self.token_request("authorization_code", **{**standard, **changes})

    def refresh(self, refresh_token: str, **changes: str | None) -> httpx.Response:
        """Exchange a refresh token."""
        return self.token_request("refresh_token", refresh_token=refresh_token, **changes)

    def token_request(self, grant_type: str, **parameters: str | list[str] | None) -> httpx.Response:
        """Send a request to the token endpoint."""
        return self.post("/token", grant_type=grant_type, **parameters)

    def post(self, path: str, **parameters: str | list[str] | None) -> httpx.Response:
        """Send a form as this client."""
        form = {name: value for name, value in parameters.items() if value is not None}
        if self.secret is None:
            return self.http.post(path, data={"client_id": self.client_id, **form})
        # Both are encoded as in a form (RFC 6749 §2.3.1).
        return self.http.post(path, data=form, auth=(quote(self.client_id), quote(self.secret)))

    def log_in(self, user: str = "alice", **changes: Any) -> dict[str, Any]:
        """Log a user in, and return the token response."""
        answer = self.exchange(code_of(self.choose(user, **changes)))
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    def userinfo(self, token: str) -> httpx.Response:
        """Ask the userinfo endpoint."""
        return self.http.get("/userinfo", headers={"authorization": f"Bearer {token}"})


def redirect_of(answer: httpx.Response) -> dict[str, str]:
    """Return the parameters of a redirect to the application."""
    assert answer.status_code == 303, answer.text
    target = urlsplit(answer.headers["location"])
    return {name: value for name, (value,) in parse_qs(target.query).items()}


def code_of(answer: httpx.Response) -> str:
    """Return the code of a redirect."""
    return redirect_of(answer)["code"]


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a token, without a check."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims
