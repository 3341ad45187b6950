"""Authentication with revocations, in memory and in Redis."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from kit.auth_harness import AuthHarness
from kit.clock import HOUR, NOON, OffsetClock
from kit.redis_server import wire_to
from kit.revocations import SECONDS, open_redis, wait_until

from oidc_auth.errors import ErrorCode, TokenError, UpstreamError
from oidc_auth.revocation.check import RevocationCheck
from oidc_auth.revocation.entries import Kind, Revocation, digest_subject
from oidc_auth.revocation.redis import SILENT_AFTER

if TYPE_CHECKING:
    from kit.redis_server import RedisServer

    from oidc_auth.config.build_revocation import Revocation as Revocations

NOT_AVAILABLE = ErrorCode.REVOCATIONS_UNAVAILABLE


def revocations(harness: AuthHarness) -> Revocations:
    assert harness.oidc.revocation is not None
    return harness.oidc.revocation


async def revoke(harness: AuthHarness, kind: Kind, value: str, at: float | None = None) -> None:
    time = harness.clock() if at is None else at
    await revocations(harness).store.publish([Revocation(issuer=harness.issuer.url, kind=kind, value=value, time=time)])


@pytest.mark.parametrize(("kind", "value"), [(Kind.SUBJECT, "alice"), (Kind.SESSION, "s1"), (Kind.TOKEN, "t1")])
@pytest.mark.parametrize("is_cached", [True, False])
def test_revoked_token_is_refused(kind: Kind, value: str, is_cached: Any) -> None:
    harness = AuthHarness(revocation={"store": "memory"})
    token = harness.issuer.token("alice", sid="s1", jti="t1")
    other = harness.issuer.token("bob", sid="s2", jti="t2")

    async def use() -> list[ErrorCode | None]:
        if is_cached:
            assert await harness.authenticate_async(token) is None
        await revoke(harness, kind, value)
        return [await harness.authenticate_async(each) for each in (token, token, other)]

    assert asyncio.run(use()) == [ErrorCode.TOKEN_REVOKED, ErrorCode.TOKEN_REVOKED, None]


def test_new_login_is_accepted() -> None:
    harness = AuthHarness(revocation={"store": "memory"})
    old = harness.issuer.token("alice")

    async def use() -> list[ErrorCode | None]:
        await revoke(harness, Kind.SUBJECT, "alice")
        harness.clock.advance(1)
        return [await harness.authenticate_async(each) for each in (old, harness.issuer.token("alice"))]

    assert asyncio.run(use()) == [ErrorCode.TOKEN_REVOKED, None]


def test_revocation_outlives_every_token() -> None:
    # The longest lifetime, the leeway of exp, and the widest difference of iat.
    harness = AuthHarness(revocation={"store": "memory", "max_token_lifetime": 600}, leeway=60)
    token = harness.issuer.token("alice", jti="t1", iat=NOON + 60, exp=NOON + 660)

    async def use() -> list[ErrorCode | None]:
        await revoke(harness, Kind.TOKEN, "t1")
        answers = []
        # Another revocation removes those that have expired.
        for second in (0, 599, 659, 660, 661, 719):
            harness.clock.now = NOON + second
            await revoke(harness, Kind.TOKEN, f"other-{second}")
            answers.append(await harness.authenticate_async(token))
        return answers

    assert {*asyncio.run(use())} == {ErrorCode.TOKEN_REVOKED}


def test_refusal_names_the_kind_only() -> None:
    harness = AuthHarness(revocation={"store": "memory"})

    async def use() -> TokenError:
        await revoke(harness, Kind.SUBJECT_WITHOUT_SESSION, "alice@acme.com")
        with pytest.raises(TokenError) as caught:
            await harness.admit(harness.issuer.token("alice@acme.com"))
        return caught.value

    refusal = asyncio.run(use())
    challenge = refusal.challenge()
    assert refusal.issuer == harness.issuer.url
    assert challenge.status == 401
    assert "alice" not in f"{refusal!r} {refusal.report()} {challenge.headers()} {challenge.detail}"


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oidc_auth.revocation.check.LONGEST_WAIT", 0.05)


def redis_harness(address: str, clock: OffsetClock, **table: Any) -> AuthHarness:
    return AuthHarness(clock=clock, revocation={"store": address, **table})


@pytest.mark.usefixtures("short_times", "no_wait")
@pytest.mark.parametrize("on_outage", ["deny", "serve"])
def test_outage_rule_decides_after_grace(redis_server: RedisServer, on_outage: str) -> None:
    clock = OffsetClock()
    harness = redis_harness(redis_server.address, clock, on_outage=on_outage, outage_grace=300)
    token = harness.issuer.token("alice", exp=int(clock()) + int(HOUR))
    revoked_token = harness.issuer.token("bob", exp=int(clock()) + int(HOUR))

    async def use() -> None:
        store = revocations(harness).store
        await store.load(SECONDS)
        assert await harness.authenticate_async(token) is None
        await store.publish([Revocation(issuer=harness.issuer.url, kind=Kind.SUBJECT, value="bob", time=clock())])
        redis_server.kill()
        for offset, expected in ((0, None), (299, None), (320, NOT_AVAILABLE if on_outage == "deny" else None)):
            clock.offset = offset
            assert await harness.authenticate_async(token) is expected
            # A known revocation counts during an outage, and no answer reveals more.
            assert await harness.authenticate_async(revoked_token) in {ErrorCode.TOKEN_REVOKED, NOT_AVAILABLE}
        redis_server.start()
        await wait_until(lambda: store.is_current(clock()))
        assert await harness.authenticate_async(token) is None
        assert await harness.authenticate_async(revoked_token) is ErrorCode.TOKEN_REVOKED
        await store.aclose()

    asyncio.run(use())


@pytest.mark.usefixtures("short_times", "no_wait")
@pytest.mark.parametrize("on_outage", ["deny", "serve"])
def test_nothing_is_served_before_the_load(redis_server: RedisServer, on_outage: str) -> None:
    redis_server.kill()
    clock = OffsetClock()
    harness = redis_harness(redis_server.address, clock, on_outage=on_outage, outage_grace=10**9)
    token = harness.issuer.token("alice")

    async def use() -> None:
        with pytest.raises(UpstreamError) as caught:
            await harness.admit(token)
        challenge = caught.value.challenge()
        assert (caught.value.code, challenge.status) == (NOT_AVAILABLE, 503)
        assert "Retry-After" in challenge.headers()
        redis_server.start()
        await wait_until(lambda: revocations(harness).store.is_current(clock()))
        assert await harness.authenticate_async(token) is None
        await harness.oidc.aclose()

    asyncio.run(use())


@pytest.mark.usefixtures("short_times")
def test_service_resumes_after_catching_up(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oidc_auth.revocation.check.LONGEST_WAIT", 0.01)
    clock = OffsetClock()

    async def use() -> None:
        with wire_to(redis_server) as wire:
            harness = redis_harness(wire.address, clock, outage_grace=10)
            token = harness.issuer.token("alice")
            await revocations(harness).store.load(SECONDS)
            assert await harness.authenticate_async(token) is None
            wire.cut()
            other = open_redis(redis_server.address)
            await other.publish(
                [Revocation(issuer=harness.issuer.url, kind=Kind.SUBJECT, value="alice", time=clock() + 1)]
            )
            clock.offset = 30
            assert await harness.authenticate_async(token) is NOT_AVAILABLE
            wire.mend()
            seen: set[ErrorCode | None] = {NOT_AVAILABLE}
            while ErrorCode.TOKEN_REVOKED not in seen:
                seen.add(await harness.authenticate_async(token))
                await asyncio.sleep(0)
            # No request was accepted between the outage and the revocation.
            assert seen == {NOT_AVAILABLE, ErrorCode.TOKEN_REVOKED}
            await harness.oidc.aclose()

    asyncio.run(asyncio.wait_for(use(), 20))


@pytest.mark.usefixtures("short_times")
def test_first_request_waits_for_the_load(redis_server: RedisServer) -> None:
    clock = OffsetClock()
    harness = redis_harness(redis_server.address, clock)
    token = harness.issuer.token("alice")

    async def use() -> None:
        await open_redis(redis_server.address).publish(
            [Revocation(issuer=harness.issuer.url, kind=Kind.SUBJECT, value="alice", time=clock() + 1)]
        )
        answers = await asyncio.gather(*(harness.authenticate_async(token) for _ in range(20)))
        assert {*answers} == {ErrorCode.TOKEN_REVOKED}
        await harness.oidc.aclose()

    asyncio.run(use())


@pytest.mark.usefixtures("short_times", "no_wait")
def test_known_store_needs_no_state(redis_server: RedisServer) -> None:
    clock = OffsetClock()

    async def use() -> None:
        store = open_redis(redis_server.address, clock=clock, grace=0)
        check = RevocationCheck(store)
        await store.load(SECONDS)
        await check.require_known(clock())
        redis_server.kill()
        clock.offset = SILENT_AFTER + 1
        with pytest.raises(UpstreamError) as caught:
            await check.require_known(clock())
        assert caught.value.code is NOT_AVAILABLE
        await store.aclose()

    asyncio.run(use())
    assert time.time() < clock()


@pytest.mark.usefixtures("short_times", "no_wait")
def test_cron_runs_only_while_revocations_are_known(redis_server: RedisServer) -> None:
    clock = OffsetClock()

    async def use() -> None:
        store = open_redis(redis_server.address, clock=clock, grace=0)
        check, alice = RevocationCheck(store), digest_subject("https://issuer.test", "alice")
        assert check.find_cron_denial(alice, clock(), clock()) is NOT_AVAILABLE
        await store.load(SECONDS)
        await check.wait_until_loaded(clock())
        assert check.find_cron_denial(alice, clock(), clock()) is None
        ended = Revocation(issuer="https://issuer.test", kind=Kind.SUBJECT, value="alice", time=clock())
        await store.publish([ended])
        assert check.find_cron_denial(alice, ended.time, clock()) is ErrorCode.CRON_REVOKED
        assert check.find_cron_denial(alice, ended.time + 1, clock()) is None
        redis_server.kill()
        clock.offset = SILENT_AFTER + 1
        await check.wait_until_loaded(clock())
        assert check.find_cron_denial(alice, ended.time + 1, clock()) is NOT_AVAILABLE
        await store.aclose()

    asyncio.run(use())


def test_digest_names_one_user_of_one_issuer() -> None:
    pairs = [("https://a", "b"), ("https://ab", ""), ("https://", "ab"), ("https://b", "a"), ("https://a", "B")]
    digests = [digest_subject(issuer, subject) for issuer, subject in pairs if subject]
    assert len({*digests}) == len(digests)
    assert {digest_subject("https://a", odd) for odd in ("", None, 7, ["a"])} == {""}
