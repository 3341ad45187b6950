"""Limits of requests: the operator's settings for all callers, and the graphs that a caller may start.

A limit is checked in addition to the permission. It denies, and never allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from ..errors import ErrorCode
from ..permissions.names import RESUME
from ..quoting import quote
from .decision import Decision, deny

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..permissions.caller import Caller
    from .access_request import AccessRequest

# A webhook sends the result of a run, so unencrypted http is a decision of the operator.
WEBHOOK_SCHEMES: Mapping[str, tuple[str, ...]] = {"https": ("https",), "any": ("https", "http"), "deny": ()}
"""The URL schemes that each value of ``webhooks`` allows."""

GRAPH_NAMESPACE = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""The namespace of the ids of built-in assistants (langgraph_api 0.16.7, graph.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnforcementSettings:
    """The operator's settings for the server.

    Attributes:
        studio: what LangGraph Studio may do. The server lets it in without a token.
        crons: whether crons may be created and run.
        cron_max_age: seconds that a cron may run without renewal by its owner.
        resume: what resuming a paused run needs: ``threads:create_run``, ``threads:resume``, or also that the owner
            named the caller as an approver.
        sharing: whether threads can be shared: a role or permission map names ``threads:share``.
        has_tenants: whether an issuer has tenants, so that a list must count inside of one.
        max_delay: the longest ``after_seconds`` of a run. A delayed run keeps the permissions it was created with.
        webhooks: which webhook addresses a run may name. Relative addresses are never allowed.
    """

    studio: Literal["deny", "own", "all"] = "deny"
    crons: Literal["allow", "deny"] = "allow"
    cron_max_age: float = 90 * 86_400
    resume: Literal["run", "permission", "other"] = "run"
    sharing: bool = False
    has_tenants: bool = True
    max_delay: float = 3_600
    webhooks: Literal["https", "any", "deny"] = "https"


def check_request_limits(request: AccessRequest, settings: EnforcementSettings) -> Decision | None:
    """Return the denial if the operator's settings do not allow a request."""
    if request.writes_cron and settings.crons == "deny":
        return deny(request.event, ErrorCode.CRONS_DISABLED)
    for webhook in request.webhooks:
        if not _is_webhook_allowed(webhook, settings):
            return deny(request.event, ErrorCode.WEBHOOK_NOT_ALLOWED)
    for delay in request.delays:
        if not _is_delay_allowed(delay, settings.max_delay):
            return _deny_delay(request.event, delay, settings.max_delay)
    return None


def _is_webhook_allowed(webhook: object, settings: EnforcementSettings) -> bool:
    try:
        parts = urlsplit(str(webhook))
    # Fail closed: the server's HTTP client may accept a URL that Python cannot split.
    except ValueError:
        return False
    # A relative address would call the server itself, without authentication.
    return parts.scheme in WEBHOOK_SCHEMES[settings.webhooks] and bool(parts.hostname)


def _is_delay_allowed(delay: object, longest: float) -> bool:
    # NaN is not in the range, because every comparison with it is false. A boolean is an int in Python.
    return isinstance(delay, (int, float)) and not isinstance(delay, bool) and 0 <= delay <= longest


def _deny_delay(event: str, delay: object, longest: float) -> Decision:
    expected = f"a number of seconds from 0 to {longest:g}"
    return deny(
        event,
        ErrorCode.DELAY_NOT_ALLOWED,
        f"after_seconds must be {expected}",
        expected=expected,
        found=quote(delay),
    )


def check_graphs(caller: Caller, request: AccessRequest, permission: str) -> Decision | None:
    """Return the denial if a request names a graph that the caller may not start or resume.

    Args:
        caller: the caller.
        request: what the caller wants.
        permission: the permission that allows it.
    """
    return deny_graphs(caller.resume_graphs if permission == RESUME else caller.graphs, request)


def deny_graphs(graphs: frozenset[str] | None, request: AccessRequest) -> Decision | None:
    """Return the denial if a request names a graph outside a limit. None is no limit."""
    if graphs is None:
        return None
    named = request.metadata_graphs if request.assistant is None else (request.assistant, *request.metadata_graphs)
    if all(may_run_graph(graphs, name) for name in named):
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
