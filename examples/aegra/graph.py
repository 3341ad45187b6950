"""A graph without a model. It answers with the user's name and stores the last message per user."""

import asyncio
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_store
from langgraph.graph import END, START, StateGraph

# On Python 3.11 the server cannot create a tool schema from typing.TypedDict.
from typing_extensions import TypedDict

from oidc_auth import store_label

LONGEST_WAIT = 5.0
"""Limit for `wait`, in seconds. A request can set `wait` to let two runs overlap."""


class State(TypedDict, total=False):
    """Input and output of the graph."""

    text: str
    wait: float
    answer: str


async def respond(state: State, config: RunnableConfig) -> dict[str, Any]:
    """Answer with the identity of the user."""
    # The server puts the authenticated user into the run's configuration.
    user = config["configurable"]["langgraph_auth_user"]
    await asyncio.sleep(min(state.get("wait", 0.0), LONGEST_WAIT))
    text = state.get("text", "nothing")
    # No handler checks store access in a node. The label in the namespace separates the users.
    await get_store().aput((store_label(user), "said"), "last", {"text": text})
    return {"answer": f"{user.identity} said {text}"}


graph = StateGraph(State).add_node(respond).add_edge(START, "respond").add_edge("respond", END).compile()
