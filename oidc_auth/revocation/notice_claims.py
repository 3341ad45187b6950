"""Read the claims of logout tokens and security event tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode, TokenError
from .entries import MAX_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .entries import Kind

    EndedTarget = tuple[Kind, str, float]
    """What a notice ends: its kind, its name, and the time of the event."""


def read_name(claims: Mapping[str, object], name: str) -> str:
    """Return a claim with a string that is not empty.

    Raises:
        TokenError: ``notice_invalid``.
    """
    value = claims.get(name)
    # Each replica keeps the names of live revocations in memory.
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME:
        return value
    raise invalid_notice(f"{name} as a string of 1 to {MAX_NAME} characters", describe(claims, name))


def read_time(claims: Mapping[str, object], name: str) -> float:
    """Return a claim with a time, in seconds since the epoch.

    Raises:
        TokenError: ``notice_invalid``.
    """
    value = claims.get(name)
    # The store refuses a time before the epoch. The JSON parser has refused NaN and the infinities.
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return float(value)
    raise invalid_notice(f"{name} as a number of seconds", describe(claims, name))


def describe(claims: Mapping[str, object], name: str) -> str:
    """Return what a claim is, without its value, which can name a person."""
    if name not in claims:
        return f"no {name}"
    value = claims[name]
    return f"{len(value)} characters" if isinstance(value, str) else type(value).__name__


def invalid_notice(expected: str, found: str) -> TokenError:
    """Return the refusal of a token that is valid, but no valid notice."""
    return TokenError(ErrorCode.NOTICE_INVALID, expected=expected, found=found)
