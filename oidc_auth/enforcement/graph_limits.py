"""Limits to graphs: some callers may start only the graphs of a list."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from ..errors import ErrorCode
from .decision import Decision, deny

if TYPE_CHECKING:
    from ..permissions.caller import Caller
    from .access_request import AccessRequest

GRAPH_NAMESPACE = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""The namespace of the ids of built-in assistants (langgraph_api 0.16.7, graph.py)."""


def check_graphs(caller: Caller, request: AccessRequest) -> Decision | None:
    """Return the denial if a request names a graph that the caller may not start."""
    if caller.graphs is None:
        return None
    named = request.metadata_graphs if request.assistant is None else (request.assistant, *request.metadata_graphs)
    if all(may_run_graph(caller.graphs, name) for name in named):
        return None
    return deny(request.event, ErrorCode.GRAPH_NOT_ALLOWED)


def may_run_graph(graphs: frozenset[str] | None, assistant: str) -> bool:
    """Return whether the limit allows a graph or assistant.

    Args:
        graphs: names of graphs and ids of assistants; None allows all.
        assistant: the name of a graph, the id of its built-in assistant, or the id of a user's assistant. The last
            does not show its graph, so the limit must list it.
    """
    return graphs is None or assistant in graphs or any(built_in_assistant(graph) == assistant for graph in graphs)


@lru_cache(maxsize=1024)
def built_in_assistant(graph: str) -> str:
    """Return the id of the assistant that the server makes for a graph."""
    return str(uuid5(GRAPH_NAMESPACE, graph))
