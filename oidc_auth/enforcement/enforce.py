"""The whole enforcement of one event, in one visible sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .authorize import ServerFacts, authorize
from .crons import write_cron_run
from .decision import AllowedAccess, Decision
from .event_rules import EVENT_RULES, read_access_request
from .request_limits import check_request_limits
from .token_expiry import check_expiry

if TYPE_CHECKING:
    from .access_request import Value
    from .settings import EnforcementSettings


def enforce(
    user: object, event: str, value: Value, settings: EnforcementSettings, now: float, facts: ServerFacts
) -> Decision:
    """Decide an event and write the result into its value: owner, reserved fields, namespace.

    Pure except for ``value``.

    Args:
        user: the server's user object. Its attributes are read.
        event: such as ``threads:create``.
        value: what the server gives to a handler for the event.
        settings: the operator's settings.
        now: seconds since the epoch.
        facts: what only the adapter can tell.

    Raises:
        MalformedError: the value cannot be stamped. The adapter must deny the event.
    """
    # Studio has no token that could expire.
    if facts.expiry_leeway is not None and not facts.is_studio:
        expired = check_expiry(user, event, now, facts.expiry_leeway)
        if expired is not None:
            return expired
    request = read_access_request(event, value)
    decision, caller = authorize(user, request, value, settings, now, facts)
    if not decision.allowed:
        return decision
    # These limits hold for every caller, also for the scheduler.
    if (denial := check_request_limits(request, settings)) is not None:
        return denial
    if caller is None:
        if decision.stamp:
            write_cron_run(value, decision.stamp)
        return decision
    rule = EVENT_RULES[event]
    write = rule.stamp or rule.rewrite
    if write is None:
        return decision
    return write(value, AllowedAccess(decision, caller, request, now + settings.cron_max_age))
