"""A chat without a model. It repeats what the user wrote, slowly enough to end the session in between."""

# langgraph publishes incomplete types.
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
from operator import add
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig  # noqa: TC002 - the graph reads the annotations
from langgraph.config import get_store, get_stream_writer
from langgraph.graph import END, START, StateGraph

# On Python 3.11 the server cannot create a tool schema from typing.TypedDict.
from typing_extensions import TypedDict

from oidc_auth import store_label

PAUSE = 0.2
"""Seconds between two words of an answer."""
KEY = "chat"
"""The item in the store of each user that counts their messages."""


class State(TypedDict):
    """The conversation, and the number of the message."""

    messages: Annotated[list[dict[str, str]], add]
    number: int


async def count(state: State, config: RunnableConfig) -> dict[str, Any]:
    """Count the messages of this user."""
    del state
    store = get_store()
    # No handler checks store access in a node. The label in the namespace separates the users.
    namespace = (store_label(_user(config)), KEY)
    found = await store.aget(namespace, KEY)
    number = 1 if found is None else int(found.value["number"]) + 1
    await store.aput(namespace, KEY, {"number": number})
    return {"number": number}


async def answer(state: State, config: RunnableConfig) -> dict[str, Any]:
    """Answer one word at a time."""
    user, write, text = _user(config), get_stream_writer(), state["messages"][-1]["content"]
    place = f" of {user.tenant}" if user.tenant else ""
    reply = (
        f"Hello {user.identity}{place}. This is your message number {state['number']}: “{text}”. "
        "I have no model and answer slowly. Revoke the session now, and this answer stops."
    )
    for word in reply.split(" "):
        write({"word": f"{word} "})
        await asyncio.sleep(PAUSE)
    return {"messages": [{"role": "assistant", "content": reply}]}


def _user(config: RunnableConfig) -> Any:  # noqa: ANN401 - the server's own user object
    # The server puts the authenticated user into the run's configuration.
    return config.get("configurable", {})["langgraph_auth_user"]


graph = (
    StateGraph(State)
    .add_node(count)
    .add_node(answer)
    .add_edge(START, "count")
    .add_edge("count", "answer")
    .add_edge("answer", END)
    .compile()
)
