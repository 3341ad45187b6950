"""The graphs of these tests. They run in Aegra and return what a node sees."""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.runnables import RunnableConfig  # noqa: TC002 - the server reads the annotation
from langgraph.config import get_store
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from oidc_auth import store_label

USER_FIELDS = ("identity", "display_name", "permissions", "issuer", "graphs", "claims", "tenant", "has_tenants")


class State(TypedDict, total=False):
    """Input and output of the graphs."""

    text: str
    wait: float
    seen: dict[str, Any]


async def look(state: State, config: RunnableConfig) -> dict[str, Any]:
    """Return the user and the configuration of the run."""
    await asyncio.sleep(state.get("wait", 0))
    configurable = config["configurable"]
    user = configurable["langgraph_auth_user"]
    label = store_label(user)
    earlier = await get_store().aget((label, "said"), "last")
    await get_store().aput((label, "said"), "last", {"text": state.get("text", "")})
    return {
        "seen": {
            "user": {name: getattr(user, name, "absent") for name in USER_FIELDS},
            "configurable": {name: str(value) for name, value in configurable.items() if not name.startswith("__")},
            "label": label,
            "earlier": earlier and earlier.value["text"],
        }
    }


def ask(state: State) -> dict[str, Any]:
    """Wait for an answer."""
    return {"text": interrupt("continue?")}


graph = StateGraph(State).add_node(look).add_edge(START, "look").add_edge("look", END).compile()
asking = StateGraph(State).add_node(ask).add_edge(START, "ask").add_edge("ask", END).compile()
