"""A graph that asks for approval before it acts. It uses no model."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig  # noqa: TC002 - LangGraph reads the annotation
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import MessagesState
from langgraph.types import interrupt


class State(MessagesState, total=False):
    """The request, the answer of the approver, and the user as whom the graph acted."""

    text: str
    answer: str
    acted_as: str


async def ask(state: State) -> dict[str, Any]:
    """Wait for an answer."""
    return {"answer": interrupt({"question": f"Do {state.get('text', 'it')}?"})}


async def act(state: State, config: RunnableConfig) -> dict[str, Any]:
    """Store who acted."""
    return {"acted_as": config["configurable"]["langgraph_auth_user_id"]}


builder = StateGraph(State).add_node(ask).add_node(act)
graph = builder.add_edge(START, "ask").add_edge("ask", "act").add_edge("act", END).compile()
