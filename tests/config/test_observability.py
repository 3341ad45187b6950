"""The ``[observability]`` table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth import ConfigError, OIDCAuth
from oidc_auth.config.build_observability import open_audit_log
from oidc_auth.config.load import load_mapping
from oidc_auth.langgraph import protect
from oidc_auth.web import install

if TYPE_CHECKING:
    from pathlib import Path

ISSUER = {"preset": "generic", "issuer": "https://issuer.test", "audience": "agents"}
KEY = "0123456789abcdef" * 2


def problems(**table: Any) -> list[str]:
    """Return the key paths of the problems of the table."""
    try:
        load_mapping({"issuer": ISSUER, "observability": table}, environ={})
    except ConfigError as error:
        return [problem.where.removeprefix("observability.") for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({}, []),
        ({"audit": "stdout"}, []),
        ({"audit": "/var/log/agents/audit.jsonl"}, []),
        ({"audit": "stdout", "audit_identity": "hashed", "audit_key": KEY}, []),
        ({"audit": "stdout", "audit_identity": "plain"}, []),
        ({"audit": ""}, ["audit"]),
        ({"audit": "STDOUT"}, ["audit"]),
        ({"audit": "sdtout"}, ["audit"]),
        ({"audit": True}, ["audit"]),
        ({"audit_identity": "plain"}, ["audit_identity"]),
        ({"audit_key": KEY}, ["audit_key"]),
        ({"audit": "stdout", "audit_key": KEY}, ["audit_key"]),
        ({"audit": "stdout", "audit_identity": "hashed"}, ["audit_key"]),
        ({"audit": "stdout", "audit_identity": "hashed", "audit_key": KEY[1:]}, ["audit_key"]),
        ({"audit": "stdout", "audit_identity": "hashed", "audit_key": "${AUDIT_KEY}"}, ["audit_key"]),
        ({"audit": "stdout", "audit_identity": "sha256"}, ["audit_identity"]),
        ({"audits": "stdout"}, ["audits"]),
    ],
)
def test_table_is_checked(table: dict[str, Any], expected: list[str]) -> None:
    assert problems(**table) == expected


def test_key_is_secret() -> None:
    table = {"audit": "stdout", "audit_identity": "hashed"}
    one, other = (
        load_mapping({"issuer": ISSUER, "observability": {**table, "audit_key": key}}) for key in (KEY, KEY[::-1])
    )
    assert one.digest == other.digest
    assert KEY not in repr(one)
    with pytest.raises(ConfigError) as error:
        load_mapping({"issuer": ISSUER, "observability": {**table, "audit_key": KEY[1:]}})
    assert KEY[1:] not in error.value.report()


def audited(path: Path, **tables: Any) -> OIDCAuth:
    return OIDCAuth.from_dict({"issuer": ISSUER, "observability": {"audit": str(path)}, **tables})


def test_wrong_path_stops_the_server(tmp_path: Path) -> None:
    from starlette.applications import Starlette

    oidc = audited(tmp_path / "missing" / "audit", web={"public_url": "https://agents.test"})
    for start in (lambda: protect(oidc), lambda: install(Starlette(), oidc)):
        with pytest.raises(ConfigError) as error:
            start()
        assert [problem.where for problem in error.value.problems] == ["observability.audit"]


def test_file_exists_after_start_only(tmp_path: Path) -> None:
    oidc = audited(tmp_path / "audit")
    assert not (tmp_path / "audit").exists()
    protect(oidc)
    assert (tmp_path / "audit").exists()


def test_server_without_audit_opens_nothing() -> None:
    oidc = OIDCAuth.from_dict({"issuer": ISSUER})
    open_audit_log(oidc.reporter, oidc.source)
    assert oidc.reporter.recorder is None
