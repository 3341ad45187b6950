"""A graph without a model. It remembers the last text of its user, and can take its time."""

import asyncio
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_store
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from oidc_auth import store_label


class State(TypedDict, total=False):
    """Input and output."""

    text: str
    wait: float
    answer: str


async def respond(state: State, config: RunnableConfig) -> dict[str, Any]:
    """Answer with the identity of the user."""
    user = config["configurable"]["langgraph_auth_user"]
    await asyncio.sleep(min(state.get("wait", 0), 5))
    text = state.get("text", "")
    await get_store().aput((store_label(user), "memories"), "last", {"text": text})
    return {"answer": f"{user['identity']} said {text}"}


graph = StateGraph(State).add_node(respond).add_edge(START, "respond").add_edge("respond", END).compile()
