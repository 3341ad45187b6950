"""A chat agent without a model. Replace `model` by your own."""

import re
from typing import Any

from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import MessagesState

PAUSE = 0.02
"""Seconds between two letters, so that you can watch the answer."""
LARGEST_COUNT = 200

HELP = 'Hello {name}! You said: "{text}". Send "count to 40" for a long answer.'


def model(answer: str) -> FakeListChatModel:
    """Return a model that streams an answer, letter by letter."""
    return FakeListChatModel(responses=[answer], sleep=PAUSE)


async def respond(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
    """Answer the last message."""
    # The server puts the authenticated user into the run's configuration.
    user = config["configurable"]["langgraph_auth_user"]
    text = str(state["messages"][-1].content)
    counted = re.fullmatch(r"count to (\d{1,3})", text.strip(), re.IGNORECASE)
    if counted:
        answer = ", ".join(str(number + 1) for number in range(min(int(counted[1]), LARGEST_COUNT)))
    else:
        answer = HELP.format(name=user.display_name, text=text)
    return {"messages": [await model(answer).ainvoke(state["messages"], config)]}


graph = StateGraph(MessagesState).add_node(respond).add_edge(START, "respond").add_edge("respond", END).compile()
