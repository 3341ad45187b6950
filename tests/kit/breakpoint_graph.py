"""A graph that is compiled with a breakpoint before it acts. It has no interrupt with an id."""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph

from kit.approval_graph import State, act


async def prepare(state: State) -> dict[str, Any]:
    """Do what needs no approval."""
    return {"answer": f"prepared {state.get('text', 'it')}"}


builder = StateGraph(State).add_node(prepare).add_node(act)
builder.add_edge(START, "prepare").add_edge("prepare", "act").add_edge("act", END)
graph = builder.compile(interrupt_before=["act"])
