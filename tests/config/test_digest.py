"""The digest of a configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import BaseModel, Field

from oidc_auth import OIDCAuth
from oidc_auth.config.digest import Secret, digest_of
from oidc_auth.config.load import load_file, load_mapping
from oidc_auth.config.schema import Document

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT: dict[str, Any] = {
    "issuer": {
        "preset": "keycloak",
        "url": "https://sso.test/realms/acme",
        "audience": "agents",
        "permission_map": {"claim": "scope", "accept": ["threads:read"]},
    },
    "web": {"public_url": "https://agents.test"},
}


def host_of(value: object) -> str:
    return str(value).rpartition("@")[2]


class Introspection(BaseModel):
    """A table with a secret."""

    client_id: str = ""
    client_secret: Annotated[str, Secret()] | None = None


class Issuer(BaseModel):
    """A table in a list."""

    introspection: Introspection | None = None
    passwords: list[Annotated[str, Secret()]] = Field(default_factory=list[str])


class Revocation(BaseModel):
    """A table with an address that can hold a password."""

    store: Annotated[str, Secret(host_of), Field(min_length=1)] = "memory"


class Sample(BaseModel):
    """A configuration with secrets in all places."""

    issuer: list[Issuer] = Field(default_factory=list[Issuer])
    revocation: Revocation | None = None
    named: dict[str, Introspection] = Field(default_factory=dict[str, Introspection])


def sample(secret: object, client: str = "c", host: str = "redis:6379") -> dict[str, Any]:
    table = {"client_id": client, "client_secret": secret}
    return {
        "issuer": [{"introspection": table, "passwords": [secret]}],
        "revocation": {"store": f"redis://:{secret}@{host}"},
        "named": {"x": table},
    }


@pytest.mark.parametrize("secret", ["other", "", 7, None, ["a"], {"b": 1}])
def test_secrets_do_not_change_digest(secret: object) -> None:
    assert digest_of(sample(secret), Sample) == digest_of(sample("first"), Sample)


@pytest.mark.parametrize("change", [{"client": "d"}, {"host": "other:6379"}])
def test_other_values_change_digest(change: dict[str, str]) -> None:
    assert digest_of(sample("first", **change), Sample) != digest_of(sample("first"), Sample)


def test_set_secret_differs_from_none() -> None:
    without = sample("first")
    del without["issuer"][0]["introspection"]["client_secret"]
    assert digest_of(without, Sample) != digest_of(sample("first"), Sample)


@pytest.mark.parametrize("odd", [{"issuer": 5}, {"issuer": [5]}, {"named": [1]}, {"named": {"x": 1}}, {"unknown": 1}])
def test_odd_shapes_have_digest(odd: dict[str, Any]) -> None:
    assert len(digest_of(odd, Sample)) == 12


def test_equal_files_have_equal_digests(tmp_path: Path) -> None:
    digests = set()
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "oidc-auth.json"
        file.write_text(json.dumps(DOCUMENT), "utf-8")
        digests.add(load_file(file).digest)
    assert len(digests) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"web": {"public_url": "https://other.test"}},
        {"langgraph": {"crons": "deny"}},
        {"issuer": {**DOCUMENT["issuer"], "audience": "other"}},
        {"issuer": {**DOCUMENT["issuer"], "url": "https://sso.test/realms/other"}},
    ],
)
def test_changed_configuration_has_other_digest(change: dict[str, Any]) -> None:
    assert load_mapping({**DOCUMENT, **change}).digest != load_mapping(DOCUMENT).digest


def test_variables_count_with_their_values() -> None:
    document = {**DOCUMENT, "web": {"public_url": "${ADDRESS}"}}
    first, second = (load_mapping(document, environ={"ADDRESS": f"https://{name}.test"}) for name in ("a", "b"))
    assert first.digest != second.digest
    assert load_mapping(document, environ={"ADDRESS": "https://agents.test"}).digest == load_mapping(DOCUMENT).digest


def introspected(secret: str) -> dict[str, Any]:
    table = {"mode": "opaque", "client_id": "agents-api", "client_secret": secret}
    return {**DOCUMENT, "issuer": {**DOCUMENT["issuer"], "introspection": table}}


def test_client_secret_of_introspection_is_left_out() -> None:
    first, second = load_mapping(introspected("first")), load_mapping(introspected("second"))
    assert first.digest == second.digest != load_mapping(DOCUMENT).digest
    # Equal digests do not mean that the two may share tokens.
    assert OIDCAuth.from_dict(introspected("first")) is not OIDCAuth.from_dict(introspected("second"))


def digest_with_store(store: str) -> str:
    return load_mapping({**DOCUMENT, "revocation": {"store": store}}).digest


def test_password_of_redis_is_left_out() -> None:
    pytest.importorskip("redis")
    plain = digest_with_store("redis://host:6379/1")
    for secret in (":first@host:6379/1", "me:second@host:6379/1", "host:6379/1?password=third"):
        assert digest_with_store(f"redis://{secret}") == plain
    assert "first" not in repr(load_mapping({**DOCUMENT, "revocation": {"store": "redis://:first@host"}}))


@pytest.mark.parametrize("other", ["redis://host:6379/2", "redis://other:6379/1", "rediss://host:6379/1", "memory"])
def test_place_of_redis_counts(other: str) -> None:
    pytest.importorskip("redis")
    assert digest_with_store(other) != digest_with_store("redis://host:6379/1")


@pytest.mark.parametrize("odd", [None, 1, "redis://[::1"])
def test_unreadable_address_has_digest(odd: object) -> None:
    assert len(digest_of({"revocation": {"store": odd}}, Document)) == 12
