"""Other forms in which a value may be written, and their conversion to one form."""

from __future__ import annotations

import json
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from ..json_values import is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

    Convert = Callable[[object, object], object]


class AlsoAccepts:
    """Annotation for a value that may also be written in another form.

    Args:
        *types: JSON types other than that of the annotated type.
        single: A member of the list may be written in place of a list of one.
        convert: Returns a value of these types in the form of the annotated type.
    """

    def __init__(self, *types: str, single: bool = False, convert: Callable[[object], object] | None = None) -> None:
        self._types = types
        self._single = single
        self._convert = convert

    def normalize(self, value: object) -> object:
        """Return the value in the one form that the schema declares."""
        if self._convert is not None:
            value = self._convert(value)
        # Only a string or a table is a member. Anything else stays, so that validation names its type.
        return [value] if self._single and (isinstance(value, str) or is_object(value)) else value

    @property
    def accepts_string(self) -> bool:
        """Whether a string may be written in place of a table."""
        return "string" in self._types

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the forms as alternatives."""
        # Editors check a file before it is normalized, so the JSON Schema needs all forms.
        shape = handler(core)
        single = [shape["items"]] if self._single else []
        return {"anyOf": [*single, *({"type": name} for name in self._types), shape]}


def as_text(value: object) -> object:
    """Return the JSON text of a number or a boolean, and any other value unchanged."""
    # Claims are compared by their JSON text. str() would make "True" from true.
    return json.dumps(value) if isinstance(value, (bool, int, float)) else value


def as_table(key: str, *types: type) -> Callable[[object], object]:
    """Return a function that puts a value of these types into a table under ``key``."""

    def convert(value: object) -> object:
        # Values of other types stay, so that validation reports them at the path that the operator wrote.
        return value if is_object(value) or not isinstance(value, types) else {key: value}

    return convert


def normalize(raw: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return a table with each value in its one form.

    Pydantic could try each form itself, but then its errors name the branches of a union in their path. A value of a
    wrong type is left unchanged, so that validation reports it.
    """
    return convert(raw, model, lambda mark, value: mark.normalize(value) if isinstance(mark, AlsoAccepts) else value)


def convert(table: Mapping[str, Any], model: type[BaseModel], apply: Convert) -> dict[str, Any]:
    """Return a table whose values were converted by the annotations of the schema. Unknown keys stay.

    Args:
        table: The table. It may be invalid.
        model: Its schema.
        apply: ``(annotation, value) -> value``, called for each annotation of each value.
    """
    fields = model.model_fields
    return {
        name: _convert_value(value, fields[name].annotation, fields[name].metadata, apply) if name in fields else value
        for name, value in table.items()
    }


def _convert_value(value: object, annotation: object, metadata: Iterable[object], apply: Convert) -> object:
    if get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
    for mark in metadata:
        value = apply(mark, value)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        # The only other member of a union is None: the key may be absent.
        return _convert_value(value, arguments[0], (), apply)
    if origin is list and is_list(value):
        return [_convert_value(member, arguments[0], (), apply) for member in value]
    # Keys of such a table are the operator's own names, such as roles and claim values. Only the members have forms.
    if origin is dict and is_object(value):
        return {key: _convert_value(member, arguments[1], (), apply) for key, member in value.items()}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and is_object(value):
        return convert(value, annotation, apply)
    return value


def find_table(document: type[BaseModel], location: Iterable[str | int]) -> type[BaseModel]:
    """Return the innermost table that a location in a document leads into."""
    table = document
    for part in location:
        if part in table.model_fields:
            # Indexes, and keys of a table such as [roles], name no other table. The last one found stays.
            table = _find_model(table.model_fields[str(part)].annotation) or table
    return table


def describe_form(document: type[BaseModel], location: tuple[str | int, ...]) -> str:
    """Return what may be written at a location that holds a list or a table."""
    key = next((part for part in reversed(location) if isinstance(part, str)), "")
    field = find_table(document, location[:-1]).model_fields.get(key)
    model = None if field is None else _find_model(field.annotation)
    if field is None or model is None:
        return "a string, or a list of strings"
    text = "a string or a table" if _accepts_string(field.annotation) else "a table"
    return f"{text}, or a list of them" if any(isinstance(each, AlsoAccepts) for each in field.metadata) else text


def _accepts_string(annotation: object) -> bool:
    parts = (annotation, *get_args(annotation))
    nested = (each for part in parts if get_origin(part) is Annotated for each in get_args(part)[1:])
    return any(isinstance(form, AlsoAccepts) and form.accepts_string for form in nested)


def _find_model(annotation: object) -> type[BaseModel] | None:
    """Return the model in an annotation, also as a member of a list or a table, or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _find_model(each)) is not None), None)
