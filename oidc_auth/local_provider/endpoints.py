"""The endpoints for programs: metadata, keys, tokens, userinfo, introspection and revocation."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from .forms import MalformedRequestError, read_form
from .issuing import ACCESS_TOKEN
from .oauth import ALL_METHODS, NOT_STORED, OAuthRequest
from .signer import profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from .oauth import OAuthServer

OPENID_METADATA, OAUTH_METADATA = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
KEYS, AUTHORIZE, TOKEN, USERINFO = "/keys", "/authorize", "/token", "/userinfo"
INTROSPECTION, REVOCATION, END_SESSION = "/introspect", "/revoke", "/end-session"


class Endpoints:
    """The endpoints for programs."""

    def __init__(self, server: OAuthServer) -> None:
        self._server = server
        self._issuer = server.issuer

    async def metadata(self, request: Request) -> Response:
        """Return the metadata (OpenID Connect Discovery 1.0 §3, RFC 8414 §2)."""
        del request
        issuer, signer = self._issuer.signer.issuer, self._issuer.signer
        document = {
            "issuer": issuer,
            "authorization_endpoint": issuer + AUTHORIZE,
            "token_endpoint": issuer + TOKEN,
            "jwks_uri": issuer + KEYS,
            "userinfo_endpoint": issuer + USERINFO,
            "introspection_endpoint": issuer + INTROSPECTION,
            "revocation_endpoint": issuer + REVOCATION,
            "end_session_endpoint": issuer + END_SESSION,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [signer.keys[0].algorithm],
            "scopes_supported": ["openid", "profile", "offline_access"],
            "token_endpoint_auth_methods_supported": list(ALL_METHODS),
            "introspection_endpoint_auth_methods_supported": list(ALL_METHODS),
            "revocation_endpoint_auth_methods_supported": list(ALL_METHODS),
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login", "select_account", "consent"],
            "authorization_response_iss_parameter_supported": True,
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
            "claims_parameter_supported": False,
            "request_parameter_supported": False,
            # Without this member, clients may send request_uri (OpenID Connect Discovery 1.0 §3).
            "request_uri_parameter_supported": False,
        }
        return JSONResponse(document, headers={"Cache-Control": "no-cache"})

    async def keys(self, request: Request) -> Response:
        """Return the public keys."""
        del request
        # A cached answer would hide a new key.
        return JSONResponse(self._issuer.signer.key_set(), headers={"Cache-Control": "no-cache"})

    async def token(self, request: Request) -> Response:
        """Answer a token request (RFC 6749 §3.2)."""
        return self._server.answer_token_request(await self._oauth_request(request, TOKEN))

    async def introspect(self, request: Request) -> Response:
        """Answer a request about a token (RFC 7662 §2)."""
        return self._server.answer_endpoint("introspection", await self._oauth_request(request, INTROSPECTION))

    async def revoke(self, request: Request) -> Response:
        """Revoke a token (RFC 7009 §2)."""
        return self._server.answer_endpoint("revocation", await self._oauth_request(request, REVOCATION))

    async def _oauth_request(self, request: Request, path: str) -> OAuthRequest:
        # The parameters of the address do not count, because logs contain addresses (RFC 6749 §2.3.1).
        parameters: Sequence[tuple[str, str]] = await read_form(request)
        header = request.headers.get("authorization")
        # Authlib reads the header with this spelling.
        headers = {} if header is None else {"Authorization": _checked_credentials(header)}
        return OAuthRequest("POST", self._issuer.signer.issuer + path, headers, parameters)

    async def userinfo(self, request: Request) -> Response:
        """Return the claims about a user (OpenID Connect Core 1.0 §5.3)."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            # Without a token, the challenge has no error (RFC 6750 §3.1).
            return _challenge(401, "Bearer")
        claims = self._issuer.signer.read(token.strip(), ACCESS_TOKEN)
        found = None if claims is None else self._issuer.state.access_token(str(claims.get("jti")))
        if found is None or found.is_expired() or found.is_revoked():
            return _challenge(401, 'Bearer error="invalid_token"')
        session = found.grant.session
        if session is None or "openid" not in str(found.claims.get("scope", "")).split():
            return _challenge(403, 'Bearer error="insufficient_scope", scope="openid"')
        return JSONResponse(profile(session.user), headers=NOT_STORED)


def _checked_credentials(header: str) -> str:
    """Return a header with client credentials. Authlib fails with an exception if they are not UTF-8."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            b64decode(encoded).decode()
        except ValueError:
            raise MalformedRequestError("The header Authorization is malformed.") from None
    return header


def _challenge(status: int, challenge: str) -> Response:
    return Response(status_code=status, headers={"WWW-Authenticate": challenge, **NOT_STORED})
