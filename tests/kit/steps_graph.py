"""A graph that replies in several steps, so that a client can leave its stream and join it again."""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import MessagesState

LONGEST_PAUSE = 1.0
# Long enough that a client gets the events one at a time.
USUAL_PAUSE = 0.05


class State(MessagesState, total=False):
    """Messages, and what each step needs."""

    steps: int
    pause: float


async def reply(state: State) -> dict[str, Any]:
    """Answer the user's message, then count the steps."""
    await asyncio.sleep(min(state.get("pause", USUAL_PAUSE), LONGEST_PAUSE))
    number = len(state["messages"])
    text = f"you said {state['messages'][0].content}" if number == 1 else f"step {number}"
    return {"messages": [{"role": "assistant", "content": text}]}


def decide_end(state: State) -> str:
    """Return the next node."""
    return "reply" if len(state["messages"]) <= state.get("steps", 1) else END


graph = StateGraph(State).add_node(reply).add_edge(START, "reply").add_conditional_edges("reply", decide_end).compile()
