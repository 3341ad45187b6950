"""Crons: who may create them, until when they run, and what the scheduler may do.

A cron fires as a user with an identity and nothing else. Our hook always sets ``permissions``. So a user without them
is the scheduler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import ErrorCode
from ..permissions.caller import Tenancy, tenant_fields
from .access_request import get_payload
from .decision import Decision, Restriction, deny, deny_missing
from .filters import BUILT_IN, own_objects
from .ownership import clean_change, get_metadata, stamp_object, write_run_stamp
from .reserved_keys import (
    APPROVED_BY,
    AUTHORIZED_AT,
    AUTHORIZED_FOR,
    AUTHORIZED_UNTIL,
    OWNER,
    TEMPORARY,
    TENANT,
    require_configurable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..permissions.caller import Caller
    from .access_request import AccessRequest, Value
    from .decision import AllowedAccess
    from .limits import EnforcementSettings


RUN_PERMISSION = "threads:create_run"


def check_cron_runs(caller: Caller, request: AccessRequest) -> Decision | None:
    """Return the denial if the caller creates a cron and may not run."""
    # A cron starts runs later. Without this check, it would give a permission that the caller does not have.
    return None if RUN_PERMISSION in caller.rights else deny_missing(request.event, RUN_PERMISSION)


def check_cron_payload(caller: Caller, request: AccessRequest) -> Decision | None:
    """Return the denial if the caller changes what a cron runs and may not run."""
    return check_cron_runs(caller, request) if request.edits_payload else None


def stamp_cron(value: Value, access: AllowedAccess) -> Decision:
    """Write the owner of a new cron and until when it may run."""
    decision = stamp_object(value, access)
    if decision.allowed:
        # A cron has no token that expires. Without an end, it would still run for users who left the company.
        get_metadata(value).update(_authorization(access))
    return decision


def clean_cron_change(value: Value, access: AllowedAccess) -> Decision:
    """Remove the reserved keys from a change; a change by the owner renews the cron."""
    decision = clean_change(value, access)
    is_own = decision.filter == own_objects(access.caller)
    # Only the owner renews. A change by an administrator says nothing about the rights of the owner.
    if decision.allowed and is_own and RUN_PERMISSION in access.caller.rights:
        _renew(value, _authorization(access))
    return decision


def _authorization(access: AllowedAccess) -> dict[str, Any]:
    """Return the metadata that tell who authorized a cron, with a token of which time, and for how long."""
    # The time of the token and not of the request. A notice of the provider arrives after the revocation, and a cron
    # that is created between the two must stop too.
    return {
        AUTHORIZED_UNTIL: int(access.cron_until),
        AUTHORIZED_FOR: access.caller.subject_digest,
        AUTHORIZED_AT: int(access.caller.issued_at),
    }


def _renew(value: Value, authorization: Mapping[str, Any]) -> None:
    """Write the authorization of a cron: into its payload, which the server prefers, and its metadata if sent."""
    payload = get_payload(value)
    if payload:
        get_metadata(payload).update(authorization)
    if value.get("metadata") is not None:
        get_metadata(value).update(authorization)


FindCronDenial = Callable[[str, float, float], "ErrorCode | None"]
"""Tells from ``subject_digest``, the time of the token and the time now why a cron may not run, or None."""


def authorize_scheduler(
    identity: str,
    request: AccessRequest,
    value: Value,
    settings: EnforcementSettings,
    now: float,
    *,
    in_request: bool,
    find_cron_denial: FindCronDenial | None,
) -> Decision:
    """Decide an event of the scheduler: it runs a cron, and stops or deletes earlier runs of the cron.

    Args:
        identity: the owner of the cron.
        request: what the scheduler wants.
        value: the server's value.
        settings: the operator's settings.
        now: seconds since the epoch.
        in_request: whether the event belongs to a request.
        find_cron_denial: the check for revoked users, or None without revocations.
    """
    event, own = request.event, {OWNER: identity}
    if in_request:
        # The graph of a cron's run calls the server with the same user. Such calls have no permissions.
        return deny(event, ErrorCode.SCHEDULER_NOT_ALLOWED)
    if event == "threads:create_run":
        decision = _authorize_cron_run(identity, request, value, settings, now)
        return _check_revoked(decision, get_metadata(value), now, find_cron_denial)
    if event == "assistants:read":
        # The server reads a user's assistant before it runs it.
        return _allow(event, {"$or": [own, BUILT_IN]})
    if request.controls_run or request.deletes_run:
        return _allow(event, own)
    if event == "threads:delete":
        # The scheduler deletes only the thread that the server made for one run.
        return _allow(event, {**own, TEMPORARY: True})
    return deny(event, ErrorCode.SCHEDULER_NOT_ALLOWED)


def _authorize_cron_run(
    identity: str, request: AccessRequest, value: Value, settings: EnforcementSettings, now: float
) -> Decision:
    metadata = get_metadata(value)
    approves = settings.resume != "run"
    # A cron from before the setting could still steer, and its check at creation did not see each way.
    if approves and request.steering is not None and request.steering.steers:
        return deny(request.event, ErrorCode.RESUME_NOT_ALLOWED)
    # Checked at each run, so that the setting also stops crons that exist already.
    if settings.crons == "deny":
        return deny(request.event, ErrorCode.CRONS_DISABLED)
    # A cron without an owner, for example from before this library, does not run.
    if metadata.get(OWNER) != identity:
        return deny(request.event, ErrorCode.SCHEDULER_NOT_ALLOWED)
    if not _is_current(metadata.get(AUTHORIZED_UNTIL), now):
        return deny(request.event, ErrorCode.CRON_EXPIRED)
    # The scheduler's user has no tenant. The cron has the tenant in which its owner created it.
    own = {key: metadata[key] for key in (OWNER, TENANT) if key in metadata}
    return _allow(request.event, own)._replace(stamp={**own, APPROVED_BY: None} if approves else own)


def _check_revoked(
    decision: Decision, metadata: Mapping[str, Any], now: float, find_cron_denial: FindCronDenial | None
) -> Decision:
    """Return the decision, or the denial if the user of a cron was revoked after the cron was authorized."""
    if not decision.allowed or find_cron_denial is None:
        return decision
    user, since = metadata.get(AUTHORIZED_FOR), metadata.get(AUTHORIZED_AT)
    # Fail closed: it is unknown whether the user of an older cron was revoked. Its owner renews it by any change.
    # A user without sub has an empty digest, and no revocation can name them.
    if not isinstance(user, str) or not user or not isinstance(since, (int, float)) or isinstance(since, bool):
        expected = f"{AUTHORIZED_FOR} and {AUTHORIZED_AT}"
        return deny(decision.event, ErrorCode.CRON_EXPIRED, expected=expected, found="none")
    code = find_cron_denial(user, since, now)
    return decision if code is None else deny(decision.event, code)


def _allow(event: str, where: Mapping[str, Any]) -> Decision:
    return Decision(event=event, allowed=True, filter=Restriction(where), permission=event)


def _is_current(until: object, now: float) -> bool:
    # Fail closed: a missing value, text or a boolean does not count as a time.
    return isinstance(until, (int, float)) and not isinstance(until, bool) and until > now


def write_cron_run(value: Value, stamp: Mapping[str, Any]) -> None:
    """Write the owner and the user of a run that the scheduler starts."""
    write_run_stamp(value, stamp)
    _write_run_user(value, stamp)


def _write_run_user(value: Value, stamp: Mapping[str, Any]) -> None:
    """Write the user of a cron's run: its owner and tenant, without permissions.

    The server would write the identity alone. A graph could then mix the memories of one identity in two tenants.
    """
    configurable = require_configurable(value)
    tenancy = Tenancy(stamp[TENANT]) if TENANT in stamp else None
    # No "permissions" key: the scheduler's user has none, so calls of the graph to the server are denied.
    configurable["langgraph_auth_user"] = {
        "identity": stamp[OWNER],
        "display_name": stamp[OWNER],
        "is_authenticated": True,
        **tenant_fields(tenancy),
    }
    configurable["langgraph_auth_permissions"] = []
