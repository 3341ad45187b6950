"""A graph that needs no model and no key: it says who is asking, and remembers it in their own part of the store."""

import asyncio
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_store
from langgraph.graph import END, START, StateGraph

# Not typing.TypedDict: on Python 3.11 the server cannot make a tool's schema of that one.
from typing_extensions import TypedDict

from oidc_auth import store_label

LONGEST_WAIT = 5.0
"""Seconds; a request may ask the node to take its time, so that a second run can meet it."""


class State(TypedDict, total=False):
    """What goes in and what comes out."""

    text: str
    wait: float
    answer: str


async def respond(state: State, config: RunnableConfig) -> dict[str, Any]:
    """Answer in the caller's name; the server put the authenticated user into the run's configuration."""
    user = config["configurable"]["langgraph_auth_user"]
    await asyncio.sleep(min(state.get("wait", 0.0), LONGEST_WAIT))
    text = state.get("text", "nothing")
    # The store knows no user in a node: the label is what keeps memories apart.
    await get_store().aput((store_label(user), "said"), "last", {"text": text})
    return {"answer": f"{user.identity} said {text}"}


graph = StateGraph(State).add_node(respond).add_edge(START, "respond").add_edge("respond", END).compile()
