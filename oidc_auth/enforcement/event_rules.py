"""The table of events: one row says all about an event.

To add an event, add its permission to ``permissions/names.py`` and a row to ``EVENT_RULES``.

=============  =====================================================================================
column         content
=============  =====================================================================================
``event``      the event, which is also the permission that it needs
``read``       how to read what the request wants from the server's value
``permission`` which permission it needs instead, if that depends on the request
``filter``     which objects the permission reaches (own objects, ``@tenant``, ``@all``)
``covered_by`` other permissions that allow a part of the event, and the filter for that part
``checks``     special rules: what can deny the event although the caller has the permission
``stamp``      how the owner is written into what the event creates
``rewrite``    how reserved fields are removed from a change, or a store namespace is isolated
=============  =====================================================================================

A server with other values or filters gets its own table: ``dataclasses.replace`` of a row changes one column.
``rule_tables.py`` does the same for sharing and approvals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..permissions.caller import Caller
from ..permissions.names import Reach
from .access_request import (
    AccessRequest,
    Value,
    read_assistant,
    read_cron_change,
    read_event,
    read_new_cron,
    read_new_thread,
    read_run,
    read_thread_access,
    read_thread_change,
    read_thread_deletion,
)
from .crons import check_cron_payload, check_cron_runs, clean_cron_change, stamp_cron
from .decision import AllowedAccess, Decision, Filter
from .filters import (
    cover_bulk_run_control,
    cover_run_cleanup,
    cover_run_control,
    filter_cron_change,
    filter_own,
    filter_reach,
    filter_reach_or_built_in,
    filter_thread_access,
    filter_thread_change,
)
from .ownership import check_copy, clean_change, stamp_object, stamp_run
from .store import isolate_namespace

Read = Callable[[str, Value], AccessRequest]
ChoosePermission = Callable[[AccessRequest], str]
ReachFilter = Callable[[Caller, Reach, AccessRequest], Filter]
Cover = Callable[[Caller, AccessRequest], Filter | None]
Check = Callable[[Caller, AccessRequest], Decision | None]
Write = Callable[[Value, AllowedAccess], Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRule:
    """One row; the module describes the columns."""

    event: str
    read: Read = read_event
    permission: ChoosePermission | None = None
    # The default restricts, so that a new row is never open by mistake.
    filter: ReachFilter = filter_reach
    covered_by: Mapping[str, Cover] = field(default_factory=dict[str, Cover])
    checks: tuple[Check, ...] = ()
    stamp: Write | None = None
    rewrite: Write | None = None


_ROWS = (
    EventRule(
        event="threads:create", read=read_new_thread, filter=filter_own, checks=(check_copy,), stamp=stamp_object
    ),
    EventRule(event="threads:read", read=read_thread_access, filter=filter_thread_access),
    EventRule(
        event="threads:update",
        read=read_thread_change,
        filter=filter_thread_change,
        # The server cancels runs with this event. Users who may run must be able to stop their runs.
        covered_by={"threads:create_run": cover_run_control, "assistants:delete": cover_bulk_run_control},
        rewrite=clean_change,
    ),
    # The server also deletes single runs, and the threads of stateless runs, with this event.
    EventRule(event="threads:delete", read=read_thread_deletion, covered_by={"threads:create_run": cover_run_cleanup}),
    EventRule(event="threads:search"),
    # A run can create its thread, so the stamp goes into the metadata of both.
    EventRule(event="threads:create_run", read=read_run, stamp=stamp_run),
    EventRule(event="assistants:create", read=read_assistant, filter=filter_own, stamp=stamp_object),
    EventRule(event="assistants:read", filter=filter_reach_or_built_in),
    EventRule(event="assistants:update", read=read_assistant, rewrite=clean_change),
    EventRule(event="assistants:delete"),
    EventRule(event="assistants:search", filter=filter_reach_or_built_in),
    # The check on runs is necessary, because a cron starts runs without a request.
    EventRule(event="crons:create", read=read_new_cron, filter=filter_own, checks=(check_cron_runs,), stamp=stamp_cron),
    EventRule(event="crons:read"),
    EventRule(
        event="crons:update",
        read=read_cron_change,
        filter=filter_cron_change,
        checks=(check_cron_payload,),
        rewrite=clean_cron_change,
    ),
    EventRule(event="crons:delete"),
    EventRule(event="crons:search"),
    # Servers ignore filters in the store. Only the namespace separates users.
    EventRule(event="store:put", rewrite=isolate_namespace),
    EventRule(event="store:get", rewrite=isolate_namespace),
    EventRule(event="store:search", rewrite=isolate_namespace),
    EventRule(event="store:list_namespaces", rewrite=isolate_namespace),
    EventRule(event="store:delete", rewrite=isolate_namespace),
)

EVENT_RULES: Mapping[str, EventRule] = {row.event: row for row in _ROWS}


def read_access_request(event: str, value: Value, rules: Mapping[str, EventRule] = EVENT_RULES) -> AccessRequest:
    """Return what a request wants; of an unknown event, only its name."""
    rule = rules.get(event)
    # An unknown event is always denied, so nothing of its value is read.
    return AccessRequest(event) if rule is None else rule.read(event, value)
