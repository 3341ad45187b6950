"""A crowd never stops the event loop: 32 tokens are verified in a turn of it, and nobody is forgotten."""

from __future__ import annotations

import asyncio
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


def test_32_tokens_at_most_are_verified_in_one_turn_of_the_loop() -> None:
    async def story() -> None:
        door = Door()
        await warm(door)
        crowd = [asyncio.create_task(door.admit(token)) for token in fresh(door)]
        verified = [0]
        while verified[-1] < len(crowd) and len(verified) < 1_000:
            await asyncio.sleep(0)
            verified.append(len(door.cached))
        each_turn = [after - before for before, after in pairwise(verified)]
        assert max(each_turn) == 32
        assert len(each_turn) < CROWD // 16 + 4
        assert all(task.done() for task in crowd)

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
        await turns(2)
        genuine = asyncio.create_task(door.admit(door.issuer.token()))
        await turns(2)
        assert genuine.done()
        assert sum(task.done() for task in crowd) < CROWD // 2
        assert set(await asyncio.gather(*crowd)) == {Code.SIGNATURE_INVALID}

    asyncio.run(story())


def test_newcomers_do_not_starve_who_came_before_them() -> None:
    async def story() -> None:
        door = Door()
        await warm(door)
        tokens = fresh(door, 4 * CROWD)
        crowd = [asyncio.create_task(door.admit(tokens.pop())) for _ in range(100)]
        newcomers: list[asyncio.Task[object]] = []
        for _ in range(10):
            newcomers += [asyncio.create_task(door.admit(tokens.pop())) for _ in range(100)]
            await asyncio.sleep(0)
        assert all(task.done() for task in crowd)
        await asyncio.gather(*newcomers)

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


def test_tokens_seen_before_take_nobody_s_turn() -> None:
    async def story() -> None:
        door = Door()
        token = door.issuer.token()
        await door.admit(token)
        await turns()
        for _ in range(CROWD):
            with pytest.raises(StopIteration):
                door.admit(token).send(None)

    asyncio.run(story())


def test_a_request_that_is_cancelled_while_it_waits_holds_up_nobody() -> None:
    async def story() -> None:
        door = Door()
        await warm(door)
        crowd = [asyncio.create_task(door.admit(token)) for token in fresh(door)]
        await asyncio.sleep(0)
        for task in crowd[32::2]:
            task.cancel()
        ended = await asyncio.gather(*crowd, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in ended[32:]] == [True, False] * (CROWD // 2 - 16)
        assert not any(isinstance(each, TokenError) for each in ended)

    asyncio.run(story())


def test_a_loop_that_ended_in_a_crowd_leaves_the_next_one_free() -> None:
    door = Door()

    async def come() -> list[asyncio.Task[object]]:
        await warm(door)
        crowd: list[asyncio.Task[object]] = [asyncio.create_task(door.admit(token)) for token in fresh(door)]
        await asyncio.sleep(0)
        return crowd

    async def come_again() -> None:
        crowd = await come()
        # All of them, or those who wait for a turn that never comes.
        _, waiting = await asyncio.wait(crowd, timeout=30)
        assert not waiting

    first = asyncio.new_event_loop()
    left = first.run_until_complete(come())
    asyncio.run(come_again())
    assert any(not task.done() for task in left)
    first.run_until_complete(asyncio.wait(left))
    assert all(task.exception() is None for task in left)
    first.close()
