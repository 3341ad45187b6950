"""Issues and finds tokens: the records of the state, and the signatures of the signer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .signer import TokenSigner
    from .state import Grant, IssuedToken, ProviderState, Session

ACCESS_TOKEN, ID_TOKEN = "at+jwt", "JWT"
"""The header ``typ`` of the tokens."""


class TokenResponse(dict[str, object]):
    """The members of a token response.

    The repr is empty, because Authlib logs responses at the level DEBUG.
    """

    def __repr__(self) -> str:
        """Return no token."""
        return "TokenResponse(...)"


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Issues tokens.

    Attributes:
        state: the accounts and all that was issued.
        signer: the keys.
        audience: the audience of access tokens without the parameter ``resource``.
    """

    state: ProviderState
    signer: TokenSigner
    audience: str

    def token_response(
        self, grant: Grant, scope: str, audience: tuple[str, ...], *, with_refresh_token: bool
    ) -> TokenResponse:
        """Return the answer of the token endpoint."""
        session = grant.session
        access_token = self.access_token(grant, scope, audience)
        lifetime = int(self.signer.lifetime)
        response = TokenResponse(
            {"access_token": access_token, "token_type": "Bearer", "expires_in": lifetime, "scope": scope}
        )
        if session is None:
            return response
        session.clients.add(grant.client_id)
        if with_refresh_token:
            response["refresh_token"] = self.state.new_refresh_token(grant)
        if "openid" in scope.split():
            response["id_token"] = self.signer.id_token(grant, session, access_token)
            # ID tokens of a refresh have no nonce (OpenID Connect Core 1.0 §12.2).
            grant.nonce = None
        return response

    def access_token(
        self,
        grant: Grant,
        scope: str,
        audience: tuple[str, ...],
        *,
        lifetime: float | None = None,
        claims: Mapping[str, object] | None = None,
    ) -> str:
        """Return an access token of a grant."""
        own_claims = {**self._account_claims(grant), **(claims or {})}
        lifetime = self.signer.lifetime if lifetime is None else lifetime
        token, token_id, issued = self.signer.access_token(grant, scope, audience, own_claims, lifetime)
        self.state.add_access_token(token_id, issued)
        return token

    def _account_claims(self, grant: Grant) -> Mapping[str, object]:
        if grant.session is not None:
            return grant.session.user.claims
        return self.state.clients[grant.client_id].claims

    def find_token(self, token: str) -> IssuedToken | None:
        """Return the record of an access token or a refresh token, or None."""
        if (found := self.state.refresh_token(token)) is not None:
            return found
        # The claim alone is not enough. Each API that received a token knows it.
        claims = self.signer.read(token, ACCESS_TOKEN)
        return None if claims is None else self.state.access_token(str(claims.get("jti")))

    def id_token_claims(self, token: str) -> dict[str, Any] | None:
        """Return the claims of an ID token of this provider, also after its expiry, or None."""
        return self.signer.read(token, ID_TOKEN)

    def session_for(self, name: str, client_id: str) -> Session:
        """Return a new session of a user at a client."""
        session = self.state.start_session(self.state.users[name])
        session.clients.add(client_id)
        return session
