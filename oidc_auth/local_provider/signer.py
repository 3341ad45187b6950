"""The keys of the provider, and the claims of its tokens."""

from __future__ import annotations

import hashlib
import secrets
from itertools import count
from typing import TYPE_CHECKING, Any

import jwt

from ..testing.signing import SigningKey, compact, encode_base64url
from .state import IssuedToken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .accounts import Client, User
    from .state import Grant, Session

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_SECONDS = 120
"""Seconds until a logout token expires (Back-Channel Logout 1.0 §2.4 recommends two minutes at most)."""


class TokenSigner:
    """Signs tokens with the newest key, and verifies them with all keys.

    Attributes:
        issuer: the claim ``iss``.
        lifetime: seconds until access tokens and ID tokens expire.
        keys: the published keys. The first one signs.
    """

    def __init__(self, algorithm: str, lifetime: float, clock: Callable[[], float]) -> None:
        self.issuer = ""
        self.lifetime = lifetime
        self._algorithm = algorithm
        self._clock = clock
        # The random part separates the keys of two starts. A server could otherwise keep a key of the last start under
        # the same key ID.
        self._key_ids = (f"local-{secrets.token_hex(4)}-{number}" for number in count(1))
        self.keys: list[SigningKey] = []
        self.rotate()

    def rotate(self, *, keep_old: bool = True) -> SigningKey:
        """Sign with a new key.

        Args:
            keep_old: whether the old keys stay published, so that their tokens stay valid.
        """
        key = SigningKey.make(next(self._key_ids), self._algorithm)
        self.keys = [key, *self.keys] if keep_old else [key]
        return key

    def key_set(self) -> dict[str, Any]:
        """Return the published key set (RFC 7517 §5)."""
        return {"keys": [key.jwk() for key in self.keys]}

    def access_token(
        self, grant: Grant, scope: str, audience: tuple[str, ...], own_claims: Mapping[str, object], lifetime: float
    ) -> tuple[str, str, IssuedToken]:
        """Return an access token (RFC 9068 §2.2), its claim ``jti``, and the record of it."""
        now, token_id = int(self._clock()), secrets.token_urlsafe(16)
        session = grant.session
        claims = {
            **own_claims,
            "iss": self.issuer,
            "sub": grant.client_id if session is None else session.user.name,
            "aud": audience[0] if len(audience) == 1 else list(audience),
            "iat": now,
            "exp": now + lifetime,
            "jti": token_id,
            "client_id": grant.client_id,
            **({"scope": scope} if scope else {}),
            **({} if session is None else {"sid": session.sid, "auth_time": session.auth_time}),
        }
        issued = IssuedToken(grant, self._clock, now + lifetime, claims)
        return self._sign("at+jwt", claims), token_id, issued

    def id_token(self, grant: Grant, session: Session, access_token: str) -> str:
        """Return an ID token (OpenID Connect Core 1.0 §2)."""
        now = int(self._clock())
        claims = {
            **profile(session.user),
            "iss": self.issuer,
            "aud": grant.client_id,
            "iat": now,
            "exp": now + self.lifetime,
            "auth_time": session.auth_time,
            "sid": session.sid,
            "at_hash": _half_hash(access_token, self._algorithm),
            **({} if grant.nonce is None else {"nonce": grant.nonce}),
        }
        return self._sign("JWT", claims)

    def logout_token(self, client: Client, session: Session) -> str:
        """Return a logout token (OpenID Connect Back-Channel Logout 1.0 §2.4)."""
        now = int(self._clock())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": session.user.name,
            "aud": client.id,
            "iat": now,
            "exp": now + LOGOUT_SECONDS,
            "jti": secrets.token_urlsafe(16),
            "sid": session.sid,
            "events": {LOGOUT_EVENT: {}},
        }
        return self._sign("logout+jwt", claims)

    def read(self, token: str, media_type: str) -> dict[str, Any] | None:
        """Return the claims of a token that this provider signed, or None. The expiry is not checked.

        Args:
            token: the token.
            media_type: the header ``typ``. A token of another type is not accepted (RFC 8725 §3.11).
        """
        try:
            header = jwt.get_unverified_header(token)
            key = next(key for key in self.keys if key.kid == header.get("kid"))
            if header.get("typ") != media_type:
                return None
            options: Any = {"verify_exp": False, "verify_iat": False, "verify_aud": False}
            return jwt.decode(token, key.public_key, [key.algorithm], options, issuer=self.issuer)
        except (StopIteration, jwt.InvalidTokenError):
            return None

    def _sign(self, media_type: str, claims: Mapping[str, Any]) -> str:
        key = self.keys[0]
        return compact({"alg": key.algorithm, "kid": key.kid, "typ": media_type}, claims, key)


def profile(user: User) -> dict[str, object]:
    """Return the claims about a user for a client: ID token and userinfo endpoint."""
    return {"preferred_username": user.name, "name": user.name, **user.claims, "sub": user.name}


def _half_hash(value: str, algorithm: str) -> str:
    """Return the claim ``at_hash`` (OpenID Connect Core 1.0 §3.1.3.6)."""
    # Ed25519 hashes with SHA-512.
    name = "sha512" if algorithm == "EdDSA" else f"sha{algorithm[-3:]}"
    digest = hashlib.new(name, value.encode()).digest()
    return encode_base64url(digest[: len(digest) // 2])
