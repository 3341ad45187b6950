"""A graph that talks in messages, as the A2A endpoint wants it; it needs no model."""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import MessagesState


async def reply(state: MessagesState) -> dict[str, Any]:
    """Repeat what was said."""
    return {"messages": [{"role": "assistant", "content": f"you said {state['messages'][-1].content}"}]}


graph = StateGraph(MessagesState).add_node(reply).add_edge(START, "reply").add_edge("reply", END).compile()
