"""Quote values that a client or a provider chose, for messages.

This is the only protection against forged log lines, so it is a module that can be reviewed alone.
"""

from __future__ import annotations

from itertools import islice

from .json_values import is_list, is_object

MAX_LENGTH = 120
"""Characters of a quoted value. A token may hold thousands."""
MAX_MEMBERS = 8
MAX_DEPTH = 4


def quote(value: object, limit: int = MAX_LENGTH) -> str:
    """Return a value on one line of at most ``limit`` characters.

    Control characters are escaped, because a line break could forge a line of the log. The cost does not depend on
    the length of the value.
    """
    if value is None:
        return "none"
    text = _quote(value, limit, MAX_DEPTH)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _quote(value: object, limit: int, depth: int) -> str:
    if isinstance(value, str):
        # A quoted text is at least as long as the text. So the cut is always shown.
        return repr(value[:limit])
    if depth == 0:
        return "..."
    if is_list(value):
        return f"[{_join([_quote(each, limit, depth - 1) for each in islice(value, MAX_MEMBERS)], len(value))}]"
    if is_object(value):
        members = islice(value.items(), MAX_MEMBERS)
        pairs = [f"{_quote(name, limit, depth - 1)}: {_quote(each, limit, depth - 1)}" for name, each in members]
        return f"{{{_join(pairs, len(value))}}}"
    # A JSON integer has at most 20 digits (see ``tokens.jws``).
    return repr(value)


def _join(parts: list[str], count: int) -> str:
    return ", ".join(parts if count <= MAX_MEMBERS else [*parts, "..."])


def list_examples(values: frozenset[str] | tuple[str, ...], *, most: int = 12) -> str:
    """Return configured values for a message, with a number in place of those after the first ``most``."""
    shown = [quote(value) if value == "" else value for value in sorted(values)[:most]]
    more = [] if len(values) <= most else [f"{len(values) - most} more"]
    return " and ".join(filter(None, [", ".join(shown), *more])) or "none"
