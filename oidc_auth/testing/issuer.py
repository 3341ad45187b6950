"""Run an OpenID provider in the test process."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from ..keys.discovery import WELL_KNOWN
from ..keys.fetch import FetchError, Response
from ..observability import logger
from ..revocation.logout_tokens import LOGOUT_EVENT
from ..revocation.security_events import ACCOUNT_EVENTS, SESSION_REVOKED
from .introspection import PATH as INTROSPECTION_PATH
from .introspection import IntrospectionEndpoint
from .signing import SigningKey, compact

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

LOOPBACK = "127.0.0.1"
KEYS_PATH = "/keys"
DEFAULT_LIFETIME = 300.0
LOGOUT_LIFETIME = 120
EVENT_NAMES = {name.rpartition("/")[2]: name for name in (SESSION_REVOKED, *ACCOUNT_EVENTS)}
"""The short names of security events."""


class Clock:
    """A clock that moves only with ``advance``.

    Use the same clock for ``OIDCAuth`` and ``LocalIssuer``.

    Args:
        now: the start in seconds since the epoch. None: the current time.

    Attributes:
        now: the time in seconds since the epoch.
    """

    def __init__(self, now: float | None = None) -> None:
        # Whole seconds, as in iat and exp, so that a test can compare ages exactly.
        self.now = float(int(time.time() if now is None else now))

    def __call__(self) -> float:
        """Return the time in seconds since the epoch."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self.now += seconds


class Fault(StrEnum):
    """A fault of the provider."""

    DOWN = "down"
    ERROR = "error"
    STALL = "stall"
    HTML = "html"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    OVERSIZED = "oversized"
    REDIRECT = "redirect"
    OTHER_ISSUER = "other_issuer"


class LocalIssuer:
    """An OpenID provider for tests, with metadata, key set and tokens.

    It is a ``Fetcher``, so tests need no network: ``OIDCAuth.from_dict(..., fetcher=issuer)``. ``served()`` serves the
    same documents over HTTP on 127.0.0.1.

    Args:
        url: the issuer.
        algorithm: the algorithm of the first key.
        clock: returns the time in seconds since the epoch.
        key: the first signing key. None: create one.

    Attributes:
        url: the issuer. Set it to your provider's issuer to test your own configuration.
        clock: returns the time of tokens and of the ``Date`` field of HTTP responses.
        keys: the published keys. The first one signs.
        fault: the current fault, or None.
        introspection: the introspection endpoint, with its own clients, faults and lies.
        fetched: the URLs of all requests, in order.
        release: set this event to end the requests that ``Fault.STALL`` holds. The end of ``served()`` also ends them.
    """

    def __init__(
        self,
        url: str = "https://issuer.test",
        *,
        algorithm: str = "RS256",
        clock: Callable[[], float] = time.time,
        key: SigningKey | None = None,
    ) -> None:
        _warn_outside_tests()
        self.url = url
        self.fault: Fault | None = None
        self.fetched: list[str] = []
        self.release = asyncio.Event()
        self.clock = clock
        self.introspection = IntrospectionEndpoint(lambda: self.url, lambda: self.clock(), lambda: self.keys)  # noqa: PLW0108 - a test may change them
        self._numbers = count(1)
        self.keys: list[SigningKey] = []
        if key is None:
            self.rotate(algorithm)
        else:
            self.keys = [key]

    def rotate(self, algorithm: str = "RS256", *, keep_old: bool = True, bits: int = 2048) -> SigningKey:
        """Sign with a new key from now on.

        Args:
            algorithm: the algorithm of the new key.
            keep_old: whether the old keys stay published. False withdraws them.
            bits: the size of an RSA key.
        """
        # Each key has a new kid. A verifier that kept an old key could otherwise find it under the new one.
        key = SigningKey.make(f"key-{next(self._numbers)}", algorithm, bits=bits)
        # The first key signs. Providers publish the old ones until the last token that they signed has expired.
        self.keys = [key, *self.keys] if keep_old else [key]
        return key

    def token(
        self,
        subject: str | None = "alice",
        *,
        audience: str | Sequence[str] | None = "agents",
        lifetime: float = DEFAULT_LIFETIME,
        header: Mapping[str, Any] | None = None,
        key: SigningKey | None = None,
        **claims: object,
    ) -> str:
        """Return a signed access token.

        Args:
            subject: the claim ``sub``. None omits it.
            audience: the claim ``aud``. None omits it.
            lifetime: seconds until ``exp``.
            header: header members that add to or replace ``alg``, ``kid`` and ``typ``. A value of None omits a member.
            key: the signing key, if not the current one.
            **claims: claims that add to or replace the standard ones. A value of None omits a claim.
        """
        return self._sign({"typ": "at+jwt", **(header or {})}, self._claims(subject, audience, lifetime, claims), key)

    def opaque_token(
        self,
        subject: str | None = "alice",
        *,
        audience: str | Sequence[str] | None = "agents",
        lifetime: float = DEFAULT_LIFETIME,
        **claims: object,
    ) -> str:
        """Return an opaque access token, which only the introspection endpoint can read.

        Args:
            subject: the claim ``sub``. None omits it.
            audience: the claim ``aud``. None omits it.
            lifetime: seconds until ``exp``.
            **claims: claims that add to or replace the standard ones. A value of None omits a claim.
        """
        token = secrets.token_urlsafe(32)
        self.introspection.add(token, self._claims(subject, audience, lifetime, claims))
        return token

    def revoke(self, token: str) -> None:
        """Make the introspection endpoint call a token inactive."""
        self.introspection.revoke(token)

    def _claims(
        self, subject: str | None, audience: str | Sequence[str] | None, lifetime: float, claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        # NumericDate with whole seconds, as providers write it (RFC 7519 §2).
        now = int(self.clock())
        standard = {"iss": self.url, "sub": subject, "aud": audience, "iat": now, "exp": now + lifetime}
        return _omit_none({**standard, **claims})

    def logout_token(
        self,
        subject: str | None = "alice",
        *,
        client: str = "agents-web",
        session: str | None = None,
        header: Mapping[str, Any] | None = None,
        key: SigningKey | None = None,
        **claims: object,
    ) -> str:
        """Return a signed logout token (OpenID Connect Back-Channel Logout 1.0 §2.4).

        Send it as the form field ``logout_token`` to ``/auth/backchannel-logout``.

        Args:
            subject: the claim ``sub``. None omits it.
            client: the claim ``aud``, one of ``logout_clients``.
            session: the claim ``sid``. None omits it.
            header: header members, as for ``token``.
            key: the signing key, if not the current one.
            **claims: claims that add to or replace the standard ones. A value of None omits a claim.
        """
        now = int(self.clock())
        names = {"iss": self.url, "sub": subject, "aud": client, "sid": session, "jti": uuid4().hex}
        event: dict[str, Any] = {LOGOUT_EVENT: {}}
        standard = {**names, "iat": now, "exp": now + LOGOUT_LIFETIME, "events": event}
        return self._sign({"typ": "logout+jwt", **(header or {})}, {**standard, **claims}, key)

    def security_event(
        self,
        event: str = "session-revoked",
        subject: str | Mapping[str, Any] = "alice",
        *,
        audience: str = "agents",
        header: Mapping[str, Any] | None = None,
        key: SigningKey | None = None,
        **claims: object,
    ) -> str:
        """Return a signed security event token (RFC 8417).

        Send it as a body of the type ``application/secevent+jwt`` to ``/auth/security-events``.

        Args:
            event: a short name, such as ``account-disabled``, or the whole identifier of the event.
            subject: the subject of this issuer, or a whole subject identifier (RFC 9493).
            audience: the claim ``aud``.
            header: header members, as for ``token``.
            key: the signing key, if not the current one.
            **claims: claims that add to or replace the standard ones. A value of None omits a claim.
        """
        now = int(self.clock())
        identifier = {"format": "iss_sub", "iss": self.url, "sub": subject} if isinstance(subject, str) else subject
        events = {EVENT_NAMES.get(event, event): {"event_timestamp": now}}
        names = {"iss": self.url, "aud": audience, "jti": uuid4().hex, "sub_id": identifier}
        standard = {**names, "iat": now, "events": events}
        return self._sign({"typ": "secevent+jwt", **(header or {})}, {**standard, **claims}, key)

    def _sign(self, header: Mapping[str, Any], claims: Mapping[str, Any], key: SigningKey | None) -> str:
        key = key or self.keys[0]
        return compact(_omit_none({"alg": key.algorithm, "kid": key.kid, **header}), _omit_none(claims), key)

    def key_set(self) -> dict[str, Any]:
        """Return the published key set."""
        return {"keys": [key.jwk() for key in self.keys]}

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        """Answer a request, as a ``Fetcher``."""
        self.fetched.append(url)
        path = urlsplit(url).path
        fault = self.fault_at(path)
        # The network would also let other tasks run. Without that, a test could not show that requests share a fetch.
        await asyncio.sleep(0)
        if fault is Fault.STALL:
            await self.release.wait()
        if fault is Fault.DOWN:
            raise FetchError("connection refused")
        return self.respond(method, path, headers, body or b"")

    def fault_at(self, path: str) -> Fault | None:
        """Return the current fault of a path of the provider."""
        is_introspection = self._below_issuer(path) == INTROSPECTION_PATH
        return self.introspection.fault or self.fault if is_introspection else self.fault

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Return the response to a request for a path of the provider."""
        if (method, self._below_issuer(path)) != ("POST", INTROSPECTION_PATH):
            return self.answer(path)
        answer = self.introspection.respond(headers, body)
        return self._faulty(self.fault_at(path), answer.body) or answer

    def _below_issuer(self, path: str) -> str:
        return path.removeprefix(urlsplit(self.url).path.rstrip("/"))

    def answer(self, path: str) -> Response:
        """Return the response for a path with a document of the provider."""
        # An issuer such as /realms/acme has its documents below its path (OpenID Connect Discovery §4).
        path = self._below_issuer(path)
        if path == WELL_KNOWN:
            named = f"{self.url}/other" if self.fault is Fault.OTHER_ISSUER else self.url
            endpoints = {"jwks_uri": self.url.rstrip("/") + KEYS_PATH, **self.introspection.metadata()}
            return _json({"issuer": named, **endpoints})
        if path != KEYS_PATH:
            return Response(404, {}, b"")
        # Discovery stays correct, so that a test of the key set does not fail earlier.
        return self._faulty(self.fault, json.dumps(self.key_set()).encode()) or _json(self.key_set())

    def _faulty(self, fault: Fault | None, body: bytes) -> Response | None:
        """Return a faulty response in place of one with this body, or None."""
        if fault is Fault.ERROR:
            return Response(500, {}, b"")
        if fault is Fault.REDIRECT:
            return Response(302, {"location": "https://elsewhere.test/keys"}, b"")
        bodies: dict[Fault, Callable[[], bytes]] = {
            Fault.HTML: lambda: b"<html>maintenance</html>",
            Fault.TRUNCATED: lambda: body[:-9],
            Fault.EMPTY: lambda: b'{"keys": []}',
            # Valid JSON with the right keys: only its size, above the default key_set_bytes, refuses it.
            Fault.OVERSIZED: lambda: json.dumps({**json.loads(body), "padding": "x" * 1_000_000}).encode(),
        }
        if fault is None or fault not in bodies:
            return None
        # Status 200, because proxies and login pages answer like this. The status alone shows no fault.
        return Response(200, {"content-type": "text/html"}, bodies[fault]())

    @contextmanager
    def served(self, port: int = 0, *, path: str = "") -> Generator[str]:
        """Serve metadata and key set over HTTP on 127.0.0.1.

        The attribute ``url`` becomes the address, which the context manager also returns.

        Args:
            port: the port. 0 chooses a free one.
            path: the path of the issuer, such as ``/realms/acme`` or ``/``.
        """
        # An event of threading, because release belongs to the loop of the test, and asyncio events are not
        # thread-safe.
        stalled = Event()
        # Threads, so that a stalled request does not hold the others. On loopback, because its
        # tokens are for tests.
        server = ThreadingHTTPServer((LOOPBACK, port), _handler(self, stalled))
        self.url = f"http://{LOOPBACK}:{server.server_port}{path}"
        logger.warning("LocalIssuer serves %s. It signs any token, use it for tests only", self.url)
        # shutdown waits for the next poll, and the default of 0.5 s would be the longest part of most tests. A daemon,
        # so that a test that never ends the context does not hold the process.
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self.url
        finally:
            # First, because a held request would otherwise outlive the server.
            stalled.set()
            server.shutdown()
            thread.join()
            server.server_close()


@cache
def _warn_outside_tests() -> None:
    """Log a warning if no test runs. A server that trusts this provider accepts any token."""
    # pytest sets PYTEST_VERSION for itself and its child processes (since 8.2).
    if "PYTEST_VERSION" not in os.environ and "unittest" not in sys.modules:
        logger.warning("LocalIssuer is used outside of tests. It signs any token. Never trust it in production")


def _omit_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _json(document: Mapping[str, Any]) -> Response:
    return Response(200, {"content-type": "application/json"}, json.dumps(document).encode())


def _handler(issuer: LocalIssuer, stalled: Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET", b"")

        def do_POST(self) -> None:
            self._answer("POST", self.rfile.read(int(self.headers.get("content-length", 0))))

        def _answer(self, method: str, content: bytes) -> None:
            issuer.fetched.append(f"http://{self.headers['host']}{self.path}")
            fault = issuer.fault_at(self.path)
            if fault is Fault.STALL:
                stalled.wait()
            if fault in (Fault.DOWN, Fault.STALL):
                # No status line at all, as from a provider or proxy that crashes.
                self.close_connection = True
                return
            status, headers, body = issuer.respond(method, self.path, dict(self.headers), content)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        # doctor compares the clocks by the Date header, so it must follow the clock of the test.
        def date_time_string(self, timestamp: float | None = None) -> str:
            """Return the provider's time, which may differ from this host's."""
            return super().date_time_string(issuer.clock() if timestamp is None else timestamp)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Write nothing to the test's output."""

    return Handler
