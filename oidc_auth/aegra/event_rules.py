"""The table of events of Aegra.

Each row is the row of ``enforcement`` with the columns that differ (measured on aegra-api 0.11.0):

- Aegra shows a user only own objects, by the identity. So a permission has no wider reach.
- It ignores most filters, also those of runs, state and crons. So what must hold everywhere is a denial, and not a
  filter. A filter of a run would also make it ignore the changed ``config``. A filter of the store would change the
  search.
- It merges changed metadata over those of the client, so a key can be overwritten and not removed.
- It shows the body of some requests before it checks them, with any keys and types.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from ..enforcement.access_request import SCHEDULE_KEYS, AccessRequest, read_run, read_thread_change
from ..enforcement.crons import check_cron_payload, check_cron_runs
from ..enforcement.decision import Decision, Filter, NoRestriction, Restriction, deny
from ..enforcement.event_rules import EVENT_RULES, EventRule
from ..enforcement.filters import BUILT_IN, own_objects
from ..enforcement.ownership import claims_system, get_metadata
from ..enforcement.reserved_keys import ASSISTANT, OWNER, RESERVED, RUN_ID
from ..errors import ErrorCode
from ..json_values import is_object
from .user_keys import drop_user_keys, find_reserved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..enforcement.access_request import Value
    from ..enforcement.decision import AllowedAccess
    from ..permissions.caller import Caller
    from ..permissions.names import Reach

RUN_CONTROL = frozenset({"thread_id", "run_id", "run_ids", "status", "message"})
"""The keys of a request that stops runs. A change of state has others, also where a client adds these."""
FORBIDDEN = frozenset(RESERVED) - {OWNER, ASSISTANT, RUN_ID}
"""Keys of metadata that clients cannot write. Aegra writes the last two itself, and no rule depends on them."""
METADATA_CHANGE = frozenset({"thread_id", "metadata"})
"""The keys of a PATCH of a thread."""


def filter_own(caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
    """Return the filter for own objects, which Aegra also applies itself."""
    del reach, request
    return own_objects(caller)


def filter_own_or_built_in(caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
    """Return the filter for own assistants and those of the server."""
    del reach, request
    return Restriction({"$or": [own_objects(caller).where, BUILT_IN]})


def no_filter(caller: Caller, reach: Reach, request: AccessRequest) -> Filter:
    """Return no filter, where Aegra ignores filters or takes them for something else."""
    del caller, reach, request
    return NoRestriction()


def read_change(event: str, value: Value) -> AccessRequest:
    """Read a ``threads:update``: of metadata, of state, or an action on runs."""
    # By all keys. A client can add keys of an action to a change of state, and Aegra ignores them there.
    controls_run = value.keys() <= RUN_CONTROL and not value.keys() <= {"thread_id"}
    changes_state = not controls_run and not ("metadata" in value and value.keys() <= METADATA_CHANGE)
    request = read_thread_change(event, value)
    return request._replace(controls_run=controls_run, bulk=False, changes_state=changes_state)


def read_start(event: str, value: Value) -> AccessRequest:
    """Read a ``threads:create_run``, also of a command."""
    # The metadata of a run are not those of its thread.
    return read_run(event, _run_of(value))._replace(metadata_graphs=())


def read_new_cron(event: str, value: Value) -> AccessRequest:
    """Read a ``crons:create``, which has the run's fields next to the schedule."""
    return _read_cron(event, value)._replace(assistant=str(value.get("assistant_id")))


def read_cron_change(event: str, value: Value) -> AccessRequest:
    """Read a ``crons:update``."""
    # Fail closed: any key that is not only about time counts as a change of what runs.
    return _read_cron(event, value)._replace(edits_payload=not value.keys() <= SCHEDULE_KEYS | {"cron_id"})


def _read_cron(event: str, value: Value) -> AccessRequest:
    webhook = value.get("webhook")
    return AccessRequest(event, writes_cron=True, webhooks=() if webhook is None else (webhook,))


def _run_of(value: Value) -> Value:
    """Return the run of a request. A command has it in ``params``, and Aegra ignores what is next to it."""
    if "method" not in value:
        return value
    params: object = value.get("params")
    return cast("Value", params) if is_object(params) else {}


def check_state_graph(caller: Caller, request: AccessRequest) -> Decision | None:
    """Return the denial if a caller with a graph limit changes a state, which runs a part of the graph."""
    # Aegra shows no graph and ignores the filter.
    if request.changes_state and caller.graphs is not None:
        return deny(request.event, ErrorCode.GRAPH_NOT_ALLOWED)
    return None


def cover_run_control(caller: Caller, request: AccessRequest) -> Filter | None:
    """Return no filter for stopping own runs, or None if the request is another change."""
    del caller
    return NoRestriction() if request.controls_run else None


def cover_run_deletion(caller: Caller, request: AccessRequest) -> Filter | None:
    """Return the filter for deleting own runs, or None for a thread. Aegra deletes temporary threads without asking."""
    return own_objects(caller) if request.deletes_run else None


def stamp_object(value: Value, access: AllowedAccess) -> Decision:
    """Write the owner into a new object."""
    if get_metadata(value).get(OWNER) is not None:
        # Aegra also replaces the owner of a thread.
        get_metadata(value)[OWNER] = access.caller.identity
    return write_owner(value, access)


def write_owner(value: Value, access: AllowedAccess) -> Decision:
    """Write the owner into metadata, if the client sent no other reserved key."""
    metadata = get_metadata(value)
    if (denial := _check_metadata(metadata, access)) is not None:
        return denial
    metadata[OWNER] = access.caller.identity
    return access.decision


def stamp_assistant(value: Value, access: AllowedAccess) -> Decision:
    """Write the owner into a new assistant."""
    return find_reserved(access.request.event, value, "configurable", "context") or stamp_object(value, access)


def clean_assistant(value: Value, access: AllowedAccess) -> Decision:
    """Write the owner into changed metadata of an assistant, because Aegra replaces them all."""
    if (denial := find_reserved(access.request.event, value, "configurable", "context")) is not None:
        return denial
    return access.decision if value.get("metadata") is None else write_owner(value, access)


def clean_thread(value: Value, access: AllowedAccess) -> Decision:
    """Deny a change of reserved metadata, or of the user in the configuration of a state."""
    if (denial := find_reserved(access.request.event, value, "checkpoint")) is not None:
        return denial
    return access.decision if value.get("metadata") is None else write_owner(value, access)


def check_checkpoint(value: Value, access: AllowedAccess) -> Decision:
    """Deny a user in the configuration with which the history of a thread is read."""
    return find_reserved(access.request.event, {"checkpoint": value.get("checkpoint")}, "checkpoint") or access.decision


def clean_run(value: Value, access: AllowedAccess) -> Decision:
    """Remove the keys of a user from the configuration of a run, and deny reserved metadata."""
    run = _run_of(value)
    drop_user_keys(run)
    denial = find_reserved(access.request.event, run, "checkpoint") or check_run_metadata(run, access)
    return denial or access.decision


def check_cron(value: Value, access: AllowedAccess) -> Decision:
    """Deny reserved keys in a cron, because Aegra reads no change of it."""
    denial = find_reserved(access.request.event, value, "configurable") or check_run_metadata(value, access)
    return denial or access.decision


def check_run_metadata(value: Value, access: AllowedAccess) -> Decision | None:
    """Return the denial for reserved metadata of a run or cron, or None.

    Aegra stores those of ``config`` in each checkpoint, and reads no change of the others.
    """
    config: object = value.get("config")
    for holder in (value, config):
        metadata: object = holder.get("metadata") if is_object(holder) else None
        if is_object(metadata) and (denial := _check_metadata(metadata, access)) is not None:
            return denial
    return None


def _check_metadata(metadata: Mapping[str, object], access: AllowedAccess) -> Decision | None:
    """Return the denial for reserved metadata, or None. Clients may send back the owner that they read."""
    own = access.caller.identity
    sent = any(key in metadata for key in FORBIDDEN) or metadata.get(OWNER, own) != own
    return deny(access.request.event, ErrorCode.RESERVED_METADATA) if sent or claims_system(metadata) else None


def _adapt(event: str, **columns: object) -> EventRule:
    return replace(EVENT_RULES[event], **columns)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


_ROWS = (
    _adapt("threads:create", filter=no_filter, checks=(), stamp=stamp_object),
    _adapt("threads:read", filter=filter_own, rewrite=check_checkpoint),
    _adapt(
        "threads:update",
        read=read_change,
        filter=no_filter,
        covered_by={"threads:create_run": cover_run_control},
        checks=(check_state_graph,),
        rewrite=clean_thread,
    ),
    _adapt("threads:delete", filter=filter_own, covered_by={"threads:create_run": cover_run_deletion}),
    _adapt("threads:search", filter=filter_own),
    _adapt("threads:create_run", read=read_start, filter=no_filter, stamp=None, rewrite=clean_run),
    _adapt("assistants:create", filter=no_filter, stamp=stamp_assistant),
    _adapt("assistants:read", filter=filter_own_or_built_in),
    _adapt("assistants:update", filter=filter_own, rewrite=clean_assistant),
    _adapt("assistants:delete", filter=filter_own),
    _adapt("assistants:search", filter=filter_own_or_built_in),
    # Aegra also starts a run, without an event threads:create_run.
    _adapt(
        "crons:create", read=read_new_cron, filter=no_filter, checks=(check_cron_runs,), stamp=None, rewrite=check_cron
    ),
    _adapt("crons:read", filter=no_filter),
    _adapt("crons:update", read=read_cron_change, filter=no_filter, checks=(check_cron_payload,), rewrite=check_cron),
    _adapt("crons:delete", filter=no_filter),
    _adapt("crons:search", filter=no_filter),
    # Aegra puts the identity in front of each namespace.
    *(_adapt(event, filter=no_filter, rewrite=None) for event in EVENT_RULES if event.startswith("store:")),
)

AEGRA_RULES: Mapping[str, EventRule] = {row.event: row for row in _ROWS}
