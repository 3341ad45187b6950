"""Type checks for parsed JSON."""

from __future__ import annotations

from typing import TypeGuard


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Tell whether a parsed JSON value is an object."""
    # JSON member names are always strings. isinstance() alone does not tell a type checker that.
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Tell whether a parsed JSON value is an array."""
    return isinstance(value, list)
