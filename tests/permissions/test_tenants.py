"""Tenants of callers, and permissions that need a tenant."""

from __future__ import annotations

from typing import Any

import pytest
from kit.mapping import authenticated, configured, names

from oidc_auth import ErrorCode, TokenError
from oidc_auth.permissions.names import Reach

READ = ["threads:read", "threads:search"]
WIDE = ["threads:read", "threads:read@tenant", "threads:search", "threads:search@tenant"]


PLAIN = "org"
KEYED = {"claim": "organization", "object_keys": True}
NESTED = ["ctx", "org"]


@pytest.mark.parametrize(
    ("rule", "claims", "tenant"),
    [
        (PLAIN, {"org": "acme"}, "acme"),
        (PLAIN, {"org": ["acme"]}, "acme"),
        (PLAIN, {"org": ["acme", "evil"]}, None),
        (PLAIN, {"org": ["acme", "acme"]}, None),
        (PLAIN, {"org": []}, None),
        (PLAIN, {}, None),
        (PLAIN, {"org": None}, None),
        (PLAIN, {"org": ""}, None),
        (PLAIN, {"org": "x" * 255}, "x" * 255),
        (PLAIN, {"org": 5}, "5"),
        (PLAIN, {"org": [0]}, "0"),
        (PLAIN, {"org": True}, "true"),
        (PLAIN, {"org": [1, "1"]}, None),
        (PLAIN, {"org": 2**64 - 1}, "18446744073709551615"),
        (PLAIN, {"org": "Acme"}, "Acme"),
        (PLAIN, {"org": " acme "}, " acme "),
        (PLAIN, {"ORG": "acme"}, None),
        (KEYED, {"organization": "acme"}, "acme"),
        (KEYED, {"organization": ["acme"]}, "acme"),
        (KEYED, {"organization": {"acme": {"id": "7"}}}, "acme"),
        (KEYED, {"organization": {"acme": {}, "evil": {}}}, None),
        (KEYED, {"organization": {}}, None),
        (KEYED, {"organization": None}, None),
        (KEYED, {}, None),
        (NESTED, {"ctx": {"org": "acme"}}, "acme"),
        (NESTED, {"ctx": "acme"}, None),
        ("ctx.org", {"ctx": {"org": "acme"}}, "acme"),
    ],
)
def test_tenant_is_one_string_or_none(rule: Any, claims: dict[str, Any], tenant: str | None) -> None:
    oidc = configured({"claim": "roles", "values": {"a": ["threads:read@tenant", "threads:create"]}}, tenant=rule)
    user = authenticated(oidc, roles=["a"], **claims).user()
    assert user["tenant"] == tenant
    assert user["permissions"] == (["threads:create"] if tenant is None else ["threads:create", *WIDE])
    assert names(oidc, roles=["a"], **claims) == user["permissions"]


@pytest.mark.parametrize(
    ("rule", "claims"),
    [
        (PLAIN, {"org": {"acme": {}}}),
        (PLAIN, {"org": "   "}),
        (PLAIN, {"org": 5.0}),
        (PLAIN, {"org": [1e3]}),
        (PLAIN, {"org": [None]}),
        (PLAIN, {"org": [["acme"]]}),
        (PLAIN, {"org": "a\x00b"}),
        (PLAIN, {"org": "a\nb"}),
        (PLAIN, {"org": "a\x7fb"}),
        (PLAIN, {"org": "x" * 256}),
        (KEYED, {"organization": {"": {}}}),
        (KEYED, {"organization": [{"acme": {}}]}),
        (PLAIN, {"org": "a\x85b"}),
        (PLAIN, {"org": ["acme", 5.5]}),
        (PLAIN, {"org": ["acme", {}]}),
    ],
)
def test_ambiguous_tenant_is_rejected(rule: Any, claims: dict[str, Any]) -> None:
    oidc = configured({"claim": "roles", "values": {"a": ["threads:read"]}}, tenant=rule)
    with pytest.raises(TokenError) as refused:
        authenticated(oidc, roles=["a"], **claims)
    assert refused.value.code is ErrorCode.TENANT_INVALID
    assert not oidc.explain({"sub": "u", "roles": ["a"], **claims}).allows("threads:read")


def test_own_rights_stay_without_tenant() -> None:
    oidc = configured({"claim": "roles", "values": {"a": ["threads:read", "threads:read@tenant"]}}, tenant="org")
    assert names(oidc, roles=["a"]) == READ
    assert names(oidc, roles=["a"], org="acme") == WIDE


def test_store_part_of_tenant_pattern_is_own() -> None:
    oidc = configured({"claim": "roles", "values": {"a": ["*@tenant"]}}, tenant="org")
    rights = authenticated(oidc, roles=["a"], org="acme").rights
    assert {name for name, reach in rights.items() if reach is Reach.OWN} == {
        "store:put",
        "store:get",
        "store:search",
        "store:list_namespaces",
        "store:delete",
        "store:read",
        "store:write",
    }
