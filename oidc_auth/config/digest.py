"""The digest of a configuration: equal for equal files on two machines, and computed without secrets."""

from __future__ import annotations

import hashlib
import json
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel

from ..json_values import is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LENGTH = 12
"""Hexadecimal digits of the digest. They are for comparison only, and nothing depends on their secrecy."""


def hide_all(value: object) -> str:
    """Return the same text for any value."""
    del value
    return "(secret)"


def hide_credentials(value: object) -> str:
    """Return an address without its user, password and options. An option can be a password too."""
    try:
        parts = urlsplit(str(value))
    except ValueError:
        return hide_all(value)
    return f"{parts.scheme}:{parts.netloc.rpartition('@')[2]}{parts.path}"


class Secret:
    """Annotation for a value that must not enter the digest, such as a password.

    ``ready`` shows the digest to anyone, so it could be used to test guesses of a short password.

    Args:
        hide: Returns what enters the digest in its place. An address can keep its host.
    """

    def __init__(self, hide: Callable[[object], object] = hide_all) -> None:
        self.hide = hide


def digest_of(document: Mapping[str, Any], model: type[BaseModel]) -> str:
    """Return the digest of a document, as it was written, with the variables of the environment."""
    # Not with the defaults: another version of this library may have other ones.
    public = json.dumps(_public_table(document, model), sort_keys=True)
    return hashlib.sha256(public.encode()).hexdigest()[:LENGTH]


def _public_table(table: Mapping[str, Any], model: type[BaseModel]) -> dict[str, object]:
    fields = model.model_fields
    return {
        name: _public_value(value, fields[name].annotation, fields[name].metadata) if name in fields else value
        for name, value in table.items()
    }


def _public_value(value: object, annotation: object, metadata: Iterable[object] = ()) -> object:
    if get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
    for each in metadata:
        if isinstance(each, Secret):
            return each.hide(value)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        # The only other member of a union is None.
        return _public_value(value, arguments[0])
    if origin is list and is_list(value):
        return [_public_value(member, arguments[0]) for member in value]
    if origin is dict and is_object(value):
        return {key: _public_value(member, arguments[1]) for key, member in value.items()}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and is_object(value):
        return _public_table(value, annotation)
    return value
