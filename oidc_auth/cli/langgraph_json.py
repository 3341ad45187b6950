"""langgraph.json: the hook, the CORS rule and the variables in it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ..config.raw_document import read_strings, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

LANGGRAPH_JSON = "langgraph.json"
AEGRA_JSON = "aegra.json"
ENTRY = "oidc_auth.langgraph:auth"
AEGRA_ENTRY = "oidc_auth.aegra:auth"
WEB_ENTRY = "oidc_auth.web:app"
CHALLENGE = "WWW-Authenticate"
EXPOSED_HEADERS = (
    CHALLENGE,
    "Retry-After",
    # With it, the SDK continues a stream after a lost connection.
    "Location",
    # The server exposes these by default.
    "Content-Location",
    "x-pagination-total",
    "x-pagination-next",
)
"""Headers that scripts in a browser may read."""
AUTH: Mapping[str, Any] = {
    "path": ENTRY,
    # Without it, the header x-auth-scheme: langsmith skips the hook in langgraph dev.
    "disable_studio_auth": True,
    # The page /docs of the server then has a field for the token.
    "openapi": {
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        "security": [{"bearer": []}],
    },
}
AEGRA_AUTH: Mapping[str, Any] = {"path": AEGRA_ENTRY}
ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*"""
    r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|([^'"\r\n][^\r\n]*)?)""",
    re.MULTILINE,
)
"""A line of an env file. A quoted value may have several lines."""
NEW_DOCUMENT: Mapping[str, Any] = {"dependencies": ["."], "graphs": {"agent": "./graph.py:graph"}}


DEFAULT_ORIGIN = "http://localhost:3000"
"""The usual address of a front end in development."""
ANY_ORIGIN = "*"


class MergedDocument(NamedTuple):
    """A langgraph.json with the hook.

    Attributes:
        document: The new content.
        replaced: Keys of ``auth`` with another value than before.
        notes: What the user should know about the CORS rule and the web application.
    """

    document: dict[str, Any]
    replaced: tuple[str, ...]
    notes: tuple[str, ...]


def add_auth_hook(
    known: Mapping[str, Any], origins: Sequence[str], *, web: bool = False, auth: Mapping[str, Any] = AUTH
) -> MergedDocument:
    """Add the hook, a CORS rule and the web application to a langgraph.json. All other keys stay."""
    before = read_table(known.get("auth"))
    # The table is replaced as a whole, so a key that init does not write counts too.
    replaced = tuple(key for key, value in before.items() if value != auth.get(key))
    http = read_table(known.get("http"))
    rule = read_table(http.get("cors"))
    allowed, notes = _allowed_origins(known, rule, origins)
    # http.cors replaces the whole rule of the server. Without its values, requests of existing front ends would fail.
    cors = {"allow_methods": ["*"], "allow_headers": ["*"], **rule, "allow_origins": allowed}
    cors["expose_headers"] = [*dict.fromkeys((*EXPOSED_HEADERS, *read_strings(rule.get("expose_headers"))))]
    app = {"app": WEB_ENTRY} if web and not http.get("app") else {}
    if web and http.get("app", WEB_ENTRY) != WEB_ENTRY:
        notes += (f"http.app is {http['app']!r}, your own application. Call oidc_auth.web.install in it.",)
    document = {**(known or NEW_DOCUMENT), "auth": dict(auth), "http": {**http, **app, "cors": cors}}
    return MergedDocument(document, replaced, notes)


def _allowed_origins(
    known: Mapping[str, Any], rule: Mapping[str, Any], origins: Sequence[str]
) -> tuple[list[str], tuple[str, ...]]:
    """Return the allowed origins, and a note if every website may call the server."""
    if not known:
        # A new project has no front end that a narrow rule could break.
        return [*(origins or [DEFAULT_ORIGIN])], ()
    if "allow_origins" in rule:
        allowed = [*dict.fromkeys((*read_strings(rule["allow_origins"]), *origins))]
    else:
        # Without a rule, the server allows every origin. A narrower default would break front ends silently.
        allowed = [*origins] or [ANY_ORIGIN]
    if ANY_ORIGIN not in allowed:
        return allowed, ()
    note = (
        f'http.cors.allow_origins of {LANGGRAPH_JSON} is still ["*"], so that every website may call the server. '
        'To allow only your front end, write its origin there, such as ["https://app.acme.com"]'
    )
    # Alone, because other origins next to it would look like a limit.
    return [ANY_ORIGIN], (f"{note}, or use --origin." if not rule else f"{note}.",)


def find_deployment(folder: Path) -> Path:
    """Return the langgraph.json of a folder, or its aegra.json if it has only that."""
    aegra = folder / AEGRA_JSON
    return aegra if aegra.is_file() and not (folder / LANGGRAPH_JSON).is_file() else folder / LANGGRAPH_JSON


def read_hook(known: Mapping[str, Any]) -> str:
    """Return the path of the hook, or ""."""
    return str(read_table(known.get("auth")).get("path") or "")


def read_document(file: Path) -> dict[str, Any]:
    """Return the content of a langgraph.json.

    Raises:
        ValueError: The file is missing or is not a JSON object. The message is the reason.
    """
    try:
        document: object = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot be read: {type(error).__name__}") from None
    if not isinstance(document, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - a ValueError like that of the parser
    return cast("dict[str, Any]", document)


def read_environment(file: Path) -> dict[str, str]:
    """Return the variables in ``env`` of a langgraph.json, a table or the name of a file."""
    try:
        env: object = read_document(file).get("env")
        # Windows editors write a byte order mark. It would be a part of the first name.
        return dict(_pairs((file.parent / env).read_text("utf-8-sig")) if isinstance(env, str) else _members(env))
    except (OSError, ValueError):
        # A variable that is missing for this reason is reported where the configuration uses it.
        return {}


def _members(env: object) -> Iterator[tuple[str, str]]:
    return ((name, str(value)) for name, value in read_table(env).items())


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the variables of an env file as python-dotenv reads them, without ${...} in values."""
    for name, single, double, plain in ASSIGNMENT.findall(text):
        yield name, single or re.sub(r"\\(.)", _unescaped, double) or re.sub(r"(^|\s+)#.*", "", plain).strip()


def _unescaped(match: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1])
