"""Which objects an allowed event may touch.

The functions with a ``request`` are filters of rows in ``event_rules.py``. They return a filter for the reach of the
caller's permission. The ``cover`` functions return a filter where another permission covers the event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..permissions.names import Reach
from .decision import MATCH_NOTHING, Filter, NoRestriction, Restriction
from .reserved_keys import CREATED_BY, OWNER, SYSTEM, TEMPORARY, TENANT

if TYPE_CHECKING:
    from ..permissions.caller import Caller
    from .access_request import AccessRequest

BUILT_IN = {CREATED_BY: SYSTEM}
"""Matches the assistants that the server makes for each graph. All callers may use them."""


def own_objects(caller: Caller) -> Restriction:
    """Return the filter for the caller's own objects.

    The tenant is part of it: the same identity in another tenant is another user.
    """
    if caller.tenancy is None:
        return Restriction({OWNER: caller.identity})
    return Restriction({OWNER: caller.identity, TENANT: caller.tenancy.tenant})


def filter_own(caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
    """Return the filter for own objects: what is created is always the caller's own."""
    del reach, request
    return own_objects(caller)


def filter_reach(caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
    """Return the filter for all objects within reach."""
    del request
    return NoRestriction() if reach is Reach.ALL else _within(caller, reach)


def filter_reach_or_built_in(caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
    """Return the filter for all assistants within reach and the built-in ones."""
    del request
    if reach is Reach.ALL:
        return NoRestriction()
    return Restriction({"$or": [_within(caller, reach).where, BUILT_IN]})


def filter_thread_access(caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
    """Return the filter for reading threads; a new cron needs an own thread."""
    return own_objects(caller) if request.creates_cron else filter_reach(caller, reach, request)


def filter_thread_change(caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
    """Return the filter for changing threads; a change of state or graph needs an allowed graph."""
    allowed = filter_reach(caller, reach, request)
    # A client could write an allowed graph_id to a thread of another graph. The Postgres runtime would still run the
    # graph of the thread's latest run (langgraph_api 0.16.7, grpc/ops/threads.py).
    needs_graph = request.changes_state or bool(request.metadata_graphs)
    return allowed if caller.graphs is None or not needs_graph else _of_graphs(allowed, caller.graphs)


def filter_cron_change(caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
    """Return the filter for changing crons; only the owner changes what runs.

    The cron runs as its owner. With another filter, a colleague's change would run with the owner's rights.
    """
    return own_objects(caller) if request.edits_payload else filter_reach(caller, reach, request)


def cover_run_control(caller: Caller, request: AccessRequest) -> Filter | None:
    """Return the filter for stopping own runs, or None if the request is another change."""
    return own_objects(caller) if request.controls_run else None


def cover_bulk_run_control(caller: Caller, request: AccessRequest) -> Filter | None:
    """Return the filter for stopping the runs of an assistant that is being deleted, or None."""
    return own_objects(caller) if request.controls_run and request.bulk else None


def cover_run_cleanup(caller: Caller, request: AccessRequest) -> Filter | None:
    """Return the filter for deleting own runs, or own threads that the server made for one run."""
    # Without TEMPORARY, a user who may only run could delete threads with conversations.
    own = own_objects(caller)
    return own if request.deletes_run else Restriction({**own.where, TEMPORARY: True})


def _within(caller: Caller, reach: Reach) -> Restriction:
    # A @tenant permission without a tenant reaches own objects: a missing tenant never widens a filter.
    if reach is Reach.OWN or caller.tenancy is None or caller.tenancy.tenant is None:
        return own_objects(caller)
    return Restriction({TENANT: caller.tenancy.tenant})


def _of_graphs(allowed: Filter, graphs: frozenset[str]) -> Restriction:
    """Return the filter for threads of these graphs. The server writes both keys into a thread's metadata."""
    # An empty list means no graph. A filter without branches would match every thread.
    if not graphs:
        return MATCH_NOTHING
    branches = [{key: name} for name in sorted(graphs) for key in ("graph_id", "assistant_id")]
    return Restriction({**(allowed.where if isinstance(allowed, Restriction) else {}), "$or": branches})
