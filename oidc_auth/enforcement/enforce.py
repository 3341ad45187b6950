"""The whole enforcement of one event, in one visible sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from .authorize import ServerFacts, authorize, rules_of
from .crons import write_cron_run
from .decision import AllowedAccess, Decision, deny
from .event_rules import read_access_request
from .limits import check_request_limits

if TYPE_CHECKING:
    from .access_request import Value
    from .limits import EnforcementSettings


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
    rules = rules_of(facts, settings)
    request = read_access_request(event, value, rules)
    if facts.copies_thread:
        request = request._replace(for_copy=True)
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
    rule = rules[event]
    write = rule.stamp or rule.rewrite
    if write is None:
        return decision
    return write(value, AllowedAccess(decision, caller, request, now + settings.cron_max_age))


def check_expiry(user: object, event: str, now: float, leeway: float) -> Decision | None:
    """Return the denial if the token of a long connection, such as a WebSocket, has expired.

    The rule is the same as for a new connection: ``exp`` plus the issuer's leeway (RFC 7519 §4.1.4).

    Args:
        user: the server's user object.
        event: the event of the connection.
        now: seconds since the epoch.
        leeway: seconds by which the issuer's clock may differ.
    """
    expires_at: object = getattr(user, "expires_at", None)
    if not isinstance(expires_at, (int, float)):
        # Fail closed: without an expiry the connection could stay open forever.
        return deny(event, ErrorCode.TOKEN_EXPIRED, expected="expires_at", found="none")
    if now < expires_at + leeway:
        return None
    found = f"{now - expires_at:.1f} s past expires_at"
    return deny(event, ErrorCode.TOKEN_EXPIRED, expected=f"leeway {leeway:g} s", found=found)
