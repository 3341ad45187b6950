"""The operator's own rule for an event. It can deny or narrow, and never widen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ErrorCode
from ..json_values import is_list, is_object
from .decision import Decision, Filter, NoRestriction, Restriction, deny
from .reserved_fields import ReservedFields

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .access_request import Value

_SCALARS = (str, int, bool, type(None))


class FilterError(ValueError):
    """A custom rule returned a filter that not every server understands."""


async def run_custom_rule(
    rule: Callable[..., Awaitable[Any]], ctx: object, value: Value, decision: Decision
) -> Decision:
    """Run the operator's rule after our decision; return the decision of both.

    Args:
        rule: the operator's function.
        ctx: the server's context, as a handler gets it.
        value: the server's value. The rule may change it, except for the reserved fields.
        decision: our decision, which allows the event.

    Raises:
        FilterError: the rule returned something other than None, a boolean or a valid filter.
        Exception: the rule raised it. An HTTP exception is a denial with a status of the operator's choice.
    """
    reserved = ReservedFields(value)
    try:
        answer = await rule(ctx=ctx, value=value)
    finally:
        # Also after an exception, so that no change of a reserved field remains.
        reserved.restore(value)
    if answer is False:
        return deny(decision.event, ErrorCode.CUSTOM_RULE_DENIED)
    if answer is None or answer is True:
        return decision
    # A filter would look effective and protect nothing.
    if "namespace" in value:
        raise FilterError("the store ignores filters; deny the event instead")
    return decision._replace(filter=_join(decision.filter, validate_filter(answer)))


def _join(ours: Filter, theirs: dict[str, Any]) -> Restriction:
    # Both filters must match, so that a rule can only narrow.
    return Restriction(theirs if isinstance(ours, NoRestriction) else {"$and": [dict(ours.where), theirs]})


def validate_filter(answer: object) -> dict[str, Any]:
    """Return a filter, if langgraph-api and all its stores understand it (measured).

    These forms are valid: equality, ``$eq``, ``$contains``, and one level of ``$or`` or ``$and`` with at least two
    branches. The server's in-memory runtime ignores an unknown operator, so that the filter would match every object.

    Raises:
        FilterError: it has another form.
    """
    # An empty filter would match every object.
    if not is_object(answer) or not answer:
        raise FilterError("expected a dict that is not empty")
    for key, condition in answer.items():
        if key in ("$or", "$and"):
            _check_branches(condition)
        else:
            _check_condition(key, condition)
    return answer


def _check_branches(branches: object) -> None:
    if not is_list(branches) or len(branches) < 2:  # noqa: PLR2004 - servers fail on a single branch
        raise FilterError("$or and $and need a list of at least two filters")
    for branch in branches:
        if not is_object(branch) or not branch:
            raise FilterError("an empty branch would match every object")
        for key, condition in branch.items():
            _check_condition(key, condition)


def _check_condition(key: object, condition: object) -> None:
    if not isinstance(key, str) or key.startswith("$"):
        raise FilterError(f"unknown operator {key!r}")
    if is_object(condition):
        if len(condition) != 1 or not set(condition) <= {"$eq", "$contains"}:
            raise FilterError(f"{key}: expected $eq or $contains")
        (value,) = condition.values()
        members = value if is_list(value) else [value]
        if members and all(isinstance(member, _SCALARS) for member in members):
            return
    elif isinstance(condition, _SCALARS):
        return
    raise FilterError(f"{key}: expected a string, integer, boolean or null")
