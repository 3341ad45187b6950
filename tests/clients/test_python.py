"""The examples of the page for Python."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kit.snippets import SERVER_ADDRESS, block, code_blocks

if TYPE_CHECKING:
    from clients.conftest import ClientServer

PAGE = "clients/python.md"
# Two steps more than the question and its answer.
SLOW = {"messages": [{"role": "user", "content": "hello"}], "steps": 3, "pause": 0.05}


@pytest.fixture
def examples(client_server: ClientServer) -> Any:
    """Return the names that the page defines."""
    names: dict[str, Any] = {"__name__": "page"}
    for code in code_blocks(PAGE, "python"):
        exec(code.replace(SERVER_ADDRESS, client_server.url), names)  # noqa: S102 - our own page
    return names


class Tokens:
    """Returns a token for each request, and counts them."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.used: list[str] = []

    async def __call__(self) -> str:
        token = self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]
        self.used.append(token)
        return token


def test_five_lines_get_an_answer(client_server: ClientServer, examples: Any) -> None:
    answer = asyncio.run(examples["ask"](client_server.token(), "hello"))
    assert [message["content"] for message in answer["messages"]] == ["hello", "you said hello"]


def test_each_request_has_fresh_token(client_server: ClientServer, examples: Any) -> None:
    tokens = Tokens(client_server.token("alice"), client_server.token("bob"))

    async def create_twice() -> list[str]:
        async with examples["connect"](tokens) as client:
            return [(await client.threads.create())["metadata"]["owner"] for _ in range(2)]

    assert asyncio.run(create_twice()) == ["alice", "bob"]


def test_expired_token_is_reported_as_documented(client_server: ClientServer, examples: Any) -> None:
    async def run() -> Any:
        async with examples["connect"](Tokens(client_server.token(lifetime=-60))) as client:
            return await examples["explain_refusal"](client)

    assert asyncio.run(run()) == tuple(block(PAGE, "Expired token", "text").splitlines())


def test_refused_actions_are_reported_as_documented(client_server: ClientServer, examples: Any) -> None:
    async def delete(user: str, role: str, thread_id: str) -> str:
        async with examples["connect"](Tokens(client_server.token(user, role))) as client:
            done: str = await examples["delete_thread"](client, thread_id)
            return done

    async def run() -> list[str]:
        async with examples["connect"](Tokens(client_server.token())) as client:
            thread_id = (await client.threads.create())["thread_id"]
        users = [("alice", "viewer"), ("bob", "editor"), ("alice", "editor")]
        return [await delete(user, role, thread_id) for user, role in users]

    viewer, other, owner = asyncio.run(run())
    assert viewer == block(PAGE, "Refused action", "text").strip()
    assert (other, owner) == ("the thread does not exist, or it belongs to another user", "deleted")


def test_stream_has_all_events(client_server: ClientServer, examples: Any) -> None:
    async def run() -> list[int]:
        async with examples["connect"](Tokens(client_server.token())) as client:
            thread_id = (await client.threads.create())["thread_id"]
            parts = [part async for part in examples["follow"](client, thread_id, SLOW)]
            return [len(part.data["messages"]) for part in parts if part.event == "values"]

    assert asyncio.run(run()) == [1, 2, 3, 4]
