"""What the provider remembers: sessions, codes, refresh tokens and issued access tokens. All of it is in memory."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING

from .accounts import Client, User, index_accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

CODE_SECONDS = 60.0
"""Seconds in which a client must exchange a code. The RFC recommends at most ten minutes (RFC 6749 §4.1.2)."""
MAX_CODES = 1000
"""Codes that wait for their exchange."""


@dataclass(slots=True)
class Session:
    """A login of a user.

    Attributes:
        sid: the claim ``sid`` of its tokens.
        user: who logged in.
        auth_time: when, in seconds since the epoch.
        clients: the clients that received tokens in this session.
        ended: whether the user or the terminal ended it.
    """

    sid: str
    user: User
    auth_time: int
    clients: set[str] = field(default_factory=set[str])
    ended: bool = False


@dataclass(slots=True)
class Grant:
    """What a client may do. All tokens of one login at one client share it.

    Attributes:
        client_id: the client.
        session: None for the client's own tokens.
        scope: the granted scopes.
        audience: the granted audiences.
        nonce: the claim ``nonce`` of ID tokens.
        revoked: whether its tokens are revoked.
    """

    client_id: str
    session: Session | None
    scope: str
    audience: tuple[str, ...]
    nonce: str | None = None
    revoked: bool = False

    @property
    def active(self) -> bool:
        """Whether its tokens may be used."""
        return not self.revoked and not (self.session is not None and self.session.ended)


@dataclass(slots=True)
class AuthorizationCode:
    """A code that was sent to a client. Authlib calls the methods."""

    grant: Grant
    redirect_uri: str
    code_challenge: str
    expires: float
    used: bool = False

    def get_redirect_uri(self) -> str:
        """Return the redirect URI of the authorization request."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return the granted scopes."""
        return self.grant.scope


@dataclass(slots=True)
class IssuedToken:
    """An access token or a refresh token. Authlib calls the methods.

    Attributes:
        grant: what it is for.
        expires: seconds since the epoch. None: when its session ends.
        claims: the claims of an access token.
        used: whether a refresh token was exchanged already.
    """

    grant: Grant
    clock: Callable[[], float] = field(repr=False)
    expires: float | None = None
    claims: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    used: bool = False
    revoked: bool = False

    def check_client(self, client: object) -> bool:
        """Tell whether the token belongs to a client."""
        return getattr(client, "client_id", None) == self.grant.client_id

    def get_scope(self) -> str:
        """Return the granted scopes."""
        return self.grant.scope

    def is_expired(self) -> bool:
        """Tell whether the token has expired."""
        return self.expires is not None and self.expires <= self.clock()

    def is_revoked(self) -> bool:
        """Tell whether the token, its grant or its session has ended."""
        return self.revoked or self.used or not self.grant.active


class ProviderState:
    """The accounts, and all that was issued for them.

    The server runs in its own thread, and other threads end sessions. A lock makes each change atomic.
    """

    def __init__(self, users: Iterable[User], clients: Iterable[Client], clock: Callable[[], float]) -> None:
        self.users, self.clients = index_accounts(users, clients)
        self.clock = clock
        self.lock = RLock()
        self._sessions: dict[str, Session] = {}
        self._by_cookie: dict[str, str] = {}
        self._codes: dict[str, AuthorizationCode] = {}
        self._refresh_tokens: dict[str, IssuedToken] = {}
        self._access_tokens: dict[str, IssuedToken] = {}

    def put_client(self, client: Client) -> None:
        """Add or replace a client."""
        with self.lock:
            others = [each for each in self.clients.values() if each.id != client.id]
            self.users, self.clients = index_accounts(self.users.values(), [*others, client])

    def start_session(self, user: User) -> Session:
        """Start a session of a user."""
        session = Session(secrets.token_urlsafe(16), user, int(self.clock()))
        with self.lock:
            self._sessions[session.sid] = session
        return session

    def new_cookie(self, session: Session) -> str:
        """Return a new cookie value for a session."""
        # Not the sid, because access tokens contain it. Each API that receives a token could then log in as its user.
        cookie = secrets.token_urlsafe(32)
        with self.lock:
            self._by_cookie[cookie] = session.sid
        return cookie

    def session_of_cookie(self, cookie: str | None) -> Session | None:
        """Return the live session of a browser, or None."""
        with self.lock:
            return self.session(self._by_cookie.get(cookie or "", ""))

    def session(self, sid: str) -> Session | None:
        """Return a live session, or None."""
        with self.lock:
            return self._sessions.get(sid)

    def sessions(self) -> list[Session]:
        """Return the live sessions, the oldest first."""
        with self.lock:
            return list(self._sessions.values())

    def end_session(self, session: Session) -> bool:
        """End a session and its tokens. Return whether it was live."""
        with self.lock:
            session.ended = True
            self._by_cookie = {cookie: sid for cookie, sid in self._by_cookie.items() if sid != session.sid}
            live = {token: each for token, each in self._refresh_tokens.items() if each.grant.active}
            self._refresh_tokens = live
            return self._sessions.pop(session.sid, None) is not None

    def add_code(self, grant: Grant, code: str, redirect_uri: str, code_challenge: str) -> None:
        """Remember an authorization code."""
        now = self.clock()
        with self.lock:
            # A used code stays until it expires, so that a second use is noticed.
            live = [(key, each) for key, each in self._codes.items() if each.expires > now]
            self._codes = dict(live[-MAX_CODES:])
            self._codes[code] = AuthorizationCode(grant, redirect_uri, code_challenge, now + CODE_SECONDS)

    def take_code(self, code: str, client_id: str) -> AuthorizationCode | None:
        """Return a code of a client. Each code can be used once, also if the request then fails."""
        with self.lock:
            found = self._codes.get(code)
            if found is None:
                return None
            if found.used:
                # Two parties have the code, so one of them stole it (RFC 6749 §4.1.2).
                found.grant.revoked = True
                return None
            found.used = True
            valid = found.grant.client_id == client_id and found.expires > self.clock() and found.grant.active
            return found if valid else None

    def new_refresh_token(self, grant: Grant) -> str:
        """Return a new refresh token."""
        token = secrets.token_urlsafe(32)
        with self.lock:
            self._refresh_tokens[token] = IssuedToken(grant, self.clock)
        return token

    def usable_refresh_token(self, token: str) -> IssuedToken | None:
        """Return a refresh token that can be exchanged, or None."""
        with self.lock:
            found = self._refresh_tokens.get(token)
            if found is not None and found.used:
                # Two parties have the token. The server cannot tell which one is honest (RFC 9700 §4.14.2).
                found.grant.revoked = True
            return None if found is None or found.is_revoked() else found

    def refresh_token(self, token: str) -> IssuedToken | None:
        """Return a refresh token without using it."""
        with self.lock:
            return self._refresh_tokens.get(token)

    def add_access_token(self, token_id: str, issued: IssuedToken) -> None:
        """Remember an access token until it expires."""
        with self.lock:
            live = {key: each for key, each in self._access_tokens.items() if not each.is_expired()}
            self._access_tokens = {**live, token_id: issued}

    def access_token(self, token_id: str) -> IssuedToken | None:
        """Return an access token by its claim ``jti``."""
        with self.lock:
            return self._access_tokens.get(token_id)
