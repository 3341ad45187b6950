"""Validation of a document against the schema, with errors in the words of a configuration file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from ..errors import Problem
from ..quoting import quote
from .forms import describe_form, find_table
from .raw_document import did_you_mean, kind_of
from .schema import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ABSENT: Mapping[str, str] = {"missing": "is missing", "string_too_short": "is empty", "too_short": "is empty"}
BOUNDS = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})
EXPECTED: Mapping[str, str] = {
    "string_type": "should be a string",
    "bool_type": "should be true or false",
    "float_type": "should be a number",
    "int_type": "should be a whole number",
    "dict_type": "should be a table",
    "string_pattern_mismatch": "should be the name of a header, in lower case",
}
"""Pydantic's types of errors, and what the value should be."""
FIRST_ISSUER = "add an [[issuer]] table with a preset and an audience; 'oidc-auth init PROVIDER' writes one"


def validate_shape(document: dict[str, Any]) -> tuple[Document | None, list[Problem]]:
    """Return the document as its schema declares it, or the problems of its keys and types."""
    try:
        return Document.model_validate(document), []
    except ValidationError as error:
        return None, [_problem(cast("dict[str, Any]", fault), document) for fault in error.errors(include_url=False)]


def _problem(fault: dict[str, Any], document: dict[str, Any]) -> Problem:
    location = cast("tuple[str | int, ...]", fault["loc"])
    where, kind = _format_location(location), str(fault["type"])
    if kind == "extra_forbidden":
        return Problem(
            where, "unknown key", did_you_mean(location[-1], find_table(Document, location[:-1]).model_fields)
        )
    if kind in ABSENT:
        return Problem(where, ABSENT[kind], FIRST_ISSUER if where == "issuer" else "")
    if kind == "value_error":
        return Problem(where, str(fault["ctx"]["error"]))
    # A number out of bounds can be shown. Any other value can be a secret, so only its kind is shown.
    found = quote(fault["input"]) if kind in BOUNDS else _kind_at(document, location)
    return Problem(where, f"{_describe_expected(fault, location)}; found {found}")


def _describe_expected(fault: Mapping[str, Any], location: tuple[str | int, ...]) -> str:
    kind = str(fault["type"])
    if kind in ("list_type", "model_type"):
        # Pydantic knows one form only. The text names every form that may be written.
        return f"should be {describe_form(Document, location)}"
    return EXPECTED.get(kind) or str(fault["msg"]).replace("Input should be", "should be", 1)


def _format_location(location: Iterable[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _kind_at(document: object, location: Iterable[str | int]) -> str:
    value = document
    for part in location:
        try:
            value = cast("Any", value)[part]
        except (KeyError, IndexError, TypeError):
            return kind_of(None)
    return kind_of(value)
