"""The digest of a configuration: equal for equal files on two machines, and computed without secrets."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .forms import convert

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

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
    public = convert(document, model, lambda mark, value: mark.hide(value) if isinstance(mark, Secret) else value)
    return hashlib.sha256(json.dumps(public, sort_keys=True).encode()).hexdigest()[:LENGTH]
