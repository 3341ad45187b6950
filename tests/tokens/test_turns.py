"""A crowd is spread over turns of the event loop, 32 and an eighth in each, and nobody is forgotten."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from world.tokens import Door, turns

from oidc_auth.errors import Code, TokenError
from oidc_auth.testing.signing import SigningKey

CROWD = 330


def fresh(door: Door, count: int = CROWD) -> list[str]:
    """Return tokens that nobody has seen."""
    return [door.issuer.token(jti=f"{number}", scope="threads:read") for number in range(count)]


async def warm(door: Door) -> None:
    """Bring the keys, so that nobody in the crowd waits for those."""
    await door.admit(door.issuer.token())
    await turns()
    door.events.clear()


def test_of_a_crowd_32_go_on_at_once_and_then_16_or_an_eighth_in_each_turn_of_the_loop() -> None:
    async def story() -> None:
        door = Door()
        await warm(door)
        crowd = [asyncio.create_task(door.admit(token)) for token in fresh(door)]
        verified = [0]
        while verified[-1] < len(crowd) and len(verified) < 1_000:
            await asyncio.sleep(0)
            verified.append(len(door.cached))
        each_turn = [after - before for before, after in pairwise(verified)]
        left = CROWD - 32
        # In the second turn they are told, in the third the first of them go on.
        expected = [32, 0]
        while left:
            expected.append(min(left, max(16, left // 8)))
            left -= expected[-1]
        assert each_turn == expected
        assert expected[2] == 37
        assert all(task.done() for task in crowd)

    asyncio.run(story())


def test_newcomers_and_those_who_wait_go_on_beside_each_other() -> None:
    async def story() -> None:
        door = Door()
        await warm(door)
        tokens = fresh(door)
        crowd = [asyncio.create_task(door.admit(tokens.pop())) for _ in range(100)]
        newcomers: list[list[asyncio.Task[object]]] = []
        done: list[tuple[int, int]] = []
        for _ in range(5):
            newcomers.append([asyncio.create_task(door.admit(tokens.pop())) for _ in range(32)])
            await asyncio.sleep(0)
            done.append((sum(task.done() for task in crowd), sum(task.done() for task in newcomers[-1])))
        # In the first turn the crowd itself is what is new.
        assert done == [(32, 0), (32, 32), (48, 32), (64, 32), (80, 32)]
        await asyncio.gather(*crowd, *(task for each in newcomers for task in each))

    asyncio.run(story())


def test_who_waits_never_piles_up_however_many_come() -> None:
    async def story() -> None:
        door = Door()
        made_up = {"authorization": "Bearer x.y.z"}
        crowd: list[asyncio.Task[object]] = []
        waiting = []
        for _ in range(100):
            crowd += [asyncio.create_task(door.hear(made_up)) for _ in range(132)]
            await asyncio.sleep(0)
            waiting.append(sum(not task.done() for task in crowd))
        assert waiting[-1] == waiting[-2] < 8 * 100 + 132
        assert set(await asyncio.gather(*crowd)) == {Code.BASE64URL_INVALID}

    asyncio.run(story())


def test_whoever_waits_goes_on_in_their_order() -> None:
    async def story() -> None:
        door = Door()
        await warm(door)
        served: list[int] = []

        async def come(number: int, token: str) -> None:
            await door.admit(token)
            served.append(number)

        await asyncio.gather(*(come(*each) for each in enumerate(fresh(door))))
        assert served == list(range(CROWD))

    asyncio.run(story())


def test_a_genuine_token_is_not_held_up_by_a_crowd_of_made_up_ones() -> None:
    async def story() -> None:
        door = Door()
        await warm(door)
        stranger = SigningKey.make("key-1", "ES256")
        made_up = [door.issuer.token(key=stranger, jti=f"{number}") for number in range(CROWD)]
        crowd = [asyncio.create_task(door.hear(token)) for token in made_up]
        await asyncio.sleep(0)
        genuine = asyncio.create_task(door.admit(door.issuer.token()))
        await turns(2)
        assert genuine.done()
        assert sum(task.done() for task in crowd) < CROWD // 2
        assert set(await asyncio.gather(*crowd)) == {Code.SIGNATURE_INVALID}

    asyncio.run(story())


def test_who_comes_alone_never_waits_for_a_turn() -> None:
    async def story() -> None:
        door = Door()
        await warm(door)
        for token in fresh(door):
            # One step, in which it ends: with a turn to wait for, it would stop at a future.
            with pytest.raises(StopIteration):
                door.admit(token).send(None)
            await asyncio.sleep(0)

    asyncio.run(story())


def test_tokens_seen_before_neither_wait_for_a_turn_nor_take_one() -> None:
    async def story() -> None:
        door = Door()
        token = door.issuer.token(scope="threads:read")
        await door.admit(token)
        await turns()
        for _ in range(CROWD):
            with pytest.raises(StopIteration):
                door.admit(token).send(None)
        crowd = [asyncio.create_task(door.admit(token)) for token in fresh(door, 100)]
        known = asyncio.create_task(door.admit(token))
        await asyncio.sleep(0)
        assert known.done()
        assert sum(task.done() for task in crowd) == 32
        await asyncio.gather(*crowd)

    asyncio.run(story())


def test_a_token_that_another_request_brought_meanwhile_is_not_verified_again() -> None:
    async def story() -> None:
        door = Door()
        await warm(door)
        one = door.issuer.token("alice", scope="threads:read")
        callers = await asyncio.gather(*(door.admit(token) for token in [*fresh(door, 32), *[one] * 100]))
        assert door.cached == [False] * 33 + [True] * 99
        assert {caller.identity for caller in callers} == {"alice"}

    asyncio.run(story())


def test_a_token_that_expires_while_it_waits_is_refused() -> None:
    async def story() -> None:
        door = Door()
        await warm(door)
        crowd = [asyncio.create_task(door.hear(token)) for token in fresh(door, 33)]
        await asyncio.sleep(0)
        door.clock.move(300 + 30)
        assert await asyncio.gather(*crowd) == [None] * 32 + [Code.EXPIRED]

    asyncio.run(story())


def test_nothing_is_left_to_do_when_the_crowd_has_gone() -> None:
    async def story() -> None:
        door = Door()
        await warm(door)
        await asyncio.gather(*(door.admit(token) for token in fresh(door)))
        await turns()
        # Or it would spin for ever.
        assert not vars(asyncio.get_running_loop())["_ready"]

    asyncio.run(story())


def test_a_request_that_is_cancelled_while_it_waits_holds_up_nobody() -> None:
    async def story() -> None:
        door = Door()
        troubles: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, trouble: troubles.append(trouble))
        await warm(door)
        crowd = [asyncio.create_task(door.admit(token)) for token in fresh(door)]
        await asyncio.sleep(0)
        for task in crowd[32::2]:
            task.cancel()
        ended = await asyncio.gather(*crowd, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in ended[32:]] == [True, False] * (CROWD // 2 - 16)
        assert not any(isinstance(each, TokenError) for each in ended)
        assert troubles == []

    asyncio.run(story())


def test_a_loop_that_stopped_in_a_crowd_leaves_the_next_one_free_and_goes_on_with_its_own() -> None:
    door = Door()

    async def come(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[object]]:
        await warm(door)
        crowd: list[asyncio.Task[object]] = [asyncio.create_task(door.admit(token)) for token in fresh(door)]
        loop.call_soon(loop.stop)
        return crowd

    def gone_on(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[object]]:
        """Let the loop run until a crowd has come, and stop it there."""
        came = loop.create_task(come(loop))
        loop.run_forever()
        return came.result()

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    left = gone_on(first)
    assert 0 < sum(task.done() for task in left) < CROWD
    # One alone, and a crowd.
    assert second.run_until_complete(asyncio.wait_for(door.hear(door.issuer.token()), 30)) is None
    for loop, crowd in ((second, gone_on(second)), (first, left)):
        _, waiting = loop.run_until_complete(asyncio.wait(crowd, timeout=30))
        assert not waiting
        assert [task.exception() for task in crowd] == [None] * CROWD
        loop.close()


def test_a_loop_in_another_thread_does_not_begin_this_one_s_turn_anew() -> None:
    door = Door()

    async def story() -> None:
        await warm(door)
        tokens = fresh(door, 64)

        async def elsewhere() -> None:
            # This loop stands still meanwhile.
            with ThreadPoolExecutor(1) as thread:
                assert thread.submit(asyncio.run, door.hear(door.issuer.token())).result() is None

        crowd = [asyncio.create_task(door.admit(token)) for token in tokens[:32]]
        other = asyncio.create_task(elsewhere())
        crowd += [asyncio.create_task(door.admit(token)) for token in tokens[32:]]
        await asyncio.sleep(0)
        assert other.done()
        assert sum(task.done() for task in crowd) == 32
        await asyncio.gather(other, *crowd)

    asyncio.run(story())
