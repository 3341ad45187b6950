"""``[issuer.introspection]``: each mistake is named, and a secret is never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import URL, table
from kit.tokens import rsa_key

from oidc_auth import ConfigError
from oidc_auth.config.load import load_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECRET = "introspection-secret-7"
PLACE = "issuer[0].introspection"
VALID: dict[str, Any] = {"mode": "opaque", "client_id": "agents-api", "client_secret": SECRET}


def setting(**changes: Any) -> dict[str, Any]:
    """Return valid introspection with changes. ``...`` removes a key."""
    return {key: value for key, value in {**VALID, **changes}.items() if value is not ...}


def problems(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    with pytest.raises(ConfigError) as refused:
        load_mapping(document, environ={})
    assert SECRET not in refused.value.report()
    return [(problem.where, problem.message, problem.hint) for problem in refused.value.problems]


def issuer(introspection: Any = None, **changes: Any) -> dict[str, Any]:
    # The keys are fetched, so that the metadata are available too.
    given = setting() if introspection is None else introspection
    return table(**{"jwks": ..., "introspection": given, **changes})


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"mode": ...}, f"{PLACE}.mode"),
        ({"mode": "opaqe"}, f"{PLACE}.mode"),
        ({"mode": "jwt"}, f"{PLACE}.mode"),
        ({"mode": True}, f"{PLACE}.mode"),
        ({"client_id": ...}, f"{PLACE}.client_id"),
        ({"client_id": ""}, f"{PLACE}.client_id"),
        ({"client_secret": ...}, f"{PLACE}.client_secret"),
        ({"client_secret": ""}, f"{PLACE}.client_secret"),
        ({"client_secret": 5}, f"{PLACE}.client_secret"),
        ({"client_secret": [SECRET]}, f"{PLACE}.client_secret"),
        ({"client_secret": ..., "client_assertion_key_file": "missing.pem"}, f"{PLACE}.client_assertion_key_file"),
        ({"client_secret": ..., "client_assertion_key_file": ""}, f"{PLACE}.client_assertion_key_file"),
        ({"client_secret": "${NO_SUCH_VARIABLE}"}, f"{PLACE}.client_secret"),
        ({"client_secret": ..., "client_assertion_key_file": "${NO_SUCH}"}, f"{PLACE}.client_assertion_key_file"),
        ({"endpoint": "http://issuer.test/introspect"}, f"{PLACE}.endpoint"),
        ({"endpoint": "https://169.254.169.254/"}, f"{PLACE}.endpoint"),
        ({"endpoint": f"https://user:{SECRET}@issuer.test/"}, f"{PLACE}.endpoint"),
        ({"endpoint": "${NO_SUCH}"}, f"{PLACE}.endpoint"),
        ({"endpoint": 5}, f"{PLACE}.endpoint"),
        ({"cache_seconds": -1}, f"{PLACE}.cache_seconds"),
        ({"cache_seconds": 3_601}, f"{PLACE}.cache_seconds"),
        ({"cache_seconds": "30"}, f"{PLACE}.cache_seconds"),
        ({"secret": "x"}, f"{PLACE}.secret"),
    ],
)
def test_each_mistake_has_its_place(changes: dict[str, Any], where: str) -> None:
    (problem,) = problems({"issuer": issuer(setting(**changes))})
    assert problem[0] == where


def test_misspelt_mode_has_suggestion() -> None:
    (problem,) = problems({"issuer": issuer(setting(mode="opaqe"))})
    assert "'opaque'" in problem[2]


def test_secret_and_key_file_cannot_be_combined(tmp_path: Path) -> None:
    file = tmp_path / "client.pem"
    file.write_bytes(rsa_key().pem())
    (problem,) = problems({"issuer": issuer(setting(client_assertion_key_file=str(file)))})
    assert problem[0] == f"{PLACE}.client_assertion_key_file"
    load_mapping({"issuer": issuer(setting(client_secret=..., client_assertion_key_file=str(file)))})


def test_key_file_without_private_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "client.pem"
    file.write_text("-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n", "utf-8")
    (problem,) = problems({"issuer": issuer(setting(client_secret=..., client_assertion_key_file=str(file)))})
    assert problem[0] == f"{PLACE}.client_assertion_key_file"
    assert "openssl" in problem[2]


def test_only_one_issuer_has_opaque_tokens() -> None:
    tables = [
        issuer(issuer=f"https://{name}.test", identity_prefix=name, introspection=setting(mode=mode))
        for name, mode in (("a", "opaque"), ("b", "always"), ("c", "opaque"))
    ]
    (problem,) = problems({"issuer": tables})
    assert problem[0] == "issuer[2].introspection.mode"
    assert "issuer[0]" in problem[2]
    tables[2]["introspection"]["mode"] = "always"
    load_mapping({"issuer": tables})


@pytest.mark.parametrize(
    "changes",
    [
        {"token_type": "id"},
        {"bearer_file": __file__},
        {
            "issuer": "https://a.test/{tenantid}",
            "tenants": ["0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c"],
        },
    ],
)
def test_introspection_cannot_be_combined(changes: dict[str, Any]) -> None:
    (problem,) = problems({"issuer": issuer(**changes)})
    assert problem[0] == PLACE


def test_own_keys_need_endpoint_if_issuer_is_not_reachable() -> None:
    keys = table()["jwks"]
    internal = {"issuer": "http://sso/realms/a", "jwks": keys}
    (problem,) = problems({"issuer": issuer(**internal)})
    assert problem[0] == f"{PLACE}.endpoint"
    load_mapping({"issuer": issuer(setting(endpoint="https://sso.test/introspect"), **internal)})
    load_mapping({"issuer": issuer(**internal, insecure_http_hosts=["sso"])})
    load_mapping({"issuer": issuer(jwks=keys)})


def test_files_for_tls_are_allowed_with_own_keys(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("-", "utf-8")
    load_mapping({"issuer": issuer(jwks=table()["jwks"], ca_file=str(ca))})
    assert [where for where, *_ in problems({"issuer": table(ca_file=str(ca))})] == ["issuer[0].ca_file"]


def test_unencrypted_credentials_are_warned() -> None:
    loaded = load_mapping({"issuer": issuer(issuer="http://sso/realms/a", insecure_http_hosts=["sso"])})
    assert ["introspection" in warning for warning in loaded.warnings] == [False, True]


def test_environment_can_hold_secret() -> None:
    document = {"issuer": issuer(setting(client_secret="${INTROSPECTION_SECRET}"))}
    loaded = load_mapping(document, environ={"INTROSPECTION_SECRET": SECRET})
    introspection = loaded.document.issuer[0].introspection
    assert introspection is not None
    assert (introspection.client_secret, introspection.cache_seconds) == (SECRET, 30)
    assert SECRET not in repr(loaded)


@pytest.mark.parametrize("value", ["opaque", True, [VALID]])
def test_introspection_is_table(value: Any) -> None:
    (problem,) = problems({"issuer": issuer(value)})
    assert problem[0] == PLACE


def test_empty_table_names_missing_keys() -> None:
    assert {where for where, *_ in problems({"issuer": issuer({}, issuer=URL)})} >= {f"{PLACE}.mode"}
