"""The OAuth server: Authlib's grants and endpoints, with the records of this provider.

Authlib checks requests and chooses errors. This module says what is stored, and makes its defaults stricter.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, cast

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, InvalidRequestError, InvalidScopeError, grants
from authlib.oauth2.rfc6749.requests import OAuth2Payload
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from starlette.responses import JSONResponse, RedirectResponse, Response

from .addresses import matches_registered
from .audiences import grant_audience, narrow_audience
from .state import Grant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from authlib.oauth2 import OAuth2Error
    from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant

    from .accounts import Client
    from .issuing import TokenIssuer
    from .state import AuthorizationCode, IssuedToken, Session

SECRET_METHODS = ("client_secret_basic", "client_secret_post")
ALL_METHODS = (*SECRET_METHODS, "none")
NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+", re.ASCII)


class OAuthClient(ClientMixin):
    """A client, with the methods that Authlib calls."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.client_id = client.id

    def get_client_id(self) -> str:
        """Return the client ID."""
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        """Return no default. A request must name its redirect URI, as in OAuth 2.1."""
        return ""

    def get_allowed_scope(self, scope: str | None) -> str | None:  # type: ignore[override] # None refuses the scope
        """Return the requested scopes, each once, or None if one is malformed (RFC 6749 §3.3)."""
        names = list(dict.fromkeys((scope or "").split(" "))) if scope else []
        return " ".join(names) if all(map(_SCOPE.fullmatch, names)) else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Tell whether a redirect URI is allowed."""
        return matches_registered(redirect_uri, self.client.redirect_uris)

    def check_client_secret(self, client_secret: str) -> bool:
        """Tell whether the secret is right."""
        expected = self.client.secret
        return expected is not None and secrets.compare_digest(expected.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Tell whether a client may authenticate in this way. A client with a secret must send it."""
        del endpoint
        return method in SECRET_METHODS if self.client.secret is not None else method == "none"

    def check_response_type(self, response_type: str) -> bool:
        """Tell whether the response type is ``code``. No other one keeps tokens out of addresses."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Tell whether a grant type is allowed."""
        # The client authentication keeps public clients from client_credentials.
        return grant_type in {"authorization_code", "refresh_token", "client_credentials"}


class _Payload(OAuth2Payload):
    def __init__(self, parameters: Sequence[tuple[str, str]]) -> None:
        self._lists: dict[str, list[str]] = {}
        for name, value in parameters:
            self._lists.setdefault(name, []).append(value)

    @property
    def data(self) -> dict[str, str]:
        """The first value of each parameter."""
        return {name: values[0] for name, values in self._lists.items()}

    @property
    def datalist(self) -> dict[str, list[str]]:
        """All values of each parameter."""
        return self._lists


class OAuthRequest(OAuth2Request):
    """A request whose parameters were read already."""

    # This class always sets it.
    payload: _Payload

    def __init__(
        self, method: str, url: str, headers: Mapping[str, str], parameters: Sequence[tuple[str, str]]
    ) -> None:
        super().__init__(method, url, headers=headers)  # pyright: ignore[reportUnknownMemberType]
        self.payload = _Payload(parameters)  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def form(self) -> dict[str, str]:
        """The parameters."""
        return self.payload.data

    def parameter(self, name: str) -> str | None:
        """Return a parameter, or None."""
        return self.payload.data.get(name)

    def resources(self) -> list[str]:
        """Return the requested audiences (RFC 8707 §2)."""
        return self.payload.datalist.get("resource", [])


class OAuthServer(AuthorizationServer):
    """Authlib's server with the grants and endpoints of this provider."""

    def __init__(self, issuer: TokenIssuer) -> None:
        super().__init__()
        self.issuer = issuer
        self.register_grant(CodeGrant, [RequireS256()])
        self.register_grant(RefreshGrant)
        self.register_grant(ClientGrant)
        self.register_endpoint(Introspection)
        self.register_endpoint(Revocation)

    def query_client(self, client_id: str) -> OAuthClient | None:  # type: ignore[override] # None: there is none
        """Return a client, or None."""
        client = self.issuer.state.clients.get(client_id)
        return None if client is None else OAuthClient(client)

    def save_token(self, token: dict[str, str | int], request: OAuth2Request) -> None:
        """Do nothing. The token issuer has stored the token."""

    # The methods below are typed. The ones of Authlib return what ``handle_response`` returns, so all are responses.

    def check_authorization(self, request: OAuthRequest) -> AuthorizationCodeGrant:
        """Check an authorization request.

        Raises:
            OAuth2Error: It is not valid.
        """
        return cast("AuthorizationCodeGrant", self.get_consent_grant(request))  # type: ignore[no-untyped-call]

    def answer_authorization(self, request: OAuthRequest, session: Session) -> Response:
        """Return the redirect with a code for a session."""
        grant = self.check_authorization(request)
        answer = self.create_authorization_response(request, session, grant=grant)  # pyright: ignore[reportUnknownMemberType]
        return cast("Response", answer)

    def answer_error(self, request: OAuthRequest, error: OAuth2Error) -> Response:
        """Return the response of an error."""
        return cast("Response", self.handle_error_response(request, error))

    def answer_token_request(self, request: OAuthRequest) -> Response:
        """Return the response of the token endpoint."""
        return cast("Response", self.create_token_response(request))  # pyright: ignore[reportUnknownMemberType]

    def answer_endpoint(self, name: str, request: OAuthRequest) -> Response:
        """Return the response of introspection or revocation."""
        return cast("Response", self.create_endpoint_response(name, request))  # type: ignore[no-untyped-call]

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Do nothing. Nothing listens."""

    def create_oauth2_request(self, request: OAuthRequest) -> OAuthRequest:
        """Return the request, which was read already."""
        return request

    def handle_response(  # type: ignore[override] # Authlib passes a list of headers
        self, status: int, body: object, headers: Sequence[tuple[str, str]]
    ) -> Response:
        """Return the response of the web framework."""
        named = dict(headers)
        location = named.get("Location")
        if location is not None:
            # 303 turns the POST of the login page into a GET, so the browser does not send the form to the client
            # (RFC 9700 §4.12).
            return RedirectResponse(location, 303, headers=NOT_STORED)
        named.pop("Content-Type", None)
        return JSONResponse(body, status, headers={**named, **NOT_STORED})


class _IssuesTokens:
    """Replaces the token generator of Authlib, which knows neither sessions nor requested audiences."""

    request: OAuthRequest
    server: OAuthServer
    GRANT_TYPE: str

    def generate_token(
        self,
        user: Grant | None = None,
        scope: str | None = None,
        grant_type: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,  # noqa: FBT001, FBT002 - Authlib names it
    ) -> dict[str, object]:
        """Return the token response."""
        del grant_type, expires_in
        issuer, resources = self.server.issuer, self.request.resources()
        grant = user or self._own_grant(scope, resources)
        granted = grant.scope if user is None else scope or ""
        audience = narrow_audience(grant.audience, resources)
        return issuer.token_response(grant, granted, audience, with_refresh_token=include_refresh_token)

    def _own_grant(self, scope: str | None, resources: list[str]) -> Grant:
        client: Any = self.request.client
        allowed = client.get_allowed_scope(scope)
        if allowed is None:
            raise InvalidScopeError
        return Grant(client.client_id, None, allowed, grant_audience(resources, self.server.issuer.audience))


class CodeGrant(_IssuesTokens, grants.AuthorizationCodeGrant):  # type: ignore[misc] # generate_token is replaced
    """Authorization code (RFC 6749 §4.1)."""

    TOKEN_ENDPOINT_AUTH_METHODS = ALL_METHODS

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        """Store a code for a session."""
        session = cast("Session", request.user)
        client: Any = request.client
        parameters, audience = self.request, grant_audience(self.request.resources(), self.server.issuer.audience)
        grant = Grant(client.client_id, session, request.scope or "", audience, parameters.parameter("nonce"))
        self.server.issuer.state.add_code(
            grant, code, parameters.parameter("redirect_uri") or "", parameters.parameter("code_challenge") or ""
        )

    def query_authorization_code(self, code: str, client: Any) -> AuthorizationCode | None:  # noqa: ANN401 - Authlib's types
        """Return a code that was not used, and mark it as used."""
        return self.server.issuer.state.take_code(code, client.client_id)

    def delete_authorization_code(self, authorization_code: AuthorizationCode) -> None:
        """Do nothing. The code was marked as used before."""

    def authenticate_user(self, authorization_code: AuthorizationCode) -> Grant:
        """Return what the code is for."""
        return authorization_code.grant


class RequireS256(CodeChallenge):
    """PKCE for every client, and only with S256 (RFC 9700 §2.1.1).

    Authlib's class also allows ``plain``, and requests of confidential clients without PKCE.
    """

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:  # noqa: ANN401 - Authlib's types
        """Check the challenge of an authorization request."""
        request: OAuthRequest = grant.request
        # Without a method, the challenge would be plain (RFC 7636 §4.3). Authlib refuses a method without a challenge.
        if request.parameter("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE is required: code_challenge, and code_challenge_method=S256.")
        super().validate_code_challenge(grant, redirect_uri)  # pyright: ignore[reportUnknownMemberType]

    def get_authorization_code_challenge_method(self, authorization_code: AuthorizationCode) -> str:
        """Return the method of all codes."""
        del authorization_code
        return "S256"


class RefreshGrant(_IssuesTokens, grants.RefreshTokenGrant):  # type: ignore[misc] # generate_token is replaced
    """Refresh tokens that can be used once (RFC 9700 §4.14.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = ALL_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> IssuedToken | None:  # type: ignore[override] # see state
        """Return a refresh token that was not used, or None."""
        return self.server.issuer.state.usable_refresh_token(refresh_token)

    def authenticate_user(self, refresh_token: IssuedToken) -> Grant:
        """Return what the token is for."""
        return refresh_token.grant

    def revoke_old_credential(self, refresh_token: IssuedToken) -> None:  # type: ignore[override] # see state
        """Mark the old token as used."""
        refresh_token.used = True


class ClientGrant(_IssuesTokens, grants.ClientCredentialsGrant):  # type: ignore[misc] # generate_token is replaced
    """Client credentials (RFC 6749 §4.4)."""

    TOKEN_ENDPOINT_AUTH_METHODS = SECRET_METHODS


class Introspection(IntrospectionEndpoint):
    """Introspection (RFC 7662)."""

    CLIENT_AUTH_METHODS = ALL_METHODS

    def check_permission(self, token: IssuedToken, client: Any, request: OAuth2Request) -> bool:  # noqa: ANN401
        """Tell whether a client may ask about a token."""
        del request
        # Anyone can use the ID of a public client. It may ask about its own tokens only (RFC 7662 §2.1).
        return client.client.secret is not None or token.check_client(client)

    def query_token(self, token_string: str, token_type_hint: str | None) -> IssuedToken | None:
        """Return a token of this provider, or None."""
        del token_type_hint
        return cast("OAuthServer", self.server).issuer.find_token(token_string)

    def introspect_token(self, token: IssuedToken) -> dict[str, object]:
        """Return the answer about an active token."""
        if token.claims:
            return {**token.claims, "active": True, "token_type": "Bearer"}
        session = token.grant.session
        # A refresh token has no token_type, so that no API accepts it as an access token.
        subject = {} if session is None else {"sub": session.user.name}
        return {"active": True, "client_id": token.grant.client_id, "scope": token.grant.scope, **subject}


class Revocation(RevocationEndpoint):
    """Revocation (RFC 7009)."""

    CLIENT_AUTH_METHODS = ALL_METHODS

    def query_token(self, token_string: str, token_type_hint: str | None) -> IssuedToken | None:
        """Return a token of this provider, or None."""
        del token_type_hint
        return cast("OAuthServer", self.server).issuer.find_token(token_string)

    def revoke_token(self, token: IssuedToken, request: OAuth2Request) -> None:
        """Revoke an access token, or a refresh token and all tokens of its grant (RFC 7009 §2.1)."""
        del request
        if token.claims:
            token.revoked = True
        else:
            token.grant.revoked = True
