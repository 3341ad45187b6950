"""Where a configuration comes from: a file, a mapping or the environment, and from exactly one of them."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from ..errors import ConfigError, Problem
from ..json_values import is_list, is_object
from ..tokens.checks import format_value
from .expand_presets import expanded
from .forms import describe_form, find_table
from .lint import find_consequences, lint
from .lint_warnings import find_warnings
from .raw_document import did_you_mean, kind_of
from .schema import Document, normalize_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE_NAME = "oidc-auth.toml"
CONFIG_VARIABLE = "OIDC_AUTH_CONFIG"
ISSUER_VARIABLE = "OIDC_AUTH_ISSUER"
AUDIENCE_VARIABLE = "OIDC_AUTH_AUDIENCE"
PRESET_VARIABLE = "OIDC_AUTH_PRESET"

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ABSENT: Mapping[str, str] = {"missing": "is missing", "string_too_short": "is empty", "too_short": "is empty"}
_FIRST_ISSUER = "add an [[issuer]] table, which names a preset and an audience; 'oidc-auth init PROVIDER' writes one"
_BOUNDS = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})
_EXPECTED: Mapping[str, str] = {
    "string_type": "should be a string",
    "bool_type": "should be true or false",
    "float_type": "should be a number",
    "int_type": "should be a whole number",
    "dict_type": "should be a table",
    "string_pattern_mismatch": "should be the name of a header, in lower case",
}


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A valid configuration and where it came from.

    Attributes:
        document: what the operator wrote, with presets filled in.
        source: the file, or another name for the place.
        digest: the first 12 hexadecimal digits of its SHA-256, to tell two replicas' configurations apart.
        warnings: what is dangerous, or hardly meant, although it is allowed.
    """

    document: Document
    source: str
    digest: str
    warnings: tuple[str, ...]


def load_file(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> LoadedConfig:
    """Read a TOML file, or a JSON file with the same keys.

    Raises:
        ConfigError: no such file, not TOML or JSON, a key twice, or not a valid configuration.
    """
    source, raw = str(path), b""
    try:
        raw = Path(path).read_bytes()
        parsed = _parse_json_file(raw, source) if source.endswith(".json") else tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError(
            [Problem("", f"cannot be read: {why}", f"the working directory is {Path.cwd()}")], source=source
        ) from None
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError([_parse_problem(raw, error)], source=source) from None
    if isinstance(parsed, dict) and "graphs" in parsed and "issuer" not in parsed:
        message = "this is langgraph.json, which says what the server runs, and not whom it trusts"
        raise ConfigError([Problem("", message, f"give the file with [[issuer]], {FILE_NAME}")], source=source)
    return load_mapping(cast("Mapping[str, Any]", parsed), source=source, environ=environ)


def _parse_problem(raw: bytes, error: ValueError) -> Problem:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Problem("", "cannot be parsed: it is UTF-16", "save it as UTF-8")
    if raw.startswith(codecs.BOM_UTF8):
        return Problem("", "cannot be parsed: it begins with a byte order mark", "save it as UTF-8 without one")
    return Problem("", f"cannot be parsed: {error}")


def _parse_json_file(raw: bytes, source: str) -> object:
    """Return a JSON document. The parser would keep the last of two members of one name; TOML's refuses them itself."""
    repeated: list[tuple[object, str]] = []

    def table_of(members: list[tuple[str, object]]) -> dict[str, object]:
        table = dict(members)
        repeated.extend((table, key) for key, times in Counter(key for key, _ in members).items() if times > 1)
        return table

    parsed: object = json.loads(raw, object_pairs_hook=table_of)
    # One inside of a value that was dropped has no place; then the key of that value has.
    places = [
        _child_path(where, key) for where, table in _nested_tables(parsed, "") for at, key in repeated if at is table
    ]
    if places:
        raise ConfigError([Problem(place, "stands twice", "keep one of them") for place in places], source=source)
    return parsed


def _nested_tables(value: object, where: str) -> Iterator[tuple[str, object]]:
    if is_object(value):
        yield where, value
        for key, member in value.items():
            yield from _nested_tables(member, _child_path(where, key))
    elif is_list(value):
        for number, member in enumerate(value):
            yield from _nested_tables(member, f"{where}[{number}]")


def load_mapping(
    raw: Mapping[str, Any], *, source: str = "mapping", environ: Mapping[str, str] | None = None
) -> LoadedConfig:
    """Check a configuration given as a mapping with the keys of the TOML file.

    Raises:
        ConfigError: all that is wrong with it, at once.
    """
    if not isinstance(raw, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - a JSON file may hold anything
        raise ConfigError([Problem("", "is not a table")], source=source)
    places: dict[str, int] = {}
    first: list[Problem] = []
    plain = normalize_document(cast("dict[str, Any]", _to_plain(raw)))
    resolved = _resolve_references(plain, "", os.environ if environ is None else environ, first, places)
    written = cast("dict[str, Any]", resolved)
    document = _expand_presets(written)
    shaped, shape_problems = _validate_shape(document)
    problems = _merge_problems(first, [*lint(document, written)], shape_problems, find_consequences(document), places)
    if problems or shaped is None:
        raise ConfigError(problems, source=source)
    digest = hashlib.sha256(json.dumps(resolved, sort_keys=True).encode()).hexdigest()[:12]
    return LoadedConfig(shaped, source, digest, find_warnings(document))


def _expand_presets(document: dict[str, Any]) -> dict[str, Any]:
    tables = document.get("issuer")
    if not is_list(tables):
        return document
    filled = [expanded(table) if is_object(table) else table for table in tables]
    return normalize_document({**document, "issuer": filled})


def load_environment(environ: Mapping[str, str], folder: Path) -> LoadedConfig:
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
        raise ConfigError([_source_problem(sources, folder)])
    if files:
        return load_file(sources[0], environ)
    return load_mapping({"issuer": _issuer_from_env(environ)}, source=f"${ISSUER_VARIABLE}", environ=environ)


def _source_problem(sources: list[str], folder: Path) -> Problem:
    if sources:
        return Problem("", f"{len(sources)} configurations: {', '.join(sources)}", "keep one: which of them counts?")
    return Problem(
        "",
        f"no configuration: neither ${CONFIG_VARIABLE}, nor {FILE_NAME} in {folder}, nor ${ISSUER_VARIABLE}",
        f"start the server in the folder with {FILE_NAME}, or let {CONFIG_VARIABLE} name the file",
    )


def _issuer_from_env(environ: Mapping[str, str]) -> dict[str, Any]:
    table: dict[str, Any] = {"preset": environ.get(PRESET_VARIABLE) or "generic", "issuer": environ[ISSUER_VARIABLE]}
    if audience := environ.get(AUDIENCE_VARIABLE):
        table["audience"] = audience
    return table


def _to_plain(value: object) -> object:
    """Return the value with any mapping as a dict and any sequence as a list."""
    if isinstance(value, Mapping):
        return {key: _to_plain(member) for key, member in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_to_plain(each) for each in cast("Iterable[object]", value)]
    return value


def _child_path(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _resolve_references(
    value: object, where: str, environ: Mapping[str, str], problems: list[Problem], places: dict[str, int]
) -> object:
    """Return the value with each ``${NAME}`` replaced by that variable, and note the order of all key paths."""
    places.setdefault(where, len(places))
    if isinstance(value, dict):
        members = cast("dict[object, object]", value)
        odd = [key for key in members if not isinstance(key, str)]
        problems.extend(Problem(_child_path(where, str(key)), "the key is no string", "quote it") for key in odd)
        return {
            str(k): _resolve_references(v, _child_path(where, str(k)), environ, problems, places)
            for k, v in members.items()
        }
    if is_list(value):
        return [_resolve_references(v, f"{where}[{n}]", environ, problems, places) for n, v in enumerate(value)]
    if not isinstance(value, str):
        return value
    problems.extend(
        Problem(where, f"the environment has no variable {name}", f"set {name}, or write the value")
        for name in _REFERENCE.findall(value)
        if name not in environ
    )
    return _REFERENCE.sub(lambda match: environ.get(match[1], match[0]), value)


def _validate_shape(document: dict[str, Any]) -> tuple[Document | None, list[Problem]]:
    try:
        return Document.model_validate(document), []
    except ValidationError as error:
        return None, [_problem(cast("dict[str, Any]", fault), document) for fault in error.errors(include_url=False)]


def _problem(fault: dict[str, Any], document: dict[str, Any]) -> Problem:
    location = cast("tuple[str | int, ...]", fault["loc"])
    where, kind = _where(location), str(fault["type"])
    if kind == "extra_forbidden":
        return Problem(
            where, "unknown key", did_you_mean(location[-1], find_table(Document, location[:-1]).model_fields)
        )
    if kind in _ABSENT:
        return Problem(where, _ABSENT[kind], _FIRST_ISSUER if where == "issuer" else "")
    if kind == "value_error":
        return Problem(where, str(fault["ctx"]["error"]))
    # A number that is out of bounds is no secret; of anything else only the kind is told.
    found = format_value(fault["input"]) if kind in _BOUNDS else _kind_of(document, location)
    return Problem(where, f"{_expected(fault, location)}; found {found}")


def _expected(fault: Mapping[str, Any], location: tuple[str | int, ...]) -> str:
    """Return what should stand at a place, in the words of a configuration file and not in pydantic's."""
    kind = str(fault["type"])
    if kind in ("list_type", "model_type"):
        return f"should be {describe_form(Document, location)}"
    return _EXPECTED.get(kind) or str(fault["msg"]).replace("Input should be", "should be", 1)


def _where(location: Iterable[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _kind_of(document: object, location: Iterable[str | int]) -> str:
    value = document
    for part in location:
        try:
            value = cast("Any", value)[part]
        except (KeyError, IndexError, TypeError):
            return kind_of(None)
    return kind_of(value)


def _merge_problems(
    first: list[Problem],
    meaning: list[Problem],
    shape: list[Problem],
    find_consequences: frozenset[str],
    places: Mapping[str, int],
) -> list[Problem]:
    """Return one report for each mistake, in the order of the document.

    A place that an earlier pass complains of is not complained of again: what the meaning pass says has the hint.
    """
    kept: dict[Problem, None] = {}
    named = set(find_consequences)
    for problems in (first, meaning, shape):
        fresh = [problem for problem in problems if problem.where not in named]
        kept |= dict.fromkeys(fresh)
        named |= {problem.where for problem in fresh}
    return sorted(kept, key=lambda problem: _place(problem.where, places))


def _place(where: str, places: Mapping[str, int]) -> tuple[int, str]:
    """Return where in the document a path stands: one that is not there, where that stands in which it is missing."""
    known = where
    while known and known not in places:
        known = known[: max(known.rfind("."), known.rfind("["), 0)]
    return places.get(known, 0), where
