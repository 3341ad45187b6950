"""The local provider for tests and commands."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import uvicorn

from ..observability import logger
from .accounts import RESERVED_CLAIMS, SettingsError
from .activity import log_activity
from .addresses import LOOPBACK
from .application import make_application
from .issuing import TokenIssuer
from .logout import Logout
from .oauth import OAuthServer
from .samples import SAMPLE_CLIENTS, SAMPLE_USERS
from .signer import TokenSigner
from .state import Grant, ProviderState

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from starlette.types import ASGIApp

    from ..testing.signing import SigningKey
    from .accounts import Client, User
    from .activity import Report
    from .state import Session

DEFAULT_AUDIENCE = "agents"
DEFAULT_LIFETIME = 3600.0


class LocalProvider:
    """An OpenID provider for development.

    It has no passwords and signs tokens for anyone who can reach it, so it listens on 127.0.0.1 only. Start it with
    ``with LocalProvider().served() as url:``.

    Args:
        users: the users of the login page. None: alice, bob, ada and victor.
        clients: the clients. None: the public client ``spa``.
        audience: the claim ``aud`` of access tokens without the parameter ``resource``.
        lifetime: seconds until access tokens and ID tokens expire.
        algorithm: the algorithm of the keys.
        clock: returns the time in seconds since the epoch.
        report: receives logins, logouts and failures. The default writes them to the log.
    """

    def __init__(
        self,
        users: Iterable[User] | None = None,
        clients: Iterable[Client] | None = None,
        *,
        audience: str = DEFAULT_AUDIENCE,
        lifetime: float = DEFAULT_LIFETIME,
        algorithm: str = "RS256",
        clock: Callable[[], float] = time.time,
        report: Report = log_activity,
    ) -> None:
        given_users = SAMPLE_USERS if users is None else users
        self._state = ProviderState(given_users, SAMPLE_CLIENTS if clients is None else clients, clock)
        self._signer = TokenSigner(algorithm, lifetime, clock)
        self._issuer = TokenIssuer(self._state, self._signer, audience)
        self._logout = Logout(self._issuer, report)
        self._own_sessions: dict[tuple[str, str], Session] = {}
        # Private, because another server could show it to other computers.
        self._app: ASGIApp = make_application(OAuthServer(self._issuer), self._logout, report)

    @property
    def url(self) -> str:
        """The issuer. It is empty until ``served`` has chosen the port."""
        return self._signer.issuer

    @property
    def users(self) -> list[User]:
        """The users of the login page."""
        return list(self._state.users.values())

    @property
    def clients(self) -> list[Client]:
        """The clients."""
        return list(self._state.clients.values())

    @property
    def keys(self) -> list[SigningKey]:
        """The published keys. The first one signs."""
        return list(self._signer.keys)

    def key_set(self) -> dict[str, Any]:
        """Return the published key set."""
        return self._signer.key_set()

    def rotate(self, *, keep_old: bool = True) -> SigningKey:
        """Sign with a new key from now on.

        Args:
            keep_old: whether the old keys stay published. False withdraws them.
        """
        return self._signer.rotate(keep_old=keep_old)

    def put_client(self, client: Client) -> None:
        """Add a client, or replace the one with its ID."""
        self._state.put_client(client)

    def token(
        self,
        name: str,
        *,
        client: str = "",
        audience: str | None = None,
        scope: str = "openid",
        lifetime: float | None = None,
        **claims: object,
    ) -> str:
        """Return an access token of a user, without a login.

        Args:
            name: the user.
            client: the client. "" means the first one.
            audience: the claim ``aud``, if not the one of the provider.
            scope: the claim ``scope``.
            lifetime: seconds until the token expires, if not those of the provider.
            **claims: claims that add to or replace those of the user.
        """
        if reserved := RESERVED_CLAIMS & claims.keys():
            raise SettingsError(f"The provider sets these claims itself: {', '.join(sorted(reserved))}.")
        client_id = client or next(iter(self._state.clients))
        grant = Grant(client_id, self._own_session(name, client_id), scope, (audience or self._issuer.audience,))
        return self._issuer.access_token(grant, scope, grant.audience, lifetime=lifetime, claims=claims)

    def _own_session(self, name: str, client_id: str) -> Session:
        """Return the session of the tokens without a login. There is one for each user and client."""
        session = self._own_sessions.get((name, client_id))
        if session is None or session.ended:
            session = self._issuer.session_for(name, client_id)
            self._own_sessions[name, client_id] = session
        return session

    def sessions(self) -> list[Session]:
        """Return the live sessions, the oldest first."""
        return self._state.sessions()

    def end_sessions(self, name: str) -> int:
        """End all sessions of a user, and send logout tokens to their clients. Return how many there were."""
        ended = [session for session in self._state.sessions() if session.user.name == name]
        for session in ended:
            self._logout.end(session)
        return len(ended)

    @contextmanager
    def served(self, port: int = 0) -> Generator[str]:
        """Serve the provider on 127.0.0.1, and return its address. No setting changes the host.

        Args:
            port: the port. 0 chooses a free one.
        """
        with socket.create_server((LOOPBACK, port)) as listener:
            self._signer.issuer = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
            logger.warning("LocalProvider serves %s. It signs tokens for anyone, use it for development only", self.url)
            server = uvicorn.Server(_configuration(self._app))
            # A daemon, so that a program that never ends the context can end.
            thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()
            try:
                yield self.url
            finally:
                # Without waiting for idle connections, which browsers keep open.
                server.should_exit = server.force_exit = True
                thread.join()


def _configuration(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        # The caller configures logging. The access log would contain authorization codes.
        log_config=None,
        access_log=False,
        # A header of a request must not change the address that the application sees.
        proxy_headers=False,
        server_header=False,
    )
