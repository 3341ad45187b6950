"""Refresh of keys at all ages and with all faults, with a manual clock."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import traceback
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import DAY, HOUR, NOON, AuthHarness, IssuerRouter, bearer, run_event_loop

from oidc_auth import OIDCAuth, presets
from oidc_auth.errors import ErrorCode, OIDCAuthError, TokenError, UpstreamError
from oidc_auth.json_values import is_object
from oidc_auth.keys.fetch import FetchError, Response
from oidc_auth.keys.refresh import BATCH_SIZE, RefreshAges, RefreshingValue
from oidc_auth.testing import Fault, LocalIssuer
from oidc_auth.testing.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

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


# One fetch for all requests -------------------------------------------------------------------------------------------


def test_concurrent_first_requests_cost_one_fetch() -> None:
    async def scenario(harness: AuthHarness) -> None:
        token = harness.issuer.token()
        codes = await asyncio.gather(*(harness.authenticate_async(token) for _ in range(1_000)))
        assert codes == [None] * 1_000
        assert harness.issuer.fetched == [DISCOVERY, KEYS]

    run_scenario(scenario)


def test_concurrent_requests_during_outage_cost_one_attempt() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.DOWN
        token = harness.issuer.token()
        codes = await asyncio.gather(*(harness.authenticate_async(token) for _ in range(1_000)))
        assert codes == [ErrorCode.KEYS_UNAVAILABLE] * 1_000
        assert harness.attempts == [False]

    run_scenario(scenario)


def test_nothing_is_fetched_for_hopeless_tokens() -> None:
    async def scenario(harness: AuthHarness) -> None:
        assert await harness.authenticate_async({}) is ErrorCode.TOKEN_MISSING
        assert await authenticate_fresh(harness, header={"alg": "none"}) is ErrorCode.ALG_NOT_ALLOWED
        assert await authenticate_fresh(harness, iss="https://other.test") is ErrorCode.ISSUER_NOT_TRUSTED
        assert harness.issuer.fetched == []

    run_scenario(scenario)


# Ages -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "renewed"), [(0, False), (89, False), (90, False), (91, True), (3_600, True)])
def test_old_key_set_is_refreshed_in_background(age: float, *, renewed: bool) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.clock.advance(age)
        # The provider does not answer, so a request that waits would hang.
        harness.issuer.fault = Fault.STALL
        assert await authenticate_fresh(harness) is None
        await run_event_loop()
        assert len(harness.issuer.fetched) == 2 + renewed
        harness.issuer.release.set()
        await run_event_loop()
        assert harness.attempts == [True] * (1 + renewed)

    run_scenario(scenario)


@pytest.mark.parametrize(("age", "waits"), [(3_599, False), (3_600, False), (3_601, True), (30 * DAY, True)])
def test_expired_key_set_blocks_request(age: float, *, waits: bool) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.clock.advance(age)
        harness.issuer.fault = Fault.STALL
        request = asyncio.create_task(authenticate_fresh(harness))
        await run_event_loop()
        assert request.done() is not waits
        harness.issuer.release.set()
        assert await request is None
        await run_event_loop()
        assert harness.attempts == [True, True]

    run_scenario(scenario)


def test_idle_server_refreshes_before_first_use() -> None:
    async def scenario(harness: AuthHarness) -> None:
        old = harness.issuer.keys[0]
        await authenticate_fresh(harness)
        harness.issuer.rotate("ES256", keep_old=False)
        harness.clock.advance(8 * HOUR)
        assert await authenticate_fresh(harness, key=old) is ErrorCode.KEY_NOT_FOUND

    run_scenario(scenario)


def test_refreshed_key_set_is_fresh() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        for _ in range(3):
            harness.clock.advance(601)
            await authenticate_fresh(harness)
            await run_event_loop()
        await authenticate_fresh(harness)
        assert fetched(harness) == 4
        assert harness.issuer.fetched.count(DISCOVERY) == 1

    run_scenario(scenario)


def test_configured_ages_are_used() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.clock.advance(2)
        harness.issuer.fault = Fault.DOWN
        assert await authenticate_fresh(harness) is None
        harness.clock.advance(4)
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE

    run_scenario(
        scenario, limits={"jwks_refresh_after": 0, "jwks_max_age": 1, "jwks_max_stale": 5, "retry_after_failure": 0}
    )


def test_waiting_requests_hold_no_claims() -> None:
    def held() -> list[object]:
        return [one for one in gc.get_objects() if is_object(one) and one.get("marker") == "held"]

    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.STALL
        requests = [
            asyncio.create_task(harness.admit(harness.issuer.token(marker="held", groups=["a"]))) for _ in range(20)
        ]
        await run_event_loop()
        assert held() == []
        assert not any(task.done() for task in requests)
        harness.issuer.release.set()
        assert [caller.identity for caller in await asyncio.gather(*requests)] == ["alice"] * 20
        assert fetched(harness) == 1

    run_scenario(scenario)


def test_first_waiter_verifies_shared_token() -> None:
    async def scenario(harness: AuthHarness) -> None:
        one, another = harness.issuer.token(), harness.issuer.token("bob")
        callers = await asyncio.gather(*(harness.admit(token) for token in [*[one] * 50, another, *[one] * 50]))
        assert [caller.identity for caller in callers] == [*["alice"] * 50, "bob", *["alice"] * 50]
        assert sorted(harness.cached) == [False] * 2 + [True] * 99

    run_scenario(scenario)


def test_first_keys_are_used_after_any_wait() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.STALL
        requests = [asyncio.create_task(harness.admit(harness.issuer.token())) for _ in range(3)]
        await run_event_loop()
        harness.clock.advance(20)
        harness.issuer.release.set()
        await asyncio.gather(*requests)
        await run_event_loop()
        assert fetched(harness) == 1

    run_scenario(scenario, limits={"jwks_refresh_after": 0, "jwks_max_age": 5, "jwks_max_stale": 10})


# An outage ------------------------------------------------------------------------------------------------------------


def test_failed_attempt_is_retried_after_ten_seconds() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(601)
        codes = []
        for seconds in (0, 0, 9, 1, 0, 9, 1):
            harness.clock.advance(seconds)
            answer = await authenticate_fresh(harness)
            await run_event_loop()
            codes.append((answer, len(harness.attempts)))
        assert codes == [(None, 2), (None, 2), (None, 2), (None, 3), (None, 3), (None, 3), (None, 4)]

    run_scenario(scenario)


def test_empty_key_set_is_retried_each_second() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.DOWN
        attempts = []
        for seconds in (0, 0, 0.9, 0.1, 0.9, 0.1):
            harness.clock.advance(seconds)
            assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
            attempts.append(len(harness.attempts))
        assert attempts == [1, 1, 1, 2, 2, 3]

    run_scenario(scenario)


def test_no_request_waits_during_outage() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(2 * HOUR)
        assert await authenticate_fresh(harness) is None
        harness.clock.advance(10)
        harness.issuer.fault = Fault.STALL
        first = asyncio.create_task(authenticate_fresh(harness))
        await run_event_loop()
        assert await asyncio.gather(*(authenticate_fresh(harness) for _ in range(9))) == [None] * 9
        assert not first.done()
        harness.issuer.release.set()
        assert await first is None
        assert harness.attempts == [True, False, True]

    run_scenario(scenario)


async def fail_after_age(harness: AuthHarness, age: float) -> None:
    """Load keys and let them reach an age. A refresh has just failed, and the next one stalls."""
    await authenticate_fresh(harness)
    harness.issuer.fault = Fault.DOWN
    harness.clock.advance(age - 10)
    assert await authenticate_fresh(harness) is None
    await run_event_loop()
    harness.clock.advance(10)
    harness.issuer.fault = Fault.STALL


@pytest.mark.parametrize(("age", "waits"), [(3_599, False), (3_600, False), (3_601, True)])
def test_one_request_waits_for_old_keys(age: float, *, waits: bool) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await fail_after_age(harness, age)
        request = asyncio.create_task(authenticate_fresh(harness))
        await run_event_loop()
        assert request.done() is not waits
        harness.issuer.release.set()
        assert await request is None

    run_scenario(scenario)


@pytest.mark.parametrize(("age", "wait"), [(DAY - 1, False), (DAY, False), (DAY + 1, True)])
def test_all_wait_for_stale_keys(age: float, *, wait: bool) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await fail_after_age(harness, age)
        first = asyncio.create_task(authenticate_fresh(harness))
        await run_event_loop()
        others = [asyncio.create_task(authenticate_fresh(harness)) for _ in range(3)]
        await run_event_loop()
        assert [other.done() for other in others] == [not wait] * 3
        harness.issuer.release.set()
        assert await asyncio.gather(first, *others) == [None] * 4

    run_scenario(scenario)


def test_keys_serve_one_day_of_outage() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        for _ in range(23):
            harness.clock.advance(HOUR)
            assert await authenticate_fresh(harness) is None
        harness.clock.advance(HOUR)
        assert await authenticate_fresh(harness) is None
        harness.clock.advance(1)
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.clock.advance(10)
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.issuer.fault = None
        harness.clock.advance(10)
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


def test_stale_request_joins_running_attempt() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(2 * DAY)
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.clock.advance(10)
        harness.issuer.fault = Fault.STALL
        requests = [asyncio.create_task(authenticate_fresh(harness)) for _ in range(3)]
        await run_event_loop()
        harness.issuer.release.set()
        assert await asyncio.gather(*requests) == [None] * 3
        assert harness.attempts == [True, False, True]

    run_scenario(scenario)


def test_outage_returns_503_with_retry_after() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(2 * DAY)
        await authenticate_fresh(harness)
        harness.clock.advance(3)
        with pytest.raises(UpstreamError) as outage:
            await harness.admit(harness.issuer.token())
        said = outage.value.challenge()
        assert said.status == 503
        assert said.headers() == {"Retry-After": "7"}
        assert f"https://issuer.test: GET {DISCOVERY}: connection refused" in outage.value.report()

    run_scenario(scenario)


def test_server_started_during_outage_recovers() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.DOWN
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.issuer.fault = None
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.clock.advance(1)
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


def test_provider_text_in_log_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    async def lying(method: str, url: str, headers: Any, body: bytes | None) -> Response:
        return Response(200, {}, b'{"issuer": "%s"}' % (b"x" * 100_000))

    table = {"preset": "generic", "issuer": "https://issuer.test", "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=lying)
    with pytest.raises(UpstreamError, match="has issuer 'xxx"):
        asyncio.run(oidc.authenticate(bearer(LocalIssuer().token())))
    assert max(len(record.getMessage()) for record in caplog.records) < 2_000


def test_outage_is_warned_once_per_minute(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(2 * HOUR)
        warned = []
        for seconds in (0, 10, 49, 1, 59, 1):
            harness.clock.advance(seconds)
            caplog.clear()
            assert await authenticate_fresh(harness) is None
            await run_event_loop()
            warned.append(sum("cannot be refreshed" in record.getMessage() for record in caplog.records))
        assert warned == [1, 0, 0, 1, 0, 1]

    run_scenario(scenario)


def test_no_error_is_its_own_cause() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.DOWN
        with pytest.raises(UpstreamError) as outage:
            await harness.admit(harness.issuer.token())
        error: BaseException | None = outage.value
        chain: list[BaseException] = []
        while error is not None:
            assert error not in chain
            chain.append(error)
            error = error.__cause__

    run_scenario(scenario)


def test_refusal_keeps_no_earlier_refusals() -> None:
    """An exception that is raised repeatedly keeps the frames of all requests, with their tokens."""

    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.DOWN
        frames: list[int] = []
        for _ in range(5):
            with pytest.raises(UpstreamError) as outage:
                await harness.admit(harness.issuer.token())
            frames.append(sum(1 for error in chain_of(outage.value) for _ in traceback.walk_tb(error.__traceback__)))
        # The first request waits for the fetch. The others are rejected immediately.
        assert len(set(frames[1:])) == 1

    run_scenario(scenario)


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__context__


# Faults ---------------------------------------------------------------------------------------------------------------


def deadline(fault: Fault) -> dict[str, Any]:
    """Return a short timeout if the fault is a timeout, else a long one for busy machines."""
    return {"limits": {"fetch_timeout": 0.5 if fault is Fault.STALL else 5}}


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.EMPTY])
def test_fault_never_replaces_good_keys(fault: Fault) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(2 * HOUR)
        assert await authenticate_fresh(harness) is None
        # After the failure, the metadata is read again, so it can be wrong too.
        harness.issuer.fault = fault
        harness.clock.advance(10)
        assert await authenticate_fresh(harness) is None
        assert await authenticate_fresh(harness) is None
        assert harness.attempts == [True, False, False]
        harness.issuer.fault = None
        harness.clock.advance(10)
        assert await authenticate_fresh(harness) is None
        assert harness.attempts == [True, False, False, True]

    run_scenario(scenario, **deadline(fault))


@pytest.mark.parametrize("fault", list(Fault))
def test_fault_at_start_returns_503_and_recovers(fault: Fault) -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = fault
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.issuer.fault = None
        harness.clock.advance(1)
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario, **deadline(fault))


def test_redirect_is_not_followed() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.REDIRECT
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        assert harness.issuer.fetched == [DISCOVERY, KEYS]

    run_scenario(scenario)


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


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b'{"issuer": "https://issuer.test"}', "has no jwks_uri"),
        (b'{"issuer": "https://issuer.test", "jwks_uri": 1}', "has no jwks_uri"),
        (
            b'{"issuer": "https://issuer.test/", "jwks_uri": "https://issuer.test/keys"}',
            "differ only by a trailing '/'",
        ),
        (
            b'{"issuer": "https://evil.test", "jwks_uri": "https://issuer.test/keys"}',
            "has issuer 'https://evil.test'",
        ),
        (b'{"issuer": ["https://issuer.test"], "jwks_uri": "https://issuer.test/keys"}', "has issuer ["),
        (b'{"jwks_uri": "https://issuer.test/keys"}', "has issuer none"),
        (b"[]", "the body is not a JSON object"),
        (b"null", "the body is not a JSON object"),
        (b"", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b'{"issuer": ' + b"9" * 5_000 + b"}", "the body is not JSON"),
        (b" " * 524_289, "the body is larger than 524288 bytes"),
    ],
)
def test_wrong_discovery_document_is_outage(document: bytes, why: str) -> None:
    fetcher = FaultyFetcher({DISCOVERY: Response(200, {}, document)})
    assert why in outage_from(fetcher).found
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
def test_keys_at_forbidden_address_are_not_fetched(url: str) -> None:
    document = f'{{"issuer": "https://issuer.test", "jwks_uri": "{url}"}}'
    fetcher = FaultyFetcher({DISCOVERY: Response(200, {}, document.encode())})
    assert "is not fetched" in outage_from(fetcher).found
    assert fetcher.asked == [DISCOVERY]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (FetchError("connection refused"), f"GET {DISCOVERY}: connection refused"),
        (TimeoutError(), "no answer within 5 s"),
        (RuntimeError("s3cr3t"), "the fetcher failed with RuntimeError"),
        (KeyError("s3cr3t"), "the fetcher failed with KeyError"),
        (OSError(5, "s3cr3t"), "the fetcher failed with OSError"),
        (Response(404, {"content-type": "text/html"}, b"x"), f"GET {DISCOVERY}: status 404, content-type 'text/html'"),
        (Response(500, {}, b""), f"GET {DISCOVERY}: status 500"),
        (Response(204, {}, b""), f"GET {DISCOVERY}: status 204"),
    ],
)
def test_fetcher_failure_is_outage_in_own_words(answer: Response | BaseException, why: str) -> None:
    outage = outage_from(FaultyFetcher({DISCOVERY: answer}))
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
def test_query_secret_is_never_shown(caplog: pytest.LogCaptureFixture, answer: Response | BaseException) -> None:
    secret = f"{KEYS}?apikey=s3cr3t"
    table = {"preset": "generic", "issuer": "https://issuer.test", "audience": "agents", "jwks_uri": secret}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=FaultyFetcher({secret: answer}))
    with pytest.raises(UpstreamError, match=re.escape(f"GET {KEYS}?...")) as outage:
        asyncio.run(oidc.authenticate(bearer(LocalIssuer(algorithm="ES256").token())))
    assert caplog.records
    assert "s3cr3t" not in "".join(traceback.format_exception(outage.value)) + caplog.text


@pytest.mark.parametrize(
    "url", ["https://u:s3cr3t@issuer.test/keys", "http://issuer.test/keys?s3cr3t", "http://[s3cr3t"]
)
def test_unfetched_address_is_shown_redacted(url: str) -> None:
    document = f'{{"issuer": "https://issuer.test", "jwks_uri": "{url}"}}'
    outage = outage_from(FaultyFetcher({DISCOVERY: Response(200, {}, document.encode())}))
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
def test_unusable_key_set_is_outage_with_reason(keys: bytes, why: str) -> None:
    document = f'{{"issuer": "https://issuer.test", "jwks_uri": "{KEYS}"}}'.encode()
    outage = outage_from(FaultyFetcher({DISCOVERY: Response(200, {}, document), KEYS: Response(200, {}, keys)}))
    assert f"GET {KEYS}: " in outage.found
    assert why in outage.found


def test_discovery_drops_one_trailing_slash() -> None:
    fetcher = FaultyFetcher({DISCOVERY: Response(404, {}, b"")})
    outage_from(fetcher, "https://issuer.test/")
    assert fetcher.asked == [DISCOVERY]


def test_moved_keys_are_rediscovered() -> None:
    async def scenario() -> None:
        issuer = LocalIssuer(algorithm="ES256")
        answers: dict[str, Response | BaseException] = {
            DISCOVERY: Response(200, {}, f'{{"issuer": "https://issuer.test", "jwks_uri": "{KEYS}"}}'.encode()),
            KEYS: issuer.answer("/keys"),
        }
        harness = AuthHarness()
        table = {"preset": "generic", "issuer": issuer.url, "audience": "agents"}
        fetcher = FaultyFetcher(answers)
        oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=fetcher, clock=harness.clock)
        await oidc.authenticate(bearer(issuer.token(exp=NOON + DAY, iat=NOON)))
        moved = f"{KEYS}/v2"
        answers[DISCOVERY] = Response(200, {}, f'{{"issuer": "https://issuer.test", "jwks_uri": "{moved}"}}'.encode())
        answers[moved], answers[KEYS] = answers[KEYS], Response(404, {}, b"")
        for seconds in (HOUR / 2, 10):
            harness.clock.advance(seconds)
            await oidc.authenticate(bearer(issuer.token(exp=NOON + DAY, iat=NOON)))
            await run_event_loop()
        assert fetcher.asked == [DISCOVERY, KEYS, KEYS, DISCOVERY, moved]

    asyncio.run(scenario())


def test_known_key_verifies_during_stalled_refresh() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.clock.advance(601)
        harness.issuer.fault = Fault.STALL
        assert await authenticate_fresh(harness) is None
        await run_event_loop()
        # The refresh and the fetch for an unknown key id hang. Known keys still work.
        unknown = asyncio.create_task(authenticate_fresh(harness, header={"kid": "unknown"}))
        await run_event_loop()
        assert await asyncio.gather(*(authenticate_fresh(harness) for _ in range(9))) == [None] * 9
        assert not unknown.done()
        harness.issuer.release.set()
        assert await unknown is ErrorCode.KEY_NOT_FOUND
        assert harness.attempts == [True, True]

    run_scenario(scenario)


def test_deadline_bounds_whole_fetch() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.STALL
        with pytest.raises(UpstreamError) as outage:
            async with asyncio.timeout(5):
                await harness.admit(harness.issuer.token())
        assert "no answer within 0.1 s" in outage.value.found

    run_scenario(scenario, limits={"fetch_timeout": 0.1})


# Rotation, withdrawal, unknown kids -----------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_old", [True, False])
def test_new_key_is_accepted_at_first_request(*, keep_old: bool) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.rotate("ES256", keep_old=keep_old)
        assert await authenticate_fresh(harness) is None
        assert fetched(harness) == 2

    run_scenario(scenario)


def test_withdrawn_key_is_rejected_after_refresh() -> None:
    async def scenario(harness: AuthHarness) -> None:
        old = harness.issuer.keys[0]
        await authenticate_fresh(harness)
        harness.issuer.rotate("ES256", keep_old=False)
        harness.clock.advance(601)
        assert await authenticate_fresh(harness, key=old) is None
        await run_event_loop()
        assert await authenticate_fresh(harness, key=old) is ErrorCode.KEY_NOT_FOUND
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


@pytest.mark.parametrize("fault", [None, Fault.ERROR])
def test_made_up_kids_cost_four_fetches_minute(fault: Fault | None) -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.fault = fault
        harness.issuer.fetched.clear()
        for second in range(300):
            kids = [f"made-up-{second}-{number}" for number in range(20)]
            codes = {await harness.authenticate_async(harness.issuer.token(header={"kid": kid})) for kid in kids}
            assert codes <= {ErrorCode.KEY_NOT_FOUND, ErrorCode.KEYS_UNAVAILABLE}
            # A known key works all the time.
            assert await authenticate_fresh(harness) is None
            await run_event_loop()
            harness.clock.advance(1)
        # Two fetches, then one each 15 seconds. Each reads the metadata again. In an outage, regular refreshes add one
        # fetch each 10 seconds.
        retries = 30 if fault else 0
        assert 20 <= fetched(harness) <= 2 + 300 / 15 + retries
        assert harness.issuer.fetched.count(DISCOVERY) <= 2 + 300 / 15 + retries

    run_scenario(scenario)


def test_concurrent_unknown_kids_cost_two_fetches() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        tokens = [harness.issuer.token(header={"kid": f"made-up-{number}"}) for number in range(1_000)]
        assert set(await asyncio.gather(*map(harness.authenticate_async, tokens))) == {ErrorCode.KEY_NOT_FOUND}
        assert fetched(harness) <= 3

    run_scenario(scenario)


def test_allowance_for_unknown_kids_grows_each_fifteen_seconds() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        counts: list[int] = []
        for seconds in (0, 0, 0, 14, 1, 0, 60, 0, 0):
            harness.clock.advance(seconds)
            assert (
                await authenticate_fresh(harness, header={"kid": f"made-up-{len(counts)}"}) is ErrorCode.KEY_NOT_FOUND
            )
            counts.append(fetched(harness))
        assert counts == [2, 3, 3, 3, 4, 4, 5, 6, 6]

    run_scenario(scenario)


def test_known_absent_kid_is_not_refetched() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        counts: list[int] = []
        for seconds in (0, 0, 14, 1):
            harness.clock.advance(seconds)
            assert await authenticate_fresh(harness, header={"kid": "made-up"}) is ErrorCode.KEY_NOT_FOUND
            counts.append(fetched(harness))
        assert counts == [2, 2, 2, 3]

    run_scenario(scenario)


def test_absent_kid_before_outage_is_bad_token() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        assert await authenticate_fresh(harness, header={"kid": "made-up"}) is ErrorCode.KEY_NOT_FOUND
        harness.issuer.fault = Fault.DOWN
        assert await authenticate_fresh(harness, header={"kid": "another"}) is ErrorCode.KEYS_UNAVAILABLE
        assert await authenticate_fresh(harness, header={"kid": "made-up"}) is ErrorCode.KEY_NOT_FOUND
        assert harness.attempts == [True, True, False]

    run_scenario(scenario)


def test_key_rotated_in_during_flood_waits_fifteen_seconds() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        for number in range(3):
            await authenticate_fresh(harness, header={"kid": f"made-up-{number}"})
        harness.issuer.rotate("ES256")
        assert await authenticate_fresh(harness) is ErrorCode.KEY_NOT_FOUND
        harness.clock.advance(15)
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


def test_unknown_kid_joins_recent_fetch() -> None:
    async def scenario(harness: AuthHarness) -> None:
        assert await authenticate_fresh(harness, header={"kid": "made-up"}) is ErrorCode.KEY_NOT_FOUND
        assert fetched(harness) == 1

    run_scenario(scenario)


def test_zero_budget_never_fetches() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        assert await authenticate_fresh(harness, header={"kid": "made-up"}) is ErrorCode.KEY_NOT_FOUND
        assert fetched(harness) == 1

    run_scenario(scenario, limits={"unknown_kid_fetches": 0})


def test_unknown_kid_during_outage_is_outage() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.rotate("ES256")
        harness.issuer.fault = Fault.DOWN
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.issuer.fault = None
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


def test_unknown_kid_outage_ignores_spent_budget() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.issuer.rotate("ES256")
        harness.issuer.fault = Fault.DOWN
        # With a 401, all users with a token of the new key would log in again.
        assert [await authenticate_fresh(harness) for _ in range(4)] == [ErrorCode.KEYS_UNAVAILABLE] * 4

    run_scenario(scenario)


# Two issuers ----------------------------------------------------------------------------------------------------------


def test_tenants_share_one_fetch_budget() -> None:
    async def scenario() -> None:
        tenants = [f"8d5f2a3e-0000-4000-8000-{number:012d}" for number in range(9)]
        signer, fetched = LocalIssuer(algorithm="ES256"), list[str]()

        async def fetch(method: str, url: str, headers: Any, body: bytes | None) -> Response:
            fetched.append(url)
            issuer = url.removesuffix("/.well-known/openid-configuration")
            document = {"issuer": issuer, "jwks_uri": f"{issuer}/keys"} if issuer != url else signer.key_set()
            return Response(200, {}, json.dumps(document).encode())

        table = presets.entra(tenants, audience="agents", permission_map={"roles": {"x": ["threads:read"]}})
        oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=fetch)

        async def authenticate_async(tenant: str, kid: str | None) -> ErrorCode:
            issuer = f"https://login.microsoftonline.com/{tenant}/v2.0"
            header = {} if kid is None else {"kid": kid}
            with pytest.raises(TokenError) as refused:
                await oidc.authenticate(bearer(signer.token(iss=issuer, header=header)))
            return refused.value.code

        for tenant in tenants:
            assert await authenticate_async(tenant, None) is not ErrorCode.KEY_NOT_FOUND
        fetched.clear()
        for tenant in tenants:
            assert await authenticate_async(tenant, f"made-up-{tenant}") is ErrorCode.KEY_NOT_FOUND
        assert [url.rpartition("/")[2] for url in fetched] == ["keys", "keys"]

    asyncio.run(scenario())


def two_issuers() -> tuple[LocalIssuer, LocalIssuer, OIDCAuth]:
    one, two = (LocalIssuer(f"https://{name}.test", algorithm="ES256") for name in ("one", "two"))
    tables = [
        {"preset": "generic", "issuer": issuer.url, "audience": "agents", "identity_prefix": issuer.url[8:11] + ":"}
        for issuer in (one, two)
    ]
    return one, two, OIDCAuth.from_dict({"issuer": tables}, fetcher=IssuerRouter(one, two))


@pytest.mark.parametrize("warm", [True, False])
def test_same_kid_at_two_issuers_is_separate(*, warm: bool) -> None:
    one, two, oidc = two_issuers()
    assert one.keys[0].kid == two.keys[0].kid
    right = [one.token(), two.token()] * 5
    crossed = [one.token(key=two.keys[0]), two.token(key=one.keys[0])] * 5

    async def codes(token: str) -> str:
        try:
            return (await oidc.authenticate(bearer(token))).identity
        except OIDCAuthError as error:
            return error.code

    async def scenario() -> None:
        if warm:
            await asyncio.gather(*map(codes, right))
        answers = await asyncio.gather(*map(codes, [*crossed, *right]))
        assert answers[:10] == [ErrorCode.SIGNATURE_INVALID] * 10
        assert answers[10:] == ["one:alice", "two:alice"] * 5

    asyncio.run(scenario())
    assert [len(issuer.fetched) for issuer in (one, two)] == [2, 2]


def test_outage_affects_one_issuer_only() -> None:
    one, two, oidc = two_issuers()
    one.fault = Fault.DOWN
    assert asyncio.run(oidc.authenticate(bearer(two.token()))).issuer == two.url
    with pytest.raises(UpstreamError):
        asyncio.run(oidc.authenticate(bearer(one.token())))


def test_unknown_kid_asks_only_its_issuer() -> None:
    one, two, oidc = two_issuers()

    async def scenario() -> None:
        await oidc.authenticate(bearer(one.token()))
        await oidc.authenticate(bearer(two.token()))
        with pytest.raises(TokenError):
            await oidc.authenticate(bearer(one.token(header={"kid": "made-up"})))

    asyncio.run(scenario())
    assert [issuer.fetched.count(f"{issuer.url}/keys") for issuer in (one, two)] == [2, 1]


# The clock is set back ------------------------------------------------------------------------------------------------


def test_clock_set_back_recovers() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        harness.clock.advance(-2 * HOUR)
        assert await authenticate_fresh(harness) is None
        await run_event_loop()
        assert fetched(harness) == 2
        assert await authenticate_fresh(harness) is None
        await run_event_loop()
        assert fetched(harness) == 2
        harness.clock.advance(601)
        await authenticate_fresh(harness)
        await run_event_loop()
        assert fetched(harness) == 3

    run_scenario(scenario)


def test_cached_token_notices_clock_set_back() -> None:
    async def scenario(harness: AuthHarness) -> None:
        token = harness.issuer.token(iat=NOON - DAY)
        await harness.admit(token)
        harness.clock.advance(-2 * HOUR)
        await harness.admit(token)
        await run_event_loop()
        assert harness.cached == [False, True]
        assert harness.attempts == [True, True]

    run_scenario(scenario)


def test_clock_set_back_restores_fetch_budget() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        for number in range(3):
            await authenticate_fresh(harness, header={"kid": f"made-up-{number}"})
        harness.clock.advance(-2 * HOUR)
        await authenticate_fresh(harness)
        await run_event_loop()
        harness.issuer.rotate("ES256")
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


def test_clock_set_back_never_prolongs_outage() -> None:
    async def scenario(harness: AuthHarness) -> None:
        harness.issuer.fault = Fault.DOWN
        assert await authenticate_fresh(harness) is ErrorCode.KEYS_UNAVAILABLE
        harness.issuer.fault = None
        harness.clock.advance(-2 * HOUR)
        assert await authenticate_fresh(harness) is None

    run_scenario(scenario)


def test_clock_set_back_drops_withdrawn_key() -> None:
    async def scenario(harness: AuthHarness) -> None:
        old = harness.issuer.keys[0]
        await authenticate_fresh(harness)
        harness.issuer.fault = Fault.DOWN
        harness.clock.advance(601)
        await authenticate_fresh(harness)
        await run_event_loop()
        harness.issuer.fault = None
        harness.issuer.rotate("ES256", keep_old=False)
        harness.clock.advance(-2 * HOUR)
        assert await authenticate_fresh(harness, key=old) is None
        await run_event_loop()
        assert await authenticate_fresh(harness, key=old) is ErrorCode.KEY_NOT_FOUND

    run_scenario(scenario)


def test_clock_set_back_forgets_absent_kids() -> None:
    async def scenario(harness: AuthHarness) -> None:
        await authenticate_fresh(harness)
        late = SigningKey.make("late", "ES256")
        assert await authenticate_fresh(harness, key=late) is ErrorCode.KEY_NOT_FOUND
        harness.clock.advance(-2 * HOUR)
        await authenticate_fresh(harness)
        await run_event_loop()
        harness.issuer.keys.append(late)
        assert await authenticate_fresh(harness, key=late) is None

    run_scenario(scenario)


# Waiters and loops ----------------------------------------------------------------------------------------------------


class Loader:
    """Loads 1, 2, 3 and so on. The test ends each load."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.load_count = 0

    async def __call__(self, now: float) -> int:
        del now
        await self.go.wait()
        self.load_count += 1
        return self.load_count


def test_waiters_resume_in_batches() -> None:
    async def scenario() -> None:
        loader = Loader()
        value = RefreshingValue(loader, RefreshAges())
        waiters = [asyncio.create_task(value.get(0)) for _ in range(10 * BATCH_SIZE + 1)]
        await run_event_loop(3)
        loader.go.set()
        done = [0]
        while done[-1] < len(waiters) and len(done) < 1_000:
            await asyncio.sleep(0)
            done.append(sum(waiter.done() for waiter in waiters))
        steps = [after - before for before, after in pairwise(done)]
        assert max(steps) == BATCH_SIZE == 32
        assert sum(steps) == len(waiters)
        assert loader.load_count == 1

    asyncio.run(scenario())


def test_cancelled_waiter_keeps_refresh_running() -> None:
    async def scenario() -> None:
        loader = Loader()
        value = RefreshingValue(loader, RefreshAges())
        first, second = (asyncio.create_task(value.get(0)) for _ in range(2))
        await run_event_loop(3)
        first.cancel()
        await run_event_loop(3)
        loader.go.set()
        assert await second == 1
        assert first.cancelled()
        assert loader.load_count == 1

    asyncio.run(scenario())


def test_refresh_finishes_without_waiters() -> None:
    async def scenario() -> None:
        loader = Loader()
        value = RefreshingValue(loader, RefreshAges())
        only = asyncio.create_task(value.get(0))
        await run_event_loop(3)
        only.cancel()
        loader.go.set()
        await run_event_loop()
        assert value.fresh_value(1) == 1
        assert await value.get(1) == 1
        assert loader.load_count == 1

    asyncio.run(scenario())


def test_refresh_request_joins_running_refresh() -> None:
    async def scenario() -> None:
        loader = Loader()
        loader.go.set()
        value = RefreshingValue(loader, RefreshAges())
        assert await value.get(0) == 1
        loader.go.clear()
        renewals = [asyncio.create_task(value.refresh(1)) for _ in range(3)]
        await run_event_loop(3)
        loader.go.set()
        assert await asyncio.gather(*renewals) == [2, 2, 2]

    asyncio.run(scenario())


def test_cancelled_load_releases_all_waiters() -> None:
    async def scenario() -> None:
        async def load(now: float) -> int:
            raise asyncio.CancelledError(now)

        value = RefreshingValue(load, RefreshAges())
        with pytest.raises(LookupError, match="nothing was loaded"):
            async with asyncio.timeout(5):
                await value.get(0)

    asyncio.run(scenario())


def test_cancelled_fetcher_is_outage() -> None:
    assert outage_from(FaultyFetcher({DISCOVERY: asyncio.CancelledError()})).retry_after == 1


def test_refresh_in_other_loop_does_not_block() -> None:
    harness = AuthHarness()
    assert harness.authenticate(harness.issuer.token()) is None
    harness.clock.advance(601)
    harness.issuer.fault = Fault.STALL
    stopped = asyncio.new_event_loop()
    try:
        assert stopped.run_until_complete(authenticate_fresh(harness)) is None
        stopped.run_until_complete(run_event_loop())
        # That event loop has ended, so its refresh does not continue.
        harness.issuer.fault = None
        harness.issuer.rotate("ES256", keep_old=False)
        harness.clock.advance(2 * HOUR)
        assert harness.authenticate(harness.issuer.token()) is None
        assert harness.attempts == [True, True]
    finally:
        pending = asyncio.all_tasks(stopped)
        for task in pending:
            task.cancel()
        stopped.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        stopped.close()
    assert len(pending) == 1
    assert harness.authenticate(harness.issuer.token(jti="after")) is None


def test_late_refresh_keeps_current_refresh() -> None:
    landings: list[asyncio.Future[int]] = []

    async def load(now: float) -> int:
        del now
        landings.append(asyncio.get_running_loop().create_future())
        return await landings[-1]

    async def ask() -> asyncio.Task[int]:
        task = asyncio.create_task(value.get(0))
        await run_event_loop(3)
        return task

    async def land(task: asyncio.Task[int], flight: int) -> int:
        landings[flight].set_result(flight)
        return await task

    value = RefreshingValue(load, RefreshAges())
    one, two = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        late, first = one.run_until_complete(ask()), two.run_until_complete(ask())
        assert one.run_until_complete(land(late, 0)) == 0
        # The keys are known. A refresh waits for the load that still runs in this event loop.
        renewal = two.create_task(value.refresh(0))
        two.run_until_complete(run_event_loop(3))
        assert two.run_until_complete(land(first, 1)) == 1
        assert two.run_until_complete(renewal) == 1
        assert len(landings) == 2
    finally:
        one.close()
        two.close()


def test_ended_loop_does_not_block_next_loop() -> None:
    harness = AuthHarness()
    assert harness.authenticate(harness.issuer.token()) is None
    harness.clock.advance(601)
    harness.issuer.fault = Fault.STALL
    assert harness.authenticate(harness.issuer.token()) is None
    harness.issuer.fault = None
    harness.clock.advance(2 * HOUR)
    assert harness.authenticate(harness.issuer.token()) is None
    assert harness.attempts == [True, True]


def test_broken_observer_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    issuer = LocalIssuer(algorithm="ES256")

    def broken(event: object) -> None:
        raise RuntimeError(event)

    table = {"preset": "generic", "issuer": issuer.url, "audience": "agents"}
    oidc = OIDCAuth.from_dict({"issuer": table}, fetcher=issuer, observer=broken)
    assert asyncio.run(oidc.authenticate(bearer(issuer.token()))).identity == "alice"
    assert "the observer failed" in caplog.text
