"""Scenarios with the keys of one issuer, and a provider with given responses."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from kit.auth_harness import AuthHarness, bearer
from kit.clock import DAY, NOON
from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, OIDCAuthError, UpstreamError
from oidc_auth.keys.fetch import Response
from oidc_auth.testing import Clock, LocalIssuer
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence


DISCOVERY = "https://issuer.test/.well-known/openid-configuration"
KEYS = "https://issuer.test/keys"


def run_scenario(scenario: Callable[[AuthHarness], Awaitable[None]], **settings: Any) -> None:
    """Run a scenario with a new harness."""
    asyncio.run(_run(scenario, AuthHarness(**settings)))


async def _run(scenario: Callable[[AuthHarness], Awaitable[None]], harness: AuthHarness) -> None:
    await scenario(harness)


async def authenticate_fresh(harness: AuthHarness, **token: Any) -> ErrorCode | None:
    """Authenticate with a new valid token, which is not in the cache."""
    return await harness.authenticate_async(harness.issuer.token(jti=str(len(harness.events)), **token))


def fetched(harness: AuthHarness) -> int:
    """Return the number of key set fetches."""
    return harness.issuer.fetched.count(KEYS)


class FaultyFetcher:
    """A fetcher that returns given responses or raises given exceptions."""

    def __init__(self, answers: Mapping[str, Response | BaseException]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        del method, headers, body
        self.asked.append(url)
        answer = self.answers[url]
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Provider:
    """A provider with given documents, and an OIDCAuth that uses it."""

    def __init__(
        self,
        issuer: str = "https://issuer.test",
        *,
        fetcher: FaultyFetcher | None = None,
        limits: Mapping[str, float] | None = None,
        **settings: Any,
    ) -> None:
        self.clock = Clock(NOON)
        self.issuer = LocalIssuer(issuer, algorithm="ES256", clock=self.clock)
        self.fetcher = fetcher or FaultyFetcher({})
        self.answers: dict[str, Response | BaseException] = {}
        self.fetcher.answers = self.answers
        self.keys_lie_at(KEYS)
        self.publish(KEYS, self.issuer.keys)
        table = {"preset": "generic", "issuer": issuer, "audience": "agents", **settings}
        self.oidc = OIDCAuth.from_dict(
            {"issuer": table, "limits": limits or {}}, fetcher=self.fetcher, clock=self.clock
        )

    def keys_lie_at(self, url: str) -> None:
        """Name an address of the keys in the metadata."""
        document = {"issuer": self.issuer.url, "jwks_uri": url}
        self.answers[DISCOVERY] = Response(200, {}, json.dumps(document).encode())

    def publish(self, url: str, keys: Sequence[SigningKey]) -> None:
        """Publish keys at an address."""
        self.answers[url] = Response(200, {}, json.dumps({"keys": [key.jwk() for key in keys]}).encode())

    def move_keys(self) -> SigningKey:
        """Publish another key at another address. The old address still works."""
        new = SigningKey.make("new", "ES256")
        self.keys_lie_at(f"{KEYS}/v2")
        self.publish(f"{KEYS}/v2", [new])
        return new

    def token(self, **token: Any) -> str:
        """Return a token that is valid for 30 days."""
        return self.issuer.token(iat=NOON - DAY, exp=NOON + 30 * DAY, **token)

    async def authenticate_async(self, token: str) -> ErrorCode | None:
        """Return the error code, or None if the token is accepted."""
        try:
            await self.oidc.authenticate(bearer(token))
        except OIDCAuthError as refusal:
            return refusal.code
        return None

    def asked(self) -> list[str]:
        """Return the addresses that were fetched since the last call."""
        asked, self.fetcher.asked = self.fetcher.asked, []
        return asked


def outage_from(fetcher: FaultyFetcher, issuer: str = "https://issuer.test") -> UpstreamError:
    """Return the error that the responses of a fetcher cause."""
    table = {"preset": "generic", "issuer": issuer, "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=fetcher)
    with pytest.raises(UpstreamError) as outage:
        asyncio.run(oidc.authenticate(bearer(LocalIssuer(issuer, algorithm="ES256").token())))
    return outage.value
