"""Loading of the configuration from a file, a mapping or the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import ConfigError, Problem
from ..json_values import is_list, is_object
from .digest import digest_of
from .expand_presets import expanded
from .lint import find_consequences, lint
from .lint_warnings import find_warnings
from .parse_file import child_path, parse_file
from .schema import Document, normalize_document
from .validate import validate_shape

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE_NAME = "oidc-auth.toml"
CONFIG_VARIABLE = "OIDC_AUTH_CONFIG"
ISSUER_VARIABLE = "OIDC_AUTH_ISSUER"
AUDIENCE_VARIABLE = "OIDC_AUTH_AUDIENCE"
PRESET_VARIABLE = "OIDC_AUTH_PRESET"

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A valid configuration and where it came from.

    Attributes:
        document: The configuration with presets filled in.
        source: The file, or another name for its origin.
        digest: The first 12 hexadecimal digits of its SHA-256, to compare replicas. Secrets do not enter it.
        warnings: What is dangerous, or probably a mistake, although it is valid.
    """

    document: Document
    source: str
    digest: str
    warnings: tuple[str, ...]


def load_file(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> LoadedConfig:
    """Read a TOML file, or a JSON file with the same keys.

    Raises:
        ConfigError: The file does not exist, cannot be parsed, or is not valid.
    """
    source = str(path)
    parsed = parse_file(source)
    # A frequent mistake, because the two files are in one folder.
    if isinstance(parsed, dict) and "graphs" in parsed and "issuer" not in parsed:
        message = "this is langgraph.json, which does not name the trusted issuers"
        raise ConfigError([Problem("", message, f"name the file with [[issuer]], such as {FILE_NAME}")], source=source)
    return load_mapping(cast("Mapping[str, Any]", parsed), source=source, environ=environ)


def load_mapping(
    raw: Mapping[str, Any], *, source: str = "mapping", environ: Mapping[str, str] | None = None
) -> LoadedConfig:
    """Check a configuration given as a mapping with the keys of the TOML file.

    Raises:
        ConfigError: All its problems together.
    """
    if not isinstance(raw, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - a JSON file may hold anything
        raise ConfigError([Problem("", "is not a table")], source=source)
    places: dict[str, int] = {}
    first: list[Problem] = []
    plain = normalize_document(cast("dict[str, Any]", _to_plain(raw)))
    # Before the presets and the checks, so that an address from the environment is checked like a written one.
    resolved = _resolve_references(plain, "", os.environ if environ is None else environ, first, places)
    written = cast("dict[str, Any]", resolved)
    document = _expand_presets(written)
    shaped, shape_problems = validate_shape(document)
    problems = _merge_problems(first, [*lint(document, written)], shape_problems, find_consequences(document), places)
    if problems or shaped is None:
        raise ConfigError(problems, source=source)
    # Of the resolved values, so that replicas with different variables differ.
    return LoadedConfig(shaped, source, digest_of(written, Document), find_warnings(document))


def _expand_presets(document: dict[str, Any]) -> dict[str, Any]:
    tables = document.get("issuer")
    if not is_list(tables):
        return document
    filled = [expanded(table) if is_object(table) else table for table in tables]
    return normalize_document({**document, "issuer": filled})


def load_environment(environ: Mapping[str, str], folder: Path) -> LoadedConfig:
    """Load the one configuration that the environment and the folder have.

    It is in the file in OIDC_AUTH_CONFIG, in oidc-auth.toml, or in OIDC_AUTH_ISSUER and OIDC_AUTH_AUDIENCE.

    Raises:
        ConfigError: There is none, there are several, or it is not valid.
    """
    named, local = environ.get(CONFIG_VARIABLE), folder / FILE_NAME
    # Resolved, because the variable may name the same file that the folder has. That is one configuration.
    files = {(folder / named).resolve()} if named else set[Path]()
    if local.is_file():
        files.add(local.resolve())
    sources = [*(str(path) for path in sorted(files)), *([ISSUER_VARIABLE] if environ.get(ISSUER_VARIABLE) else [])]
    # No precedence: a forgotten file must not decide without a message which issuers are trusted.
    if len(sources) != 1:
        raise ConfigError([_source_problem(sources, folder)])
    if files:
        return load_file(sources[0], environ)
    return load_mapping({"issuer": _issuer_from_env(environ)}, source=f"${ISSUER_VARIABLE}", environ=environ)


def _source_problem(sources: list[str], folder: Path) -> Problem:
    if sources:
        return Problem("", f"{len(sources)} configurations: {', '.join(sources)}", "keep one of them")
    return Problem(
        "",
        f"no configuration: neither ${CONFIG_VARIABLE}, nor {FILE_NAME} in {folder}, nor ${ISSUER_VARIABLE}",
        f"write one with 'oidc-auth init PROVIDER', start in the folder with {FILE_NAME}, or set {CONFIG_VARIABLE}",
    )


def _issuer_from_env(environ: Mapping[str, str]) -> dict[str, Any]:
    # An empty variable counts as unset. Docker Compose passes unset variables as empty ones.
    table: dict[str, Any] = {"preset": environ.get(PRESET_VARIABLE) or "generic", "issuer": environ[ISSUER_VARIABLE]}
    if audience := environ.get(AUDIENCE_VARIABLE):
        table["audience"] = audience
    return table


def _to_plain(value: object) -> object:
    """Return the value with any mapping as a dict and any sequence as a list."""
    # Validation is strict: it accepts dict and list only, and programs also pass tuples and other mappings.
    if isinstance(value, Mapping):
        return {key: _to_plain(member) for key, member in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_to_plain(each) for each in cast("Iterable[object]", value)]
    return value


def _resolve_references(
    value: object, where: str, environ: Mapping[str, str], problems: list[Problem], places: dict[str, int]
) -> object:
    """Return the value with each ``${NAME}`` replaced by that variable, and note the order of all key paths."""
    places.setdefault(where, len(places))
    if isinstance(value, dict):
        members = cast("dict[object, object]", value)
        # Text made from such a key can differ from that of the claim: True is not true.
        odd = [key for key in members if not isinstance(key, str)]
        problems.extend(Problem(child_path(where, str(key)), "the key is not a string", "quote it") for key in odd)
        return {
            str(k): _resolve_references(v, child_path(where, str(k)), environ, problems, places)
            for k, v in members.items()
        }
    if is_list(value):
        return [_resolve_references(v, f"{where}[{n}]", environ, problems, places) for n, v in enumerate(value)]
    if not isinstance(value, str):
        return value
    problems.extend(
        Problem(where, f"the environment has no variable {name}", f"set {name}, or write the value")
        # Fail closed: a missing variable must not become an empty value.
        for name in _REFERENCE.findall(value)
        if name not in environ
    )
    # A missing variable stays as ${NAME}, which tells other checks to skip the value.
    return _REFERENCE.sub(lambda match: environ.get(match[1], match[0]), value)


def _merge_problems(
    first: list[Problem],
    meaning: list[Problem],
    shape: list[Problem],
    consequences: frozenset[str],
    places: Mapping[str, int],
) -> list[Problem]:
    """Return one problem for each key path, in the order of the document."""
    # The checks of the meaning come before those of the shape, because their problems have hints.
    kept: dict[Problem, None] = {}
    named = set(consequences)
    for problems in (first, meaning, shape):
        fresh = [problem for problem in problems if problem.where not in named]
        kept |= dict.fromkeys(fresh)
        named |= {problem.where for problem in fresh}
    # Operators fix a file from top to bottom.
    return sorted(kept, key=lambda problem: _place(problem.where, places))


def _place(where: str, places: Mapping[str, int]) -> tuple[int, str]:
    """Return the position of a key path in the document. A missing key has the position of its table."""
    known = where
    while known and known not in places:
        known = known[: max(known.rfind("."), known.rfind("["), 0)]
    return places.get(known, 0), where
