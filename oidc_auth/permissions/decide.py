"""The decision: a caller and an event in, allow or deny out, with the filter and the stamp that go with it.

Pure. What a server showed of the request comes in as an ``Ask`` of plain facts. A filter is never "nothing": either it
restricts, or it says in so many words that there is no restriction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid5

from ..errors import MEANINGS, Code, DeniedError
from .names import EVENTS, Reach, includes

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

NOTHING = Restriction({OWNER: ""})
"""Matches no object: an identity is never empty."""


class Ask(NamedTuple):
    """What a request wants, as far as a decision depends on it.

    Attributes:
        event: such as ``threads:create_run``; it need not be one we know.
        steers_run: a ``threads:update`` that cancels, interrupts or rolls back runs.
        of_many: an update that names no thread: the runs of an assistant that is being deleted, or all one's own.
        drops_run: a ``threads:delete`` that deletes a run, not the thread.
        copies: a ``threads:create`` that copies: it shows no metadata, so nothing can be stamped.
        for_cron: a ``threads:read`` that is the second half of creating a cron on a thread.
        edits_payload: a ``crons:update`` that changes what runs, not only when.
        assistant: the graph or assistant id that a run or cron names, or the graph of an assistant that is made.
        metadata_graphs: the graphs and assistant ids that metadata name: the server runs those of a thread.
        changes_state: a ``threads:update`` that changes the state of a thread: it runs a part of the thread's graph.
    """

    event: str
    steers_run: bool = False
    of_many: bool = False
    drops_run: bool = False
    copies: bool = False
    for_cron: bool = False
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
        says: the client's sentence when denied.
        cure: what would help, for the operator.
        filter: which objects it may touch.
        stamp: the metadata that a new object gets, whatever the client sent.
        expected: what would have been right, for the operator.
        found: what was there instead, for the operator.
    """

    event: str
    allowed: bool
    code: Code | None = None
    says: str = ""
    cure: str = ""
    filter: Filter = NOTHING
    stamp: Mapping[str, Any] = MappingProxyType({})
    expected: str = ""
    found: str = ""

    def denied(self) -> DeniedError:
        """Return the error for a denial."""
        code = self.code or Code.PERMISSION_MISSING
        return DeniedError(code, expected=self.expected, found=self.found, says=self.says, cure=self.cure)


def decide(caller: Caller, ask: Ask) -> Decision:
    """Return whether ``caller`` may do what ``ask`` wants, and on which objects."""
    if ask.event not in EVENTS:
        return deny(ask.event, Code.EVENT_UNKNOWN)
    if not caller.rights:
        return deny(ask.event, Code.NO_PERMISSION_MAPS)
    if (allowed := _filter_for(caller, ask)) is None:
        return missing(ask.event)
    if (code := _objection(caller, ask)) is not None:
        return missing(ask.event, "threads:create_run") if code is Code.PERMISSION_MISSING else deny(ask.event, code)
    return Decision(event=ask.event, allowed=True, filter=allowed, stamp=_stamp_for(caller, ask.event))


def deny(event: str, code: Code, says: str = "", *, expected: str = "", found: str = "") -> Decision:
    """Return a denial with the code's own sentence, or a more exact one."""
    says, cure = says or MEANINGS[code].says, MEANINGS[code].cure
    return Decision(event=event, allowed=False, code=code, says=says, cure=cure, expected=expected, found=found)


def missing(event: str, needed: str = "") -> Decision:
    """Return the denial that names the missing permission and what of its resource includes it."""
    needed = needed or event
    resource = needed.partition(":")[0]
    wider = [name for name in includes(needed) if name.startswith(f"{resource}:")]
    hint = f" ({wider[-1]} includes it)" if wider else ""
    return deny(event, Code.PERMISSION_MISSING, f"missing permission {needed}{hint}")


def _filter_for(caller: Caller, ask: Ask) -> Filter | None:
    """Return which objects the caller may touch, or None when not even their own."""
    reach = caller.rights.get(ask.event)
    if reach is None:
        return _covered(caller, ask)
    if ask.event in ("threads:create", "assistants:create", "crons:create") or ask.for_cron or ask.edits_payload:
        # What is created, scheduled or rewritten is one's own, however far one may otherwise reach.
        return own(caller)
    allowed = within(caller, reach, shared_too=ask.event in ("assistants:read", "assistants:search"))
    return allowed if caller.graphs is None or not ask.changes_state else _of_graphs(allowed, caller.graphs)


def _of_graphs(allowed: Filter, graphs: frozenset[str]) -> Restriction:
    """Return the filter for threads of these graphs or assistants: the server notes both in a thread's metadata."""
    if not graphs:
        return NOTHING
    branches = [{key: name} for name in sorted(graphs) for key in ("graph_id", "assistant_id")]
    return Restriction({**(allowed.where if isinstance(allowed, Restriction) else {}), "$or": branches})


def _covered(caller: Caller, ask: Ask) -> Filter | None:
    """Return what another right covers: whoever may run can also stop, replace and clean up their own runs."""
    runs, deletes = "threads:create_run" in caller.rights, "assistants:delete" in caller.rights
    if ask.steers_run and (runs or (deletes and ask.of_many)):
        return own(caller)
    if ask.event == "threads:delete" and runs:
        mine = own(caller)
        return mine if ask.drops_run else Restriction({**mine.where, TEMPORARY: True})
    return None


def _objection(caller: Caller, ask: Ask) -> Code | None:
    """Return what stands against it although the permission is there."""
    if ask.copies and caller.rights.get("threads:read", Reach.OWN) is not Reach.OWN:
        return Code.COPY_REFUSED
    schedules = ask.event == "crons:create" or ask.edits_payload
    if schedules and "threads:create_run" not in caller.rights:
        return Code.PERMISSION_MISSING
    named = ask.metadata_graphs if ask.assistant is None else (ask.assistant, *ask.metadata_graphs)
    return None if all(may_start(caller.graphs, name) for name in named) else Code.GRAPH_REFUSED


def may_start(graphs: frozenset[str] | None, assistant: str) -> bool:
    """Tell whether a graph or assistant is among those a caller may start; None: any.

    A graph is named by its name or by the id of its built-in assistant. An assistant that a user made of an allowed
    graph cannot be told by its id: it must be listed itself.
    """
    return graphs is None or assistant in graphs or any(built_in_assistant(graph) == assistant for graph in graphs)


@lru_cache(maxsize=1024)
def built_in_assistant(graph: str) -> str:
    """Return the id of the assistant that the server makes for each graph."""
    return str(uuid5(GRAPH_NAMESPACE, graph))


def own(caller: Caller) -> Restriction:
    """Return the filter for the caller's own objects: the same subject in another tenant owns none of them."""
    if caller.tenancy is None:
        return Restriction({OWNER: caller.identity})
    return Restriction({OWNER: caller.identity, TENANT: caller.tenancy.tenant})


def within(caller: Caller, reach: Reach, *, shared_too: bool = False) -> Filter:
    """Return the filter for a reach; ``shared_too``: the server's built-in assistants belong to everybody."""
    if reach is Reach.ALL:
        return NoRestriction()
    # A tenant right without a tenant reaches one's own objects: an absent tenant never widens.
    in_tenant = reach is Reach.TENANT and caller.tenancy is not None and caller.tenancy.tenant is not None
    base = {TENANT: caller.tenancy.tenant} if in_tenant and caller.tenancy is not None else own(caller).where
    return Restriction({"$or": [base, {CREATED_BY: SYSTEM}]} if shared_too else base)


def _stamp_for(caller: Caller, event: str) -> dict[str, Any]:
    if not event.endswith((":create", ":create_run")):
        return {}
    stamp: dict[str, Any] = {OWNER: caller.identity}
    return stamp if caller.tenancy is None else {**stamp, TENANT: caller.tenancy.tenant}
