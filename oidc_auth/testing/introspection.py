"""The introspection endpoint of ``LocalIssuer`` (RFC 7662), which can also lie, stall and be down."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote_plus

import jwt

from ..keys.fetch import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .issuer import Fault
    from .signing import SigningKey

PATH = "/introspect"
CLIENT = ("agents-api", "introspection-secret")
"""The client that may introspect, and its secret."""
ALL_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")


class IntrospectionEndpoint:
    """The introspection endpoint of a local issuer.

    It knows the opaque tokens of its issuer, and each JWT that the issuer signed.

    Attributes:
        clients: the clients that may introspect: client id to secret or key.
        methods: the authentication methods in the metadata. None: the metadata name none.
        fault: a fault of this endpoint alone, or None.
        answer: what is answered in place of the truth: members, or the bytes of the body. None: the truth.
        status: the status of every answer.
        content_type: the content type of every answer.
        requests: the form of each request, in order. Its tokens are those of a test.
    """

    def __init__(
        self, issuer_url: Callable[[], str], clock: Callable[[], float], keys: Callable[[], Sequence[SigningKey]]
    ) -> None:
        self.clients: dict[str, str | SigningKey] = {CLIENT[0]: CLIENT[1]}
        self.methods: Sequence[str] | None = ALL_METHODS
        self.fault: Fault | None = None
        self.answer: Mapping[str, Any] | bytes | None = None
        self.status = 200
        self.content_type = "application/json"
        self.requests: list[dict[str, str]] = []
        self._issuer_url = issuer_url
        self._clock = clock
        self._keys = keys
        self._opaque: dict[str, dict[str, Any]] = {}
        self._revoked: set[str] = set()
        self._used_assertions: set[str] = set()

    def add(self, token: str, claims: Mapping[str, Any]) -> None:
        """Issue an opaque token."""
        self._opaque[token] = dict(claims)

    def revoke(self, token: str) -> None:
        """Make a token inactive, opaque or JWT."""
        self._revoked.add(token)

    def metadata(self) -> dict[str, Any]:
        """Return the members for the issuer's metadata."""
        found: dict[str, Any] = {"introspection_endpoint": self._issuer_url().rstrip("/") + PATH}
        if self.methods is not None:
            found["introspection_endpoint_auth_methods_supported"] = [*self.methods]
        return found

    def respond(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Return the response to a request."""
        form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        self.requests.append(form)
        if self.status != 200:  # noqa: PLR2004 - OK
            return Response(self.status, {"content-type": self.content_type}, b'{"error": "server_error"}')
        if not self._accepts_client({name.lower(): text for name, text in headers.items()}, form):
            return Response(401, {"content-type": "application/json"}, b'{"error": "invalid_client"}')
        answer = self.answer if self.answer is not None else self._truth(form.get("token", ""))
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return Response(200, {"content-type": self.content_type}, content)

    def _truth(self, token: str) -> dict[str, Any]:
        claims = self._opaque.get(token) or self._verified(token)
        if not claims or token in self._revoked or claims.get("exp", float("inf")) <= self._clock():
            return {"active": False}
        return {"active": True, "token_type": "Bearer", **claims}

    def _verified(self, token: str) -> dict[str, Any]:
        for key in self._keys():
            try:
                return jwt.decode(token, key.public_key, [key.algorithm], options=_NO_CLAIM_CHECKS)
            except jwt.PyJWTError:
                continue
        return {}

    def _accepts_client(self, headers: Mapping[str, str], form: Mapping[str, str]) -> bool:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme == "Basic" and self._supports("client_secret_basic"):
            name, _, secret = base64.b64decode(credentials).decode().partition(":")
            return self.clients.get(unquote_plus(name)) == unquote_plus(secret)
        if "client_secret" in form and self._supports("client_secret_post"):
            return self.clients.get(form.get("client_id", "")) == form["client_secret"]
        return self._supports("private_key_jwt") and self._accepts_assertion(form.get("client_assertion", ""))

    def _supports(self, method: str) -> bool:
        return self.methods is None or method in self.methods

    def _accepts_assertion(self, assertion: str) -> bool:
        for name, key in self.clients.items():
            if isinstance(key, str):
                continue
            try:
                claims = jwt.decode(
                    assertion, key.public_key, [key.algorithm], audience=self._issuer_url(), options=_NO_TIME_CHECKS
                )
            except jwt.PyJWTError:
                continue
            is_new = claims["jti"] not in self._used_assertions and self._clock() < claims["exp"]
            self._used_assertions.add(claims["jti"])
            return is_new and claims["iss"] == claims["sub"] == name
        return False


# The clock of the local issuer decides, and not that of the JWT library.
_NO_TIME_CHECKS: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
_NO_CLAIM_CHECKS: Any = {**_NO_TIME_CHECKS, "verify_aud": False, "verify_sub": False, "verify_jti": False}
