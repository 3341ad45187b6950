"""The operator's own rule, after ours: it may refuse or narrow, and nothing it does can widen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import DeniedError, ErrorCode
from ..json_values import is_list, is_object
from ..permissions.decision import Filter, NoRestriction, Restriction
from .http_errors import handler_error
from .ownership import ReservedFields

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langgraph_sdk.auth.types import AuthContext

_SCALARS = (str, int, bool, type(None))


class FilterError(ValueError):
    """A returned filter is not one that every server understands: an unknown operator would match everything."""


async def apply_custom_rule(
    rule: Callable[..., Awaitable[Any]], ctx: AuthContext, value: dict[str, Any], ours: Filter
) -> Filter:
    """Run the operator's rule on the live value; return our filter, joined with theirs.

    Raises:
        FilterError: it returned something that is neither None, a boolean nor a valid filter.
        Exception: what the rule raises; an HTTP exception is its refusal.
    """
    kept = ReservedFields(value)
    try:
        answer = await rule(ctx=ctx, value=value)
    finally:
        kept.restore(value)
    if answer is False:
        raise handler_error(DeniedError(ErrorCode.CUSTOM_RULE_DENIED).challenge())
    if answer is None or answer is True:
        return ours
    if "namespace" in value:
        raise FilterError("the store ignores filters: refuse, or rewrite the key")
    theirs = validate_filter(answer)
    return Restriction(theirs if isinstance(ours, NoRestriction) else {"$and": [dict(ours.where), theirs]})


def validate_filter(answer: object) -> dict[str, Any]:
    """Return a filter of the forms that langgraph-api and its stores all understand (measured).

    Equality, ``$eq``, ``$contains``, and one level of ``$or`` or ``$and`` over at least two.
    """
    if not is_object(answer) or not answer:
        raise FilterError("a filter is a non-empty dict")
    for key, condition in answer.items():
        if key in ("$or", "$and"):
            _check_branches(condition)
        else:
            _check_condition(key, condition)
    return answer


def _check_branches(branches: object) -> None:
    if not is_list(branches) or len(branches) < 2:  # noqa: PLR2004 - the servers fail on a lone branch
        raise FilterError("$or and $and take a list of at least two filters")
    for branch in branches:
        if not is_object(branch) or not branch:
            raise FilterError("an empty branch would match everything")
        for key, condition in branch.items():
            _check_condition(key, condition)


def _check_condition(key: object, condition: object) -> None:
    if not isinstance(key, str) or key.startswith("$"):
        raise FilterError(f"unknown operator {key!r}")
    if is_object(condition):
        if len(condition) != 1 or not set(condition) <= {"$eq", "$contains"}:
            raise FilterError(f"{key}: one of $eq and $contains is expected")
        (value,) = condition.values()
        members = value if is_list(value) else [value]
        if members and all(isinstance(member, _SCALARS) for member in members):
            return
    elif isinstance(condition, _SCALARS):
        return
    raise FilterError(f"{key}: a string, integer, boolean or null is expected")
