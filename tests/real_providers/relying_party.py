"""Parts for every provider: the names of the API and its clients, PKCE, and an HTTP client without a proxy."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field

import httpx

AUDIENCE = "https://agents.example/api"
OTHER_AUDIENCE = "https://other.example/api"
ENCRYPTED_AUDIENCE = "https://encrypted.example/api"
OPAQUE_AUDIENCE = "https://opaque.example/api"
MACHINE_CLIENT = ("m2m", "secret")
WEB_CLIENT = "web"
REDIRECT_URI = "http://127.0.0.1/cb"
HTTP_SECONDS = 10.0


def http_client(base_url: str = "") -> httpx.Client:
    """Return a client without a proxy. A proxy of the environment would connect to its own loopback address."""
    return httpx.Client(base_url=base_url, timeout=HTTP_SECONDS, trust_env=False)


@dataclass(frozen=True)
class Login:
    """An authorization code flow, with the state of the client between its two requests (RFC 7636, RFC 8707).

    A client without a resource requests no API. With this mistake, it gets an opaque token.
    """

    scope: str
    resource: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def query(self) -> dict[str, str]:
        """Return the parameters of the authorization request."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "client_id": WEB_CLIENT,
            "response_type": "code",
            "redirect_uri": REDIRECT_URI,
            "scope": f"openid {self.scope}".strip(),
            **self._asked(),
            "state": self.state,
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }

    def code(self, callback: httpx.URL) -> str:
        """Return the code of the redirect, or "" if it is missing or belongs to another login."""
        return callback.params.get("code", "") if callback.params.get("state") == self.state else ""

    def form(self, code: str) -> dict[str, str]:
        """Return the body of the token request."""
        return {
            "grant_type": "authorization_code",
            "client_id": WEB_CLIENT,
            "code": code,
            "code_verifier": self.verifier,
            "redirect_uri": REDIRECT_URI,
            **self._asked(),
        }

    def _asked(self) -> dict[str, str]:
        return {"resource": self.resource} if self.resource else {}
