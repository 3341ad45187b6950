"""Claim paths: ``realm_access.roles``, ``resource_access."my.client".roles``, ``https://acme.com/roles``.

The grammar is ``segment ("." segment)*``. A segment is bare (anything but ``. " [ ] *`` and space) or ``"quoted"``. A
text that contains ``://`` is one name. A list of strings is a list of keys. Expressions, wildcards and
fallbacks are not supported, so the meaning of a path never depends on the token.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..json_values import is_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ClaimPath = tuple[str, ...]

MISSING: Final = object()
"""The result for a claim that does not exist. A claim with the value null is another case."""

_SEGMENT = re.compile(r'"(?P<quoted>[^"]+)"|(?P<bare>[^."\[\]* ]+)')


_QUOTED = re.compile(r'"[^"]*"')
_NO_WILDCARDS = (
    "wildcards in claim paths are not supported: write one permission map for each name, for example for each client"
)


class ClaimPathError(ValueError):
    """The text is not a claim path. The message says where it is wrong and what to write."""


def parse_path(path: str | Sequence[str]) -> ClaimPath:
    """Return the keys of a path.

    Raises:
        ClaimPathError: The path is not valid.
    """
    if not isinstance(path, str):
        return _reject_wildcards(path, _from_keys(path))
    # Some providers need URLs as names of custom claims. Their dots do not separate keys.
    if "://" in path:
        return (path,)
    if path.startswith(("/", "$")):
        raise ClaimPathError(f"{path!r} looks like a JSON pointer or JSONPath: {_suggest_path(path)}")
    if "*" in _QUOTED.sub("", path):
        raise ClaimPathError(f"{path!r}: {_NO_WILDCARDS}")
    return _reject_wildcards(path, _from_text(path))


def _reject_wildcards(path: str | Sequence[str], keys: ClaimPath) -> ClaimPath:
    # A quoted "*" would only match a claim of that name, which no provider has.
    if "*" in keys:
        raise ClaimPathError(f"{path!r}: {_NO_WILDCARDS}")
    return keys


def _from_keys(keys: Sequence[str]) -> ClaimPath:
    if not keys or not all(keys):
        raise ClaimPathError("a list of keys must hold non-empty strings")
    return tuple(keys)


def _from_text(path: str) -> ClaimPath:
    keys: list[str] = []
    position = 0
    while True:
        match = _SEGMENT.match(path, position)
        if match is None:
            raise ClaimPathError(f"{path!r}: a claim name is expected at position {position + 1}; quote unusual ones")
        keys.append(match["quoted"] or match["bare"])
        position = match.end()
        if position == len(path):
            return tuple(keys)
        if path[position] != ".":
            raise ClaimPathError(f"{path!r}: '.' is expected at position {position + 1}; quote unusual names")
        position += 1


def _suggest_path(path: str) -> str:
    keys = [key for key in re.split(r"[/.]", path.lstrip("/$.")) if key]
    return f"write {'.'.join(keys)}" if keys else "write claim names separated by dots"


def find_claim(claims: Mapping[str, object], path: ClaimPath) -> object:
    """Return the value at ``path``, or ``MISSING``."""
    value: object = claims
    for key in path:
        # Only objects have members. An index of a list would depend on the order that the provider chose.
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]  # pyright: ignore[reportUnknownVariableType] - a JSON object
    return value  # pyright: ignore[reportUnknownVariableType]


def format_path(path: ClaimPath) -> str:
    """Return the path as it is written in a configuration."""
    if len(path) == 1 and "://" in path[0]:
        return path[0]
    return ".".join(key if _SEGMENT.fullmatch(key) and not key.startswith('"') else f'"{key}"' for key in path)


def is_empty(value: object) -> bool:
    """Tell whether a claim says nothing: no value, a blank string, no member, or only empty members."""
    # Providers send "" or [] for a user without the attribute, so presence alone proves nothing.
    if isinstance(value, str):
        return not value.strip()
    # False and 0 are values.
    return all(map(is_empty, value)) if is_list(value) else value in (None, MISSING) or value == {}


def list_members(value: object) -> list[object]:
    """Return the members of a list, or any other value as the only one."""
    return value if is_list(value) else [value]
