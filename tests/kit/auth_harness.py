"""An OIDCAuth with a local issuer and a manual clock, for tests of keys and tokens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oidc_auth import OIDCAuth
from oidc_auth.errors import OIDCAuthError
from oidc_auth.observability import AuthenticationDecided, KeysFetched
from oidc_auth.testing import Clock, LocalIssuer

from .clock import NOON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oidc_auth.errors import ErrorCode
    from oidc_auth.keys.fetch import Response
    from oidc_auth.observability import Event
    from oidc_auth.permissions.caller import Caller
    from oidc_auth.tokens.extract import Headers


class Publisher(LocalIssuer):
    """A local issuer that can publish any key set."""

    published: list[Any] | None = None

    def key_set(self) -> dict[str, Any]:
        return super().key_set() if self.published is None else {"keys": self.published}


class IssuerRouter:
    """A fetcher that sends each request to the issuer of its URL."""

    def __init__(self, *issuers: LocalIssuer) -> None:
        self.issuers = issuers

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        (issuer,) = (issuer for issuer in self.issuers if url.startswith(f"{issuer.url.rstrip('/')}/"))
        return await issuer(method, url, headers, body)


class AuthHarness:
    """An OIDCAuth with its issuer, clock and events."""

    def __init__(
        self,
        *,
        url: str = "https://issuer.test",
        algorithm: str = "ES256",
        limits: Mapping[str, Any] | None = None,
        clock: Callable[[], float] | None = None,
        mapper: Callable[[Mapping[str, object], Caller], Caller] | None = None,
        revocation: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.clock = Clock(NOON)
        self.events: list[Event] = []
        self.issuer = Publisher(url, algorithm=algorithm, clock=clock or self.clock)
        table = {"preset": "generic", "issuer": url, "audience": "agents", **settings}
        tables = {"limits": limits or {}, **({} if revocation is None else {"revocation": revocation})}
        self.oidc = OIDCAuth.from_dict(
            {"issuer": {name: value for name, value in table.items() if value is not None}, **tables},
            fetcher=self.issuer,
            clock=clock or self.clock,
            observer=self.events.append,
            mapper=mapper,
        )

    async def admit(self, token: str) -> Caller:
        """Return the caller of a token, or raise the error."""
        return await self.oidc.authenticate(bearer(token))

    async def authenticate_async(self, sent: str | Headers) -> ErrorCode | None:
        """Return the error code, or None if the token or headers are accepted."""
        try:
            await self.oidc.authenticate(bearer(sent) if isinstance(sent, str) else sent)
        except OIDCAuthError as refusal:
            return refusal.code
        return None

    def authenticate(self, sent: str | Headers) -> ErrorCode | None:
        """Return the error code, or None, outside an event loop."""
        return asyncio.run(self.authenticate_async(sent))

    @property
    def cached(self) -> list[bool]:
        """Whether each accepted token was in the cache."""
        return [
            bool(event.cached)
            for event in self.events
            if isinstance(event, AuthenticationDecided) and event.outcome == "succeeded"
        ]

    @property
    def attempts(self) -> list[bool]:
        """Whether each attempt to fetch the keys succeeded."""
        return [event.outcome == "succeeded" for event in self.events if isinstance(event, KeysFetched)]


def bearer(token: str) -> dict[str, str]:
    """Return request headers with a token."""
    return {"authorization": f"Bearer {token}"}


async def run_event_loop(count: int = 20) -> None:
    """Run the event loop so that other tasks can continue."""
    for _ in range(count):
        await asyncio.sleep(0)
