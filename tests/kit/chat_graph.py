"""A graph with messages, which the A2A endpoint requires. It uses no model."""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import MessagesState


async def reply(state: MessagesState) -> dict[str, Any]:
    """Return the last message."""
    return {"messages": [{"role": "assistant", "content": f"you said {state['messages'][-1].content}"}]}


graph = StateGraph(MessagesState).add_node(reply).add_edge(START, "reply").add_edge("reply", END).compile()
