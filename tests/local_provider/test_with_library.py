"""OIDCAuth accepts the tokens of the local provider, and follows its keys and logouts."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import bearer
from kit.blocking import blocking_allowed
from kit.relying_party import RelyingParty

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, OIDCAuthError
from oidc_auth.local_provider import LocalProvider
from oidc_auth.permissions.caller import Tenancy

if TYPE_CHECKING:
    from oidc_auth.testing import Clock


def authenticator(provider: LocalProvider, clock: Clock, **settings: Any) -> aclosing[OIDCAuth]:
    """Return the context of an OIDCAuth that reads the provider's metadata over HTTP."""
    table = {
        "preset": "generic",
        "issuer": provider.url,
        "audience": "agents",
        "tenant": "org",
        "strict_rfc9068": True,
        "permission_map": {"claim": "roles", "values": {"editor": ["threads:write"]}},
        **settings,
    }
    return aclosing(OIDCAuth.from_dict({"issuer": table}, clock=clock))


async def code_of(oidc: OIDCAuth, token: str) -> ErrorCode | None:
    """Return the error code of a request with a token, or None."""
    try:
        await oidc.authenticate(bearer(token))
    except OIDCAuthError as refusal:
        return refusal.code
    return None


def test_tokens_are_accepted_with_strict_rfc9068(provider: LocalProvider, spa: RelyingParty, clock: Clock) -> None:
    tokens = spa.log_in("alice")

    async def check() -> None:
        async with authenticator(provider, clock) as oidc:
            caller = await oidc.authenticate(bearer(tokens["access_token"]))
            assert (caller.identity, caller.tenancy) == ("alice", Tenancy("acme"))
            assert (await oidc.authenticate(bearer(provider.token("bob")))).tenancy == Tenancy("globex")
            assert await code_of(oidc, tokens["id_token"]) == ErrorCode.TYP_NOT_ALLOWED
            assert await code_of(oidc, provider.token("alice", audience="billing")) == ErrorCode.AUDIENCE_MISMATCH
            assert await code_of(oidc, provider.token("alice", lifetime=-120)) == ErrorCode.TOKEN_EXPIRED

    asyncio.run(check())


def test_new_key_is_found(provider: LocalProvider, clock: Clock) -> None:
    async def check() -> None:
        async with authenticator(provider, clock) as oidc:
            old = provider.token("alice")
            assert await code_of(oidc, old) is None
            provider.rotate()
            clock.advance(60)
            assert await code_of(oidc, provider.token("alice")) is None
            assert await code_of(oidc, old) is None
            provider.rotate(keep_old=False)
            clock.advance(60)
            assert await code_of(oidc, provider.token("alice")) is None
            assert await code_of(oidc, old) == ErrorCode.KEY_NOT_FOUND

    asyncio.run(check())


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES384", "EdDSA"])
def test_other_algorithms_are_accepted(algorithm: str, clock: Clock) -> None:
    provider = LocalProvider(algorithm=algorithm, clock=clock)

    async def check() -> None:
        async with authenticator(provider, clock) as oidc:
            assert await code_of(oidc, provider.token("alice")) is None

    with provider.served():
        asyncio.run(check())
        with RelyingParty(provider) as spa:
            assert spa.log_in("alice")["id_token"]


def test_introspection_works_with_library(
    provider: LocalProvider, spa: RelyingParty, robot: RelyingParty, clock: Clock
) -> None:
    token = spa.log_in("alice")["access_token"]
    introspection = {"mode": "always", "client_id": "robot", "client_secret": robot.secret, "cache_seconds": 1}

    async def check() -> None:
        async with authenticator(provider, clock, introspection=introspection) as oidc:
            assert await code_of(oidc, token) is None
            with blocking_allowed():
                assert spa.post("/revoke", token=token).status_code == 200
            clock.advance(2)
            assert await code_of(oidc, token) == ErrorCode.TOKEN_INACTIVE

    asyncio.run(check())
