"""Crons: a run tomorrow. They end with their authorization, and the scheduler may do nothing but run them.

A cron fires as a user who has an identity and nothing else. Our hook always sets ``permissions``, so a user without
them is the scheduler, and only it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from ..errors import Code
from ..permissions.caller import Tenancy, tenant_fields
from ..permissions.decide import (
    AUTHORIZED_UNTIL,
    CREATED_BY,
    OWNER,
    SYSTEM,
    TEMPORARY,
    TENANT,
    Decision,
    Restriction,
    deny,
)
from .stamp import clean, clean_config, configurable_of, is_current, metadata_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..permissions.decide import Ask
    from ..permissions.settings import EnforcementSettings

Value = dict[str, Any]

SCHEDULE_KEYS = frozenset({"schedule", "enabled", "end_time", "timezone", "on_run_completed"})
"""The keys of a PATCH that change when a cron runs, not what: all others are for its owner alone."""


def decide_for_scheduler(identity: str, ask: Ask, value: Value, now: float, settings: EnforcementSettings) -> Decision:
    """Return what the scheduler may do for a cron's owner: run it, and stop or clean up its own earlier runs."""
    mine = {OWNER: identity}
    if _inside_a_request():
        # The user of a cron's run looks the same when its graph calls the server: that holds no rights at all.
        return deny(ask.event, Code.SCHEDULER_REFUSED)
    if ask.event == "assistants:read":
        # The server asks for it before a run on an assistant that a user made.
        return Decision(event=ask.event, allowed=True, filter=Restriction({"$or": [mine, {CREATED_BY: SYSTEM}]}))
    if ask.event == "threads:create_run":
        return _decide_fire(identity, ask, value, now, settings)
    if ask.steers_run or ask.drops_run:
        return Decision(event=ask.event, allowed=True, filter=Restriction(mine))
    if ask.event == "threads:delete":
        return Decision(event=ask.event, allowed=True, filter=Restriction({**mine, TEMPORARY: True}))
    return deny(ask.event, Code.SCHEDULER_REFUSED)


def _inside_a_request() -> bool:
    """Tell whether this call comes out of a request: the scheduler and the worker send none, a running graph does.

    The server notes each request for its log. Langchain's context would show a run too, but not on a server with an
    app of the operator's own, which puts another one in its place (measured). Where the note is missing, a request is
    assumed.
    """
    module = sys.modules.get("langgraph_api.logging")
    variable = getattr(module, "worker_config", None)
    return variable is None or "method" in (variable.get() or {})


def _decide_fire(identity: str, ask: Ask, value: Value, now: float, settings: EnforcementSettings) -> Decision:
    metadata = metadata_of(value)
    if settings.crons == "deny":
        return deny(ask.event, Code.CRONS_DISABLED)
    if metadata.get(OWNER) != identity:
        return deny(ask.event, Code.SCHEDULER_REFUSED)
    if not is_current(metadata.get(AUTHORIZED_UNTIL), now):
        return deny(ask.event, Code.CRON_EXPIRED)
    # The scheduler's user has no tenant: the cron's own says in which one its owner made it.
    mine = {key: metadata[key] for key in (OWNER, TENANT) if key in metadata}
    return Decision(event=ask.event, allowed=True, filter=Restriction(mine), stamp=mine)


def write_run_user(value: Value, stamp: Mapping[str, Any]) -> None:
    """Write the user of a cron's run: its owner and tenant, and no permissions.

    The server would write the identity alone. A graph could not tell the same identity in two tenants apart, and
    would mix their memories.
    """
    configurable = configurable_of(value)
    tenancy = Tenancy(stamp[TENANT]) if TENANT in stamp else None
    # No "permissions" key: a user without it is the scheduler, whose runs hold no rights in calls to the server.
    configurable["langgraph_auth_user"] = {
        "identity": stamp[OWNER],
        "display_name": stamp[OWNER],
        "is_authenticated": True,
        **tenant_fields(tenancy),
    }
    configurable["langgraph_auth_permissions"] = []


def edits_payload(value: Value) -> bool:
    """Tell whether a ``crons:update`` changes more than the schedule; its payload is the whole body of the PATCH."""
    payload = value.get("payload")
    return not isinstance(payload, dict) or not SCHEDULE_KEYS.issuperset(cast("Value", payload))


def payload_of(value: Value) -> Value:
    """Return the run a cron will start; an empty one when there is none."""
    payload = value.get("payload")
    return cast("Value", payload) if isinstance(payload, dict) else {}


def clean_payload(value: Value) -> None:
    """Take the reserved keys out of what the cron will run: its metadata win over the cron's at each fire."""
    payload = payload_of(value)
    clean(payload.get("metadata"))
    clean_config(payload)


def authorize(value: Value, until: float) -> None:
    """Write until when a new cron may run, in whole seconds since the epoch."""
    metadata_of(value)[AUTHORIZED_UNTIL] = int(until)


def renew(value: Value, until: float) -> None:
    """Write it again on an update by the owner: into the payload, which wins, and the metadata where they are sent."""
    payload = payload_of(value)
    if payload:
        metadata_of(payload)[AUTHORIZED_UNTIL] = int(until)
    if value.get("metadata") is not None:
        metadata_of(value)[AUTHORIZED_UNTIL] = int(until)
