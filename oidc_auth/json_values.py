"""What JSON may hold, told apart for the type checkers too: ``isinstance`` alone says nothing of the members."""

from __future__ import annotations

from typing import TypeGuard


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Tell whether a value that JSON gave is an object: its names are strings."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Tell whether a value that JSON gave is a list."""
    return isinstance(value, list)
