"""Environment variables in the values of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import authenticated, configured, table
from kit.mistakes import told

from oidc_auth import ConfigError, OIDCAuth
from oidc_auth.config.load import load_mapping

if TYPE_CHECKING:
    from kit.snapshots import Messages


def test_variable_replaces_value_or_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "issuer.test")
    monkeypatch.setenv("ROLE", "user")
    oidc = configured({"claim": "${ROLE}s", "values": {"user": ["threads:read"]}}, issuer="https://${HOST}")
    assert authenticated(oidc, users=["user"]).permissions == ["threads:read", "threads:search"]


def test_variables_are_replaced_once_in_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "${B}")
    monkeypatch.setenv("B", "never")
    oidc = configured(
        {"claim": "roles", "values": {"${B}": ["threads:read"]}}, audience=["${A}", "x${A}y", "$A", "${a-b}"]
    )
    for audience in ("${B}", "x${B}y", "$A", "${a-b}"):
        assert authenticated(oidc, aud=audience, roles=["${B}"]).permissions == ["threads:read", "threads:search"]


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"audience": "${NO_SUCH}"}, ["issuer[0].audience[0]"]),
        ({"audience": ["a", "x-${NO_SUCH}"]}, ["issuer[0].audience[1]"]),
        (
            {"require": {"a": ["${NO_SUCH}"]}, "claims": ["${NO_SUCH}x"]},
            ["issuer[0].claims[0]", "issuer[0].require.a[0]"],
        ),
        ({"identity_prefix": "${NO_SUCH}${NO_SUCH_2}"}, ["issuer[0].identity_prefix"] * 2),
    ],
)
def test_unset_variable_is_reported_at_its_place(
    changes: dict[str, Any], places: list[str], messages: Messages
) -> None:
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict({"issuer": [table(**changes)]})
    assert sorted(problem.where for problem in caught.value.problems) == places
    for problem in caught.value.problems:
        messages.check(told(problem))


def test_empty_variable_is_valid() -> None:
    environ = {"PREFIX": ""}
    loaded = load_mapping({"issuer": table(identity_prefix="${PREFIX}x:")}, environ=environ)
    assert loaded.document.issuer[0].identity_prefix == "x:"
