"""Decide an event: who is calling, and may they do what they want?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import ErrorCode
from ..permissions.caller import ABSENT, Caller
from ..permissions.names import Reach, expand, format_permission
from ..permissions.permission_maps import Right, merge_rights
from .crons import authorize_scheduler
from .decision import Decision, Filter, deny, deny_missing
from .event_rules import EVENT_RULES
from .limits import check_graphs
from .ownership import make_stamp
from .rule_tables import find_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .access_request import AccessRequest, Value
    from .crons import FindCronDenial
    from .event_rules import EventRule
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
        rules: the table of events of another server. None means that of the settings.
        copies_thread: the event belongs to a request that copies a thread.
    """

    is_studio: bool
    in_request: bool
    expiry_leeway: float | None
    find_cron_denial: FindCronDenial | None = None
    copies_thread: bool = False
    rules: Mapping[str, EventRule] | None = None


def rules_of(facts: ServerFacts, settings: EnforcementSettings) -> Mapping[str, EventRule]:
    """Return the table of events for a server and its settings."""
    return find_rules(settings) if facts.rules is None else facts.rules


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
    return decide(caller, request, rules_of(facts, settings)), caller


def _authorize_studio(
    identity: str, request: AccessRequest, settings: EnforcementSettings
) -> tuple[Decision, Caller | None]:
    reach = _STUDIO_REACH.get(settings.studio)
    # "deny" has no reach.
    if reach is None:
        return deny(request.event, ErrorCode.STUDIO_NOT_ALLOWED), None
    caller = Caller(identity=identity, rights=merge_rights(Right(name, reach) for name in expand("*")))
    return decide(caller, request, find_rules(settings)), caller


def decide(caller: Caller, request: AccessRequest, rules: Mapping[str, EventRule] = EVENT_RULES) -> Decision:
    """Return whether a caller may do what a request wants, and on which objects."""
    rule = rules.get(request.event)
    if rule is None:
        return deny(request.event, ErrorCode.EVENT_UNKNOWN)
    # A separate code, because the fault is in the permission maps and not in one missing permission.
    if not caller.rights:
        return deny(request.event, ErrorCode.NO_PERMISSIONS)
    needed = rule.event if rule.permission is None else rule.permission(request)
    if (found := _find_permission(rule, needed, caller, request)) is None:
        return deny_missing(request.event, needed)
    permission, reach, allowed = found
    for check in rule.checks:
        if (denial := check(caller, request)) is not None:
            return denial
    if (denial := check_graphs(caller, request, permission)) is not None:
        return denial
    stamp = make_stamp(caller) if rule.stamp is not None else {}
    return Decision(
        event=request.event, allowed=True, filter=allowed, stamp=stamp, permission=format_permission(permission, reach)
    )


def _find_permission(
    rule: EventRule, needed: str, caller: Caller, request: AccessRequest
) -> tuple[str, Reach, Filter] | None:
    """Return the permission that allows the event, its reach, and the filter of the objects."""
    if (reach := caller.rights.get(needed)) is not None:
        return needed, reach, rule.filter(caller, reach, request)
    # A permission covers only the part of another event that its own requests cause.
    for permission, cover in rule.covered_by.items():
        reach = caller.rights.get(permission)
        if reach is not None and (allowed := cover(caller, request)) is not None:
            return permission, reach, allowed
    return None
