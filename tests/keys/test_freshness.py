"""Keys at every age and through every fault, with a clock that is moved by hand and an issuer that lies and dies."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import traceback
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from world.tokens import DAY, HOUR, NOON, Door, Internet, bearer, turns

from oidc_auth import OIDCAuth, presets
from oidc_auth.errors import Code, OIDCAuthError, TokenError, UpstreamError
from oidc_auth.json_values import is_object
from oidc_auth.keys.fetch import FetchError, Response
from oidc_auth.keys.refresh import SLICE, Ages, Refreshed
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

DISCOVERY = "https://issuer.test/.well-known/openid-configuration"
KEYS = "https://issuer.test/keys"


def story(tell: Callable[[Door], Awaitable[None]], **settings: Any) -> None:
    """Run a story at a door."""
    asyncio.run(_run(tell, Door(**settings)))


async def _run(tell: Callable[[Door], Awaitable[None]], door: Door) -> None:
    await tell(door)


async def greet(door: Door, **token: Any) -> Code | None:
    """Return what a fresh, right token hears; no token is ever remembered, so that the keys are what is asked."""
    return await door.hear(door.issuer.token(jti=str(len(door.events)), **token))


def fetched(door: Door) -> int:
    """Return how many times the key set was asked for."""
    return door.issuer.fetched.count(KEYS)


# One fetch for everybody ----------------------------------------------------------------------------------------------


def test_a_thousand_cold_callers_cost_one_fetch() -> None:
    async def tell(door: Door) -> None:
        token = door.issuer.token()
        heard = await asyncio.gather(*(door.hear(token) for _ in range(1_000)))
        assert heard == [None] * 1_000
        assert door.issuer.fetched == [DISCOVERY, KEYS]

    story(tell)


def test_a_thousand_callers_of_a_provider_that_is_down_cost_one_attempt() -> None:
    async def tell(door: Door) -> None:
        door.issuer.fault = Fault.DOWN
        token = door.issuer.token()
        heard = await asyncio.gather(*(door.hear(token) for _ in range(1_000)))
        assert heard == [Code.KEYS_UNAVAILABLE] * 1_000
        assert door.attempts == [False]

    story(tell)


def test_nothing_is_fetched_before_the_first_token_that_could_be_right() -> None:
    async def tell(door: Door) -> None:
        assert await door.hear({}) is Code.TOKEN_MISSING
        assert await greet(door, header={"alg": "none"}) is Code.ALGORITHM_REFUSED
        assert await greet(door, iss="https://other.test") is Code.ISSUER_UNKNOWN
        assert door.issuer.fetched == []

    story(tell)


# Ages -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "renewed"), [(0, False), (89, False), (90, False), (91, True), (3_600, True)])
def test_a_key_set_is_renewed_behind_a_request_once_it_is_older_than_90_seconds(age: float, *, renewed: bool) -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.clock.move(age)
        # A provider that answers nobody shows that nobody waits for it.
        door.issuer.fault = Fault.STALL
        assert await greet(door) is None
        await turns()
        assert len(door.issuer.fetched) == 2 + renewed
        door.issuer.release.set()
        await turns()
        assert door.attempts == [True] * (1 + renewed)

    story(tell)


@pytest.mark.parametrize(("age", "waits"), [(3_599, False), (3_600, False), (3_601, True), (30 * DAY, True)])
def test_a_request_waits_for_a_key_set_that_is_older_than_an_hour(age: float, *, waits: bool) -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.clock.move(age)
        door.issuer.fault = Fault.STALL
        request = asyncio.create_task(greet(door))
        await turns()
        assert request.done() is not waits
        door.issuer.release.set()
        assert await request is None
        await turns()
        assert door.attempts == [True, True]

    story(tell)


def test_an_idle_server_does_not_accept_yesterday_s_key_in_the_morning() -> None:
    async def tell(door: Door) -> None:
        old = door.issuer.keys[0]
        await greet(door)
        door.issuer.rotate("ES256", keep_old=False)
        door.clock.move(8 * HOUR)
        assert await greet(door, key=old) is Code.KEY_UNKNOWN

    story(tell)


def test_a_renewed_key_set_is_young_again() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        for _ in range(3):
            door.clock.move(601)
            await greet(door)
            await turns()
        await greet(door)
        assert fetched(door) == 4
        assert door.issuer.fetched.count(DISCOVERY) == 1

    story(tell)


def test_the_ages_are_the_configuration_s() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.clock.move(2)
        door.issuer.fault = Fault.DOWN
        assert await greet(door) is None
        door.clock.move(4)
        assert await greet(door) is Code.KEYS_UNAVAILABLE

    story(tell, limits={"refresh_after": 0, "wait_after": 1, "max_stale": 5, "retry_after_failure": 0})


def test_whoever_waits_for_the_first_keys_holds_nothing_that_the_token_says() -> None:
    def held() -> list[object]:
        return [one for one in gc.get_objects() if is_object(one) and one.get("marker") == "held"]

    async def tell(door: Door) -> None:
        door.issuer.fault = Fault.STALL
        crowd = [asyncio.create_task(door.admit(door.issuer.token(marker="held", groups=["a"]))) for _ in range(20)]
        await turns()
        assert held() == []
        assert not any(task.done() for task in crowd)
        door.issuer.release.set()
        assert [caller.identity for caller in await asyncio.gather(*crowd)] == ["alice"] * 20
        assert fetched(door) == 1

    story(tell)


def test_of_those_who_wait_for_the_first_keys_with_one_token_the_first_verifies_it_for_all() -> None:
    async def tell(door: Door) -> None:
        one, another = door.issuer.token(), door.issuer.token("bob")
        callers = await asyncio.gather(*(door.admit(token) for token in [*[one] * 50, another, *[one] * 50]))
        assert [caller.identity for caller in callers] == [*["alice"] * 50, "bob", *["alice"] * 50]
        assert sorted(door.cached) == [False] * 2 + [True] * 99

    story(tell)


def test_the_first_keys_are_used_however_long_they_were_awaited() -> None:
    async def tell(door: Door) -> None:
        door.issuer.fault = Fault.STALL
        crowd = [asyncio.create_task(door.admit(door.issuer.token())) for _ in range(3)]
        await turns()
        door.clock.move(20)
        door.issuer.release.set()
        await asyncio.gather(*crowd)
        await turns()
        assert fetched(door) == 1

    story(tell, limits={"refresh_after": 0, "wait_after": 5, "max_stale": 10})


# An outage ------------------------------------------------------------------------------------------------------------


def test_after_a_failed_attempt_the_next_is_the_first_request_ten_seconds_later() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.fault = Fault.DOWN
        door.clock.move(601)
        heard = []
        for seconds in (0, 0, 9, 1, 0, 9, 1):
            door.clock.move(seconds)
            answer = await greet(door)
            await turns()
            heard.append((answer, len(door.attempts)))
        assert heard == [(None, 2), (None, 2), (None, 2), (None, 3), (None, 3), (None, 3), (None, 4)]

    story(tell)


def test_while_no_key_is_known_the_next_attempt_is_a_second_later() -> None:
    async def tell(door: Door) -> None:
        door.issuer.fault = Fault.DOWN
        attempts = []
        for seconds in (0, 0, 0.9, 0.1, 0.9, 0.1):
            door.clock.move(seconds)
            assert await greet(door) is Code.KEYS_UNAVAILABLE
            attempts.append(len(door.attempts))
        assert attempts == [1, 1, 1, 2, 2, 3]

    story(tell)


def test_during_an_outage_nobody_waits_for_the_attempt_that_another_makes() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.fault = Fault.DOWN
        door.clock.move(2 * HOUR)
        assert await greet(door) is None
        door.clock.move(10)
        door.issuer.fault = Fault.STALL
        first = asyncio.create_task(greet(door))
        await turns()
        assert await asyncio.gather(*(greet(door) for _ in range(9))) == [None] * 9
        assert not first.done()
        door.issuer.release.set()
        assert await first is None
        assert door.attempts == [True, False, True]

    story(tell)


async def fail_before(door: Door, age: float) -> None:
    """Bring the keys, let them become so old, with an attempt that failed just before; the next one stalls."""
    await greet(door)
    door.issuer.fault = Fault.DOWN
    door.clock.move(age - 10)
    assert await greet(door) is None
    await turns()
    door.clock.move(10)
    door.issuer.fault = Fault.STALL


@pytest.mark.parametrize(("age", "waits"), [(3_599, False), (3_600, False), (3_601, True)])
def test_after_a_failure_one_request_waits_for_keys_that_are_older_than_an_hour(age: float, *, waits: bool) -> None:
    async def tell(door: Door) -> None:
        await fail_before(door, age)
        request = asyncio.create_task(greet(door))
        await turns()
        assert request.done() is not waits
        door.issuer.release.set()
        assert await request is None

    story(tell)


@pytest.mark.parametrize(("age", "wait"), [(DAY - 1, False), (DAY, False), (DAY + 1, True)])
def test_beside_an_attempt_all_others_wait_once_the_keys_are_older_than_a_day(age: float, *, wait: bool) -> None:
    async def tell(door: Door) -> None:
        await fail_before(door, age)
        first = asyncio.create_task(greet(door))
        await turns()
        others = [asyncio.create_task(greet(door)) for _ in range(3)]
        await turns()
        assert [other.done() for other in others] == [not wait] * 3
        door.issuer.release.set()
        assert await asyncio.gather(first, *others) == [None] * 4

    story(tell)


def test_for_a_day_no_valid_token_is_refused_and_after_it_none_is_accepted() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.fault = Fault.DOWN
        for _ in range(23):
            door.clock.move(HOUR)
            assert await greet(door) is None
        door.clock.move(HOUR)
        assert await greet(door) is None
        door.clock.move(1)
        assert await greet(door) is Code.KEYS_UNAVAILABLE
        door.clock.move(10)
        assert await greet(door) is Code.KEYS_UNAVAILABLE
        door.issuer.fault = None
        door.clock.move(10)
        assert await greet(door) is None

    story(tell)


def test_past_a_day_whoever_asks_during_an_attempt_waits_for_it() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.fault = Fault.DOWN
        door.clock.move(2 * DAY)
        assert await greet(door) is Code.KEYS_UNAVAILABLE
        door.clock.move(10)
        door.issuer.fault = Fault.STALL
        requests = [asyncio.create_task(greet(door)) for _ in range(3)]
        await turns()
        door.issuer.release.set()
        assert await asyncio.gather(*requests) == [None] * 3
        assert door.attempts == [True, False, True]

    story(tell)


def test_an_outage_is_a_503_that_says_when_to_come_again() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.fault = Fault.DOWN
        door.clock.move(2 * DAY)
        await greet(door)
        door.clock.move(3)
        with pytest.raises(UpstreamError) as outage:
            await door.admit(door.issuer.token())
        said = outage.value.challenge()
        assert said.status == 503
        assert said.headers() == {"Retry-After": "7"}
        assert f"https://issuer.test: GET {DISCOVERY}: connection refused" in outage.value.report()

    story(tell)


def test_a_server_that_starts_during_an_outage_recovers_with_the_provider() -> None:
    async def tell(door: Door) -> None:
        door.issuer.fault = Fault.DOWN
        assert await greet(door) is Code.KEYS_UNAVAILABLE
        door.issuer.fault = None
        assert await greet(door) is Code.KEYS_UNAVAILABLE
        door.clock.move(1)
        assert await greet(door) is None

    story(tell)


def test_what_a_provider_says_never_fills_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def lying(method: str, url: str, headers: Any, body: bytes | None) -> Response:
        return Response(200, {}, b'{"issuer": "%s"}' % (b"x" * 100_000))

    table = {"preset": "generic", "issuer": "https://issuer.test", "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=lying)
    with pytest.raises(UpstreamError, match="is of issuer 'xxx"):
        asyncio.run(oidc.authenticate(bearer(LocalIssuer().token())))
    assert max(len(record.getMessage()) for record in caplog.records) < 2_000


def test_an_outage_is_warned_of_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.fault = Fault.DOWN
        door.clock.move(2 * HOUR)
        warned = []
        for seconds in (0, 10, 49, 1, 59, 1):
            door.clock.move(seconds)
            caplog.clear()
            assert await greet(door) is None
            await turns()
            warned.append(sum("cannot be refreshed" in record.getMessage() for record in caplog.records))
        assert warned == [1, 0, 0, 1, 0, 1]

    story(tell)


def test_no_error_is_its_own_cause() -> None:
    async def tell(door: Door) -> None:
        door.issuer.fault = Fault.DOWN
        with pytest.raises(UpstreamError) as outage:
            await door.admit(door.issuer.token())
        error: BaseException | None = outage.value
        chain: list[BaseException] = []
        while error is not None:
            assert error not in chain
            chain.append(error)
            error = error.__cause__

    story(tell)


def test_a_refusal_keeps_nothing_of_the_refusals_before_it() -> None:
    """One exception raised again and again would hold the frames of each request, and the token in them."""

    async def tell(door: Door) -> None:
        door.issuer.fault = Fault.DOWN
        frames: list[int] = []
        for _ in range(5):
            with pytest.raises(UpstreamError) as outage:
                await door.admit(door.issuer.token())
            frames.append(sum(1 for error in chain_of(outage.value) for _ in traceback.walk_tb(error.__traceback__)))
        # The first waits for the attempt; all others are refused at once.
        assert len(set(frames[1:])) == 1

    story(tell)


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__context__


# Faults ---------------------------------------------------------------------------------------------------------------


def deadline(fault: Fault) -> dict[str, Any]:
    """Return a deadline short enough to wait for where that is the fault; else one that no busy machine exceeds."""
    return {"limits": {"fetch_timeout": 0.5 if fault is Fault.STALL else 5}}


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.EMPTY])
def test_a_fault_never_replaces_good_keys(fault: Fault) -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.fault = Fault.DOWN
        door.clock.move(2 * HOUR)
        assert await greet(door) is None
        # The failure made the address of the keys unknown again: now discovery can lie as well.
        door.issuer.fault = fault
        door.clock.move(10)
        assert await greet(door) is None
        assert await greet(door) is None
        assert door.attempts == [True, False, False]
        door.issuer.fault = None
        door.clock.move(10)
        assert await greet(door) is None
        assert door.attempts == [True, False, False, True]

    story(tell, **deadline(fault))


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_at_start_is_a_503_and_heals(fault: Fault) -> None:
    async def tell(door: Door) -> None:
        door.issuer.fault = fault
        assert await greet(door) is Code.KEYS_UNAVAILABLE
        door.issuer.fault = None
        door.clock.move(1)
        assert await greet(door) is None

    story(tell, **deadline(fault))


def test_a_redirect_is_not_followed() -> None:
    async def tell(door: Door) -> None:
        door.issuer.fault = Fault.REDIRECT
        assert await greet(door) is Code.KEYS_UNAVAILABLE
        assert door.issuer.fetched == [DISCOVERY, KEYS]

    story(tell)


class Strange:
    """A fetcher that answers what it is told, or raises it."""

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


def outage_of(fetcher: Strange, issuer: str = "https://issuer.test") -> UpstreamError:
    """Return the outage that a fetcher's answers are."""
    table = {"preset": "generic", "issuer": issuer, "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=fetcher)
    with pytest.raises(UpstreamError) as outage:
        asyncio.run(oidc.authenticate(bearer(LocalIssuer(issuer, algorithm="ES256").token())))
    return outage.value


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b'{"issuer": "https://issuer.test"}', "names no jwks_uri"),
        (b'{"issuer": "https://issuer.test", "jwks_uri": 1}', "names no jwks_uri"),
        (
            b'{"issuer": "https://issuer.test/", "jwks_uri": "https://issuer.test/keys"}',
            "differ only by a trailing '/'",
        ),
        (
            b'{"issuer": "https://evil.test", "jwks_uri": "https://issuer.test/keys"}',
            "is of issuer 'https://evil.test'",
        ),
        (b'{"issuer": ["https://issuer.test"], "jwks_uri": "https://issuer.test/keys"}', "is of issuer ["),
        (b'{"jwks_uri": "https://issuer.test/keys"}', "is of issuer None"),
        (b"[]", "the body is not a JSON object"),
        (b"null", "the body is not a JSON object"),
        (b"", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b'{"issuer": ' + b"9" * 5_000 + b"}", "the body is not JSON"),
        (b" " * 524_289, "the body is larger than 524288 bytes"),
    ],
)
def test_a_discovery_document_that_says_something_else_is_an_outage(document: bytes, why: str) -> None:
    fetcher = Strange({DISCOVERY: Response(200, {}, document)})
    assert why in outage_of(fetcher).found
    assert fetcher.asked == [DISCOVERY]


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.test/keys",
        "https://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "data:application/json,{}",
        "ftp://issuer.test/keys",
        "https://user:pass@issuer.test/keys",
        "/keys",
        "",
    ],
)
def test_keys_at_a_forbidden_address_are_never_fetched(url: str) -> None:
    document = f'{{"issuer": "https://issuer.test", "jwks_uri": "{url}"}}'
    fetcher = Strange({DISCOVERY: Response(200, {}, document.encode())})
    assert "is not fetched" in outage_of(fetcher).found
    assert fetcher.asked == [DISCOVERY]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (FetchError("connection refused"), f"GET {DISCOVERY}: connection refused"),
        (TimeoutError(), "no answer within 5 s"),
        (RuntimeError("s3cr3t"), "the fetcher failed with RuntimeError"),
        (KeyError("s3cr3t"), "the fetcher failed with KeyError"),
        (OSError(5, "s3cr3t"), "the fetcher failed with OSError"),
        (Response(404, {"content-type": "text/html"}, b"x"), f"GET {DISCOVERY} -> 404 text/html"),
        (Response(500, {}, b""), f"GET {DISCOVERY} -> 500"),
        (Response(204, {}, b""), f"GET {DISCOVERY} -> 204"),
    ],
)
def test_whatever_a_fetcher_does_is_an_outage_in_our_own_words(answer: Response | BaseException, why: str) -> None:
    outage = outage_of(Strange({DISCOVERY: answer}))
    assert outage.found == f"https://issuer.test: {why}"


@pytest.mark.parametrize(
    "answer",
    [
        FetchError("connection refused"),
        Response(500, {}, b""),
        Response(200, {}, b"no JSON"),
        Response(200, {}, b"[]"),
        Response(200, {}, b" " * 524_289),
    ],
)
def test_a_key_in_the_query_of_an_address_stands_in_no_message(
    caplog: pytest.LogCaptureFixture, answer: Response | BaseException
) -> None:
    secret = f"{KEYS}?apikey=s3cr3t"
    table = {"preset": "generic", "issuer": "https://issuer.test", "audience": "agents", "jwks_url": secret}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=Strange({secret: answer}))
    with pytest.raises(UpstreamError, match=re.escape(f"GET {KEYS}?...")) as outage:
        asyncio.run(oidc.authenticate(bearer(LocalIssuer(algorithm="ES256").token())))
    assert caplog.records
    assert "s3cr3t" not in "".join(traceback.format_exception(outage.value)) + caplog.text


@pytest.mark.parametrize(
    "url", ["https://u:s3cr3t@issuer.test/keys", "http://issuer.test/keys?s3cr3t", "http://[s3cr3t"]
)
def test_an_address_that_is_not_fetched_is_named_without_what_may_be_secret(url: str) -> None:
    document = f'{{"issuer": "https://issuer.test", "jwks_uri": "{url}"}}'
    outage = outage_of(Strange({DISCOVERY: Response(200, {}, document.encode())}))
    assert "is not fetched" in outage.found
    assert "s3cr3t" not in outage.report()


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (b'{"keys": []}', "it is empty"),
        (b'{"keys": {}}', "no array 'keys'"),
        (b'{"keys": [{"kty": "oct", "k": "AA"}]}', "key 0: kty 'oct'"),
    ],
)
def test_a_key_set_of_no_use_is_an_outage_that_says_why(keys: bytes, why: str) -> None:
    document = f'{{"issuer": "https://issuer.test", "jwks_uri": "{KEYS}"}}'.encode()
    outage = outage_of(Strange({DISCOVERY: Response(200, {}, document), KEYS: Response(200, {}, keys)}))
    assert "the key set cannot be used" in outage.found
    assert why in outage.found


def test_discovery_leaves_out_one_trailing_slash() -> None:
    fetcher = Strange({DISCOVERY: Response(404, {}, b"")})
    outage_of(fetcher, "https://issuer.test/")
    assert fetcher.asked == [DISCOVERY]


def test_keys_that_moved_are_found_again_by_discovery() -> None:
    async def tell() -> None:
        issuer = LocalIssuer(algorithm="ES256")
        answers: dict[str, Response | BaseException] = {
            DISCOVERY: Response(200, {}, f'{{"issuer": "https://issuer.test", "jwks_uri": "{KEYS}"}}'.encode()),
            KEYS: issuer.answer("/keys"),
        }
        door = Door()
        table = {"preset": "generic", "issuer": issuer.url, "audience": "agents"}
        fetcher = Strange(answers)
        oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=fetcher, clock=door.clock)
        await oidc.authenticate(bearer(issuer.token(exp=NOON + DAY, iat=NOON)))
        moved = f"{KEYS}/v2"
        answers[DISCOVERY] = Response(200, {}, f'{{"issuer": "https://issuer.test", "jwks_uri": "{moved}"}}'.encode())
        answers[moved], answers[KEYS] = answers[KEYS], Response(404, {}, b"")
        for seconds in (HOUR / 2, 10):
            door.clock.move(seconds)
            await oidc.authenticate(bearer(issuer.token(exp=NOON + DAY, iat=NOON)))
            await turns()
        assert fetcher.asked == [DISCOVERY, KEYS, KEYS, DISCOVERY, moved]

    asyncio.run(tell())


def test_a_known_key_verifies_while_a_refresh_stalls() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.clock.move(601)
        door.issuer.fault = Fault.STALL
        assert await greet(door) is None
        await turns()
        # The refresh hangs; so does the fetch for an unknown kid. Known keys go on.
        unknown = asyncio.create_task(greet(door, header={"kid": "unknown"}))
        await turns()
        assert await asyncio.gather(*(greet(door) for _ in range(9))) == [None] * 9
        assert not unknown.done()
        door.issuer.release.set()
        assert await unknown is Code.KEY_UNKNOWN
        assert door.attempts == [True, True]

    story(tell)


def test_a_fetcher_that_stalls_is_bounded_by_the_deadline_of_the_whole_fetch() -> None:
    async def tell(door: Door) -> None:
        door.issuer.fault = Fault.STALL
        with pytest.raises(UpstreamError) as outage:
            async with asyncio.timeout(5):
                await door.admit(door.issuer.token())
        assert "no answer within 0.1 s" in outage.value.found

    story(tell, limits={"fetch_timeout": 0.1})


# Rotation, withdrawal, unknown kids -----------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_old", [True, False])
def test_a_key_that_was_just_rotated_in_is_accepted_on_the_first_request(*, keep_old: bool) -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.rotate("ES256", keep_old=keep_old)
        assert await greet(door) is None
        assert fetched(door) == 2

    story(tell)


def test_a_withdrawn_key_is_refused_after_the_next_refresh() -> None:
    async def tell(door: Door) -> None:
        old = door.issuer.keys[0]
        await greet(door)
        door.issuer.rotate("ES256", keep_old=False)
        door.clock.move(601)
        assert await greet(door, key=old) is None
        await turns()
        assert await greet(door, key=old) is Code.KEY_UNKNOWN
        assert await greet(door) is None

    story(tell)


@pytest.mark.parametrize("fault", [None, Fault.ERROR])
def test_made_up_kids_cost_four_fetches_a_minute(fault: Fault | None) -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.fault = fault
        door.issuer.fetched.clear()
        for second in range(300):
            kids = [f"made-up-{second}-{number}" for number in range(20)]
            heard = {await door.hear(door.issuer.token(header={"kid": kid})) for kid in kids}
            assert heard <= {Code.KEY_UNKNOWN, Code.KEYS_UNAVAILABLE}
            # A known key is served throughout.
            assert await greet(door) is None
            await turns()
            door.clock.move(1)
        # Two at once, then one each 15 seconds; each looks once more where the keys lie. In an outage the attempts of
        # known keys, one each 10 seconds, are added.
        retries = 30 if fault else 0
        assert 20 <= fetched(door) <= 2 + 300 / 15 + retries
        assert door.issuer.fetched.count(DISCOVERY) <= 2 + 300 / 15 + retries

    story(tell)


def test_a_thousand_made_up_kids_at_once_cost_two_fetches() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        tokens = [door.issuer.token(header={"kid": f"made-up-{number}"}) for number in range(1_000)]
        assert set(await asyncio.gather(*map(door.hear, tokens))) == {Code.KEY_UNKNOWN}
        assert fetched(door) <= 3

    story(tell)


def test_the_allowance_for_unknown_kids_grows_each_fifteen_seconds() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        counts: list[int] = []
        for seconds in (0, 0, 0, 14, 1, 0, 60, 0, 0):
            door.clock.move(seconds)
            assert await greet(door, header={"kid": f"made-up-{len(counts)}"}) is Code.KEY_UNKNOWN
            counts.append(fetched(door))
        assert counts == [2, 3, 3, 3, 4, 4, 5, 6, 6]

    story(tell)


def test_a_flood_is_refused_before_the_payload_is_looked_at() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        for number in range(2):
            await greet(door, header={"kid": f"made-up-{number}"})
        token = door.issuer.token(header={"kid": "made-up-3"})
        header, _, signature = token.split(".")
        assert await door.hear(f"{header}.!!!.{signature}") is Code.KEY_UNKNOWN

    story(tell)


def test_a_kid_that_was_just_asked_for_is_not_asked_for_again() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        counts: list[int] = []
        for seconds in (0, 0, 14, 1):
            door.clock.move(seconds)
            assert await greet(door, header={"kid": "made-up"}) is Code.KEY_UNKNOWN
            counts.append(fetched(door))
        assert counts == [2, 2, 2, 3]

    story(tell)


def test_a_kid_that_was_absent_just_before_an_outage_is_a_bad_token_and_no_outage() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        assert await greet(door, header={"kid": "made-up"}) is Code.KEY_UNKNOWN
        door.issuer.fault = Fault.DOWN
        assert await greet(door, header={"kid": "another"}) is Code.KEYS_UNAVAILABLE
        assert await greet(door, header={"kid": "made-up"}) is Code.KEY_UNKNOWN
        assert door.attempts == [True, True, False]

    story(tell)


def test_a_key_rotated_in_during_a_flood_waits_fifteen_seconds() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        for number in range(3):
            await greet(door, header={"kid": f"made-up-{number}"})
        door.issuer.rotate("ES256")
        assert await greet(door) is Code.KEY_UNKNOWN
        door.clock.move(15)
        assert await greet(door) is None

    story(tell)


def test_an_unknown_kid_costs_no_second_fetch_when_the_first_was_just_made() -> None:
    async def tell(door: Door) -> None:
        assert await greet(door, header={"kid": "made-up"}) is Code.KEY_UNKNOWN
        assert fetched(door) == 1

    story(tell)


def test_no_fetch_at_all_for_unknown_kids_where_none_is_allowed() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        assert await greet(door, header={"kid": "made-up"}) is Code.KEY_UNKNOWN
        assert fetched(door) == 1

    story(tell, limits={"unknown_kid_fetches": 0})


def test_an_unknown_kid_during_an_outage_is_an_outage() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.rotate("ES256")
        door.issuer.fault = Fault.DOWN
        assert await greet(door) is Code.KEYS_UNAVAILABLE
        door.issuer.fault = None
        assert await greet(door) is None

    story(tell)


def test_an_unknown_kid_during_an_outage_is_an_outage_also_when_the_allowance_is_spent() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.issuer.rotate("ES256")
        door.issuer.fault = Fault.DOWN
        # A 401 would send everybody with a token of the new key to log in again.
        assert [await greet(door) for _ in range(4)] == [Code.KEYS_UNAVAILABLE] * 4

    story(tell)


# Two issuers ----------------------------------------------------------------------------------------------------------


def test_made_up_kids_of_many_tenants_cost_two_fetches_together() -> None:
    async def tell() -> None:
        tenants = [f"8d5f2a3e-0000-4000-8000-{number:012d}" for number in range(9)]
        signer, fetched = LocalIssuer(algorithm="ES256"), list[str]()

        async def fetch(method: str, url: str, headers: Any, body: bytes | None) -> Response:
            fetched.append(url)
            issuer = url.removesuffix("/.well-known/openid-configuration")
            document = {"issuer": issuer, "jwks_uri": f"{issuer}/keys"} if issuer != url else signer.key_set()
            return Response(200, {}, json.dumps(document).encode())

        table = presets.entra(tenants, audience="agents", grants={"roles": {"x": ["threads:read"]}})
        oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=fetch)

        async def hear(tenant: str, kid: str | None) -> Code:
            issuer = f"https://login.microsoftonline.com/{tenant}/v2.0"
            header = {} if kid is None else {"kid": kid}
            with pytest.raises(TokenError) as refused:
                await oidc.authenticate(bearer(signer.token(iss=issuer, header=header)))
            return refused.value.code

        for tenant in tenants:
            assert await hear(tenant, None) is not Code.KEY_UNKNOWN
        fetched.clear()
        for tenant in tenants:
            assert await hear(tenant, f"made-up-{tenant}") is Code.KEY_UNKNOWN
        assert [url.rpartition("/")[2] for url in fetched] == ["keys", "keys"]

    asyncio.run(tell())


def two_issuers() -> tuple[LocalIssuer, LocalIssuer, OIDCAuth]:
    one, two = (LocalIssuer(f"https://{name}.test", algorithm="ES256") for name in ("one", "two"))
    tables = [
        {"preset": "generic", "issuer": issuer.url, "audience": "agents", "identity_prefix": issuer.url[8:11] + ":"}
        for issuer in (one, two)
    ]
    return one, two, OIDCAuth.from_dict({"issuer": tables}, fetcher=Internet(one, two))


@pytest.mark.parametrize("warm", [True, False])
def test_the_same_kid_at_two_issuers_never_meets(*, warm: bool) -> None:
    one, two, oidc = two_issuers()
    assert one.keys[0].kid == two.keys[0].kid
    right = [one.token(), two.token()] * 5
    crossed = [one.token(key=two.keys[0]), two.token(key=one.keys[0])] * 5

    async def heard(token: str) -> str:
        try:
            return (await oidc.authenticate(bearer(token))).identity
        except OIDCAuthError as error:
            return error.code

    async def tell() -> None:
        if warm:
            await asyncio.gather(*map(heard, right))
        answers = await asyncio.gather(*map(heard, [*crossed, *right]))
        assert answers[:10] == [Code.SIGNATURE_INVALID] * 10
        assert answers[10:] == ["one:alice", "two:alice"] * 5

    asyncio.run(tell())
    assert [len(issuer.fetched) for issuer in (one, two)] == [2, 2]


def test_one_issuer_s_outage_is_not_the_other_s() -> None:
    one, two, oidc = two_issuers()
    one.fault = Fault.DOWN
    assert asyncio.run(oidc.authenticate(bearer(two.token()))).issuer == two.url
    with pytest.raises(UpstreamError):
        asyncio.run(oidc.authenticate(bearer(one.token())))


def test_an_unknown_kid_is_asked_for_at_its_own_issuer_only() -> None:
    one, two, oidc = two_issuers()

    async def tell() -> None:
        await oidc.authenticate(bearer(one.token()))
        await oidc.authenticate(bearer(two.token()))
        with pytest.raises(TokenError):
            await oidc.authenticate(bearer(one.token(header={"kid": "made-up"})))

    asyncio.run(tell())
    assert [issuer.fetched.count(f"{issuer.url}/keys") for issuer in (one, two)] == [2, 1]


# The clock is set back ------------------------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_heals_itself() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        door.clock.move(-2 * HOUR)
        assert await greet(door) is None
        await turns()
        assert fetched(door) == 2
        assert await greet(door) is None
        await turns()
        assert fetched(door) == 2
        door.clock.move(601)
        await greet(door)
        await turns()
        assert fetched(door) == 3

    story(tell)


def test_a_remembered_token_notices_that_the_clock_was_set_back() -> None:
    async def tell(door: Door) -> None:
        token = door.issuer.token(iat=NOON - DAY)
        await door.admit(token)
        door.clock.move(-2 * HOUR)
        await door.admit(token)
        await turns()
        assert door.cached == [False, True]
        assert door.attempts == [True, True]

    story(tell)


def test_a_clock_that_is_set_back_returns_the_allowance_for_unknown_kids() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        for number in range(3):
            await greet(door, header={"kid": f"made-up-{number}"})
        door.clock.move(-2 * HOUR)
        await greet(door)
        await turns()
        door.issuer.rotate("ES256")
        assert await greet(door) is None

    story(tell)


def test_a_clock_that_is_set_back_while_no_key_is_known_does_not_prolong_the_outage() -> None:
    async def tell(door: Door) -> None:
        door.issuer.fault = Fault.DOWN
        assert await greet(door) is Code.KEYS_UNAVAILABLE
        door.issuer.fault = None
        door.clock.move(-2 * HOUR)
        assert await greet(door) is None

    story(tell)


def test_a_clock_that_is_set_back_during_an_outage_does_not_keep_a_withdrawn_key() -> None:
    async def tell(door: Door) -> None:
        old = door.issuer.keys[0]
        await greet(door)
        door.issuer.fault = Fault.DOWN
        door.clock.move(601)
        await greet(door)
        await turns()
        door.issuer.fault = None
        door.issuer.rotate("ES256", keep_old=False)
        door.clock.move(-2 * HOUR)
        assert await greet(door, key=old) is None
        await turns()
        assert await greet(door, key=old) is Code.KEY_UNKNOWN

    story(tell)


def test_a_clock_that_is_set_back_forgets_which_kids_were_absent() -> None:
    async def tell(door: Door) -> None:
        await greet(door)
        late = SigningKey.make("late", "ES256")
        assert await greet(door, key=late) is Code.KEY_UNKNOWN
        door.clock.move(-2 * HOUR)
        await greet(door)
        await turns()
        door.issuer.keys.append(late)
        assert await greet(door, key=late) is None

    story(tell)


# Waiters and loops ----------------------------------------------------------------------------------------------------


class Loader:
    """Loads 1, 2, 3 ... each when it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.loads = 0

    async def __call__(self, now: float) -> int:
        del now
        await self.go.wait()
        self.loads += 1
        return self.loads


def test_waiters_go_on_in_slices() -> None:
    async def tell() -> None:
        loader = Loader()
        value = Refreshed(loader, Ages())
        waiters = [asyncio.create_task(value.get(0)) for _ in range(10 * SLICE + 1)]
        await turns(3)
        loader.go.set()
        done = [0]
        while done[-1] < len(waiters) and len(done) < 1_000:
            await asyncio.sleep(0)
            done.append(sum(waiter.done() for waiter in waiters))
        steps = [after - before for before, after in pairwise(done)]
        assert max(steps) == SLICE == 32
        assert sum(steps) == len(waiters)
        assert loader.loads == 1

    asyncio.run(tell())


def test_a_waiter_that_is_cancelled_does_not_cancel_the_flight() -> None:
    async def tell() -> None:
        loader = Loader()
        value = Refreshed(loader, Ages())
        first, second = (asyncio.create_task(value.get(0)) for _ in range(2))
        await turns(3)
        first.cancel()
        await turns(3)
        loader.go.set()
        assert await second == 1
        assert first.cancelled()
        assert loader.loads == 1

    asyncio.run(tell())


def test_a_flight_lands_although_everybody_who_waited_has_gone() -> None:
    async def tell() -> None:
        loader = Loader()
        value = Refreshed(loader, Ages())
        only = asyncio.create_task(value.get(0))
        await turns(3)
        only.cancel()
        loader.go.set()
        await turns()
        assert value.young(1) == 1
        assert await value.get(1) == 1
        assert loader.loads == 1

    asyncio.run(tell())


def test_who_asks_for_a_renewal_joins_the_one_under_way() -> None:
    async def tell() -> None:
        loader = Loader()
        loader.go.set()
        value = Refreshed(loader, Ages())
        assert await value.get(0) == 1
        loader.go.clear()
        renewals = [asyncio.create_task(value.renew(1)) for _ in range(3)]
        await turns(3)
        loader.go.set()
        assert await asyncio.gather(*renewals) == [2, 2, 2]

    asyncio.run(tell())


def test_a_load_that_is_cancelled_leaves_nobody_waiting() -> None:
    async def tell() -> None:
        async def load(now: float) -> int:
            raise asyncio.CancelledError(now)

        value = Refreshed(load, Ages())
        with pytest.raises(LookupError, match="nothing was loaded"):
            async with asyncio.timeout(5):
                await value.get(0)

    asyncio.run(tell())


def test_a_fetcher_that_is_cancelled_is_an_outage() -> None:
    assert outage_of(Strange({DISCOVERY: asyncio.CancelledError()})).retry_after == 1


def test_a_refresh_that_is_pending_in_another_loop_does_not_block_this_one() -> None:
    door = Door()
    assert door.knock(door.issuer.token()) is None
    door.clock.move(601)
    door.issuer.fault = Fault.STALL
    stopped = asyncio.new_event_loop()
    try:
        assert stopped.run_until_complete(greet(door)) is None
        stopped.run_until_complete(turns())
        # That loop turns no more, and its refresh with it.
        door.issuer.fault = None
        door.issuer.rotate("ES256", keep_old=False)
        door.clock.move(2 * HOUR)
        assert door.knock(door.issuer.token()) is None
        assert door.attempts == [True, True]
    finally:
        pending = asyncio.all_tasks(stopped)
        for task in pending:
            task.cancel()
        stopped.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        stopped.close()
    assert len(pending) == 1
    assert door.knock(door.issuer.token(jti="after")) is None


def test_a_flight_that_lands_late_in_another_loop_does_not_end_this_one_s() -> None:
    landings: list[asyncio.Future[int]] = []

    async def load(now: float) -> int:
        del now
        landings.append(asyncio.get_running_loop().create_future())
        return await landings[-1]

    async def ask() -> asyncio.Task[int]:
        task = asyncio.create_task(value.get(0))
        await turns(3)
        return task

    async def land(task: asyncio.Task[int], flight: int) -> int:
        landings[flight].set_result(flight)
        return await task

    value = Refreshed(load, Ages())
    one, two = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        late, first = one.run_until_complete(ask()), two.run_until_complete(ask())
        assert one.run_until_complete(land(late, 0)) == 0
        # The keys are known by now; a renewal joins the flight that this loop still has under way.
        renewal = two.create_task(value.renew(0))
        two.run_until_complete(turns(3))
        assert two.run_until_complete(land(first, 1)) == 1
        assert two.run_until_complete(renewal) == 1
        assert len(landings) == 2
    finally:
        one.close()
        two.close()


def test_a_refresh_whose_loop_ended_does_not_block_the_next_loop() -> None:
    door = Door()
    assert door.knock(door.issuer.token()) is None
    door.clock.move(601)
    door.issuer.fault = Fault.STALL
    assert door.knock(door.issuer.token()) is None
    door.issuer.fault = None
    door.clock.move(2 * HOUR)
    assert door.knock(door.issuer.token()) is None
    assert door.attempts == [True, True]


def test_a_broken_observer_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    issuer = LocalIssuer(algorithm="ES256")

    def broken(event: object) -> None:
        raise RuntimeError(event)

    table = {"preset": "generic", "issuer": issuer.url, "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=issuer, observer=broken)
    assert asyncio.run(oidc.authenticate(bearer(issuer.token()))).identity == "alice"
    assert "the observer failed" in caplog.text
