"""One handler for each event: decide, then carry the decision out on the value, then the operator's own rule.

Whatever goes wrong in here, the answer is no.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import Code, DeniedError
from ..observe import Decided, log_refusal, logger, pseudonym, silent, tell, trace
from ..permissions.decide import Decision, Filter, NoRestriction, Restriction, deny, own
from ..permissions.names import Reach
from .crons import authorize, clean_payload, payload_of, renew, write_run_user
from .judge import is_copy, judge, refused_by_settings
from .narrow import narrowed
from .replies import HTTP_EXCEPTIONS, from_handler
from .sockets import refuse_expired
from .stamp import claims_system, clean_config, refuse_change, stamp_new, stamp_run
from .store import scope_namespace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langgraph_sdk.auth.types import AuthContext

    from ..auth import OIDCAuth
    from ..permissions.caller import Caller
    from ..permissions.settings import EnforcementSettings

    Value = dict[str, Any]
    Handler = Callable[..., Awaitable[Any]]


def handler(event: str, oidc: OIDCAuth, also: Handler | None = None) -> Handler:
    """Return the handler for one event; ``also`` runs after it said yes, and may only refuse or narrow."""
    settings, clock = oidc.enforcement, oidc.clock

    async def handle(ctx: AuthContext, value: Value) -> dict[str, Any] | None:
        try:
            now = clock()
            decision = refuse_expired(ctx.user, event, now, oidc.leeway_of)
            decision = decision or enforce(ctx.user, event, value, settings, now)
            allowed = decision.filter
            if decision.allowed and also is not None:
                allowed = await narrowed(also, ctx, value, allowed)
            return _carried_out(decision, allowed, ctx.user, oidc)
        except HTTP_EXCEPTIONS:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is no
            logger.error("the rule for %s failed: %s", event, trace(error))
            raise from_handler(DeniedError(Code.HANDLER_FAILED).challenge()) from None

    return handle


def deny_unknown(oidc: OIDCAuth) -> Handler:
    """Return the handler for whatever this library does not know: a newer server's resources and actions."""

    async def deny_what_nobody_handles(ctx: AuthContext, value: Value) -> None:
        del value
        _carried_out(deny(f"{ctx.resource}:{ctx.action}", Code.EVENT_UNKNOWN), NoRestriction(), ctx.user, oidc)

    return deny_what_nobody_handles


def enforce(user: object, event: str, value: Value, settings: EnforcementSettings, now: float) -> Decision:
    """Decide an event and carry the decision out on its value: clean, stamp, scope. Pure but for ``value``."""
    decision, caller = judge(user, event, value, settings, now)
    if not decision.allowed:
        return decision
    if (refusal := refused_by_settings(event, value, settings)) is not None:
        return refusal
    resource, _, action = event.partition(":")
    if resource == "store" and caller is not None:
        scope_namespace(value, caller, caller.rights.get(event, Reach.OWN))
        return Decision(event=event, allowed=True, filter=NoRestriction())
    if action == "create_run":
        stamp_run(value, decision.stamp)
        if caller is None:
            write_run_user(value, decision.stamp)
    elif action == "create" and not is_copy(event, value):
        return _create(event, value, decision, settings, now)
    elif action == "update" and caller is not None and value.get("action") is None:
        return _update(event, value, decision, caller, settings, now)
    return decision


def _create(event: str, value: Value, decision: Decision, settings: EnforcementSettings, now: float) -> Decision:
    if claims_system(value.get("metadata")) or claims_system(payload_of(value).get("metadata")):
        return deny(event, Code.RESERVED_METADATA)
    clean_payload(value)
    clean_config(value)
    stamp_new(value, decision.stamp)
    if event == "crons:create":
        authorize(value, now + settings.cron_max_age)
    return decision


def _update(
    event: str, value: Value, decision: Decision, caller: Caller, settings: EnforcementSettings, now: float
) -> Decision:
    is_own = decision.filter == own(caller)
    for holder in (value, payload_of(value)):
        if (code := refuse_change(holder, caller, own_only=is_own)) is not None:
            return deny(event, code)
    clean_payload(value)
    clean_config(value)
    if event == "crons:update" and is_own and "threads:create_run" in caller.rights:
        renew(value, now + settings.cron_max_age)
    return decision


def _carried_out(decision: Decision, allowed: Filter, user: object, oidc: OIDCAuth) -> dict[str, Any] | None:
    """Answer the server: the filter, or the refusal; and tell whoever listens."""
    if oidc.observer is not silent:
        tell(oidc.observer, Decided(event=decision.event, allowed=decision.allowed, code=decision.code or ""))
    if decision.allowed:
        return dict(allowed.where) if isinstance(allowed, Restriction) else None
    denial = decision.denied()
    if decision.code in (Code.PERMISSION_MISSING, Code.NO_PERMISSION_MAPS):
        # insufficient_scope starts a login in MCP clients: only where the provider's scope would really help.
        denial.scope = oidc.scopes_that_yield(getattr(user, "issuer", None), decision.event)
    denial.issuer, denial.user = str(getattr(user, "issuer", "")), pseudonym(str(getattr(user, "identity", "")))
    log_refusal(denial, decision.event)
    raise from_handler(denial.challenge())
