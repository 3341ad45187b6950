"""Mistakes in permission names, reaches and roles."""

from __future__ import annotations

from typing import Any

import pytest
from kit.mistakes import check_mistake, granting, issuer, problems, with_roles

MISTAKES = [
    # document, where, a word of the message, a word of the hint
    (
        granting(accept=["threads:wirte"]),
        "issuer[0].permission_map[0].accept",
        "'threads:wirte'",
        "mean 'threads:write'?",
    ),
    (
        granting(accept=["threads:red"]),
        "issuer[0].permission_map[0].accept",
        "unknown permission",
        "mean 'threads:read'?",
    ),
    (
        granting(accept=["runs:creat"]),
        "issuer[0].permission_map[0].accept",
        "unknown permission",
        "mean 'runs:create'?",
    ),
    (granting(accept=["threads:run"]), "issuer[0].permission_map[0].accept", "unknown permission", "run"),
    (granting(accept=["qqq"]), "issuer[0].permission_map[0].accept", "unknown permission", ""),
    (
        granting(accept=["threads:read@tennant"]),
        "issuer[0].permission_map[0].accept",
        "'@tennant'",
        "'threads:read@tenant'",
    ),
    (granting(values={"x": "threads:read@al"}), "issuer[0].permission_map[0].values.x", "'@al'", "'threads:read@all'"),
    (
        granting(values={"x": "threads:read@"}),
        "issuer[0].permission_map[0].values.x",
        "unknown reach '@'",
        "threads:read",
    ),
    (
        granting(values={"x": "threads:read@tenant"}),
        "issuer[0].permission_map[0].values.x",
        "no tenant claim",
        'tenant = "',
    ),
    (granting(values={"x": "store:*@all@all"}), "issuer[0].permission_map[0].values.x", "unknown reach", ""),
    (
        issuer(tenant="org", permission_map={"claim": "r", "values": {"x": "store:read@tenant"}}),
        "issuer[0].permission_map[0].values.x",
        "the store has no @tenant reach",
        "without a reach",
    ),
    (
        granting(values={"x": "store:read@tenant"}),
        "issuer[0].permission_map[0].values.x",
        "the store has",
        "without a reach",
    ),
    (
        {**granting(values={"x": "amdin"}), "roles": {"admin": ["*"]}},
        "issuer[0].permission_map[0].values.x",
        "'amdin'",
        "did you mean 'admin'?",
    ),
    (
        {**granting(accept="admin"), "roles": {"admin": "*"}},
        "issuer[0].permission_map[0].accept",
        "unknown permission",
        "",
    ),
    (with_roles(user="*:read", admin=["userr"]), "roles.admin", "'userr'", "did you mean 'user'?"),
    (
        with_roles(a=["threads:wirte@all"]),
        "roles.a",
        "unknown permission 'threads:wirte@all'",
        "mean 'threads:write@all'?",
    ),
    (with_roles(a=["threads:wirte"]), "roles.a", "unknown permission 'threads:wirte'", "did you mean 'threads:write'?"),
    (with_roles(a=["threads:read@tenant"]), "roles.a", "no tenant claim", 'tenant = "'),
    (with_roles(a="a"), "roles.a", "includes itself", "remove one"),
    (with_roles(audience="x"), "roles.audience", "looks like a key of [[issuer]]", "before the first [roles]"),
    (with_roles(leeway=5), "roles.leeway", "looks like a key of [[issuer]]", "before the first [roles]"),
    (with_roles(**{"threads:read": "*"}), "roles.threads:read", "look like a permission", "use a name without"),
    (with_roles(**{"runs:create": "*"}), "roles.runs:create", "look like a permission", "use a name without"),
    (with_roles(**{"my:role": "*"}), "roles.my:role", "look like a permission", "use a name without"),
    (with_roles(**{"all*": "*"}), "roles.all*", "look like a permission", "use a name without"),
    (with_roles(**{"me@all": "*"}), "roles.me@all", "look like a permission", "use a name without"),
]


@pytest.mark.parametrize(("document", "where", "message", "hint"), MISTAKES)
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, message: str, hint: str) -> None:
    check_mistake(document, where, message, hint)


def test_unknown_name_is_reported_once() -> None:
    assert [problem.message.count("thread:write") for problem in problems(with_roles(a=["thread:write"]))] == [1]


def test_unknown_name_is_reported_at_each_place() -> None:
    values = {"a": ["threads:wirte", "threads:wirte"], "b": ["threads:wirte"]}
    assert [p.where for p in problems(granting(values=values))] == [
        "issuer[0].permission_map[0].values.a",
        "issuer[0].permission_map[0].values.b",
    ]


def test_circular_roles_are_reported_at_each_role() -> None:
    document = with_roles(a=["b"], b=["c"], c=["a"], d=["a"], e=["*"], f=["e", "e"], g=["f", "e"])
    assert [problem.where for problem in problems(document)] == ["roles.a", "roles.b", "roles.c"]
