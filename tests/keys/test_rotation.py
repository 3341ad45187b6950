"""Keys that are withdrawn, move to another address, or appear under a key id that was asked for before."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from keys.test_freshness import DISCOVERY, KEYS, Strange, greet, outage_of, story
from world.tokens import DAY, HOUR, NOON, Clock, Door, bearer, rsa_key, turns

from oidc_auth import OIDCAuth
from oidc_auth.errors import Code, OIDCAuthError
from oidc_auth.keys.budget import Bucket
from oidc_auth.keys.fetch import FetchError, Response
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
def test_a_set_without_usable_keys_withdraws_all(published: list[Any], age: float) -> None:
    async def tell(door: Door) -> None:
        token = door.issuer.token(lifetime=DAY)
        assert [await door.hear(token), await door.hear(token)] == [None, None]
        door.issuer.published = published
        door.clock.move(age)
        await greet(door)
        await turns()
        # As on a start without keys: the tokens may be good, but nobody can tell.
        assert await greet(door) is Code.KEYS_UNAVAILABLE
        assert await door.hear(token) is Code.KEYS_UNAVAILABLE
        assert await greet(door, header={"kid": "made-up"}) is Code.KEYS_UNAVAILABLE

    story(tell)


def test_a_withdrawal_is_found_by_an_unknown_kid() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.published = []
        assert await greet(door, header={"kid": "made-up"}) is Code.KEYS_UNAVAILABLE
        assert await greet(door) is Code.KEYS_UNAVAILABLE

    story(tell)


def test_tokens_of_withdrawn_keys_are_verified_again() -> None:
    async def tell(door: Door) -> None:
        old = door.issuer.keys[0]
        token = door.issuer.token(lifetime=DAY)
        await door.hear(token)
        door.issuer.published = []
        door.clock.move(91)
        assert await door.hear(token) is None
        await turns()
        assert await door.hear(token) is Code.KEYS_UNAVAILABLE
        # The same key id now belongs to another key.
        door.issuer.keys = [SigningKey.make(old.kid, "ES256")]
        door.issuer.published = None
        door.clock.move(1)
        assert await door.hear(token) is Code.SIGNATURE_INVALID

    story(tell)


def test_keys_published_after_a_withdrawal_count_a_second_later() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.published = []
        door.clock.move(2 * HOUR)
        heard = []
        for seconds in (0, 0, 0.9, 0.1):
            door.clock.move(seconds)
            heard.append((await greet(door), len(door.attempts)))
        door.issuer.published = None
        door.clock.move(1)
        assert await greet(door) is None
        # An empty set is asked for as often as on a start without keys.
        assert heard == [(Code.KEYS_UNAVAILABLE, attempts) for attempts in (2, 2, 2, 3)]

    story(tell)


def test_withdrawn_keys_stay_withdrawn_in_an_outage() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.published = []
        door.clock.move(2 * HOUR)
        await greet(door)
        door.issuer.fault = Fault.DOWN
        for seconds in (1, 10, -3 * HOUR, HOUR):
            door.clock.move(seconds)
            assert await greet(door) is Code.KEYS_UNAVAILABLE

    story(tell)


NOT_A_KEY_SET = [b"", b"null", b"[]", b"{}", b'{"keys": null}', b'{"keys": {}}', b'{"keys": "x"}', b"<html>", b"[[]]"]


@pytest.mark.parametrize("body", NOT_A_KEY_SET)
def test_a_body_that_is_no_key_set_withdraws_nothing(body: bytes) -> None:
    provider = Provider()
    token = provider.token()

    async def tell() -> None:
        assert await provider.hear(token) is None
        provider.answers[KEYS] = Response(200, {"content-type": "application/json"}, body)
        provider.clock.move(2 * HOUR)
        assert await provider.hear(token) is None
        assert await provider.hear(provider.token(jti="fresh")) is None

    asyncio.run(tell())


# Keys that move -------------------------------------------------------------------------------------------------------


class Provider:
    """A provider whose documents a test writes, and an OIDCAuth in front of it."""

    def __init__(self, issuer: str = "https://issuer.test", **settings: Any) -> None:
        self.clock = Clock()
        self.issuer = LocalIssuer(issuer, algorithm="ES256", clock=self.clock)
        self.fetcher = Strange({})
        self.answers: dict[str, Response | BaseException] = {}
        self.fetcher.answers = self.answers
        self.keys_lie_at(KEYS)
        self.publish(KEYS, self.issuer.keys)
        table = {"preset": "generic", "issuer": issuer, "audience": "agents", **settings}
        self.oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=self.fetcher, clock=self.clock)

    def keys_lie_at(self, url: str) -> None:
        document = {"issuer": self.issuer.url, "jwks_uri": url}
        self.answers[DISCOVERY] = Response(200, {}, json.dumps(document).encode())

    def publish(self, url: str, keys: Sequence[SigningKey]) -> None:
        self.answers[url] = Response(200, {}, json.dumps({"keys": [key.jwk() for key in keys]}).encode())

    def move_keys(self) -> SigningKey:
        """Publish another key at another address; the old address still answers as before."""
        new = SigningKey.make("new", "ES256")
        self.keys_lie_at(f"{KEYS}/v2")
        self.publish(f"{KEYS}/v2", [new])
        return new

    def token(self, **token: Any) -> str:
        return self.issuer.token(iat=NOON - DAY, exp=NOON + 30 * DAY, **token)

    async def hear(self, token: str) -> Code | None:
        try:
            await self.oidc.authenticate(bearer(token))
        except OIDCAuthError as refusal:
            return refusal.code
        return None

    def asked(self) -> list[str]:
        """Return the addresses that were fetched since the last call."""
        asked, self.fetcher.asked = self.fetcher.asked, []
        return asked


def test_a_new_key_at_a_new_address_is_found() -> None:
    provider = Provider()

    async def tell() -> None:
        assert await provider.hear(provider.token()) is None
        new = provider.move_keys()
        provider.clock.move(15)
        provider.asked()
        assert await provider.hear(provider.token(key=new)) is None
        assert provider.asked() == [KEYS, DISCOVERY, f"{KEYS}/v2"]
        # The old key was withdrawn at the new address.
        assert await provider.hear(provider.token()) is Code.KEY_UNKNOWN

    asyncio.run(tell())


def test_a_new_key_at_the_old_address_costs_one_fetch() -> None:
    provider = Provider()

    async def tell() -> None:
        assert await provider.hear(provider.token()) is None
        new = SigningKey.make("new", "ES256")
        provider.publish(KEYS, [new])
        provider.clock.move(60)
        provider.asked()
        assert await provider.hear(provider.token(key=new)) is None
        assert provider.asked() == [KEYS]

    asyncio.run(tell())


@pytest.mark.parametrize("moves", [True, False])
def test_made_up_kids_read_metadata_at_most_once_each_fetch(*, moves: bool) -> None:
    provider = Provider()

    async def tell() -> list[str]:
        await provider.hear(provider.token())
        provider.asked()
        for second in range(300):
            # At worst the metadata name another address each time.
            if moves:
                provider.keys_lie_at(f"{KEYS}/{second}")
                provider.publish(f"{KEYS}/{second}", provider.issuer.keys)
            for number in range(5):
                assert await provider.hear(provider.token(header={"kid": f"{second}-{number}"})) is Code.KEY_UNKNOWN
            provider.clock.move(1)
        return provider.asked()

    asked = asyncio.run(tell())
    fetches = 2 + 300 // 15 - 1
    assert asked.count(DISCOVERY) == fetches - 2
    assert len(asked) - asked.count(DISCOVERY) == fetches + (fetches - 2 if moves else 0)


def test_a_key_withdrawn_at_a_new_address_is_refused_after_an_hour() -> None:
    provider = Provider()

    async def tell() -> None:
        assert await provider.hear(provider.token()) is None
        provider.move_keys()
        refused_after = 0
        while await provider.hear(provider.token(jti=str(refused_after))) is None:
            refused_after += 60
            provider.clock.move(60)
            await turns()
            assert refused_after <= 2 * HOUR
        assert refused_after <= HOUR + 180

    asyncio.run(tell())


def test_metadata_that_cannot_be_read_again_keep_the_keys() -> None:
    provider = Provider()

    async def tell() -> None:
        assert await provider.hear(provider.token()) is None
        metadata, provider.answers[DISCOVERY] = provider.answers[DISCOVERY], FetchError("connection refused")
        provider.clock.move(HOUR + 1)
        assert await provider.hear(provider.token(jti="1")) is None
        provider.clock.move(DAY)
        assert await provider.hear(provider.token(jti="2")) is Code.KEYS_UNAVAILABLE
        provider.answers[DISCOVERY] = metadata
        provider.clock.move(10)
        assert await provider.hear(provider.token(jti="3")) is None

    asyncio.run(tell())


def test_metadata_are_read_again_when_the_clock_is_set_back() -> None:
    provider = Provider()

    async def tell() -> None:
        await provider.hear(provider.token())
        provider.asked()
        provider.clock.move(-HOUR)
        assert await provider.hear(provider.token(jti="1")) is None
        await turns()
        assert provider.asked() == [DISCOVERY, KEYS]

    asyncio.run(tell())


def test_a_configured_address_needs_no_metadata() -> None:
    provider = Provider(jwks_url=KEYS)

    async def tell() -> None:
        for seconds in (0, 2 * HOUR):
            provider.clock.move(seconds)
            assert await provider.hear(provider.token(jti=str(seconds))) is None
            assert await provider.hear(provider.token(header={"kid": f"made-up-{seconds}"})) is Code.KEY_UNKNOWN
        assert DISCOVERY not in provider.asked()

    asyncio.run(tell())


# https ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/keys", "http://localhost/keys", "HTTP://127.1/keys", "http://[::1]/keys"]
)
def test_metadata_of_an_https_issuer_name_https_keys(url: str) -> None:
    document = json.dumps({"issuer": "https://issuer.test", "jwks_uri": url})
    fetcher = Strange({DISCOVERY: Response(200, {}, document.encode())})
    assert "the issuer is https" in outage_of(fetcher).found
    assert fetcher.asked == [DISCOVERY]


def test_an_operator_may_write_a_loopback_address_for_keys() -> None:
    url = "http://127.0.0.1:9/keys"
    provider = Provider(jwks_url=url)
    provider.publish(url, provider.issuer.keys)
    assert asyncio.run(provider.hear(provider.token())) is None


def test_a_loopback_issuer_may_have_loopback_keys() -> None:
    issuer = "http://127.0.0.1:9"
    document = json.dumps({"issuer": issuer, "jwks_uri": f"{issuer}/keys"})
    key_set = Response(200, {}, b'{"keys": []}')
    answers = {f"{issuer}/.well-known/openid-configuration": Response(200, {}, document.encode())}
    assert "it is empty" in outage_of(Strange({**answers, f"{issuer}/keys": key_set}), issuer).found


# Unknown key ids ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("allowance", [1, 2])
def test_a_rotated_key_is_accepted_for_all_callers_at_once(allowance: int) -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.rotate("ES256")
        tokens = [door.issuer.token(jti=str(number)) for number in range(100)]
        assert await asyncio.gather(*map(door.hear, tokens)) == [None] * 100
        assert door.issuer.fetched.count(KEYS) == 2

    story(tell, limits={"unknown_kid_fetches": allowance})


def test_few_unknown_kids_wait_for_one_fetch() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.fault = Fault.STALL
        requests = [asyncio.create_task(greet(door, header={"kid": f"made-up-{number}"})) for number in range(30)]
        again = asyncio.create_task(greet(door, header={"kid": "made-up-0"}))
        await turns()
        assert [request.done() for request in [*requests, again]] == [*[False] * 8, *[True] * 22, False]
        door.issuer.release.set()
        assert set(await asyncio.gather(*requests, again)) == {Code.KEY_UNKNOWN}
        assert door.issuer.fetched.count(KEYS) == 2
        # The next fetch begins with none, also one that no unknown kid causes.
        door.clock.move(91)
        door.issuer.release.clear()
        assert await greet(door) is None
        door.issuer.rotate("ES256")
        late = asyncio.create_task(greet(door))
        await turns()
        door.issuer.release.set()
        assert await late is None

    story(tell)


def accepted_after(door: Door, attack: Callable[[int], str | None]) -> Callable[[], Any]:
    """Return how many seconds a key rotated in at second 1 waits while an attack goes on each second."""

    async def wait() -> int:
        await greet(door)
        late = SigningKey.make("late", "ES256")
        for second in range(120):
            kid = attack(second)
            if kid is not None:
                await greet(door, header={"kid": kid})
            if second == 1:
                door.issuer.keys.append(late)
            if second >= 1 and await greet(door, key=late) is None:
                return second - 1
            door.clock.move(1)
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
def test_no_attack_delays_a_new_key_for_long(attack: Callable[[int], str | None]) -> None:
    async def tell(door: Door) -> None:
        assert await accepted_after(door, attack)() <= 15

    story(tell)


def test_an_old_token_sent_all_the_time_delays_no_new_key() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        for _ in range(100):
            assert await greet(door, header={"kid": "old"}) is Code.KEY_UNKNOWN
            door.clock.move(1)
        door.issuer.rotate("ES256")
        assert await greet(door) is None

    story(tell)


@pytest.mark.parametrize("start", [0.0, NOON, NOON + 0.3, NOON + 1 / 3])
@pytest.mark.parametrize(("size", "window"), [(1, 30), (1, 0.7), (2, 30), (3, 10), (7, 0.7)])
def test_an_allowance_is_bounded_at_any_time(size: int, window: float, start: float) -> None:
    bucket, taken = Bucket(size, window), list[float]()
    for step in range(1_000):
        now = start + step * window / 50
        while len(taken) < 10_000 and bucket.take(now):
            taken.append(now)
    # Once the full allowance, and then one in each pause.
    assert size * 20 <= len(taken) <= size * 21
    for first in taken:
        assert sum(first <= when < first + window for when in taken) <= 2 * size


def test_an_allowance_of_none_stays_none() -> None:
    bucket = Bucket(0, 30)
    assert (bucket.has(NOON), bucket.take(NOON), bucket.next_in(NOON)) == (False, False, 30)
