"""Permissions and graphs that roles give."""

from __future__ import annotations

import pytest
from kit.mapping import authenticated, configured, names

READ = ["threads:read", "threads:search"]


ROLE_TABLE = {
    "user": ["threads:read"],
    "admin": ["user", "threads:read@all", "crons:delete"],
    "owner": {"permissions": ["admin", "store:put"]},
    "one": "assistants:create",
}


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        ("user", READ),
        ("admin", ["crons:delete", "threads:read", "threads:read@all", "threads:search", "threads:search@all"]),
        (
            "owner",
            ["crons:delete", "store:put", "threads:read", "threads:read@all", "threads:search", "threads:search@all"],
        ),
        ("one", ["assistants:create"]),
    ],
)
def test_role_gives_its_contents(role: str, permissions: list[str]) -> None:
    oidc = configured({"claim": "roles", "values": {"x": [role]}}, roles=ROLE_TABLE)
    assert names(oidc, roles=["x"]) == permissions


def test_role_name_is_no_claim_value() -> None:
    oidc = configured({"claim": "roles", "values": {"x": ["admin"]}}, roles=ROLE_TABLE)
    assert names(oidc, roles=["admin"]) == []


GRAPH_ROLES = {
    "docs": {"permissions": ["threads:create_run"], "graphs": ["docs_agent", "faq"]},
    "sales": {"permissions": ["threads:write"], "graphs": "sales_agent"},
    "free": ["threads:create_run"],
    "reader": {"permissions": ["threads:read"], "graphs": ["docs_agent"]},
    "inner": {"permissions": ["docs"], "graphs": ["faq", "sales_agent"]},
    "outer": ["docs"],
    "limited": {"permissions": ["free"], "graphs": ["faq"]},
    "none": {"permissions": ["threads:create_run"], "graphs": []},
    "beside": {"permissions": ["threads:create_run", "docs"], "graphs": ["other"]},
}


@pytest.mark.parametrize(
    ("held", "graphs"),
    [
        (["docs"], ["docs_agent", "faq"]),
        (["docs", "sales"], ["docs_agent", "faq", "sales_agent"]),
        (["docs", "free"], None),
        (["free"], None),
        (["docs", "direct"], None),
        (["direct"], None),
        (["docs", "direct_read"], ["docs_agent", "faq"]),
        (["reader"], None),
        (["docs", "reader"], ["docs_agent", "faq"]),
        (["inner"], ["faq"]),
        (["outer"], ["docs_agent", "faq"]),
        (["limited"], ["faq"]),
        (["none"], []),
        (["none", "sales"], ["sales_agent"]),
        (["beside"], ["other"]),
        ([], None),
    ],
)
def test_graph_limits_unite_unless_unlimited(held: list[str], graphs: list[str] | None) -> None:
    values = {role: [role] for role in GRAPH_ROLES} | {"direct": ["threads:write"], "direct_read": ["*:read"]}
    oidc = configured({"claim": "roles", "values": values}, roles=GRAPH_ROLES)
    assert names(oidc, roles=held) is not None
    assert authenticated(oidc, roles=held).user()["graphs"] == graphs


def test_ineffective_unlimited_right_keeps_graph_limit() -> None:
    values = {"docs": ["docs"], "wide": ["threads:create_run@tenant"]}
    oidc = configured({"claim": "roles", "values": values}, roles=GRAPH_ROLES, tenant="org")
    assert authenticated(oidc, roles=["docs", "wide"]).graphs == frozenset({"docs_agent", "faq"})
    assert authenticated(oidc, roles=["docs", "wide"], org="acme").graphs is None
