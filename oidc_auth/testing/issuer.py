"""``LocalIssuer``: an OpenID provider in the test's own process, which can rotate its keys, lie, stall and die."""

from __future__ import annotations

import asyncio
import json
import os
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

from ..keys.discovery import WELL_KNOWN
from ..keys.fetch import FetchError, Response
from ..observe import logger
from .signing import SigningKey, compact

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

LOOPBACK = "127.0.0.1"
KEYS_PATH = "/keys"
DEFAULT_LIFETIME = 300.0


class Fault(StrEnum):
    """What goes wrong at the provider."""

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
    """An OpenID provider for tests: discovery, key set, tokens.

    It is a ``Fetcher``, so that no socket is needed: ``OIDCAuth.from_dict(..., fetcher=issuer)``. ``served()`` offers
    the same over HTTP on 127.0.0.1, never on another address.

    Args:
        url: the issuer.
        algorithm: what its first key signs with.
        clock: wall time in seconds since the epoch.
        key: what it signs with at first; None makes one of ``algorithm``.

    Attributes:
        url: the issuer; it may be changed to that of the provider whose place it takes.
        clock: the same; tokens and the ``Date`` field of answers over HTTP follow it.
        fault: what goes wrong, or None.
        fetched: the URLs that were fetched, in order.
        release: set it to let go of fetches that ``Fault.STALL`` holds; over HTTP the end of ``served`` does.
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
        self._numbers = count(1)
        self.keys: list[SigningKey] = []
        if key is None:
            self.rotate(algorithm)
        else:
            self.keys = [key]

    def rotate(self, algorithm: str = "RS256", *, keep_old: bool = True, bits: int = 2048) -> SigningKey:
        """Sign with a new key from now on; publish the old ones beside it, or withdraw them."""
        key = SigningKey.make(f"key-{next(self._numbers)}", algorithm, bits=bits)
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
            subject: ``sub``; None leaves it out.
            audience: ``aud``; None leaves it out.
            lifetime: seconds from now to ``exp``.
            header: header members beside or instead of ``alg``, ``kid`` and ``typ``; None as a value leaves one out.
            key: signs instead of the current key.
            **claims: claims beside or instead of the standard ones; None as a value leaves one out.
        """
        signs, now = key or self.keys[0], int(self.clock())
        standard = {"iss": self.url, "sub": subject, "aud": audience, "iat": now, "exp": now + lifetime}
        full_header = {"alg": signs.algorithm, "kid": signs.kid, "typ": "at+jwt", **(header or {})}
        return compact(_present(full_header), _present({**standard, **claims}), signs)

    def key_set(self) -> dict[str, Any]:
        """Return the published key set."""
        return {"keys": [key.jwk() for key in self.keys]}

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        """Answer a fetch, as the Protocol ``Fetcher`` has it."""
        del method, headers, body
        self.fetched.append(url)
        # A turn of the loop, as the network would take: single flight means nothing without it.
        await asyncio.sleep(0)
        if self.fault is Fault.STALL:
            await self.release.wait()
        if self.fault is Fault.DOWN:
            raise FetchError("connection refused")
        return self.answer(urlsplit(url).path)

    def answer(self, path: str) -> Response:
        """Return what the provider says at a path of its host."""
        path = path.removeprefix(urlsplit(self.url).path.rstrip("/"))
        if path == WELL_KNOWN:
            named = f"{self.url}/other" if self.fault is Fault.OTHER_ISSUER else self.url
            return _json({"issuer": named, "jwks_uri": self.url.rstrip("/") + KEYS_PATH})
        if path != KEYS_PATH:
            return Response(404, {}, b"")
        return self._broken() or _json(self.key_set())

    def _broken(self) -> Response | None:
        if self.fault is Fault.ERROR:
            return Response(500, {}, b"")
        if self.fault is Fault.REDIRECT:
            return Response(302, {"location": "https://elsewhere.test/keys"}, b"")
        bodies: dict[Fault, Callable[[], bytes]] = {
            Fault.HTML: lambda: b"<html>maintenance</html>",
            Fault.TRUNCATED: lambda: json.dumps(self.key_set()).encode()[:-9],
            Fault.EMPTY: lambda: b'{"keys": []}',
            Fault.OVERSIZED: lambda: json.dumps({**self.key_set(), "padding": "x" * 1_000_000}).encode(),
        }
        if self.fault is None or self.fault not in bodies:
            return None
        return Response(200, {"content-type": "text/html"}, bodies[self.fault]())

    @contextmanager
    def served(self, port: int = 0, *, path: str = "") -> Generator[str]:
        """Serve discovery and keys over HTTP on 127.0.0.1 while the context lasts; ``url`` becomes that address.

        Args:
            port: the port; 0 chooses a free one.
            path: what follows the port in the issuer: ``/realms/acme``, or ``/``.
        """
        stalled = Event()
        server = ThreadingHTTPServer((LOOPBACK, port), _handler(self, stalled))
        self.url = f"http://{LOOPBACK}:{server.server_port}{path}"
        logger.warning("LocalIssuer serves %s: it signs whatever it is asked to, use it for tests only", self.url)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self.url
        finally:
            stalled.set()
            server.shutdown()
            thread.join()
            server.server_close()


@cache
def _warn_outside_tests() -> None:
    """Say so once when no test runs: whoever trusts this provider trusts anybody."""
    # pytest sets PYTEST_VERSION for itself and what it starts (since 8.2).
    if "PYTEST_VERSION" not in os.environ and "unittest" not in sys.modules:
        logger.warning("a LocalIssuer outside of tests: it signs whatever it is asked to, never trust it in production")


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _json(document: Mapping[str, Any]) -> Response:
    return Response(200, {"content-type": "application/json"}, json.dumps(document).encode())


def _handler(issuer: LocalIssuer, stalled: Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetched.append(f"http://{self.headers['host']}{self.path}")
            if issuer.fault is Fault.STALL:
                stalled.wait()
            if issuer.fault in (Fault.DOWN, Fault.STALL):
                self.close_connection = True
                return
            status, headers, body = issuer.answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            """Return the provider's time, which may differ from this host's."""
            return super().date_time_string(issuer.clock() if timestamp is None else timestamp)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Keep quiet: a test's output is its own."""

    return Handler
