"""Type guards and texts of JSON values.

This is the lowest layer. It imports nothing of the package, so that every module can use it.
"""

from __future__ import annotations

import json
from typing import TypeGuard


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Tell whether a parsed JSON value is an object."""
    # JSON member names are always strings. isinstance() alone does not tell a type checker that.
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Tell whether a parsed JSON value is an array."""
    return isinstance(value, list)


def scalar_text(value: object) -> str | None:
    """Return the text that a claim's value is compared by.

    A string is compared as it is. A number or a boolean is compared by its JSON text: ``7``, ``7.0``, ``true``.
    Objects, lists and null have no text and match nothing.
    """
    if isinstance(value, str):
        return value
    # JSON keeps true, 1 and 1.0 apart. Python compares them as equal, so the text decides.
    return json.dumps(value) if isinstance(value, (bool, int, float)) else None
