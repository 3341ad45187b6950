"""Keys that are withdrawn, move to another address, or appear under a known key id."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness, bearer, run_event_loop
from kit.clock import DAY, HOUR, NOON
from kit.key_scenarios import DISCOVERY, KEYS, FaultyFetcher, authenticate_fresh, outage_from, run_scenario
from kit.messages import EMPTY_KEY_SET
from kit.tokens import rsa_key

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, OIDCAuthError
from oidc_auth.keys.budget import FetchBudget
from oidc_auth.keys.fetch import FetchError, Response
from oidc_auth.testing import Clock, Fault, LocalIssuer
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# A key set without usable keys ----------------------------------------------------------------------------------------

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
        for seconds in (0, 0, 0.9, 0.1):
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


# Keys that move -------------------------------------------------------------------------------------------------------


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
        document = {"issuer": self.issuer.url, "jwks_uri": url}
        self.answers[DISCOVERY] = Response(200, {}, json.dumps(document).encode())

    def publish(self, url: str, keys: Sequence[SigningKey]) -> None:
        self.answers[url] = Response(200, {}, json.dumps({"keys": [key.jwk() for key in keys]}).encode())

    def move_keys(self) -> SigningKey:
        """Publish another key at another address. The old address still works."""
        new = SigningKey.make("new", "ES256")
        self.keys_lie_at(f"{KEYS}/v2")
        self.publish(f"{KEYS}/v2", [new])
        return new

    def token(self, **token: Any) -> str:
        return self.issuer.token(iat=NOON - DAY, exp=NOON + 30 * DAY, **token)

    async def authenticate_async(self, token: str) -> ErrorCode | None:
        try:
            await self.oidc.authenticate(bearer(token))
        except OIDCAuthError as refusal:
            return refusal.code
        return None

    def asked(self) -> list[str]:
        """Return the addresses that were fetched since the last call."""
        asked, self.fetcher.asked = self.fetcher.asked, []
        return asked


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


# https ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/keys", "http://localhost/keys", "HTTP://127.1/keys", "http://[::1]/keys"]
)
def test_metadata_of_https_issuer_name_https_keys(url: str) -> None:
    document = json.dumps({"issuer": "https://issuer.test", "jwks_uri": url})
    fetcher = FaultyFetcher({DISCOVERY: Response(200, {}, document.encode())})
    assert "the issuer is https" in outage_from(fetcher).found
    assert fetcher.asked == [DISCOVERY]


def test_operator_may_write_loopback_address_for_keys() -> None:
    url = "http://127.0.0.1:9/keys"
    provider = Provider(jwks_uri=url)
    provider.publish(url, provider.issuer.keys)
    assert asyncio.run(provider.authenticate_async(provider.token())) is None


def test_loopback_issuer_may_have_loopback_keys() -> None:
    issuer = "http://127.0.0.1:9"
    document = json.dumps({"issuer": issuer, "jwks_uri": f"{issuer}/keys"})
    key_set = Response(200, {}, b'{"keys": []}')
    answers = {f"{issuer}/.well-known/openid-configuration": Response(200, {}, document.encode())}
    assert EMPTY_KEY_SET in outage_from(FaultyFetcher({**answers, f"{issuer}/keys": key_set}), issuer).found


# Unknown key ids ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fetch_budget", [1, 2])
def test_rotated_key_is_accepted_for_all_callers(fetch_budget: int) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.rotate("ES256")
        tokens = [harness.issuer.token(jti=str(number)) for number in range(100)]
        assert await asyncio.gather(*map(harness.authenticate_async, tokens)) == [None] * 100
        assert harness.issuer.fetched.count(KEYS) == 2

    run_scenario(scenario, limits={"unknown_kid_fetches": fetch_budget})


def test_few_unknown_kids_wait_for_one_fetch() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.STALL
        requests = [
            asyncio.create_task(authenticate_fresh(harness, header={"kid": f"made-up-{number}"}))
            for number in range(30)
        ]
        again = asyncio.create_task(authenticate_fresh(harness, header={"kid": "made-up-0"}))
        await run_event_loop()
        assert [request.done() for request in [*requests, again]] == [*[False] * 8, *[True] * 22, False]
        harness.issuer.release.set()
        assert set(await asyncio.gather(*requests, again)) == {ErrorCode.KEY_NOT_FOUND}
        assert harness.issuer.fetched.count(KEYS) == 2
        # The next fetch has no waiting key ids, also if no unknown key id causes it.
        harness.clock.advance(91)
        harness.issuer.release.clear()
        assert await authenticate_fresh(harness) is None
        harness.issuer.rotate("ES256")
        late = asyncio.create_task(authenticate_fresh(harness))
        await run_event_loop()
        harness.issuer.release.set()
        assert await late is None

    run_scenario(scenario)


def accepted_after(harness: AuthHarness, attack: Callable[[int], str | None]) -> Callable[[], Any]:
    """Return how many seconds a new key of second 1 is rejected during an attack."""

    async def wait() -> int:
        await authenticate_fresh(harness)
        late = SigningKey.make("late", "ES256")
        for second in range(120):
            kid = attack(second)
            if kid is not None:
                await authenticate_fresh(harness, header={"kid": kid})
            if second == 1:
                harness.issuer.keys.append(late)
            if second >= 1 and await authenticate_fresh(harness, key=late) is None:
                return second - 1
            harness.clock.advance(1)
        return 120

    return wait


@pytest.mark.parametrize(
    "attack",
    [
        lambda second: "late" if second == 0 else None,
        lambda second: "late",
        lambda second: f"made-up-{second}",
        lambda second: "late" if second == 0 else f"made-up-{second}",
    ],
    ids=["guessed once", "guessed each second", "made up each second", "guessed, then made up"],
)
def test_no_attack_delays_new_key_for_long(attack: Callable[[int], str | None]) -> None:
    async def scenario(harness: AuthHarness) -> None:
        assert await accepted_after(harness, attack)() <= 15

    run_scenario(scenario)


def test_repeated_old_token_delays_no_new_key() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        for _ in range(100):
            assert await authenticate_fresh(harness, header={"kid": "old"}) is ErrorCode.KEY_NOT_FOUND
            harness.clock.advance(1)
        harness.issuer.rotate("ES256")
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


@pytest.mark.parametrize("start", [0.0, NOON, NOON + 0.3, NOON + 1 / 3])
@pytest.mark.parametrize(("size", "window"), [(1, 30), (1, 0.7), (2, 30), (3, 10), (7, 0.7)])
def test_allowance_is_bounded_at_any_time(size: int, window: float, start: float) -> None:
    budget, taken = FetchBudget(size, window), list[float]()
    for step in range(1_000):
        now = start + step * window / 50
        while len(taken) < 10_000 and budget.take(now):
            taken.append(now)
    # First the whole budget, then one fetch per pause.
    assert size * 20 <= len(taken) <= size * 21
    for first in taken:
        assert sum(first <= when < first + window for when in taken) <= 2 * size


def test_allowance_of_none_stays_none() -> None:
    budget = FetchBudget(0, 30)
    assert (budget.is_available(NOON), budget.take(NOON), budget.seconds_until_available(NOON)) == (False, False, 30)
