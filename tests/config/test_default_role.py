"""``default_role``: one role for every valid token of an issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import NOW, URL, authenticated, configured, table

from oidc_auth import ConfigError, OIDCAuth

if TYPE_CHECKING:
    from kit.snapshots import Messages

READ = ["threads:read", "threads:search"]
ROLES: dict[str, Any] = {"viewer": ["threads:read"], "admin": ["*@all"]}
MAP = {"claim": "roles", "values": {"admin": ["admin"]}}


def test_every_valid_token_has_default_role() -> None:
    oidc = configured(MAP, roles=ROLES, default_role="viewer")
    assert authenticated(oidc).permissions == READ
    assert authenticated(oidc, roles=["unknown"]).permissions == READ
    assert "store:put@all" in authenticated(oidc, roles=["admin"]).permissions


def test_explain_shows_default_role_without_iss() -> None:
    oidc = configured(MAP, roles=ROLES, default_role="viewer")
    assert oidc.explain({"sub": "u"}).allows("threads:read")
    assert not configured(MAP, roles=ROLES).explain({"sub": "u"}).allows("threads:read")


def test_default_role_needs_no_permission_map() -> None:
    document = {"issuer": table(permission_map=..., default_role="viewer"), "roles": ROLES}
    assert authenticated(OIDCAuth.from_dict(document, clock=lambda: NOW)).permissions == READ


def test_default_role_counts_for_its_issuer_only() -> None:
    issuers = [
        table(permission_map=MAP, default_role="viewer", identity_prefix="a:"),
        table(issuer="https://b.test", permission_map=MAP, identity_prefix="b:"),
    ]
    oidc = OIDCAuth.from_dict({"issuer": issuers, "roles": ROLES}, clock=lambda: NOW)
    assert oidc.explain({"iss": URL, "sub": "u"}).allows("threads:read")
    assert not oidc.explain({"iss": "https://b.test", "sub": "u"}).allows("threads:read")


def test_default_role_counts_for_aliases() -> None:
    oidc = configured(MAP, roles=ROLES, default_role="viewer", aliases=["https://alias.test"])
    assert oidc.explain({"iss": "https://alias.test", "sub": "u"}).allows("threads:read")


@pytest.mark.parametrize(
    "role",
    [
        "viewr",
        "threads:read",
        "*@all",
        "member",
        "",
        ["viewer"],
    ],
)
def test_invalid_default_role_is_rejected(role: object, messages: Messages) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(MAP, roles={**ROLES, "member": ["threads:read@tenant"]}, default_role=role)
    found = [problem.message for problem in caught.value.problems if problem.where == "issuer[0].default_role"]
    assert len(found) == 1
    messages.check(found[0])
