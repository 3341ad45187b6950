"""Where a configuration comes from: a file, a mapping or the environment, and from exactly one of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from ..errors import ConfigError, Problem
from .lint import did_you_mean, lint, not_yet, warnings_of
from .presets import expanded
from .schema import Document, GrantTable, IssuerTable, LangGraphTable, LimitsTable, RoleTable, normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel

FILE_NAME = "oidc-auth.toml"
CONFIG_VARIABLE = "OIDC_AUTH_CONFIG"
ISSUER_VARIABLE = "OIDC_AUTH_ISSUER"
AUDIENCE_VARIABLE = "OIDC_AUTH_AUDIENCE"
PRESET_VARIABLE = "OIDC_AUTH_PRESET"

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TABLES: Mapping[str, type[BaseModel]] = {
    "issuer": IssuerTable,
    "grant": GrantTable,
    "roles": RoleTable,
    "langgraph": LangGraphTable,
    "limits": LimitsTable,
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration and where it came from.

    Attributes:
        document: what the operator wrote, with presets filled in.
        source: the file, or another name for the place.
        digest: the first 12 hexadecimal digits of its SHA-256, to tell two replicas' configurations apart.
        warnings: what is dangerous although it is allowed.
    """

    document: Document
    source: str
    digest: str
    warnings: tuple[str, ...]


def load_file(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> Loaded:
    """Read a TOML file, or a JSON file with the same keys.

    Raises:
        ConfigError: no such file, not TOML or JSON, or not a valid configuration.
    """
    source = str(path)
    try:
        raw = Path(path).read_bytes()
        parsed: object = json.loads(raw) if source.endswith(".json") else tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError(
            [Problem("", f"cannot be read: {why}", f"the working directory is {Path.cwd()}")], source=source
        ) from None
    except ValueError as error:
        raise ConfigError([Problem("", f"cannot be parsed: {error}")], source=source) from None
    return load_mapping(cast("Mapping[str, Any]", parsed), source=source, environ=environ)


def load_mapping(
    raw: Mapping[str, Any], *, source: str = "mapping", environ: Mapping[str, str] | None = None
) -> Loaded:
    """Check a configuration given as a mapping with the keys of the TOML file.

    Raises:
        ConfigError: all that is wrong with it, at once.
    """
    problems: list[Problem] = []
    document = cast("dict[str, Any]", _resolved(raw, "", os.environ if environ is None else environ, problems))
    if not isinstance(document, dict):  # pyright: ignore[reportUnnecessaryIsInstance] - a JSON file may hold anything
        raise ConfigError([Problem("", "is not a table")], source=source)
    digest = hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()[:12]
    document = normalised(document)
    if isinstance(document.get("issuer"), list):
        tables = cast("list[object]", document["issuer"])
        document["issuer"] = [
            expanded(cast("dict[str, Any]", table)) if isinstance(table, dict) else table for table in tables
        ]
        document = normalised(document)
    problems += not_yet(document)
    shaped, shape_problems = _shape(document)
    problems = _merged([*problems, *shape_problems, *lint(document)])
    if problems or shaped is None:
        raise ConfigError(problems, source=source)
    return Loaded(shaped, source, digest, warnings_of(document))


def load_environment(environ: Mapping[str, str], folder: Path) -> Loaded:
    """Find the one configuration: OIDC_AUTH_CONFIG, ./oidc-auth.toml, or OIDC_AUTH_ISSUER with OIDC_AUTH_AUDIENCE.

    Raises:
        ConfigError: none, more than one, or one that is not valid.
    """
    named, local = environ.get(CONFIG_VARIABLE), folder / FILE_NAME
    files = {(folder / named).resolve()} if named else set[Path]()
    if local.is_file():
        files.add(local.resolve())
    sources = [*(str(path) for path in sorted(files)), *([ISSUER_VARIABLE] if environ.get(ISSUER_VARIABLE) else [])]
    if len(sources) != 1:
        raise ConfigError([_not_one(sources, folder)])
    if files:
        return load_file(sources[0], environ)
    return load_mapping({"issuer": _issuer_of(environ)}, source=f"${ISSUER_VARIABLE}", environ=environ)


def _not_one(sources: list[str], folder: Path) -> Problem:
    if sources:
        return Problem("", f"{len(sources)} configurations: {', '.join(sources)}", "keep one: which of them counts?")
    return Problem(
        "",
        f"no configuration: neither ${CONFIG_VARIABLE}, nor {FILE_NAME} in {folder}, nor ${ISSUER_VARIABLE}",
        f"write {FILE_NAME} beside langgraph.json; the working directory is {folder}",
    )


def _issuer_of(environ: Mapping[str, str]) -> dict[str, Any]:
    table: dict[str, Any] = {"preset": environ.get(PRESET_VARIABLE) or "generic", "issuer": environ[ISSUER_VARIABLE]}
    if audience := environ.get(AUDIENCE_VARIABLE):
        table["audience"] = audience
    return table


def _resolved(value: object, where: str, environ: Mapping[str, str], problems: list[Problem]) -> object:
    """Return the value with each ``${NAME}`` replaced by that variable; keys are left alone."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {k: _resolved(v, f"{where}.{k}".lstrip("."), environ, problems) for k, v in members.items()}
    if isinstance(value, (list, tuple)):
        members_ = cast("Iterable[object]", value)
        return [_resolved(v, f"{where}[{n}]", environ, problems) for n, v in enumerate(members_)]
    if not isinstance(value, str):
        return value
    problems.extend(
        Problem(where, f"the environment has no variable {name}", f"set {name}, or write the value")
        for name in _REFERENCE.findall(value)
        if name not in environ
    )
    return _REFERENCE.sub(lambda match: environ.get(match[1], ""), value)


def _shape(document: dict[str, Any]) -> tuple[Document | None, list[Problem]]:
    try:
        return Document.model_validate(document), []
    except ValidationError as error:
        return None, [_problem(cast("dict[str, Any]", fault), document) for fault in error.errors(include_url=False)]


def _problem(fault: dict[str, Any], document: dict[str, Any]) -> Problem:
    location = cast("tuple[str | int, ...]", fault["loc"])
    where, kind = _where(location), str(fault["type"])
    if kind == "extra_forbidden":
        return Problem(where, "unknown key", did_you_mean(location[-1], _known_keys(location)))
    if kind == "missing":
        return Problem(where, "is missing")
    if kind == "value_error":
        return Problem(where, str(fault["ctx"]["error"]))
    said = str(fault["msg"]).replace("Input should be", "should be", 1)
    return Problem(where, f"{said}; found {_kind_of(document, location)}")


def _where(location: Iterable[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _known_keys(location: tuple[str | int, ...]) -> Iterator[str]:
    names = [part for part in location[:-1] if isinstance(part, str)]
    table = next((_TABLES[name] for name in reversed(names) if name in _TABLES), Document)
    yield from table.model_fields
    if table is IssuerTable:
        yield from ("url", "domain")


def _kind_of(document: object, location: Iterable[str | int]) -> str:
    """Return what kind of value stands at a path; not the value: it may be a secret."""
    value = document
    for part in location:
        try:
            value = cast("Any", value)[part]
        except (KeyError, IndexError, TypeError):
            return "nothing"
    names = {
        "str": "a string",
        "int": "a number",
        "float": "a number",
        "bool": "a boolean",
        "list": "a list",
        "dict": "a table",
    }
    kind = type(value).__name__
    return names.get(kind, kind)


def _merged(problems: Iterable[Problem]) -> list[Problem]:
    """One problem a place and cause, in the order of the document's paths; the shape's word comes first."""
    kept: dict[tuple[str, str], Problem] = {}
    missing = set[str]()
    for problem in problems:
        # Both passes may say that the same key is missing: the second knows the cure, the first was earlier.
        if problem.message.startswith("is missing"):
            if problem.where in missing:
                continue
            missing.add(problem.where)
        kept.setdefault((problem.where, problem.message), problem)
    return sorted(kept.values(), key=lambda problem: problem.where)
