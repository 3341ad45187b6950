"""The JSON Schema that editors read: current, in the wheel's folder, and of one mind with the loader about shapes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from kit.mapping import table

from oidc_auth import ConfigError, OIDCAuth
from oidc_auth.config.schema_document import FILE, json_schema, text

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((*(ROOT / "examples").glob("*/oidc-auth.toml"), *(ROOT / "examples").glob("*/server/oidc-auth.toml")))
SCHEMA = jsonschema_rs.validator_for(json_schema())


def tables(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every table of the vocabulary and its keys."""
    yield "document", schema["properties"]
    yield from ((name, table["properties"]) for name, table in schema["$defs"].items())


def test_schema_file_matches_models() -> None:
    assert FILE.read_text("utf-8") == text(), "run python -m oidc_auth.config.schema_document"


def test_every_key_has_description() -> None:
    described = {"document", "IssuerTable", "PermissionMapTable", "RoleTable", "LangGraphTable", "LimitsTable"}
    silent = [
        f"{name}.{key}"
        for name, keys in tables(json_schema())
        for key, rule in keys.items()
        if name in described and "description" not in rule
    ]
    assert silent == []


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    keys = [key for _, keys in tables(json_schema()) for key in keys]
    assert [key for key in keys if key not in page] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.relative_to(ROOT).parts[1])
def test_examples_name_and_match_schema(example: Path) -> None:
    written = example.read_text("utf-8")
    directive = written.splitlines()[0].removeprefix("#:schema ")
    assert (example.parent / directive).resolve() == ROOT / "oidc_auth" / "config" / FILE.name
    assert list(SCHEMA.iter_errors(tomllib.loads(written))) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": ["a", "b"], "algorithms": "RS256", "allowed_clients": "spa"},
        {"identity": "oid", "tenant": "org", "display_name": ["a", "b"], "claims": "email"},
        {"identity": [{"claim": "uid"}, {"claim": ["c", "id"], "prefix": "client:"}], "tenant": ["a", "b"]},
        {
            "tenant": {"claim": "organization", "object_keys": True},
            "require": {"email_verified": True, "hd": ["a", "b"], "n": 5, "m": [1.5, False]},
        },
        {"permission_map": {"claim": "scope", "accept": "*"}, "client_claim": {"claim": "azp", "values": "x"}},
    ],
)
def test_schema_accepts_every_value_form(changes: dict[str, Any]) -> None:
    document = {"issuer": table(**changes), "roles": {"a": "*", "b": ["a"], "c": {"permissions": "a", "graphs": "g"}}}
    if "client_claim" in changes:
        document["issuer"]["require"] = {"hd": "acme.com"}
    assert list(SCHEMA.iter_errors(document)) == []
    OIDCAuth.from_dict(document)


@pytest.mark.parametrize(
    "changes",
    [
        {"audiance": "agents"},
        {"audience": 5},
        {"leeway": 61},
        {"leeway": "30"},
        {"token_type": "refresh"},
        {"preset": "keycloack"},
        {"permission_map": [{"claim": "scope", "acept": "*"}]},
        {"permission_map": [{"accept": "*"}]},
        {"require": {"hd": {}}},
        {"tenant": {"key": "org"}},
    ],
)
def test_schema_rejects_wrong_shapes(changes: dict[str, Any]) -> None:
    document = {"issuer": table(**changes)}
    assert not SCHEMA.is_valid(document)
    with pytest.raises(ConfigError):
        OIDCAuth.from_dict(document)
