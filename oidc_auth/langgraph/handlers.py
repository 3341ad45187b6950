"""One handler for each event: decide, then carry the decision out on the value, then the operator's own rule.

Whatever goes wrong in here, the answer is no.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import DeniedError, ErrorCode
from ..observability import (
    AuthorizationDecided,
    format_trace,
    ignore_event,
    log_refusal,
    logger,
    notify_observer,
    pseudonym,
)
from ..permissions.decision import Decision, Filter, NoRestriction, Restriction, deny, own_objects
from ..permissions.names import Reach
from .authorize import authorize, check_settings, is_copy
from .crons import clean_payload, extend_authorization, get_payload, set_authorization, write_run_user
from .custom_rules import apply_custom_rule
from .http_errors import HTTP_EXCEPTIONS, handler_error
from .ownership import check_change, claims_system, clean_config, stamp_new, stamp_run
from .sockets import refuse_expired
from .store import scope_namespace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langgraph_sdk.auth.types import AuthContext

    from ..authentication import OIDCAuth
    from ..permissions.caller import Caller
    from ..permissions.settings import EnforcementSettings

    Value = dict[str, Any]
    Handler = Callable[..., Awaitable[Any]]


def build_handler(event: str, oidc: OIDCAuth, also: Handler | None = None) -> Handler:
    """Return the handler for one event; ``also`` runs after it said yes, and may only refuse or narrow."""
    settings, clock = oidc.enforcement, oidc.clock

    async def handle(ctx: AuthContext, value: Value) -> dict[str, Any] | None:
        try:
            now = clock()
            decision = refuse_expired(ctx.user, event, now, oidc.leeway_of)
            decision = decision or enforce(ctx.user, event, value, settings, now)
            allowed = decision.filter
            if decision.allowed and also is not None:
                allowed = await apply_custom_rule(also, ctx, value, allowed)
            return _respond(decision, allowed, ctx.user, oidc)
        except HTTP_EXCEPTIONS:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is no
            logger.error("the rule for %s failed: %s", event, format_trace(error))
            raise handler_error(DeniedError(ErrorCode.CUSTOM_RULE_FAILED).challenge()) from None

    return handle


def deny_unknown(oidc: OIDCAuth) -> Handler:
    """Return the handler for whatever this library does not know: a newer server's resources and actions."""

    async def deny_unhandled(ctx: AuthContext, value: Value) -> None:
        del value
        _respond(deny(f"{ctx.resource}:{ctx.action}", ErrorCode.EVENT_UNKNOWN), NoRestriction(), ctx.user, oidc)

    return deny_unhandled


def enforce(user: object, event: str, value: Value, settings: EnforcementSettings, now: float) -> Decision:
    """Decide an event and carry the decision out on its value: clean, stamp, scope. Pure but for ``value``."""
    decision, caller = authorize(user, event, value, settings, now)
    if not decision.allowed:
        return decision
    if (refusal := check_settings(event, value, settings)) is not None:
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
    if claims_system(value.get("metadata")) or claims_system(get_payload(value).get("metadata")):
        return deny(event, ErrorCode.RESERVED_METADATA)
    clean_payload(value)
    clean_config(value)
    stamp_new(value, decision.stamp)
    if event == "crons:create":
        set_authorization(value, now + settings.cron_max_age)
    return decision


def _update(
    event: str, value: Value, decision: Decision, caller: Caller, settings: EnforcementSettings, now: float
) -> Decision:
    is_own = decision.filter == own_objects(caller)
    for holder in (value, get_payload(value)):
        if (code := check_change(holder, caller, own_only=is_own)) is not None:
            return deny(event, code)
    clean_payload(value)
    clean_config(value)
    if event == "crons:update" and is_own and "threads:create_run" in caller.rights:
        extend_authorization(value, now + settings.cron_max_age)
    return decision


def _respond(decision: Decision, allowed: Filter, user: object, oidc: OIDCAuth) -> dict[str, Any] | None:
    """Answer the server: the filter, or the refusal; and tell whoever listens."""
    if oidc.observer is not ignore_event:
        notify_observer(
            oidc.observer,
            AuthorizationDecided(event=decision.event, allowed=decision.allowed, code=decision.code or ""),
        )
    if decision.allowed:
        return dict(allowed.where) if isinstance(allowed, Restriction) else None
    denial = decision.to_error()
    if decision.code in (ErrorCode.PERMISSION_MISSING, ErrorCode.NO_PERMISSIONS):
        # insufficient_scope starts a login in MCP clients: only where the provider's scope would really help.
        denial.scope = oidc.scopes_granting(getattr(user, "issuer", None), decision.event)
    denial.issuer, denial.user = str(getattr(user, "issuer", "")), pseudonym(str(getattr(user, "identity", "")))
    log_refusal(denial, decision.event)
    raise handler_error(denial.challenge())
