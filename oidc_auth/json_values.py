"""Type checks for parsed JSON, and safe quoting of texts that others chose."""

from __future__ import annotations

import json
from typing import TypeGuard

MAX_QUOTED = 80
"""Characters of a quoted value in a message."""


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Tell whether a parsed JSON value is an object."""
    # JSON member names are always strings. isinstance() alone does not tell a type checker that.
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Tell whether a parsed JSON value is an array."""
    return isinstance(value, list)


def escape_text(text: str, limit: int) -> str:
    r"""Return a text as one printable line.

    Line breaks, control characters and invisible characters become escapes such as ``\n``.

    Args:
        text: any text.
        limit: the most characters of the result. A longer text ends in ``...``.
    """
    # Only what is kept is escaped, which bounds the work.
    line = "".join(map(_escape, text[:limit]))
    return line if len(text) <= limit and len(line) <= limit else f"{line[: max(0, limit - 3)]}..."


def quote_text(value: object, limit: int = MAX_QUOTED) -> str:
    """Return a JSON value for a message, quoted and on one line.

    A provider or a client chose the value. Without escapes, a line break in it could forge a line of the log.

    Args:
        value: a parsed JSON value. Of an object or an array, only the type is named.
        limit: the most characters between the quotes.
    """
    if is_object(value):
        return "an object"
    if is_list(value):
        return "an array"
    if not isinstance(value, str):
        return escape_text(json.dumps(value), limit)
    # Without these two escapes, a quote could end the quoted text early.
    text = value[: limit + 1].replace("\\", r"\\").replace("'", r"\'")
    return f"'{escape_text(text, limit)}'"


def _escape(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
