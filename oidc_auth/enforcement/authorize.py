"""Decide an event: who is calling, and may they do what they want?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import ErrorCode
from ..permissions.caller import ABSENT, Caller
from ..permissions.names import Reach, expand, format_permission
from ..permissions.permission_maps import Right, merge_rights
from .crons import authorize_scheduler
from .decision import Decision, Filter, deny, deny_missing
from .event_rules import EVENT_RULES, EventRule
from .limits import check_graphs
from .ownership import make_stamp

if TYPE_CHECKING:
    from .access_request import AccessRequest, Value
    from .crons import FindCronDenial
    from .limits import EnforcementSettings

_STUDIO_REACH = {"own": Reach.OWN, "all": Reach.ALL}


class ServerFacts(NamedTuple):
    """What only the server's adapter can tell about an event.

    Attributes:
        is_studio: LangGraph Studio is calling, which needs no token in development.
        in_request: the event belongs to a request, and not to the scheduler or a worker.
        expiry_leeway: the issuer's leeway in seconds, if the token must be checked for expiry again. None if the server
            authenticated the request of this event, or if the event belongs to no request.
        find_cron_denial: tells whether the user of a cron was revoked. None without revocations.
    """

    is_studio: bool
    in_request: bool
    expiry_leeway: float | None
    find_cron_denial: FindCronDenial | None = None


def authorize(
    user: object, request: AccessRequest, value: Value, settings: EnforcementSettings, now: float, facts: ServerFacts
) -> tuple[Decision, Caller | None]:
    """Return the decision and its caller; None for the scheduler and for unknown users."""
    identity: object = getattr(user, "identity", None)
    # Fail closed: all users with an empty identity would share their objects.
    if not isinstance(identity, str) or not identity:
        return deny(request.event, ErrorCode.USER_UNKNOWN), None
    # Studio gets its reach from the operator's setting, and nothing from its user object.
    if facts.is_studio:
        return _authorize_studio(identity, request, settings)
    if getattr(user, "permissions", ABSENT) is ABSENT:
        decision = authorize_scheduler(
            identity,
            request,
            value,
            settings,
            now,
            in_request=facts.in_request,
            find_cron_denial=facts.find_cron_denial,
        )
        return decision, None
    caller = Caller.from_user(user)
    return decide(caller, request), caller


def _authorize_studio(
    identity: str, request: AccessRequest, settings: EnforcementSettings
) -> tuple[Decision, Caller | None]:
    reach = _STUDIO_REACH.get(settings.studio)
    # "deny" has no reach.
    if reach is None:
        return deny(request.event, ErrorCode.STUDIO_NOT_ALLOWED), None
    caller = Caller(identity=identity, rights=merge_rights(Right(name, reach) for name in expand("*")))
    return decide(caller, request), caller


def decide(caller: Caller, request: AccessRequest) -> Decision:
    """Return whether a caller may do what a request wants, and on which objects."""
    rule = EVENT_RULES.get(request.event)
    if rule is None:
        return deny(request.event, ErrorCode.EVENT_UNKNOWN)
    # A separate code, because the fault is in the permission maps and not in one missing permission.
    if not caller.rights:
        return deny(request.event, ErrorCode.NO_PERMISSIONS)
    if (found := _find_permission(rule, caller, request)) is None:
        return deny_missing(request.event, request.event)
    for check in rule.checks:
        if (denial := check(caller, request)) is not None:
            return denial
    if (denial := check_graphs(caller, request)) is not None:
        return denial
    permission, allowed = found
    stamp = make_stamp(caller) if rule.stamp is not None else {}
    return Decision(event=request.event, allowed=True, filter=allowed, stamp=stamp, permission=permission)


def _find_permission(rule: EventRule, caller: Caller, request: AccessRequest) -> tuple[str, Filter] | None:
    """Return the permission that allows the event, with its reach, and the filter of the objects."""
    if (reach := caller.rights.get(rule.event)) is not None:
        return format_permission(rule.event, reach), rule.filter(caller, reach, request)
    # A permission covers only the part of another event that its own requests cause.
    for permission, cover in rule.covered_by.items():
        reach = caller.rights.get(permission)
        if reach is not None and (allowed := cover(caller, request)) is not None:
            return format_permission(permission, reach), allowed
    return None
