"""``require``: the one way to demand a claim, alone and together with a preset."""

from __future__ import annotations

from typing import Any

import pytest
from kit.mapping import USERS, configured, table

from oidc_auth import ConfigError, OIDCAuth

PROJECT = "165601234567890123"
ROLES = f"urn:zitadel:iam:org:project:{PROJECT}:roles"
TOKEN = {"iss": "https://acme.zitadel.cloud", "sub": "u", ROLES: {"threads:read": {}}, "jti": "1"}


def zitadel(**settings: Any) -> OIDCAuth:
    table = {"preset": "zitadel", "url": "https://acme.zitadel.cloud", "audience": PROJECT, **settings}
    return OIDCAuth.from_dict({"issuer": table})


def places(document: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict(document)
    return [problem.where for problem in caught.value.problems]


@pytest.mark.parametrize("missing", [ROLES, "jti"])
@pytest.mark.parametrize("require", [..., {}, {"sub": "u"}, {"jti": "*"}, {"jti": "1"}])
def test_preset_requirements_are_kept(missing: str, require: Any) -> None:
    oidc = zitadel() if require is ... else zitadel(require=require)
    assert oidc.explain(TOKEN).allows("threads:read")
    claims = {name: value for name, value in TOKEN.items() if name != missing}
    assert not oidc.explain(claims).allows("threads:read")


def test_any_value_does_not_replace_preset_value() -> None:
    supabase = {"preset": "supabase", "project": "abcdefghijklmnopqrst", "permission_map": USERS}
    claims = {"sub": "u", "roles": ["user"], "role": "authenticated", "is_anonymous": True}
    for values, allowed in (("*", False), (["true", "false"], True)):
        oidc = OIDCAuth.from_dict({"issuer": {**supabase, "require": {"is_anonymous": values}}})
        assert oidc.explain(claims).allows("threads:read") is allowed


def test_any_value_binds_no_token_of_public_issuer() -> None:
    google = {"issuer": "https://accounts.google.com", "audience": "a", "permission_map": USERS}
    assert places({"issuer": {**google, "require": {"hd": "*"}}}) == ["issuer[0].require"]


def test_any_value_does_not_complete_client_claim() -> None:
    client = {"claim": "azp", "values": "web"}
    assert places({"issuer": table(audience=..., client_claim=client, require={"x": "*"})}) == [
        "issuer[0].client_claim"
    ]


def test_any_value_keeps_required_scope_prefix() -> None:
    scopes = {"claim": "scope", "strip_prefix": "agents/", "accept": ["threads:read"]}
    client = {"claim": "azp", "values": "web"}
    oidc = configured(scopes, USERS, audience=..., client_claim=client, require={"x": "*"})
    claims = {"sub": "u", "azp": "web", "x": 1, "roles": ["user"]}
    assert not oidc.explain(claims).allows("threads:read")
    assert oidc.explain({**claims, "scope": "agents/threads:read"}).allows("threads:read")


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"require": {"a": ["*", "b"]}}, "issuer[0].require.a"),
        ({"require": {"a": "*b"}}, "issuer[0].require.a"),
        ({"permission_map": {**USERS, "when": {"a": "*"}}}, "issuer[0].permission_map[0].when.a"),
        ({"client_claim": {"claim": "azp", "values": "*"}, "require": {"a": "b"}}, "issuer[0].client_claim"),
        ({"require": {"a.*.b": "*"}}, "issuer[0].require.a.*.b"),
        ({"permission_map": {**USERS, "field": "a", "object_keys": True}}, "issuer[0].permission_map[0]"),
        ({"permission_map": {**USERS, "field": "a", "split": ","}}, "issuer[0].permission_map[0]"),
        ({"permission_map": {**USERS, "field": ""}}, "issuer[0].permission_map[0].field"),
        ({"permission_map": {**USERS, "claim": "resource_access.*.roles"}}, "issuer[0].permission_map[0].claim"),
        ({"permission_map": {**USERS, "claim": ["a", "*"]}}, "issuer[0].permission_map[0].claim"),
    ],
)
def test_invalid_claim_settings_are_rejected(changes: dict[str, Any], where: str) -> None:
    assert places({"issuer": table(**changes)}) == [where]


@pytest.mark.parametrize(("value", "text"), [(7, "7"), (True, "true"), (1.5, "1.5"), ([7, False], "7")])
def test_numbers_and_booleans_are_configured_as_text(value: object, text: str) -> None:
    oidc = configured(USERS, require={"n": value})
    claims = {"sub": "u", "roles": ["user"]}
    assert oidc.explain({**claims, "n": text}).allows("threads:read")
    assert not oidc.explain({**claims, "n": "8"}).allows("threads:read")
