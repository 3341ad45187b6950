"""Entries of the Python API page: signature and docstring of each public name."""

from __future__ import annotations

import inspect
import re
from enum import Enum
from functools import partial
from importlib import import_module
from textwrap import fill
from typing import TYPE_CHECKING, Any

from markers import escape, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MODULES = ("oidc_auth", "oidc_auth.langgraph", "oidc_auth.web", "oidc_auth.local_provider", "oidc_auth.testing")
SECTIONS = {"Args": "argument", "Attributes": "attribute", "Raises": "error", "Returns": "result"}
LONGEST_LIST = 20
"""A longer enumeration has a separate page."""
WIDTH = 120
MEMBER = re.compile(r"^    (\*{0,2}[\w.]+): (.*)$")


def public_names() -> Iterator[tuple[str, object]]:
    """Yield each public name with its module, and its object."""
    for module in MODULES:
        loaded = import_module(module)
        for name in loaded.__all__:
            yield f"{module}.{name}", getattr(loaded, name)


def preset_functions() -> Iterator[tuple[str, Any]]:
    """Yield each function of ``oidc_auth.presets``, with its name."""
    for name, function in inspect.getmembers(import_module("oidc_auth").presets, inspect.isfunction):
        if not name.startswith("_") and "audience" in inspect.signature(function).parameters:
            yield name, function


def _preset_table() -> str:
    rows = [
        [f"`{name}({', '.join(_parameters(inspect.signature(function).parameters.values()))})`", _summary(function)]
        for name, function in preset_functions()
    ]
    return table(["function", "description"], rows)


def _summary(found: object) -> str:
    """Return a docstring's text on one line of a table."""
    return " ".join((inspect.getdoc(found) or "").split()).replace("``", "`").replace("|", "\\|")


def entry(name: str, found: object) -> str:
    """Return signature, docstring and methods of one public name."""
    if isinstance(found, str):
        return "The version of the library, as text."
    parts = [_signature(name, found), text(inspect.getdoc(found) or ""), _members(found), _methods(found)]
    return "\n\n".join(part for part in parts if part)


def text(docstring: str) -> str:
    """Return a docstring in Google's style as Markdown: its sections become tables, its example is left out."""
    plain = re.sub(r"\n*^Example::?\n.*?(?=^\S|\Z)", "\n\n", docstring, flags=re.DOTALL | re.MULTILINE)
    plain = plain.replace("``", "`").replace("::\n", ":\n")
    blocks = [_block(block) for block in re.split(r"\n{2,}", plain.strip())]
    return "\n\n".join(blocks)


def _block(block: str) -> str:
    head, _, rest = block.partition("\n")
    section = SECTIONS.get(head.rstrip(":"))
    if section is None or not head.endswith(":"):
        # A drawing keeps its lines; it is indented.
        return (
            f"```text\n{inspect.cleandoc(block)}\n```"
            if block.startswith("    ")
            else fill(escape(" ".join(block.split())), WIDTH)
        )
    rows: list[list[str]] = []
    for line in rest.splitlines():
        if member := MEMBER.match(line):
            rows.append([f"`{member[1]}`", member[2]])
        elif rows:
            rows[-1][1] += f" {line.strip()}"
    return table([section, "description"], [[name, words.replace("|", "\\|")] for name, words in rows])


def _signature(name: str, found: object) -> str:
    if not callable(found) or getattr(found, "_is_protocol", False) or _is_enum(found):
        return ""
    short = name.rpartition(".")[2] if name.count(".") > 1 else name.partition(".")[2]
    try:
        parameters = inspect.signature(found).parameters.values()
    except ValueError:
        return ""
    return f"```text\n{short}({', '.join(_parameters(parameters))})\n```"


def _parameters(parameters: Any) -> Iterator[str]:  # noqa: ANN401 - the view of a mapping
    starred = False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            starred = True
        elif parameter.kind is parameter.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        marks = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
        default = "" if parameter.default is parameter.empty else f"={_default(parameter.default)}"
        yield f"{marks.get(parameter.kind, '')}{parameter.name}{default}"


def _default(value: object) -> str:
    if isinstance(value, Enum):
        return str(value)
    if type(value).__repr__ is object.__repr__ or str(value).startswith("<"):
        return getattr(value, "__name__", "...")
    return "..." if callable(value) else repr(value)


def _is_enum(found: object) -> bool:
    return inspect.isclass(found) and issubclass(found, Enum)


def _members(found: object) -> str:
    if not inspect.isclass(found) or not issubclass(found, Enum) or len(found) > LONGEST_LIST:
        return ""
    return "Members: " + ", ".join(f"`{member.name}`" for member in found) + "."


def _methods(found: object) -> str:
    if not inspect.isclass(found) or issubclass(found, Enum):
        return ""
    rows: list[list[str]] = []
    for name, member in vars(found).items():
        described = inspect.getdoc(getattr(found, name, None))
        if name.startswith("_") or described is None or not _is_described(member):
            continue
        summary = " ".join(described.partition("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")
        rows.append([f"`{name}`" if isinstance(member, property) else f"`{name}()`", summary])
    return table(["method", "description"], rows) if rows else ""


def _is_described(member: object) -> bool:
    return isinstance(member, (property, classmethod, staticmethod)) or inspect.isfunction(member)


API: Mapping[str, Callable[[], str]] = {
    **{name: partial(entry, name, found) for name, found in public_names()},
    "preset-functions": _preset_table,
}
