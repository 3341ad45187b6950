"""The decision on one event, with its filter and its stamp.

A filter is never "nothing". Either it restricts, or it is the type ``NoRestriction``.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ERROR_DETAILS, DeniedError, ErrorCode
from ..permissions.names import narrowest_group
from .reserved_keys import OWNER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..permissions.caller import Caller
    from .access_request import AccessRequest


@dataclass(frozen=True, slots=True)
class Restriction:
    """Only objects with matching metadata. Our own filters use only equality and ``$or`` of two or more."""

    where: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoRestriction:
    """All objects, intentionally."""


# Not None and not {}: a missing or empty filter must never mean all objects.
Filter = Restriction | NoRestriction

MATCH_NOTHING = Restriction({OWNER: ""})
"""Matches no object, because an identity is never empty."""


class Decision(NamedTuple):
    """The answer to one event.

    Attributes:
        event: the event.
        allowed: whether it may proceed.
        code: why it was denied; None when allowed.
        client_message: the message for the client when denied.
        hint: what to do, for the operator.
        filter: which objects it may touch.
        stamp: the metadata that a new object gets, over what the client sent.
        expected: the expected value, for the operator.
        found: the found value, for the operator.
        permission: the permission that allowed the event, with its reach, or the one that is missing.
    """

    event: str
    allowed: bool
    code: ErrorCode | None = None
    client_message: str = ""
    hint: str = ""
    # Fail closed: a decision without a filter reaches no object.
    filter: Filter = MATCH_NOTHING
    stamp: Mapping[str, Any] = MappingProxyType({})
    expected: str = ""
    found: str = ""
    permission: str = ""

    def to_error(self) -> DeniedError:
        """Return the error for a denial."""
        # Fail closed: a denial without a code is still a denial.
        code = self.code or ErrorCode.PERMISSION_MISSING
        return DeniedError(
            code, expected=self.expected, found=self.found, client_message=self.client_message, hint=self.hint
        )


class AllowedAccess(NamedTuple):
    """An allowed event, for the function that writes into its value.

    Attributes:
        decision: the decision.
        caller: who the decision is for.
        request: what the caller wants.
        cron_until: until when a cron that the caller writes may run, in seconds since the epoch.
    """

    decision: Decision
    caller: Caller
    request: AccessRequest
    cron_until: float


def deny(event: str, code: ErrorCode, client_message: str = "", *, expected: str = "", found: str = "") -> Decision:
    """Return a denial with the code's own message or a more exact one."""
    details = ERROR_DETAILS[code]
    return Decision(
        event=event,
        allowed=False,
        code=code,
        client_message=client_message or details.client_message,
        hint=details.hint,
        expected=expected,
        found=found,
        permission=event,
    )


def deny_missing(event: str, permission: str) -> Decision:
    """Return the denial that names the missing permission.

    The message also names the narrowest group of the same resource that includes the permission.
    """
    group = narrowest_group(permission)
    hint = f" ({group} includes it)" if group else ""
    denial = deny(event, ErrorCode.PERMISSION_MISSING, f"missing permission {permission}{hint}")
    return denial._replace(permission=permission)
