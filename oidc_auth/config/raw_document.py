"""Read a raw document that may be invalid.

All lint modules share it, because pydantic reports nothing more about a table if one of its keys is invalid.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ..json_values import is_list
from ..tokens.claim_path import ClaimPathError, parse_path

if TYPE_CHECKING:
    from collections.abc import Iterable

Table = dict[str, Any]


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return a suggestion for a misspelt word, or ""."""
    # A key of a Python mapping can be any object.
    close = get_close_matches(str(word), sorted(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""


def kind_of(value: object) -> str:
    """Return the kind of a value. The value itself can be a secret."""
    names = {"str": "a string", "int": "a number", "float": "a number", "bool": "a boolean", "list": "a list"}
    return {**names, "dict": "a table", "NoneType": "nothing"}.get(type(value).__name__, type(value).__name__)


def read_path(claim: object) -> tuple[str, ...]:
    """Return the keys of a claim path in any form, or () if it is not a path."""
    if isinstance(claim, list):
        # Validation reports a member that is not a string.
        claim = read_strings(cast("object", claim))
    try:
        return parse_path(cast("str | list[str]", claim)) if isinstance(claim, (str, list)) else ()
    except ClaimPathError:
        return ()


def read_tables(value: object) -> list[tuple[int, Table]]:
    """Return the tables of a list, each with its index."""
    # With the index in the file, so that a malformed table before it does not shift the paths of problems.
    members = value if is_list(value) else []
    return [(number, cast("Table", table)) for number, table in enumerate(members) if isinstance(table, dict)]


def read_table(value: object) -> Table:
    """Return a table, or an empty one for anything else."""
    return cast("Table", value) if isinstance(value, dict) else {}


class Condition(NamedTuple):
    """One entry of ``require`` or ``when``: its text, its claim path and its values."""

    written: str
    path: tuple[str, ...]
    values: list[str]


def read_conditions(value: object) -> list[Condition]:
    """Return the entries of a table of conditions."""
    return [
        Condition(written, read_path(written), read_strings(values)) for written, values in read_table(value).items()
    ]


def read_strings(value: object) -> list[str]:
    """Return the strings of a list, or [] for anything else."""
    return [text for text in value if isinstance(text, str)] if is_list(value) else []
