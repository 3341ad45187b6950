"""Parsing of a configuration file in TOML or JSON."""

from __future__ import annotations

import codecs
import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, Problem
from ..json_values import is_list, is_object

if TYPE_CHECKING:
    from collections.abc import Iterator


def parse_file(source: str) -> object:
    """Return the content of a file. A name that ends in ``.json`` is JSON, any other is TOML.

    Raises:
        ConfigError: The file does not exist, cannot be parsed, or has a key twice.
    """
    raw = b""
    try:
        raw = Path(source).read_bytes()
        return _parse_json(raw, source) if source.endswith(".json") else tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        why = error.strerror or type(error).__name__
        # A relative path depends on it, and a server often starts in another folder than the shell.
        hint = f"the working directory is {Path.cwd()}"
        raise ConfigError([Problem("", f"cannot be read: {why}", hint)], source=source) from None
    # It is a ValueError too, and has its report already.
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError([_parse_problem(raw, error)], source=source) from None


def child_path(where: str, key: str) -> str:
    """Return the key path of a member of the table at ``where``."""
    return f"{where}.{key}" if where else key


def _parse_problem(raw: bytes, error: ValueError) -> Problem:
    # Windows editors and PowerShell write these encodings.
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Problem("", "cannot be parsed: it is UTF-16", "save it as UTF-8")
    if raw.startswith(codecs.BOM_UTF8):
        return Problem("", "cannot be parsed: it begins with a byte order mark", "save it as UTF-8 without one")
    return Problem("", f"cannot be parsed: {error}")


def _parse_json(raw: bytes, source: str) -> object:
    # The JSON parser keeps the last of two members of one name. The TOML parser refuses them itself.
    repeated: list[tuple[object, str]] = []

    def table_of(members: list[tuple[str, object]]) -> dict[str, object]:
        table = dict(members)
        repeated.extend((table, key) for key, times in Counter(key for key, _ in members).items() if times > 1)
        return table

    parsed: object = json.loads(raw, object_pairs_hook=table_of)
    # A repeated key in a value that was dropped has no path. The key of that value is then reported.
    places = [
        child_path(where, key) for where, table in _nested_tables(parsed, "") for at, key in repeated if at is table
    ]
    if places:
        raise ConfigError([Problem(place, "is given twice", "keep one of them") for place in places], source=source)
    return parsed


def _nested_tables(value: object, where: str) -> Iterator[tuple[str, object]]:
    if is_object(value):
        yield where, value
        for key, member in value.items():
            yield from _nested_tables(member, child_path(where, key))
    elif is_list(value):
        for number, member in enumerate(value):
            yield from _nested_tables(member, f"{where}[{number}]")
