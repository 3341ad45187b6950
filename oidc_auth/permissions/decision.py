"""The decision: a caller and an event in, allow or deny out, with the filter and the stamp that go with it.

Pure. What a server showed of the request comes in as an ``AccessRequest`` of plain facts. A filter is never "nothing":
either it
restricts, or it says in so many words that there is no restriction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid5

from ..errors import ERROR_DETAILS, DeniedError, ErrorCode
from .names import EVENTS, Reach, names_including

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .caller import Caller

OWNER = "owner"
TENANT = "tenant"
AUTHORIZED_UNTIL = "authorized_until"
TEMPORARY = "oidc_auth_temporary"
CREATED_BY = "created_by"
SYSTEM = "system"
RESERVED = (OWNER, TENANT, AUTHORIZED_UNTIL, TEMPORARY)
"""The metadata keys that only the server side writes; beside them ``created_by: "system"``."""


GRAPH_NAMESPACE = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""In which the server makes the ids of built-in assistants (langgraph_api 0.16.7, graph.py)."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """Only objects whose metadata match. Built here only: ``$eq`` by value, ``$or`` over two."""

    where: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoRestriction:
    """Every object, and that on purpose."""


Filter = Restriction | NoRestriction

MATCH_NOTHING = Restriction({OWNER: ""})
"""Matches no object: an identity is never empty."""


class AccessRequest(NamedTuple):
    """What a request wants, as far as a decision depends on it.

    Attributes:
        event: such as ``threads:create_run``; it need not be one we know.
        controls_run: a ``threads:update`` that cancels, interrupts or rolls back runs.
        bulk: an update that names no thread: the runs of an assistant that is being deleted, or all one's own.
        deletes_run: a ``threads:delete`` that deletes a run, not the thread.
        copies_thread: a ``threads:create`` that copies: it shows no metadata, so nothing can be stamped.
        creates_cron: a ``threads:read`` that is the second half of creating a cron on a thread.
        edits_payload: a ``crons:update`` that changes what runs, not only when.
        assistant: the graph or assistant id that a run or cron names, or the graph of an assistant that is made.
        metadata_graphs: the graphs and assistant ids that metadata name: the server runs those of a thread.
        changes_state: a ``threads:update`` that changes the state of a thread: it runs a part of the thread's graph.
    """

    event: str
    controls_run: bool = False
    bulk: bool = False
    deletes_run: bool = False
    copies_thread: bool = False
    creates_cron: bool = False
    edits_payload: bool = False
    assistant: str | None = None
    metadata_graphs: tuple[str, ...] = ()
    changes_state: bool = False


class Decision(NamedTuple):
    """The answer to one event: for the 403, the audit record and ``explain``.

    Attributes:
        event: what was asked.
        allowed: whether it may go on.
        code: why not; None when allowed.
        client_message: the client's sentence when denied.
        hint: what would help, for the operator.
        filter: which objects it may touch.
        stamp: the metadata that a new object gets, whatever the client sent.
        expected: what would have been right, for the operator.
        found: what was there instead, for the operator.
    """

    event: str
    allowed: bool
    code: ErrorCode | None = None
    client_message: str = ""
    hint: str = ""
    filter: Filter = MATCH_NOTHING
    stamp: Mapping[str, Any] = MappingProxyType({})
    expected: str = ""
    found: str = ""

    def to_error(self) -> DeniedError:
        """Return the error for a denial."""
        code = self.code or ErrorCode.PERMISSION_MISSING
        return DeniedError(
            code, expected=self.expected, found=self.found, client_message=self.client_message, hint=self.hint
        )


def decide(caller: Caller, request: AccessRequest) -> Decision:
    """Return whether ``caller`` may do what ``ask`` wants, and on which objects."""
    if request.event not in EVENTS:
        return deny(request.event, ErrorCode.EVENT_UNKNOWN)
    if not caller.rights:
        return deny(request.event, ErrorCode.NO_PERMISSIONS)
    if (allowed := _filter_for(caller, request)) is None:
        return deny_missing(request.event)
    if (code := _denial_code(caller, request)) is not None:
        return (
            deny_missing(request.event, "threads:create_run")
            if code is ErrorCode.PERMISSION_MISSING
            else deny(request.event, code)
        )
    return Decision(event=request.event, allowed=True, filter=allowed, stamp=_ownership_stamp(caller, request.event))


def deny(event: str, code: ErrorCode, client_message: str = "", *, expected: str = "", found: str = "") -> Decision:
    """Return a denial with the code's own sentence, or a more exact one."""
    client_message, hint = client_message or ERROR_DETAILS[code].client_message, ERROR_DETAILS[code].hint
    return Decision(
        event=event, allowed=False, code=code, client_message=client_message, hint=hint, expected=expected, found=found
    )


def deny_missing(event: str, needed: str = "") -> Decision:
    """Return the denial that names the missing permission and what of its resource includes it."""
    needed = needed or event
    resource = needed.partition(":")[0]
    wider = [name for name in names_including(needed) if name.startswith(f"{resource}:")]
    hint = f" ({wider[-1]} includes it)" if wider else ""
    return deny(event, ErrorCode.PERMISSION_MISSING, f"missing permission {needed}{hint}")


def _filter_for(caller: Caller, request: AccessRequest) -> Filter | None:
    """Return which objects the caller may touch, or None when not even their own."""
    reach = caller.rights.get(request.event)
    if reach is None:
        return _implied_filter(caller, request)
    if (
        request.event in ("threads:create", "assistants:create", "crons:create")
        or request.creates_cron
        or request.edits_payload
    ):
        # What is created, scheduled or rewritten is one's own, however far one may otherwise reach.
        return own_objects(caller)
    allowed = filter_for_reach(
        caller, reach, include_built_in=request.event in ("assistants:read", "assistants:search")
    )
    # A client that could rewrite graph_id could make a thread of another graph pass for one of an allowed graph. The
    # Postgres runtime would still run the graph of the thread's latest run (langgraph_api 0.16.7, grpc/ops/threads.py).
    needs_graph = request.changes_state or (request.event == "threads:update" and bool(request.metadata_graphs))
    return _of_graphs(allowed, caller.graphs) if caller.graphs is not None and needs_graph else allowed


def _of_graphs(allowed: Filter, graphs: frozenset[str]) -> Restriction:
    """Return the filter for threads of these graphs or assistants: the server notes both in a thread's metadata."""
    if not graphs:
        return MATCH_NOTHING
    branches = [{key: name} for name in sorted(graphs) for key in ("graph_id", "assistant_id")]
    return Restriction({**(allowed.where if isinstance(allowed, Restriction) else {}), "$or": branches})


def _implied_filter(caller: Caller, request: AccessRequest) -> Filter | None:
    """Return what another right covers: whoever may run can also stop, replace and clean up their own runs."""
    runs, deletes = "threads:create_run" in caller.rights, "assistants:delete" in caller.rights
    if request.controls_run and (runs or (deletes and request.bulk)):
        return own_objects(caller)
    if request.event == "threads:delete" and runs:
        mine = own_objects(caller)
        return mine if request.deletes_run else Restriction({**mine.where, TEMPORARY: True})
    return None


def _denial_code(caller: Caller, request: AccessRequest) -> ErrorCode | None:
    """Return what stands against it although the permission is there."""
    if request.copies_thread and caller.rights.get("threads:read", Reach.OWN) is not Reach.OWN:
        return ErrorCode.COPY_NOT_ALLOWED
    schedules = request.event == "crons:create" or request.edits_payload
    if schedules and "threads:create_run" not in caller.rights:
        return ErrorCode.PERMISSION_MISSING
    named = request.metadata_graphs if request.assistant is None else (request.assistant, *request.metadata_graphs)
    return None if all(may_run_graph(caller.graphs, name) for name in named) else ErrorCode.GRAPH_NOT_ALLOWED


def may_run_graph(graphs: frozenset[str] | None, assistant: str) -> bool:
    """Tell whether a graph or assistant is among those a caller may start; None: any.

    A graph is named by its name or by the id of its built-in assistant. An assistant that a user made of an allowed
    graph cannot be told by its id: it must be listed itself.
    """
    return graphs is None or assistant in graphs or any(built_in_assistant(graph) == assistant for graph in graphs)


@lru_cache(maxsize=1024)
def built_in_assistant(graph: str) -> str:
    """Return the id of the assistant that the server makes for each graph."""
    return str(uuid5(GRAPH_NAMESPACE, graph))


def own_objects(caller: Caller) -> Restriction:
    """Return the filter for the caller's own objects: the same subject in another tenant owns none of them."""
    if caller.tenancy is None:
        return Restriction({OWNER: caller.identity})
    return Restriction({OWNER: caller.identity, TENANT: caller.tenancy.tenant})


def filter_for_reach(caller: Caller, reach: Reach, *, include_built_in: bool = False) -> Filter:
    """Return the filter for a reach; ``include_built_in``: the server's built-in assistants belong to everybody."""
    if reach is Reach.ALL:
        return NoRestriction()
    # A tenant right without a tenant reaches one's own objects: an absent tenant never widens.
    in_tenant = reach is Reach.TENANT and caller.tenancy is not None and caller.tenancy.tenant is not None
    base = {TENANT: caller.tenancy.tenant} if in_tenant and caller.tenancy is not None else own_objects(caller).where
    return Restriction({"$or": [base, {CREATED_BY: SYSTEM}]} if include_built_in else base)


def _ownership_stamp(caller: Caller, event: str) -> dict[str, Any]:
    if not event.endswith((":create", ":create_run")):
        return {}
    stamp: dict[str, Any] = {OWNER: caller.identity}
    return stamp if caller.tenancy is None else {**stamp, TENANT: caller.tenancy.tenant}
