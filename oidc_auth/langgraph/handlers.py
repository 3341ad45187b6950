"""The handlers of a LangGraph server: one for each event.

A handler reads what only this server can tell, lets ``enforcement`` decide, runs the operator's rule, and answers the
server. If anything fails here, the event is denied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from langgraph_sdk.auth.types import StudioUser

from ..enforcement.access_request import read_ids
from ..enforcement.authorize import ServerFacts
from ..enforcement.custom_rules import run_custom_rule
from ..enforcement.decision import Decision, Restriction, deny
from ..enforcement.enforce import enforce
from ..errors import ErrorCode
from ..observability import AuthorizationDecided, format_trace, log_refusal, logger, pseudonym
from .http_errors import HTTP_EXCEPTIONS, handler_error
from .request_origin import read_request_origin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from langgraph_sdk.auth.types import AuthContext

    from ..authentication import OIDCAuth
    from ..enforcement.access_request import Value
    from ..observability import EventReporter

    Handler = Callable[..., Awaitable[Any]]

AEGRA = "aegra_api"
"""The package of Aegra, a server with other values and filters."""


def build_handler(event: str, oidc: OIDCAuth, custom_rule: Handler | None = None) -> Handler:
    """Return the handler of one event.

    Args:
        event: such as ``threads:create``.
        oidc: has the settings, the clock and the observer.
        custom_rule: the operator's rule. It runs after ours allowed the event, and can only deny or narrow.
    """

    async def handle(ctx: AuthContext, value: Value) -> dict[str, Any] | None:
        observation = _observe(oidc, ctx.user, value)
        try:
            decision = _decide(ctx.user, event, value, oidc)
            if decision.allowed and custom_rule is not None:
                decision = await _run_custom_rule(custom_rule, ctx, value, decision, observation)
            observation.report(decision)
            return _respond(decision, ctx.user, oidc)
        except HTTP_EXCEPTIONS:
            raise
        except Exception as error:  # noqa: BLE001 - fail closed
            logger.error("the rule for %s failed: %s", event, format_trace(error))
            failed = deny(event, ErrorCode.CUSTOM_RULE_FAILED)
            observation.report(failed)
            # Not chained: the error may hold claims or parts of a conversation.
            raise handler_error(failed.to_error().challenge()) from None

    return handle


def deny_unknown(oidc: OIDCAuth) -> Handler:
    """Return the handler for events that this library does not know, such as those of a newer server."""

    async def deny_unhandled(ctx: AuthContext, value: Value) -> None:
        observation = _observe(oidc, ctx.user, value)
        decision = deny(f"{ctx.resource}:{ctx.action}", ErrorCode.EVENT_UNKNOWN)
        observation.report(decision)
        _respond(decision, ctx.user, oidc)

    return deny_unhandled


async def _run_custom_rule(
    rule: Handler, ctx: AuthContext, value: Value, decision: Decision, observation: _Observation
) -> Decision:
    try:
        return await run_custom_rule(rule, ctx, value, decision)
    except HTTP_EXCEPTIONS:
        # The operator's rule denied with a status of its choice.
        observation.report(deny(decision.event, ErrorCode.CUSTOM_RULE_DENIED))
        raise


def _decide(user: object, event: str, value: Value, oidc: OIDCAuth) -> Decision:
    if type(user).__module__.partition(".")[0] == AEGRA:
        # Aegra ignores most filters, so that these handlers would protect less than they promise.
        client_message = "this server is Aegra, which needs its own entry point and is not supported yet"
        return deny(event, ErrorCode.USER_UNKNOWN, client_message)
    return enforce(user, event, value, oidc.enforcement, oidc.clock(), _read_facts(user, oidc))


def _read_facts(user: object, oidc: OIDCAuth) -> ServerFacts:
    origin = read_request_origin()
    return ServerFacts(
        is_studio=isinstance(user, StudioUser),
        in_request=origin.in_request,
        # The server authenticates a WebSocket only when it opens.
        expiry_leeway=oidc.leeway_of(getattr(user, "issuer", None)) if origin.in_websocket else None,
    )


class _Observation(NamedTuple):
    """One event of the server, for the observer."""

    reporter: EventReporter
    started: float
    user: object
    ids: Mapping[str, str]

    def report(self, decision: Decision) -> None:
        """Report the decision."""
        if self.reporter.is_silent:
            return
        self.reporter.report(
            AuthorizationDecided(
                outcome="allowed" if decision.allowed else "denied",
                code=decision.code or "",
                event=decision.event,
                permission=decision.permission,
                issuer=_text(self.user, "issuer"),
                duration=self.reporter.elapsed(self.started),
                identity=_text(self.user, "identity"),
                tenant=_text(self.user, "tenant"),
                **self.ids,
            )
        )


def _observe(oidc: OIDCAuth, user: object, value: Value) -> _Observation:
    reporter = oidc.reporter
    # The ids are read now, because the operator's rule may change the value.
    return _Observation(reporter, reporter.start(), user, {} if reporter.is_silent else read_ids(value))


def _text(user: object, name: str) -> str:
    found: object = getattr(user, name, None)
    return found if isinstance(found, str) else ""


def _respond(decision: Decision, user: object, oidc: OIDCAuth) -> dict[str, Any] | None:
    """Return the filter to the server, or raise the denial."""
    if decision.allowed:
        return dict(decision.filter.where) if isinstance(decision.filter, Restriction) else None
    denial = decision.to_error()
    if decision.code in (ErrorCode.PERMISSION_MISSING, ErrorCode.NO_PERMISSIONS):
        # MCP clients start a login on insufficient_scope. So it is sent only where a scope of the provider would help.
        denial.scope = oidc.scopes_granting(getattr(user, "issuer", None), decision.event)
    denial.issuer, denial.user = _text(user, "issuer"), pseudonym(_text(user, "identity"))
    log_refusal(denial, decision.event)
    raise handler_error(denial.challenge())
