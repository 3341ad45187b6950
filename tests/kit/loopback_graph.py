"""A graph that sends requests to its own server, with the identity of its run."""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph_sdk import get_client
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    """Requests and their results."""

    requests: list[dict[str, Any]]
    answers: list[str]


async def call(state: State) -> dict[str, Any]:
    """Send each request through the loopback client."""
    client, answers = get_client(), []
    for request in state.get("requests", []):
        try:
            await client.http.post(request["path"], json=request["json"])
            answers.append("allowed")
        except Exception as error:  # noqa: BLE001 - the test checks the error
            answers.append(f"{type(error).__name__}: {error}"[:80])
    return {"answers": answers}


graph = StateGraph(State).add_node(call).add_edge(START, "call").add_edge("call", END).compile()
