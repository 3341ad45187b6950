"""The handlers of a LangGraph server: one for each event.

A handler reads what only this server can tell, lets ``enforcement`` decide, runs the operator's rule, and answers the
server. If anything fails here, the event is denied.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from langgraph_sdk.auth.types import StudioUser

from ..enforcement.access_request import read_ids
from ..enforcement.authorize import ServerFacts
from ..enforcement.custom_rules import run_custom_rule
from ..enforcement.decision import Decision, Restriction, deny
from ..enforcement.enforce import enforce
from ..errors import ErrorCode
from ..observability import AuthorizationDecided, format_trace, log_refusal, logger, pseudonym
from ..permissions.caller import Caller
from .hook import COPYING, USE_AEGRA_ENTRY
from .http_errors import HTTP_EXCEPTIONS, handler_error
from .server_context import read_request_origin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from langgraph_sdk.auth.types import AuthContext

    from ..authentication import OIDCAuth
    from ..enforcement.access_request import Value

    Handler = Callable[..., Awaitable[Any]]
    Decide = Callable[[object, str, Value, OIDCAuth], Decision]
    Report = Callable[[Decision], None]

AEGRA = "aegra_api"
"""The package of Aegra, a server with other values and filters."""


def build_handler(
    event: str, oidc: OIDCAuth, custom_rule: Handler | None = None, decide: Decide | None = None
) -> Handler:
    """Return the handler of one event.

    Args:
        event: such as ``threads:create``.
        oidc: has the settings, the clock and the observer.
        custom_rule: the operator's rule. It runs after ours allowed the event, and can only deny or narrow.
        decide: decides on another server, which has other values and filters.
    """
    observe = _observation_of(oidc)
    decide_event = decide or _decide

    async def handle(ctx: AuthContext, value: Value) -> dict[str, Any] | None:
        report: Report = _report_nothing
        try:
            report = observe(ctx.user, value)
            if oidc.revocation is not None:
                # The scheduler may be the first to need them. Known revocations are not waited for.
                await oidc.revocation.check.wait_until_loaded(oidc.clock())
            decision = decide_event(ctx.user, event, value, oidc)
            if decision.allowed and custom_rule is not None:
                decision = await _run_custom_rule(custom_rule, ctx, value, decision, report)
            report(decision)
            return _respond(decision, ctx.user, oidc)
        except HTTP_EXCEPTIONS:
            raise
        except Exception as error:  # noqa: BLE001 - fail closed
            logger.error("the rule for %s failed: %s", event, format_trace(error))
            failed = deny(event, ErrorCode.CUSTOM_RULE_FAILED)
            with suppress(Exception):
                # An odd user or value can make the report fail too.
                report(failed)
            # Not chained: the error may hold claims or parts of a conversation.
            raise handler_error(failed.to_error().challenge()) from None

    return handle


def deny_unknown(oidc: OIDCAuth) -> Handler:
    """Return the handler for events that this library does not know, such as those of a newer server."""
    observe = _observation_of(oidc)

    async def deny_unhandled(ctx: AuthContext, value: Value) -> None:
        decision = deny(f"{ctx.resource}:{ctx.action}", ErrorCode.EVENT_UNKNOWN)
        with suppress(Exception):
            # The value of an unknown event may have any form.
            observe(ctx.user, value)(decision)
        _respond(decision, ctx.user, oidc)

    return deny_unhandled


async def _run_custom_rule(
    rule: Handler, ctx: AuthContext, value: Value, decision: Decision, report: Report
) -> Decision:
    try:
        return await run_custom_rule(rule, ctx, value, decision)
    except HTTP_EXCEPTIONS:
        # The operator's rule denied with a status of its choice.
        report(deny(decision.event, ErrorCode.CUSTOM_RULE_DENIED))
        raise


def _decide(user: object, event: str, value: Value, oidc: OIDCAuth) -> Decision:
    # Compare the name, because Aegra need not be installed.
    if type(user).__module__.partition(".")[0] == AEGRA:
        # Aegra ignores most filters, so that these handlers would protect less than they promise.
        return deny(event, ErrorCode.USER_UNKNOWN, USE_AEGRA_ENTRY)
    return enforce(user, event, value, oidc.enforcement, oidc.clock(), _read_facts(user, oidc))


def _read_facts(user: object, oidc: OIDCAuth) -> ServerFacts:
    origin = read_request_origin()
    return ServerFacts(
        is_studio=isinstance(user, StudioUser),
        in_request=origin.in_request,
        # The server authenticates a WebSocket only when it opens.
        expiry_leeway=oidc.leeway_of(getattr(user, "issuer", None)) if origin.in_websocket else None,
        find_cron_denial=None if oidc.revocation is None else oidc.revocation.check.find_cron_denial,
        # Either tells. A graph's own call has no hook, and an older server may have another note.
        copies_thread=origin.copies_thread or getattr(user, COPYING, None) is True,
    )


def _observation_of(oidc: OIDCAuth) -> Callable[[object, Value], Report]:
    """Return the function that starts the observation of one event and returns how to report its decision."""
    reporter = oidc.reporter

    def observe(user: object, value: Value) -> Report:
        # The ids are read now, because the operator's rule may change the value.
        started, ids = reporter.start(), read_ids(value)

        def report(decision: Decision) -> None:
            reporter.report(_describe(decision, user, reporter.elapsed(started), ids))

        return report

    return _observe_nothing if reporter.is_silent else observe


def _observe_nothing(_user: object, _value: Value) -> Report:
    return _report_nothing


def _report_nothing(_decision: Decision) -> None:
    """Ignore a decision; used without an observer."""


def _describe(decision: Decision, user: object, duration: float, ids: Mapping[str, str]) -> AuthorizationDecided:
    return AuthorizationDecided(
        outcome="allowed" if decision.allowed else "denied",
        code=decision.code or "",
        event=decision.event,
        permission=decision.permission,
        filter=_find_filter(decision),
        issuer=_text(user, "issuer"),
        duration=duration,
        identity=_text(user, "identity"),
        tenant=_text(user, "tenant"),
        **ids,
    )


def _text(user: object, name: str) -> str:
    found: object = getattr(user, name, None)
    # The user object is of the server and can have any attributes.
    return found if isinstance(found, str) else ""


def _find_filter(decision: Decision) -> dict[str, Any] | None:
    """Return the metadata that objects must have, or None if the decision restricts nothing."""
    return dict(decision.filter.where) if decision.allowed and isinstance(decision.filter, Restriction) else None


def _respond(decision: Decision, user: object, oidc: OIDCAuth) -> dict[str, Any] | None:
    """Return the filter to the server, or raise the denial."""
    if decision.allowed:
        return dict(decision.filter.where) if isinstance(decision.filter, Restriction) else None
    denial = decision.to_error()
    if decision.code in (ErrorCode.PERMISSION_MISSING, ErrorCode.NO_PERMISSIONS):
        # MCP clients start a login on insufficient_scope. So it is sent only where a scope of the provider would help.
        held = Caller.from_user(user).rights
        denial.scope = oidc.scopes_granting(getattr(user, "issuer", None), decision.permission, held)
    # A pseudonym, so that the log contains no personal data.
    denial.issuer, denial.user = _text(user, "issuer"), pseudonym(_text(user, "identity"))
    log_refusal(denial, decision.event)
    # The server calls its own API for /mcp, so a handler cannot tell the two apart. ``oidc_auth.web`` replaces the
    # address of the metadata there.
    raise handler_error(oidc.challenge(denial))
