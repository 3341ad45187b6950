"""A graph that remembers what its user said, and shows what it knew before; with the user that the server gave it."""

from __future__ import annotations

import uuid
from typing import Any

from langchain_core.runnables import RunnableConfig  # noqa: TC002 - LangGraph reads the annotation
from langgraph.config import get_store
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from oidc_auth import store_label


class State(TypedDict, total=False):
    """What is said, what was remembered, and who asks."""

    text: str
    remembered: list[str]
    user: dict[str, Any]


async def remember(state: State, config: RunnableConfig) -> dict[str, Any]:
    """Look into the user's memories, then add to them."""
    configurable = config["configurable"]
    user, store = configurable["langgraph_auth_user"], get_store()
    namespace = (store_label(user), "memories")
    remembered = [item.value["text"] for item in await store.asearch(namespace)]
    await store.aput(namespace, str(uuid.uuid4()), {"text": state["text"]})
    shown = {name: getattr(user, name) for name in ("identity", "tenant", "has_tenants") if hasattr(user, name)}
    held = [*configurable["langgraph_auth_permissions"], *getattr(user, "permissions", ())]
    return {"remembered": remembered, "user": {**shown, "permissions": held}}


graph = StateGraph(State).add_node(remember).add_edge(START, "remember").add_edge("remember", END).compile()
