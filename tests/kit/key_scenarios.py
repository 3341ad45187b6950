"""Scenarios with the keys of one issuer, and a provider with given responses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from kit.auth_harness import AuthHarness, bearer
from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, UpstreamError
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from oidc_auth.keys.fetch import Response

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


def outage_from(fetcher: FaultyFetcher, issuer: str = "https://issuer.test") -> UpstreamError:
    """Return the error that the responses of a fetcher cause."""
    table = {"preset": "generic", "issuer": issuer, "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=fetcher)
    with pytest.raises(UpstreamError) as outage:
        asyncio.run(oidc.authenticate(bearer(LocalIssuer(issuer, algorithm="ES256").token())))
    return outage.value
