"""A graph that stores the messages of its user, and returns the earlier ones and the user."""

from __future__ import annotations

import uuid
from typing import Any

from langchain_core.runnables import RunnableConfig  # noqa: TC002 - LangGraph reads the annotation
from langgraph.config import get_store
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from oidc_auth import store_label


class State(TypedDict, total=False):
    """The message, the earlier messages and the user."""

    text: str
    for_cache: list[str]
    user: dict[str, Any]


async def remember(state: State, config: RunnableConfig) -> dict[str, Any]:
    """Return the stored messages, then store the new one."""
    configurable = config["configurable"]
    user, store = configurable["langgraph_auth_user"], get_store()
    namespace = (store_label(user), "memories")
    for_cache = [item.value["text"] for item in await store.asearch(namespace)]
    await store.aput(namespace, str(uuid.uuid4()), {"text": state["text"]})
    shown = {name: getattr(user, name) for name in ("identity", "tenant", "has_tenants") if hasattr(user, name)}
    held = [*configurable["langgraph_auth_permissions"], *getattr(user, "permissions", ())]
    return {"for_cache": for_cache, "user": {**shown, "permissions": held}}


graph = StateGraph(State).add_node(remember).add_edge(START, "remember").add_edge("remember", END).compile()
