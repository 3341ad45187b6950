"""A key set without usable keys withdraws all keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kit.auth_harness import AuthHarness, run_event_loop
from kit.clock import DAY, HOUR
from kit.key_scenarios import KEYS, Provider, authenticate_fresh, run_scenario
from kit.tokens import rsa_key

from oidc_auth.errors import ErrorCode
from oidc_auth.keys.fetch import Response
from oidc_auth.testing import Fault
from oidc_auth.testing.signing import SigningKey

GOOD = SigningKey.make("good", "ES256")
WITHDRAWN: dict[str, list[Any]] = {
    "empty": [],
    "keys for encryption": [{**GOOD.jwk(), "use": "enc"}],
    "unknown key types": [{"kty": "AKP", "alg": "ML-DSA-44", "kid": "key-1", "pub": "AAAA"}],
    "weak keys": [rsa_key(bits=1024).jwk()],
    "broken keys": [{"kty": "EC", "crv": "P-256", "kid": "key-1"}],
    "no keys at all": [None, 1, "key"],
}


@pytest.mark.parametrize("published", WITHDRAWN.values(), ids=WITHDRAWN.keys())
@pytest.mark.parametrize("age", [91, HOUR + 1])
def test_set_without_usable_keys_withdraws_all(published: list[Any], age: float) -> None:
    async def scenario(harness: AuthHarness) -> None:
        token = harness.issuer.token(lifetime=DAY)
        assert [await harness.authenticate_async(token), await harness.authenticate_async(token)] == [None, None]
        harness.issuer.published = published
        harness.clock.advance(age)
        await authenticate_fresh(harness)
        await run_event_loop()
        # As on a start without keys. The tokens may be valid, but they cannot be verified.
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        assert await harness.authenticate_async(token) is ErrorCode.KEYS_UNAVAILABLE
        assert await authenticate_fresh(harness, header={"kid": "made-up"}) is ErrorCode.KEYS_UNAVAILABLE

    run_scenario(scenario)


def test_withdrawal_is_found_by_unknown_kid() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.published = []
        assert await authenticate_fresh(harness, header={"kid": "made-up"}) is ErrorCode.KEYS_UNAVAILABLE
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE

    run_scenario(scenario)


def test_tokens_of_withdrawn_keys_are_verified_again() -> None:
    async def scenario(harness: AuthHarness) -> None:
        old = harness.issuer.keys[0]
        token = harness.issuer.token(lifetime=DAY)
        await harness.authenticate_async(token)
        harness.issuer.published = []
        harness.clock.advance(91)
        assert await harness.authenticate_async(token) is None
        await run_event_loop()
        assert await harness.authenticate_async(token) is ErrorCode.KEYS_UNAVAILABLE
        # The same key id now belongs to another key.
        harness.issuer.keys = [SigningKey.make(old.kid, "ES256")]
        harness.issuer.published = None
        harness.clock.advance(1)
        assert await harness.authenticate_async(token) is ErrorCode.SIGNATURE_INVALID

    run_scenario(scenario)


def test_keys_published_after_withdrawal_count_second_later() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.published = []
        harness.clock.advance(2 * HOUR)
        codes = []
        for seconds in (0, 0, 0.7, 0.3):
            harness.clock.advance(seconds)
            codes.append((await authenticate_fresh(harness), len(harness.attempts)))
        harness.issuer.published = None
        harness.clock.advance(1)
        assert await authenticate_fresh(harness) is None
        # An empty set is fetched as often as on a start without keys.
        assert codes == [(ErrorCode.KEYS_UNAVAILABLE, attempts) for attempts in (2, 2, 2, 3)]

    run_scenario(scenario)


def test_withdrawn_keys_stay_withdrawn_in_outage() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.published = []
        harness.clock.advance(2 * HOUR)
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        for seconds in (1, 10, -3 * HOUR, HOUR):
            harness.clock.advance(seconds)
            assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE

    run_scenario(scenario)


NOT_A_KEY_SET = [b"", b"null", b"[]", b"{}", b'{"keys": null}', b'{"keys": {}}', b'{"keys": "x"}', b"<html>", b"[[]]"]


@pytest.mark.parametrize("body", NOT_A_KEY_SET)
def test_body_that_is_no_key_set_withdraws_nothing(body: bytes) -> None:
    provider = Provider()
    token = provider.token()

    async def scenario() -> None:
        assert await provider.authenticate_async(token) is None
        provider.answers[KEYS] = Response(200, {"content-type": "application/json"}, body)
        provider.clock.advance(2 * HOUR)
        assert await provider.authenticate_async(token) is None
        assert await provider.authenticate_async(provider.token(jti="fresh")) is None

    asyncio.run(scenario())
