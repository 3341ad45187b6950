"""The JSON Schema of a configuration file, for editors.

``python -m oidc_auth.config.schema_document`` writes it to ``oidc-auth.schema.json`` in this folder. The wheel contains
the file. A TOML file names it in a comment: ``#:schema <path or address>``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..providers import PROVIDERS
from .schema import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(__file__).with_name("oidc-auth.schema.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a configuration.

    Names of roles and permissions, claim paths and prefixes are checked only when a file is loaded.
    """
    schema = cast("dict[str, Any]", _simplify(Document.model_json_schema()))
    issuer = schema["$defs"]["IssuerTable"]
    # With a preset, its own parameters can replace the issuer.
    issuer["required"].remove("issuer")
    issuer["properties"]["preset"]["enum"] = sorted(PROVIDERS)
    for name, provider in PROVIDERS.items():
        for key in provider.issuer.replaced_keys:
            parameter = {"type": "string", "description": f"{_presets_with(key)}: replaces issuer."}
            # Several presets share a parameter, such as url.
            issuer["properties"].setdefault(key, parameter)
        for key, other in provider.issuer.defaults.items():
            issuer["properties"][key] = {"type": "string", "description": f"Preset {name}: if it is not the {other}."}
    return {"$schema": DIALECT, **schema}


def _presets_with(key: str) -> str:
    """Return the presets that replace the issuer with a key, as text."""
    names = sorted(name for name, provider in PROVIDERS.items() if key in provider.issuer.replaced_keys)
    return f"Preset{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _simplify(schema: object) -> object:
    """Return the schema without titles that repeat a key, and without null, which TOML does not have."""
    if isinstance(schema, list):
        members = cast("list[object]", schema)
        return [_simplify(member) for member in members if member != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    table = cast("Mapping[str, object]", schema)
    plain = {key: _simplify(value) for key, value in table.items() if not _is_noise(key, value)}
    choices = plain.get("anyOf")
    # Editors show a list of alternatives even if null was the only other one.
    if isinstance(choices, list) and len(cast("list[object]", choices)) == 1:
        del plain["anyOf"]
        plain |= cast("list[dict[str, object]]", choices)[0]
    return plain


def _is_noise(key: str, value: object) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


def text() -> str:
    """Return the text of the schema file."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
