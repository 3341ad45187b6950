"""The forms that a configuration value can have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import TOML, USERS, table, write_toml

from oidc_auth import OIDCAuth
from oidc_auth.config.load import load_file, load_mapping

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("single", "listed"),
    [
        ({"audience": "agents"}, {"audience": ["agents"]}),
        ({"algorithms": "ES256"}, {"algorithms": ["ES256"]}),
        ({"allowed_clients": "spa"}, {"allowed_clients": ["spa"]}),
        ({"require": {"a.b": "*"}}, {"require": {"a.b": ["*"]}}),
        ({"require": {"a": 7, "b": [True, 1.5]}}, {"require": {"a": ["7"], "b": ["true", "1.5"]}}),
        ({"claims": "a.b"}, {"claims": [["a", "b"]]}),
        ({"identity": "oid"}, {"identity": [{"claim": ["oid"], "prefix": ""}]}),
        ({"identity": {"claim": "oid"}}, {"identity": [{"claim": ["oid"]}]}),
        ({"identity": ["oid"]}, {"identity": [{"claim": ["oid"]}]}),
        ({"tenant": "a.b"}, {"tenant": {"claim": ["a", "b"], "object_keys": False}}),
        ({"tenant": ["a", "b"]}, {"tenant": {"claim": "a.b"}}),
        ({"display_name": "a.b"}, {"display_name": ["a", "b"]}),
        ({"require": {"a": "b"}}, {"require": {"a": ["b"]}}),
        ({"client_claim": {"claim": "c", "values": "x"}}, {"client_claim": {"claim": ["c"], "values": ["x"]}}),
        ({"permission_map": USERS}, {"permission_map": [USERS]}),
        (
            {"permission_map": {"claim": "scope", "accept": "*"}},
            {"permission_map": [{"claim": ["scope"], "accept": ["*"]}]},
        ),
        (
            {"permission_map": {"claim": "r", "values": {"a": "*"}}},
            {"permission_map": [{"claim": "r", "values": {"a": ["*"]}}]},
        ),
        (
            {"permission_map": {"claim": "scope", "accept": "*", "when": {"azp": "x"}}},
            {"permission_map": [{"claim": "scope", "accept": ["*"], "when": {"azp": ["x"]}}]},
        ),
        ({"audience": ("a", "b")}, {"audience": ["a", "b"]}),
        ({"tenant": None, "max_token_age": None}, {}),
    ],
)
def test_single_value_becomes_list(single: dict[str, Any], listed: dict[str, Any]) -> None:
    also = {"require": {"x": "y"}} if "client_claim" in single else {}
    one, many = (load_mapping({"issuer": [table(**{**also, **form})]}).document for form in (single, listed))
    assert one == many


def test_single_issuer_table_becomes_list(tmp_path: Path) -> None:
    single = TOML.replace("[[issuer]]", "[issuer]").replace("[[issuer.permission_map]]", "[issuer.permission_map]")
    assert load_file(write_toml(tmp_path, single)).document == load_file(write_toml(tmp_path, TOML)).document


@pytest.mark.parametrize(
    "role", ["*:read", ["*:read"], {"permissions": "*:read"}, {"permissions": ["*:read"], "graphs": None}]
)
def test_role_accepts_name_list_or_table(role: object) -> None:
    assert load_mapping({"issuer": table(), "roles": {"r": role}}).document.roles["r"].permissions == ["*:read"]


def test_defaults_match_product_defaults() -> None:
    document = load_mapping({"issuer": table()}).document
    issuer = document.issuer[0]
    assert (issuer.leeway, issuer.max_token_age, issuer.token_type, issuer.strict_rfc9068) == (
        30,
        None,
        "access",
        False,
    )
    assert [source.claim for source in issuer.identity] == [["sub"]]
    assert not any(name.startswith("HS") or name == "none" for name in issuer.algorithms)
    assert document.limits.model_dump() == {
        "token_bytes": 16_384,
        "json_depth": 32,
        "key_set_bytes": 524_288,
        "fetch_timeout": 5,
        "jwks_refresh_after": 90,
        "jwks_max_age": 3_600,
        "jwks_max_stale": 86_400,
        "retry_after_failure": 10,
        "unknown_kid_fetches": 2,
        "unknown_kid_window": 30,
        "token_cache_entries": 4_096,
        "token_cache_seconds": 300,
    }
    langgraph = document.langgraph
    assert (langgraph.studio, langgraph.crons, langgraph.webhooks) == ("deny", "allow", "https")
    assert (langgraph.cron_max_age, langgraph.max_delay) == (90 * 86_400, 3_600)


def test_langgraph_table_reaches_enforcement() -> None:
    settings = {"studio": "own", "crons": "deny", "cron_max_age": 60, "max_delay": 0, "webhooks": "any"}
    enforcement = OIDCAuth.from_dict({"issuer": table(), "langgraph": settings}).enforcement
    assert {name: getattr(enforcement, name) for name in settings} == settings
