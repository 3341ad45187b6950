"""How long an answer counts, and how few requests the provider gets."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from kit.auth_harness import bearer, run_event_loop
from kit.clock import NOON
from kit.introspection import IntrospectionHarness

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode, UpstreamError
from oidc_auth.introspection.answers import MAX_INACTIVE, Answer, AnswerCache
from oidc_auth.introspection.request_budget import BURST, MAX_WAITING, RequestBudget
from oidc_auth.keys.budget import FetchBudget
from oidc_auth.observability import TokenIntrospected
from oidc_auth.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.snapshots import Messages

    from oidc_auth.keys.fetch import Response

INACTIVE = ErrorCode.TOKEN_INACTIVE
UNAVAILABLE = ErrorCode.INTROSPECTION_UNAVAILABLE
MODES = pytest.mark.parametrize("mode", ["opaque", "always"])


def token_for(harness: IntrospectionHarness, mode: str, **claims: Any) -> str:
    return harness.issuer.opaque_token(**claims) if mode == "opaque" else harness.issuer.token(**claims)


@MODES
def test_active_answer_is_used_for_cache_seconds(mode: str) -> None:
    harness = IntrospectionHarness(mode)
    token = token_for(harness, mode)
    counts = []
    for _ in range(4):
        assert harness.authenticate(token) is None
        counts.append(len(harness.asked))
        harness.clock.advance(10)
    assert counts == [1, 1, 1, 2]


@MODES
@pytest.mark.parametrize("seconds", [0, 5, 30, 300])
def test_revoked_token_is_refused_after_cache_seconds(mode: str, seconds: float) -> None:
    harness = IntrospectionHarness(mode, introspection={"cache_seconds": seconds})
    token = token_for(harness, mode, lifetime=3_000)
    assert harness.authenticate(token) is None
    harness.issuer.revoke(token)
    harness.clock.advance(max(0, seconds - 0.5))
    assert harness.authenticate(token) is (None if seconds else INACTIVE)
    harness.clock.advance(0.5)
    assert harness.authenticate(token) is INACTIVE


@MODES
def test_inactive_answer_is_used_for_cache_seconds(mode: str) -> None:
    harness = IntrospectionHarness(mode)
    token = token_for(harness, mode)
    harness.issuer.revoke(token)
    codes = []
    for _ in range(4):
        codes.append(harness.authenticate(token))
        harness.clock.advance(10)
    assert codes == [INACTIVE] * 4
    assert harness.outcomes == ["inactive", "inactive"]


@pytest.mark.parametrize("entries", [0, 1, 4_096])
def test_answer_cache_needs_no_token_cache(entries: int) -> None:
    harness = IntrospectionHarness(limits={"token_cache_entries": entries})
    token = harness.issuer.opaque_token()
    assert [harness.authenticate(token) for _ in range(3)] == [None] * 3
    assert len(harness.asked) == 1


def test_active_token_for_other_api_is_asked_once() -> None:
    harness = IntrospectionHarness()
    token = harness.issuer.opaque_token(audience="other")
    assert [harness.authenticate(token) for _ in range(3)] == [ErrorCode.AUDIENCE_MISMATCH] * 3
    assert len(harness.asked) == 1


def test_answer_is_not_used_past_exp() -> None:
    harness = IntrospectionHarness(introspection={"cache_seconds": 3_600}, leeway=0)
    token = harness.issuer.opaque_token(lifetime=100)
    assert harness.authenticate(token) is None
    harness.clock.advance(100)
    assert harness.authenticate(token) is INACTIVE
    assert len(harness.asked) == 2


def test_token_cache_never_prolongs_answer() -> None:
    harness = IntrospectionHarness(limits={"token_cache_seconds": 3_600}, introspection={"cache_seconds": 10})
    token = harness.issuer.opaque_token(lifetime=3_600)

    async def use() -> list[int]:
        counts = []
        for _ in range(3):
            assert await harness.authenticate_async(token) is None
            counts.append(len(harness.asked))
            harness.clock.advance(10)
        return counts

    assert asyncio.run(use()) == [1, 2, 3]


def test_clock_set_back_drops_answers() -> None:
    harness = IntrospectionHarness(introspection={"cache_seconds": 3_600})
    token = harness.issuer.opaque_token(lifetime=9_000)
    assert harness.authenticate(token) is None
    harness.issuer.revoke(token)
    harness.clock.advance(-20)
    assert harness.authenticate(token) is INACTIVE


def test_age_counts_from_request() -> None:
    harness = IntrospectionHarness()
    token = harness.issuer.opaque_token()
    original = harness.issuer.introspection.respond

    def slow(headers: Any, body: bytes) -> Any:
        answer = original(headers, body)
        harness.clock.advance(20)
        return answer

    harness.issuer.introspection.respond = slow  # type: ignore[method-assign]
    assert harness.authenticate(token) is None
    harness.clock.advance(10)
    harness.authenticate(token)
    assert len(harness.asked) == 2


@MODES
def test_outage_is_503_and_never_yes(mode: str) -> None:
    harness = IntrospectionHarness(mode)
    known, fresh = token_for(harness, mode), token_for(harness, mode, jti="2")
    assert harness.authenticate(known) is None
    harness.issuer.introspection.fault = Fault.DOWN
    assert harness.authenticate(known) is None
    harness.clock.advance(30)
    assert [harness.authenticate(token) for token in (known, fresh)] == [UNAVAILABLE] * 2
    harness.issuer.introspection.fault = None
    assert [harness.authenticate(token) for token in (known, fresh)] == [None] * 2
    assert harness.outcomes == ["active", "failed", "failed", "active", "active"]


def test_inactive_answers_do_not_replace_active_ones() -> None:
    cache = AnswerCache(2, 30)
    cache.put(b"known", Answer({"active": True, "exp": NOON + 300}, NOON))
    for number in range(MAX_INACTIVE + 10):
        cache.put(b"%d" % number, Answer({"active": False, "text": "x" * 100}, NOON))
    assert cache.is_known(b"known", NOON + 299)
    assert not cache.is_known(b"known", NOON + 300)
    assert cache.get(b"known", NOON) is not None
    assert cache.get(b"0", NOON) is None
    newest = cache.get(b"%d" % (MAX_INACTIVE + 9), NOON)
    assert newest is not None
    # What a made-up token made the provider say is not kept.
    assert newest.members == {"active": False}


def test_revoked_token_is_not_known() -> None:
    cache = AnswerCache(2, 30)
    cache.put(b"t", Answer({"active": True}, NOON))
    cache.put(b"t", Answer({"active": False}, NOON + 30))
    assert not cache.is_known(b"t", NOON + 30)
    cache.put(b"t", Answer({"active": True}, NOON + 31))
    assert cache.is_known(b"t", NOON + 31)


def test_only_newest_answer_is_kept() -> None:
    cache = AnswerCache(1, 30)
    cache.put(b"t", Answer({"active": False}, NOON))
    cache.put(b"t", Answer({"active": True}, NOON + 1))
    # The other token takes the only place.
    cache.put(b"other", Answer({"active": True}, NOON + 1))
    assert cache.get(b"t", NOON + 1) is None


def test_answer_shows_no_claim() -> None:
    assert "alice" not in repr(Answer({"active": True, "sub": "alice"}, NOON))


def test_caches_hold_no_token() -> None:
    harness = IntrospectionHarness()
    token = harness.issuer.opaque_token() + "-and-a-unique-text"
    harness.issuer.introspection.add(token, {"iss": harness.issuer.url, "sub": "alice", "aud": "agents"})
    assert harness.authenticate(token) is None
    harness.issuer.introspection = type(harness.issuer.introspection)(str, lambda: NOON, list)
    found = [each for each in reachable(harness.oidc) if isinstance(each, (str, bytes)) and len(each) < 10_000]
    assert not any(token in each if isinstance(each, str) else token.encode() in each for each in found)


def reachable(root: object) -> Iterator[object]:
    """Yield all objects that an object keeps alive, except modules and classes."""
    seen, queue = {id(root)}, [root]
    while queue:
        each = queue.pop()
        yield each
        for child in gc.get_referents(each):
            if id(child) not in seen and not isinstance(child, (type, type(gc))):
                seen.add(id(child))
                queue.append(child)


# --- one request for each token ------------------------------------------------------------------------------------


async def hold(harness: IntrospectionHarness, *tokens: str) -> list[asyncio.Task[ErrorCode | None]]:
    """Start requests while the provider stalls."""
    harness.issuer.introspection.fault = Fault.STALL
    tasks = [asyncio.create_task(harness.authenticate_async(token)) for token in tokens]
    await run_event_loop()
    return tasks


def release(harness: IntrospectionHarness) -> None:
    harness.issuer.introspection.fault = None
    harness.issuer.release.set()


@MODES
@pytest.mark.parametrize(("is_active", "code"), [(True, None), (False, INACTIVE)])
def test_concurrent_requests_ask_once(mode: str, *, is_active: bool, code: ErrorCode | None) -> None:
    harness = IntrospectionHarness(mode)
    token = token_for(harness, mode)
    if not is_active:
        harness.issuer.revoke(token)

    async def run() -> list[ErrorCode | None]:
        tasks = await hold(harness, *[token] * 100)
        release(harness)
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [code] * 100
    assert harness.asked == [token]


def test_explain_shares_running_request() -> None:
    harness = IntrospectionHarness()
    token = harness.issuer.opaque_token(scope="threads:read")

    async def run() -> bool:
        (task,) = await hold(harness, token)
        why = asyncio.create_task(harness.oidc.explain_token(token))
        await run_event_loop()
        release(harness)
        return await task is None and not (await why).refusal

    assert asyncio.run(run())
    assert len(harness.asked) == 1


def test_cancelled_request_does_not_end_others() -> None:
    harness = IntrospectionHarness(limits={"token_cache_entries": 0})
    token = harness.issuer.opaque_token(scope="threads:read")

    async def run() -> ErrorCode | None:
        first, *_ = await hold(harness, token)
        second = asyncio.create_task(harness.oidc.explain_token(token))
        await run_event_loop()
        first.cancel()
        await run_event_loop()
        release(harness)
        return None if not (await second).refusal else UNAVAILABLE

    assert asyncio.run(run()) is None
    assert len(harness.asked) == 1


def test_answer_for_cancelled_request_is_kept() -> None:
    harness = IntrospectionHarness()
    token = harness.issuer.opaque_token()

    async def run() -> ErrorCode | None:
        (task,) = await hold(harness, token)
        task.cancel()
        await run_event_loop()
        release(harness)
        await run_event_loop()
        return await harness.authenticate_async(token)

    assert asyncio.run(run()) is None
    assert len(harness.asked) == 1


def test_request_of_stopped_loop_does_not_block() -> None:
    harness = IntrospectionHarness()
    token = harness.issuer.opaque_token()
    loop = asyncio.new_event_loop()
    tasks = loop.run_until_complete(hold(harness, token))
    # The loop is stopped while the provider stalls, as at a reload.
    release(harness)
    assert harness.authenticate(token) is None
    for task in [*tasks, *asyncio.all_tasks(loop)]:
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_slow_answer_is_bounded(messages: Messages) -> None:
    harness = IntrospectionHarness(limits={"fetch_timeout": 0.05})
    token = harness.issuer.opaque_token()
    harness.issuer.introspection.fault = Fault.STALL
    with pytest.raises(UpstreamError) as refused:
        asyncio.run(harness.admit(token))
    messages.check(refused.value.found, {harness.issuer.url: "ISSUER"})
    release(harness)
    assert harness.authenticate(token) is None


def test_failure_is_shared_and_not_kept() -> None:
    harness = IntrospectionHarness()
    token = harness.issuer.opaque_token()

    async def run() -> list[ErrorCode | None]:
        tasks = [asyncio.create_task(harness.oidc.explain_token(token)) for _ in range(20)]
        harness.issuer.introspection.status = 500
        refused = [(await task).refusal.partition(":")[0] for task in tasks]
        assert refused == [UNAVAILABLE] * 20
        harness.issuer.introspection.status = 200
        return [await harness.authenticate_async(token)]

    assert asyncio.run(run()) == [None]
    assert len(harness.asked) == 2


# --- made-up tokens ------------------------------------------------------------------------------------------------


async def flood(harness: IntrospectionHarness, count: int, name: str = "made-up") -> list[ErrorCode | None]:
    return list(await asyncio.gather(*(harness.authenticate_async(f"{name}-{number}") for number in range(count))))


def test_made_up_tokens_have_budget() -> None:
    # No request may wait for this long.
    harness = IntrospectionHarness(limits={"fetch_timeout": 1_000})
    codes = asyncio.run(flood(harness, 500))
    assert (codes.count(INACTIVE), codes.count(UNAVAILABLE)) == (BURST, 500 - BURST)
    assert len(harness.asked) == BURST
    harness.clock.advance(1)
    codes = asyncio.run(flood(harness, 500, "later"))
    assert codes.count(INACTIVE) == 10
    harness.clock.advance(60)
    assert asyncio.run(flood(harness, 500, "last")).count(INACTIVE) == BURST


def test_used_budget_is_503_with_retry_after() -> None:
    harness = IntrospectionHarness()
    asyncio.run(flood(harness, BURST))
    with pytest.raises(UpstreamError) as refused:
        asyncio.run(harness.admit(harness.issuer.opaque_token()))
    assert (refused.value.code, refused.value.retry_after) == (UNAVAILABLE, 1)
    harness.clock.advance(0.1)
    assert harness.authenticate(harness.issuer.opaque_token()) is None


@MODES
def test_flood_does_not_refuse_renewals(mode: str) -> None:
    harness = IntrospectionHarness(mode)
    known = [token_for(harness, mode, jti=str(number)) for number in range(BURST * 2)]
    assert [harness.authenticate(token) for token in known] == [None] * len(known)
    harness.clock.advance(30)
    # The issuer of always takes opaque tokens too.
    assert asyncio.run(flood(harness, 100)).count(UNAVAILABLE) > 0
    assert [harness.authenticate(token) for token in known] == [None] * len(known)


def test_active_tokens_use_no_budget() -> None:
    harness = IntrospectionHarness()

    async def run() -> list[ErrorCode | None]:
        tokens = [harness.issuer.opaque_token() for _ in range(BURST * 6)]
        return list(await asyncio.gather(*map(harness.authenticate_async, tokens)))

    assert asyncio.run(run()) == [None] * (BURST * 6)
    assert asyncio.run(flood(harness, 100)).count(INACTIVE) == BURST


def test_mass_logout_uses_no_budget() -> None:
    harness = IntrospectionHarness()
    known = [harness.issuer.opaque_token() for _ in range(BURST * 2)]
    for token in known:
        assert harness.authenticate(token) is None
        harness.issuer.revoke(token)
    harness.clock.advance(30)
    assert [harness.authenticate(token) for token in known] == [INACTIVE] * len(known)
    assert harness.authenticate(harness.issuer.opaque_token()) is None


def test_one_made_up_token_uses_budget_once() -> None:
    harness = IntrospectionHarness()
    assert [harness.authenticate("made-up") for _ in range(200)] == [INACTIVE] * 200
    assert len(harness.asked) == 1


def test_tokens_that_fail_provider_have_budget() -> None:
    harness = IntrospectionHarness()
    harness.issuer.introspection.status = 500
    codes = asyncio.run(flood(harness, 200))
    assert codes == [UNAVAILABLE] * 200
    assert len(harness.asked) == BURST


def test_running_requests_are_bounded() -> None:
    harness = IntrospectionHarness()

    async def run() -> list[ErrorCode | None]:
        tokens = [harness.issuer.opaque_token() for _ in range(BURST * 3)]
        tasks = await hold(harness, *tokens)
        await run_event_loop(200)
        # The provider counts a request before it stalls.
        running = len([url for url in harness.issuer.fetched if url.endswith("/introspect")])
        assert running == BURST
        tasks[-1].cancel()
        release(harness)
        return list(await asyncio.gather(*tasks[:-1]))

    assert asyncio.run(run()) == [None] * (BURST * 3 - 1)


def test_waiting_requests_are_bounded() -> None:
    async def run() -> list[bool]:
        budget = RequestBudget(FetchBudget(1, 5), lambda: NOON)
        assert await budget.enter()
        waiting = [asyncio.create_task(budget.enter()) for _ in range(MAX_WAITING)]
        await run_event_loop()
        assert await budget.enter() is False
        budget.leave(active=False)
        return list(await asyncio.gather(*waiting))

    # Nothing runs any more, so no unit comes back.
    assert asyncio.run(run()) == [False] * MAX_WAITING


def test_waiting_is_bounded_in_time() -> None:
    harness = IntrospectionHarness(limits={"fetch_timeout": 0.05})

    async def run() -> set[ErrorCode | None]:
        return set(await asyncio.gather(*await hold(harness, *[f"t-{number}" for number in range(BURST * 4)])))

    assert asyncio.run(run()) == {UNAVAILABLE}


def test_waiting_for_slow_provider_is_bounded() -> None:
    harness = IntrospectionHarness(limits={"fetch_timeout": 0.2})

    async def slow(method: str, url: str, headers: Any, body: bytes | None) -> Response:
        await asyncio.sleep(0.05 if method == "POST" else 0)
        return harness.issuer.respond(method, urlsplit(url).path, headers, body or b"")

    # Ten rounds of running requests would take half a second.
    oidc = OIDCAuth(harness.oidc.loaded, fetcher=slow, clock=harness.clock)
    tokens = [harness.issuer.opaque_token() for _ in range(BURST * 10)]

    async def run() -> list[Any]:
        await oidc.authenticate(bearer(harness.issuer.opaque_token()))
        return list(await asyncio.gather(*(oidc.authenticate(bearer(each)) for each in tokens), return_exceptions=True))

    refused = [each for each in asyncio.run(run()) if isinstance(each, UpstreamError)]
    assert len(refused) > BURST


def test_cancelled_request_passes_its_turn_on() -> None:
    async def run() -> list[bool]:
        budget = RequestBudget(FetchBudget(2, 5), lambda: NOON)
        assert [await budget.enter(), await budget.enter()] == [True, True]
        first, second = (asyncio.create_task(budget.enter()) for _ in range(2))
        await run_event_loop()
        first.cancel()
        await run_event_loop()
        budget.leave(active=True)
        await run_event_loop()
        return [first.cancelled(), second.done() and second.result()]

    assert asyncio.run(run()) == [True, True]


def test_clock_set_back_fills_budget() -> None:
    harness = IntrospectionHarness()
    asyncio.run(flood(harness, 100))
    harness.clock.advance(-3_600)
    assert asyncio.run(flood(harness, 100, "other")).count(INACTIVE) == BURST


# --- events --------------------------------------------------------------------------------------------------------


def test_each_request_is_one_event() -> None:
    harness = IntrospectionHarness()
    token = harness.issuer.opaque_token()
    harness.authenticate(token)
    harness.authenticate(token)
    harness.authenticate("made-up")
    harness.issuer.introspection.status = 500
    harness.authenticate("other")
    events = [event for event in harness.events if isinstance(event, TokenIntrospected)]
    assert [event.outcome for event in events] == ["active", "inactive", "failed"]
    assert all(event.issuer == harness.issuer.url and event.duration >= 0 for event in events)
    assert token not in repr(harness.events)


def test_cached_token_is_reported_as_cached() -> None:
    harness = IntrospectionHarness()
    token = harness.issuer.opaque_token()
    assert asyncio.run(harness.oidc.authenticate(bearer(token))).identity == "alice"
    assert harness.authenticate(token) is None
    harness.clock.advance(30)
    assert harness.authenticate(token) is None
    assert harness.cached == [False, True, False]
