"""A payment agent without a model. It asks for an approval before it pays."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

# On Python 3.11 the server cannot create a tool schema from typing.TypedDict.
from typing_extensions import TypedDict

FEE_PERCENT = 2


class State(TypedDict, total=False):
    """The request, and what each node adds. Amounts are whole cents."""

    to: str
    amount: int
    payment: dict[str, Any]
    approved: bool
    receipt: dict[str, Any]


def user_of(config: RunnableConfig) -> str:
    """Return the identity of the user that the run belongs to."""
    # The server puts the authenticated user into the run's configuration.
    identity: str = config["configurable"]["langgraph_auth_user"].identity
    return identity


def prepare(state: State, config: RunnableConfig) -> dict[str, Any]:
    """Compute the payment."""
    fee = state["amount"] * FEE_PERCENT // 100
    payment = {"to": state["to"], "amount": state["amount"], "fee": fee, "requested_by": user_of(config)}
    # A second request on the same thread must not use the answer to the first one.
    return {"payment": payment, "approved": False, "receipt": {}}


def ask(state: State) -> dict[str, Any]:
    """Wait for the answer of the approver."""
    answer = interrupt({"question": "Do you approve this payment?", "payment": state["payment"]})
    # Only true approves. A text such as "no" would count as true otherwise.
    return {"approved": answer is True}


def next_node(state: State) -> str:
    """Return the node that follows the answer."""
    return "pay" if state["approved"] else END


def pay(state: State, config: RunnableConfig) -> dict[str, Any]:
    """Record the payment. A real agent calls the bank here."""
    payment = state["payment"]
    # The run that resumed the graph belongs to the approver.
    return {"receipt": {"to": payment["to"], "amount": payment["amount"], "approved_by": user_of(config)}}


graph = (
    StateGraph(State)
    .add_node(prepare)
    .add_node(ask)
    .add_node(pay)
    .add_edge(START, "prepare")
    .add_edge("prepare", "ask")
    .add_conditional_edges("ask", next_node, ["pay", END])
    .add_edge("pay", END)
    .compile()
)
