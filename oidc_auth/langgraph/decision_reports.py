"""Report the decisions of handlers to the observer and to the audit log."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from ..enforcement.access_request import format_ids, read_ids
from ..enforcement.decision import Decision, NoRestriction, Restriction, deny
from ..errors import ErrorCode
from ..observability import AuthorizationDecided
from .http_errors import HTTP_EXCEPTIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langgraph_sdk.auth.types import AuthContext

    from ..enforcement.access_request import Value
    from ..observability import EventReporter

    Handler = Callable[..., Awaitable[Any]]
    Observation = tuple[float, tuple[object, ...]]
    """The start of the decision, and the ids of its request."""


class DecisionReporter:
    """Reports decisions; costs little without an observer.

    Args:
        reporter: receives the events.
    """

    def __init__(self, reporter: EventReporter) -> None:
        self._reporter = reporter
        self._report_lazily = reporter.report_lazily
        self._has_recorder_only = reporter.has_recorder_only
        self.is_silent = reporter.is_silent

    def begin(self, value: Value) -> Observation | None:
        """Return what is needed for a report later, or None without an observer."""
        if self.is_silent:
            return None
        # The ids are read now, because the operator's rule may change the value.
        return 0 if self._has_recorder_only else self._reporter.start(), read_ids(value)

    def report(self, decision: Decision, user: object, observation: Observation | None) -> None:
        """Report a decision."""
        if observation is None:
            return
        started, ids = observation
        is_short = self._has_recorder_only
        # The audit log keeps the parts until its thread writes them. Few objects, so that garbage collection stays
        # fast. The user is read now, because that object is not ours.
        self._report_lazily(
            _describe,
            decision.event,
            # Fail closed: a denial without a code is still a denial.
            None if decision.allowed else decision.code or ErrorCode.PERMISSION_MISSING,
            decision.permission,
            None if is_short else _find_filter(decision),
            0 if is_short else self._reporter.elapsed(started),
            (getattr(user, "issuer", ""), getattr(user, "identity", ""), getattr(user, "tenant", "")),
            ids,
        )


def _describe(
    event: str,
    code: ErrorCode | None,
    permission: str,
    where: dict[str, Any] | None,
    duration: float,
    person: tuple[object, object, object],
    ids: tuple[object, ...],
) -> AuthorizationDecided:
    # The user object is of the server and can have any attributes.
    issuer, identity, tenant = [text if isinstance(text, str) else "" for text in person]
    return AuthorizationDecided(
        outcome="denied" if code else "allowed",
        code=code or "",
        event=event,
        permission=permission,
        filter=where,
        duration=duration,
        issuer=issuer,
        identity=identity,
        tenant=tenant,
        **format_ids(ids),
    )


def _find_filter(decision: Decision) -> dict[str, Any] | None:
    """Return the metadata that objects must have, or None if the decision restricts nothing."""
    if decision.allowed and isinstance(decision.filter, Restriction):
        return dict(decision.filter.where)
    return None


def report_replacement(event: str, reporter: EventReporter, handler: Handler) -> Handler:
    """Return a handler of the operator that replaces ours, with its decisions reported."""
    reports = DecisionReporter(reporter)
    if reports.is_silent:
        return handler

    async def handle(ctx: AuthContext, value: Value) -> Any:  # noqa: ANN401 - the handler's own answer
        observation = None
        with suppress(Exception):
            # What the handler does with an odd value is its own matter.
            observation = reports.begin(value)
        try:
            answer = await handler(ctx=ctx, value=value)
            decision = _describe_answer(event, answer)
        except Exception as error:
            code = ErrorCode.CUSTOM_RULE_DENIED if isinstance(error, HTTP_EXCEPTIONS) else ErrorCode.CUSTOM_RULE_FAILED
            reports.report(deny(event, code), ctx.user, observation)
            raise
        reports.report(decision, ctx.user, observation)
        return answer

    return handle


def _describe_answer(event: str, answer: object) -> Decision:
    """Return the decision of a handler of the operator, as the server reads its answer."""
    if answer is False:
        return deny(event, ErrorCode.CUSTOM_RULE_DENIED)
    where = cast("Value", answer) if isinstance(answer, dict) else {}
    # No permission of this library allowed it.
    return Decision(event=event, allowed=True, filter=Restriction(dict(where)) if where else NoRestriction())
