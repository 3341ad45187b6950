"""Keys that move to another address, and which addresses may have keys."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from kit.auth_harness import run_event_loop
from kit.clock import DAY, HOUR
from kit.key_scenarios import DISCOVERY, KEYS, FaultyFetcher, Provider, outage_from

from oidc_auth.errors import ErrorCode
from oidc_auth.keys.fetch import FetchError, Response
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.snapshots import Messages


def test_new_key_at_new_address_is_found() -> None:
    provider = Provider()

    async def scenario() -> None:
        assert await provider.authenticate_async(provider.token()) is None
        new = provider.move_keys()
        provider.clock.advance(15)
        provider.asked()
        assert await provider.authenticate_async(provider.token(key=new)) is None
        assert provider.asked() == [KEYS, DISCOVERY, f"{KEYS}/v2"]
        # The old key was withdrawn at the new address.
        assert await provider.authenticate_async(provider.token()) is ErrorCode.KEY_NOT_FOUND

    asyncio.run(scenario())


def test_new_key_at_old_address_costs_one_fetch() -> None:
    provider = Provider()

    async def scenario() -> None:
        assert await provider.authenticate_async(provider.token()) is None
        new = SigningKey.make("new", "ES256")
        provider.publish(KEYS, [new])
        provider.clock.advance(60)
        provider.asked()
        assert await provider.authenticate_async(provider.token(key=new)) is None
        assert provider.asked() == [KEYS]

    asyncio.run(scenario())


@pytest.mark.parametrize("moves", [True, False])
def test_invented_kids_read_metadata_once_per_fetch(*, moves: bool) -> None:
    provider = Provider()

    async def scenario() -> list[str]:
        await provider.authenticate_async(provider.token())
        provider.asked()
        for second in range(300):
            # In the worst case the metadata has another address each time.
            if moves:
                provider.keys_lie_at(f"{KEYS}/{second}")
                provider.publish(f"{KEYS}/{second}", provider.issuer.keys)
            for number in range(5):
                assert (
                    await provider.authenticate_async(provider.token(header={"kid": f"{second}-{number}"}))
                    is ErrorCode.KEY_NOT_FOUND
                )
            provider.clock.advance(1)
        return provider.asked()

    asked = asyncio.run(scenario())
    fetches = 2 + 300 // 15 - 1
    assert asked.count(DISCOVERY) == fetches - 2
    assert len(asked) - asked.count(DISCOVERY) == fetches + (fetches - 2 if moves else 0)


def test_key_withdrawn_at_new_address_is_rejected() -> None:
    provider = Provider()

    async def scenario() -> None:
        assert await provider.authenticate_async(provider.token()) is None
        provider.move_keys()
        refused_after = 0
        while await provider.authenticate_async(provider.token(jti=str(refused_after))) is None:
            refused_after += 60
            provider.clock.advance(60)
            await run_event_loop()
            assert refused_after <= 2 * HOUR
        assert refused_after <= HOUR + 180

    asyncio.run(scenario())


def test_metadata_that_cannot_be_read_again_keep_keys() -> None:
    provider = Provider()

    async def scenario() -> None:
        assert await provider.authenticate_async(provider.token()) is None
        metadata, provider.answers[DISCOVERY] = provider.answers[DISCOVERY], FetchError("connection refused")
        provider.clock.advance(HOUR + 1)
        assert await provider.authenticate_async(provider.token(jti="1")) is None
        provider.clock.advance(DAY)
        assert await provider.authenticate_async(provider.token(jti="2")) is ErrorCode.KEYS_UNAVAILABLE
        provider.answers[DISCOVERY] = metadata
        provider.clock.advance(10)
        assert await provider.authenticate_async(provider.token(jti="3")) is None

    asyncio.run(scenario())


class HangingFetcher(FaultyFetcher):
    """A fetcher that can stop answering requests for the metadata."""

    hangs = False

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        if self.hangs and url == DISCOVERY:
            await asyncio.Event().wait()
        return await super().__call__(method, url, headers, body)


METADATA: dict[str, Response | BaseException | None] = {
    "unreachable": FetchError("connection refused"),
    "broken": OSError("unexpected"),
    "error": Response(503, {}, b""),
    "hanging": None,
}


@pytest.mark.parametrize("answer", METADATA.values(), ids=METADATA.keys())
def test_invented_kids_do_not_keep_withdrawn_key(answer: Response | BaseException | None) -> None:
    fetcher = HangingFetcher({})
    provider = Provider(fetcher=fetcher, limits={"fetch_timeout": 0.05})

    async def scenario() -> None:
        assert await provider.authenticate_async(provider.token()) is None
        provider.clock.advance(20)
        provider.publish(KEYS, [SigningKey.make("new", "ES256")])
        if answer is None:
            fetcher.hangs = True
        else:
            provider.answers[DISCOVERY] = answer
        assert await provider.authenticate_async(provider.token(header={"kid": "made-up"})) is ErrorCode.KEY_NOT_FOUND
        assert await provider.authenticate_async(provider.token()) is ErrorCode.KEY_NOT_FOUND

    asyncio.run(scenario())


def test_new_address_that_does_not_answer_keeps_fetched_keys() -> None:
    provider = Provider()

    async def scenario() -> None:
        assert await provider.authenticate_async(provider.token()) is None
        provider.clock.advance(20)
        provider.keys_lie_at(f"{KEYS}/v2")
        provider.answers[f"{KEYS}/v2"] = Response(404, {}, b"")
        assert await provider.authenticate_async(provider.token(header={"kid": "made-up"})) is ErrorCode.KEY_NOT_FOUND
        assert await provider.authenticate_async(provider.token()) is None

    asyncio.run(scenario())


def test_empty_key_set_at_new_address_withdraws_all() -> None:
    provider = Provider()

    async def scenario() -> None:
        assert await provider.authenticate_async(provider.token()) is None
        provider.clock.advance(20)
        provider.keys_lie_at(f"{KEYS}/v2")
        provider.publish(f"{KEYS}/v2", [])
        assert (
            await provider.authenticate_async(provider.token(header={"kid": "made-up"})) is ErrorCode.KEYS_UNAVAILABLE
        )
        assert await provider.authenticate_async(provider.token()) is ErrorCode.KEYS_UNAVAILABLE

    asyncio.run(scenario())


def test_clock_set_back_rereads_metadata() -> None:
    provider = Provider()

    async def scenario() -> None:
        await provider.authenticate_async(provider.token())
        provider.asked()
        provider.clock.advance(-HOUR)
        assert await provider.authenticate_async(provider.token(jti="1")) is None
        await run_event_loop()
        assert provider.asked() == [DISCOVERY, KEYS]

    asyncio.run(scenario())


def test_configured_address_needs_no_metadata() -> None:
    provider = Provider(jwks_uri=KEYS)

    async def scenario() -> None:
        for seconds in (0, 2 * HOUR):
            provider.clock.advance(seconds)
            assert await provider.authenticate_async(provider.token(jti=str(seconds))) is None
            assert (
                await provider.authenticate_async(provider.token(header={"kid": f"made-up-{seconds}"}))
                is ErrorCode.KEY_NOT_FOUND
            )
        assert DISCOVERY not in provider.asked()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/keys", "http://localhost/keys", "HTTP://127.1/keys", "http://[::1]/keys"]
)
def test_metadata_of_https_issuer_name_https_keys(url: str, messages: Messages) -> None:
    document = json.dumps({"issuer": "https://issuer.test", "jwks_uri": url})
    fetcher = FaultyFetcher({DISCOVERY: Response(200, {}, document.encode())})
    messages.check(outage_from(fetcher).found)
    assert fetcher.asked == [DISCOVERY]


def test_operator_may_write_loopback_address_for_keys() -> None:
    url = "http://127.0.0.1:9/keys"
    provider = Provider(jwks_uri=url)
    provider.publish(url, provider.issuer.keys)
    assert asyncio.run(provider.authenticate_async(provider.token())) is None


def test_loopback_issuer_may_have_loopback_keys(messages: Messages) -> None:
    issuer = "http://127.0.0.1:9"
    document = json.dumps({"issuer": issuer, "jwks_uri": f"{issuer}/keys"})
    key_set = Response(200, {}, b'{"keys": []}')
    answers = {f"{issuer}/.well-known/openid-configuration": Response(200, {}, document.encode())}
    messages.check(outage_from(FaultyFetcher({**answers, f"{issuer}/keys": key_set}), issuer).found)
