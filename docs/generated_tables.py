"""Tables of the documentation that come from the code or from the tests that use them."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markers import table
from pydantic import BaseModel

from oidc_auth.cli.app import app
from oidc_auth.config import schema
from oidc_auth.config.schema_document import json_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic.fields import FieldInfo

ROOT = Path(__file__).parents[1]
LONGEST_LIST = 6
"""A longer list of values has a separate page."""
TYPES = {"string": "text", "array": "list", "object": "table", "boolean": "true or false"}


def _keys(model: str) -> str:
    rules = json_schema() if model == "Document" else json_schema()["$defs"][model]
    fields: Mapping[str, FieldInfo] = getattr(schema, model).model_fields
    return table(
        ["key", "type", "default", "description"],
        [
            [f"`{key}`", " or ".join(_types(rule)), _default(fields.get(key)), rule["description"]]
            for key, rule in rules["properties"].items()
        ],
    )


def _types(rule: Mapping[str, Any]) -> list[str]:
    """Return the types of a key in words."""
    if len(rule.get("enum", ())) in range(1, LONGEST_LIST):
        return [f"`{json.dumps(value)}`" for value in rule["enum"]]
    if "$ref" in rule:
        return _types(json_schema()["$defs"][rule["$ref"].rpartition("/")[2]])
    if "anyOf" in rule:
        return [*dict.fromkeys(name for each in rule["anyOf"] for name in _types(each))]
    return [TYPES.get(rule["type"], rule["type"])]


def _default(field: FieldInfo | None) -> str:
    if field is None:
        return ""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, list) and value and isinstance(value[0], BaseModel):
        return f"`{json.dumps('.'.join(value[0].model_dump()['claim']))}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{json.dumps(value)}`"


def _routes() -> str:
    from kit.routes import ROWS  # noqa: PLC0415 - found once generate.py has set the path

    rows: list[list[str]] = []
    for row in ROWS:
        asked = ", ".join([*row.events, *(f"({event})" for event in row.worker)])
        needs = ", ".join(need.replace(" or ", "` or `").join("``") for need in row.needs)
        shared = ", ".join(row.shared)
        rows.append([_route(row.route, row.variant), asked, needs, row.filter, shared, row.other_user])
    return table(["route", "events", "permission", "objects", "shared with", "another user receives"], rows)


def _aegra_routes() -> str:
    from aegra.routes import ROWS  # noqa: PLC0415 - found once generate.py has set the path

    rows: list[list[str]] = []
    for row in ROWS:
        needs = ", ".join(need.replace(" or ", "` or `").join("``") for need in row.needs)
        rows.append([_route(row.route, row.variant), ", ".join(row.events), needs, str(row.other_user)])
    return table(["route", "events", "permission", "another user receives"], rows)


def _exceptions() -> str:
    from kit.routes import ROWS, Sees  # noqa: PLC0415 - found once generate.py has set the path

    rows: list[list[str]] = []
    for row in ROWS:
        others = {need: row.lacking(need) for need in row.needs if row.lacking(need) is not Sees.FORBIDDEN}
        rows += [[_route(row.route, row.variant), f"`{need}`", sees] for need, sees in others.items()]
    return table(["route", "missing permission", "the caller receives"], rows)


def _newer_servers() -> str:
    from kit.routes import ROWS  # noqa: PLC0415 - found once generate.py has set the path

    rows: list[list[str]] = []
    for row in ROWS:
        for change in row.changes:
            answers = {"another user": change.other_user, "a caller without the permission": change.without}
            shown = _route(row.route, row.variant)
            rows += [[shown, f"langgraph-api {change.since}", who, sees] for who, sees in answers.items() if sees]
    return table(["route", "since", "who", "receives"], rows)


def _route(route: str, variant: str = "") -> str:
    return f"`{route}`, {variant}" if variant else f"`{route}`"


def _unfiltered(name: str) -> str:
    from kit import routes  # noqa: PLC0415 - found once generate.py has set the path

    found: Mapping[str, str] = getattr(routes, name)
    return table(["route", "content"], [[f"`{route}`", what] for route, what in found.items()])


def _packages() -> str:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers: list[str] = contracts[0]["layers"]
    rows: list[list[str]] = []
    for name in reversed(layers):
        folder, module = ROOT / "oidc_auth" / name, ROOT / "oidc_auth" / f"{name}.py"
        file = folder / "__init__.py" if folder.is_dir() else module
        text = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n\n")[0]
        shown = f"`{name}/`" if folder.is_dir() else f"`{name}.py`"
        rows.append([shown, " ".join(text.replace("``", "`").split())])
    return table(["package", "content"], rows)


def _options(command: str) -> Callable[[], str]:
    def written() -> str:
        rows: list[list[str]] = []
        for parameter in app.commands[command].params:
            shown = " ".join(parameter.opts) if parameter.param_type_name == "option" else parameter.human_readable_name
            rows.append([f"`{shown}`", getattr(parameter, "help", None) or ""])
        return table(["option", "description"], [row for row in rows if row[1]])

    return written


TABLES: Mapping[str, Callable[[], str]] = {
    "keys-document": lambda: _keys("Document"),
    "keys-issuer": lambda: _keys("IssuerTable"),
    "keys-introspection": lambda: _keys("IntrospectionTable"),
    "keys-permission-map": lambda: _keys("PermissionMapTable"),
    "keys-role": lambda: _keys("RoleTable"),
    "keys-langgraph": lambda: _keys("LangGraphTable"),
    "keys-web": lambda: _keys("WebTable"),
    "keys-revocation": lambda: _keys("RevocationTable"),
    "keys-limits": lambda: _keys("LimitsTable"),
    "routes": _routes,
    "aegra-routes": _aegra_routes,
    "exceptions": _exceptions,
    "newer-servers": _newer_servers,
    "token-only": lambda: _unfiltered("TOKEN_ONLY"),
    "open": lambda: _unfiltered("OPEN"),
    "web-open": lambda: _unfiltered("WEB_OPEN"),
    "development": lambda: _unfiltered("OPEN_IN_DEVELOPMENT"),
    "packages": _packages,
    **{f"options-{name}": _options(name) for name in app.commands},
}
