"""Warnings for settings that are valid, and trust what users can write or what all tokens have."""

from __future__ import annotations

from typing import Any

import pytest
from kit.mapping import table

from oidc_auth.config.load import load_mapping

ADMIN = ["*@all"]
VERIFIED = {"email_verified": True}


def warnings(**changes: Any) -> list[str]:
    document = {"issuer": table(**changes)}
    if "default_role" in changes:
        document["roles"] = {changes["default_role"]: ["threads:read"]}
    return list(load_mapping(document).warnings)


def mapped(claim: object, **more: Any) -> dict[str, Any]:
    return {"permission_map": [{"claim": claim, "values": {"x": ADMIN}, **more}]}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        (mapped("user_metadata.roles"), "permission_map[0]"),
        (mapped(["user_metadata", "roles"]), "permission_map[0]"),
        (mapped("unsafe_metadata.role"), "permission_map[0]"),
        (mapped("email"), "permission_map[0]"),
        (mapped("https://acme.com/email"), "permission_map[0]"),
        (mapped("preferred_username"), "permission_map[0]"),
        (mapped("nickname"), "permission_map[0]"),
        (mapped("preferred_username", when=VERIFIED), "permission_map[0]"),
        (mapped("roles", when={"user_metadata.vip": True}), "permission_map[0].when"),
        ({"tenant": "user_metadata.org"}, "tenant"),
        ({"tenant": {"claim": "address.region"}}, "tenant"),
        ({"identity": "preferred_username"}, "identity"),
        ({"require": {"email": "a@acme.com"}}, "require"),
        ({"require": {"email": "a@acme.com", "email_verified": "false"}}, "require"),
        ({"require": {"email": "a@acme.com", "email_verified": "*"}}, "require"),
    ],
)
def test_claims_that_users_write_are_warned(changes: dict[str, Any], key: str) -> None:
    assert [warning.startswith(f"issuer[0]: {key}: ") for warning in warnings(**changes)] == [True]


@pytest.mark.parametrize(
    "changes",
    [
        mapped("app_metadata.roles"),
        mapped("realm_access.roles"),
        mapped("groups.email"),
        {**mapped("email"), "require": VERIFIED},
        mapped("email", when=VERIFIED),
        {"identity": "email", "require": VERIFIED},
        {"identity": "email", "require": {**VERIFIED, "email": "a@acme.com"}},
        {"display_name": "preferred_username", "claims": ["email", "user_metadata"]},
    ],
)
def test_other_claims_are_not_warned(changes: dict[str, Any]) -> None:
    assert warnings(**changes) == []


@pytest.mark.parametrize("audience", ["account", ["agents", "account"]])
@pytest.mark.parametrize("named", [{"preset": "keycloak"}, {}])
def test_audience_of_all_keycloak_tokens_is_warned(audience: object, named: dict[str, Any]) -> None:
    realm = {"issuer": "https://sso.acme.com/realms/acme", **named}
    assert ["audience 'account'" in warning for warning in warnings(audience=audience, **realm)] == [True]
    assert warnings(audience="accounts", **realm) == []
    assert warnings(audience="account") == []


def test_default_role_of_public_issuer_is_warned() -> None:
    google = {"issuer": "https://accounts.google.com", "require": {"hd": "acme.com"}}
    assert ["default_role" in warning for warning in warnings(default_role="viewer", **google)] == [True]
    assert warnings(default_role="viewer") == []


@pytest.mark.parametrize(
    ("permissions", "wide"),
    [(["*@all"], True), (["*"], True), (["threads:read@all"], True), (["lead"], True), (["threads:read"], False)],
)
@pytest.mark.parametrize("skipped", [True, False])
def test_wide_default_role_without_audience_is_warned(permissions: list[str], *, wide: bool, skipped: bool) -> None:
    open_table = table(audience=..., insecure_skip_audience=True) if skipped else table()
    roles = {"user": permissions, "lead": ["threads:*"]}
    document = {"issuer": {**open_table, "default_role": "user"}, "roles": roles}
    found = [text for text in load_mapping(document).warnings if text.startswith("issuer[0]: default_role: ")]
    assert len(found) == (wide and skipped)


def test_logout_clients_without_web_are_warned() -> None:
    document = {"issuer": table(logout_clients="agents-web"), "revocation": {"store": "memory"}}
    assert [warning.partition(" ")[2].split()[0] for warning in load_mapping(document).warnings] == ["logout_clients"]
    assert load_mapping({**document, "web": {"public_url": "https://agents.test"}}).warnings == ()
