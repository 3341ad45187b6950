"""The examples of the page for Python."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from clients.harness import CONVERSATION, NOT_FOUND, read_names
from kit.cut_proxy import running_cut_proxy
from kit.snippets import block
from langgraph_sdk import get_client
from websockets.exceptions import InvalidStatus

if TYPE_CHECKING:
    from clients.harness import ClientServer

PAGE = "clients/python.md"
# Two steps more than the question and its answer.
SLOW = {"messages": [{"role": "user", "content": "hello"}], "steps": 3}


@pytest.fixture
def examples(client_server: ClientServer) -> Any:
    """Return the names that the page defines."""
    return read_examples(client_server.url)


def read_examples(server: str) -> Any:
    return read_names(server, PAGE)


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
    assert [message["content"] for message in answer["messages"]] == CONVERSATION


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
    assert (other, owner) == (NOT_FOUND, "deleted")


def test_stream_has_all_events(client_server: ClientServer, examples: Any) -> None:
    async def run() -> list[int]:
        async with examples["connect"](Tokens(client_server.token())) as client:
            thread_id = (await client.threads.create())["thread_id"]
            parts = [part async for part in examples["follow"](client, thread_id, SLOW)]
            return [len(part.data["messages"]) for part in parts if part.event == "values"]

    assert asyncio.run(run()) == [1, 2, 3, 4]


def follow_lost_stream(server: ClientServer, connect: Any, headers: dict[str, str]) -> list[tuple[str, str]]:
    """Lose the connection of a stream; return the method and token of each request for the stream."""

    async def run(url: str) -> list[int]:
        async with connect(url) as client:
            thread_id = (await client.threads.create(headers=headers))["thread_id"]
            parts = client.runs.stream(
                thread_id, "agent", input=SLOW, stream_mode=["values"], stream_resumable=True, headers=headers
            )
            return [len(part.data["messages"]) async for part in parts if part.event == "values"]

    with running_cut_proxy(server.url) as proxy:
        assert asyncio.run(run(proxy.url)) == [1, 2, 3, 4]
    return [(method, token) for method, path, token in proxy.requests() if "/stream" in path]


def test_lost_stream_continues_with_fresh_token(client_server: ClientServer) -> None:
    first, second, third = [client_server.token(lifetime=lifetime) for lifetime in (301, 302, 303)]
    tokens = Tokens(first, second, third)
    found = follow_lost_stream(client_server, lambda url: read_examples(url)["connect"](tokens), {})
    assert found == [("POST", second), ("GET", third)]


def test_headers_of_method_are_sent_again(client_server: ClientServer) -> None:
    """The page warns of this property of the SDK."""
    token = client_server.token()
    headers = {"Authorization": f"Bearer {token}"}
    found = follow_lost_stream(client_server, lambda url: get_client(url=url, api_key=None), headers)
    assert found == [("POST", token), ("GET", token)]


def thread_values(server: ClientServer, examples: Any, **options: Any) -> tuple[int, int]:
    """Follow a run with a thread stream; return how many messages and tokens there were."""
    tokens = Tokens(server.token())

    async def run() -> int:
        async with examples["connect"](tokens) as client:
            thread_id = (await client.threads.create())["thread_id"]
            async with client.threads.stream(thread_id, assistant_id="agent", **options) as thread:
                await thread.run.start(input=SLOW)
                return max([len(value["messages"]) async for value in thread.values if value])

    return asyncio.run(run()), len(tokens.used)


def test_thread_streams_have_fresh_token(client_server: ClientServer, examples: Any) -> None:
    messages, tokens = thread_values(client_server, examples)
    assert messages == 4
    assert tokens >= 3  # the thread, the command and the stream


def test_websocket_of_sdk_needs_headers(client_server: ClientServer, examples: Any) -> None:
    """The page warns of this property of the SDK."""
    headers = {"Authorization": f"Bearer {client_server.token()}"}
    assert thread_values(client_server, examples, transport="websocket", headers=headers)[0] == 4
    with pytest.raises(InvalidStatus):
        thread_values(client_server, examples, transport="websocket")
