"""Mistakes in permission names, reaches and roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.mistakes import find_mistake, granting, issuer, problems, told, with_roles

if TYPE_CHECKING:
    from kit.snapshots import Messages

MISTAKES = [
    (
        granting(accept=["threads:wirte"]),
        "issuer[0].permission_map[0].accept",
    ),
    (
        granting(accept=["threads:red"]),
        "issuer[0].permission_map[0].accept",
    ),
    (
        granting(accept=["runs:creat"]),
        "issuer[0].permission_map[0].accept",
    ),
    (granting(accept=["threads:run"]), "issuer[0].permission_map[0].accept"),
    (granting(accept=["qqq"]), "issuer[0].permission_map[0].accept"),
    (
        granting(accept=["threads:read@tennant"]),
        "issuer[0].permission_map[0].accept",
    ),
    (granting(values={"x": "threads:read@al"}), "issuer[0].permission_map[0].values.x"),
    (
        granting(values={"x": "threads:read@"}),
        "issuer[0].permission_map[0].values.x",
    ),
    (
        granting(values={"x": "threads:read@tenant"}),
        "issuer[0].permission_map[0].values.x",
    ),
    (granting(values={"x": "store:*@all@all"}), "issuer[0].permission_map[0].values.x"),
    (
        issuer(tenant="org", permission_map={"claim": "r", "values": {"x": "store:read@tenant"}}),
        "issuer[0].permission_map[0].values.x",
    ),
    (
        granting(values={"x": "store:read@tenant"}),
        "issuer[0].permission_map[0].values.x",
    ),
    (
        {**granting(values={"x": "amdin"}), "roles": {"admin": ["*"]}},
        "issuer[0].permission_map[0].values.x",
    ),
    (
        {**granting(accept="admin"), "roles": {"admin": "*"}},
        "issuer[0].permission_map[0].accept",
    ),
    (with_roles(user="*:read", admin=["userr"]), "roles.admin"),
    (
        with_roles(a=["threads:wirte@all"]),
        "roles.a",
    ),
    (with_roles(a=["threads:wirte"]), "roles.a"),
    (with_roles(a=["threads:read@tenant"]), "roles.a"),
    (with_roles(a="a"), "roles.a"),
    (with_roles(audience="x"), "roles.audience"),
    (with_roles(leeway=5), "roles.leeway"),
    (with_roles(**{"threads:read": "*"}), "roles.threads:read"),
    (with_roles(**{"runs:create": "*"}), "roles.runs:create"),
    (with_roles(**{"my:role": "*"}), "roles.my:role"),
    (with_roles(**{"all*": "*"}), "roles.all*"),
    (with_roles(**{"me@all": "*"}), "roles.me@all"),
]


@pytest.mark.parametrize(("document", "where"), MISTAKES, ids=[where for _, where in MISTAKES])
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, messages: Messages) -> None:
    problem = find_mistake(document)
    assert problem.where == where
    messages.check(told(problem))


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
