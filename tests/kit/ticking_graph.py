"""A graph that sends an event for each tick, and never waits for its client."""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

PAUSE = 0.1
"""Seconds between two ticks."""


class State(TypedDict, total=False):
    """How many ticks to send, and how many were sent."""

    ticks: int
    sent: int


async def tick(state: State) -> dict[str, Any]:
    """Send the ticks."""
    write, ticks = get_stream_writer(), state.get("ticks", 1)
    for number in range(ticks):
        write({"tick": number})
        await asyncio.sleep(PAUSE)
    return {"sent": ticks}


graph = StateGraph(State).add_node(tick).add_edge(START, "tick").add_edge("tick", END).compile()
