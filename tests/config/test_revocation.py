from __future__ import annotations

from typing import Any

import pytest

from oidc_auth import OIDCAuth
from oidc_auth.errors import ConfigError, Problem
from oidc_auth.revocation.store import MemoryStore

ISSUER = {"preset": "generic", "issuer": "https://sso.acme.com", "audience": "agents"}
PASSWORD = "s3cret"


def problems(table: dict[str, Any] | None, **issuer: Any) -> list[tuple[str, str, str]]:
    tables = {"issuer": {**ISSUER, **issuer}, **({} if table is None else {"revocation": table})}
    report, found = "", list[Problem]()
    try:
        OIDCAuth.from_dict(tables)
    except ConfigError as error:
        report, found = error.report(), [*error.problems]
    assert PASSWORD not in report
    return [(problem.where, problem.message, problem.hint) for problem in found]


@pytest.mark.parametrize(
    "address",
    [
        "memroy",
        "",
        "localhost:6379",
        f"http://:{PASSWORD}@host",
        f"redis://:{PASSWORD}@host:port",
        f"redis://:{PASSWORD}@host?unknown=1",
        f"redis://:{PASSWORD}@[::1",
    ],
)
def test_invalid_store_is_an_error(address: str) -> None:
    pytest.importorskip("redis")
    assert [path for path, _, _ in problems({"store": address})] == ["revocation.store"]


@pytest.mark.parametrize(
    "address", ["memory", "redis://host", f"rediss://user:{PASSWORD}@host:6380/1", "unix:///run/redis.sock"]
)
def test_valid_store_is_accepted(address: str) -> None:
    pytest.importorskip("redis")
    assert problems({"store": address}) == []


def test_misspelt_memory_gets_a_suggestion() -> None:
    ((_, _, hint),) = problems({"store": "memroy"})
    assert "'memory'" in hint


def test_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", f"ftp://:{PASSWORD}@host")
    assert [path for path, _, _ in problems({"store": "${REDIS_URL}"})] == ["revocation.store"]
    monkeypatch.delenv("REDIS_URL")
    # One problem: the variable is missing.
    assert [path for path, _, _ in problems({"store": "${REDIS_URL}"})] == ["revocation.store"]


def test_missing_package_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oidc_auth.config.lint_revocation.find_spec", lambda _name: None)
    ((path, _, hint),) = problems({"store": "redis://host"})
    assert path == "revocation.store"
    assert "langgraph-oidc-auth[redis]" in hint
    assert problems({"store": "memory"}) == []


def test_memory_needs_no_redis() -> None:
    oidc = OIDCAuth.from_dict({"issuer": ISSUER, "revocation": {"store": "memory"}})
    assert oidc.revocation is not None
    assert isinstance(oidc.revocation.store, MemoryStore)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_token_lifetime", 0),
        ("max_token_lifetime", -1),
        ("max_token_lifetime", "1"),
        ("outage_grace", -1),
        ("on_outage", "ignore"),
        ("on_outages", "deny"),
    ],
)
def test_invalid_setting_is_an_error(key: str, value: object) -> None:
    assert [path for path, _, _ in problems({"store": "memory", key: value})] == [f"revocation.{key}"]


def test_store_is_required() -> None:
    assert [path for path, _, _ in problems({})] == ["revocation.store"]


def test_logout_clients_need_a_store() -> None:
    assert [path for path, _, _ in problems(None, logout_clients=["web"])] == ["issuer[0].logout_clients"]
    assert problems({"store": "memory"}, logout_clients=["web"]) == []


def test_no_table_means_no_check() -> None:
    assert OIDCAuth.from_dict({"issuer": ISSUER}).revocation is None


def test_retention_covers_tokens_and_crons() -> None:
    tables = {"issuer": {**ISSUER, "leeway": 20}, "revocation": {"store": "memory", "max_token_lifetime": 100}}
    for cron_max_age, subjects in ((50, 250), (500, 700)):
        oidc = OIDCAuth.from_dict({**tables, "langgraph": {"cron_max_age": cron_max_age}})
        assert oidc.revocation is not None
        retention = oidc.revocation.store.live.retention
        assert (retention.tokens, retention.subjects) == (200, subjects)
