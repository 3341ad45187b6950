"""Mistakes in permission maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import table
from kit.mistakes import find_mistake, granting, issuer, problems, told

from oidc_auth import OIDCAuth

if TYPE_CHECKING:
    from kit.snapshots import Messages

ZITADEL_ROLES = "urn:zitadel:iam:org:project:1:roles"


def zitadel(**changes: Any) -> dict[str, Any]:
    return issuer(issuer=..., preset="zitadel", url="https://z.test", **changes)


MISTAKES = [
    (granting(), "issuer[0].permission_map[0]"),
    (
        granting(accept="*", values={"a": "*"}),
        "issuer[0].permission_map[0]",
    ),
    (granting(values={"*": ["*:read"]}), "issuer[0].permission_map[0].values.*"),
    (
        granting(values={"*": ["*:read"]}, when={}),
        "issuer[0].permission_map[0].values.*",
    ),
    (granting(accept="*", split=""), "issuer[0].permission_map[0].split"),
    (
        issuer(token_type="id", permission_map={"claim": "c", "accept": "*"}),
        "issuer[0].permission_map[0].accept",
    ),
    (
        granting(accept="*@all"),
        "issuer[0].permission_map[0].accept",
    ),
    (
        granting(claim="urn:zitadel:iam:org:project:roles", object_keys=True, values={"admin": "*:read@all"}),
        "issuer[0].permission_map[0].claim",
    ),
    (
        granting(claim='"urn:zitadel:iam:org:project:roles"', object_keys=True, accept="*"),
        "issuer[0].permission_map[0].claim",
    ),
    (
        issuer(
            tenant="org", permission_map={"claim": ZITADEL_ROLES, "object_keys": True, "values": {"admin": "*@tenant"}}
        ),
        "issuer[0].permission_map[0]",
    ),
    (
        {
            **issuer(
                tenant="org", permission_map={"claim": ZITADEL_ROLES, "object_keys": True, "values": {"a": "admin"}}
            ),
            "roles": {"admin": ["*@tenant"]},
        },
        "issuer[0].permission_map[0]",
    ),
    (
        issuer(
            tenant="org", permission_map={"claim": ZITADEL_ROLES, "object_keys": True, "accept": "threads:read@tenant"}
        ),
        "issuer[0].permission_map[0]",
    ),
    *(
        (document, "issuer[0].project_id")
        for document in [
            zitadel(audience=["1", "2"]),
            zitadel(audience=["1", "2"], permission_map=...),
            zitadel(audience=..., insecure_skip_audience=True),
            zitadel(project_id=""),
            zitadel(project_id=5),
        ]
    ),
    (issuer(preset="generic", project_id="1"), "issuer[0].project_id"),
]


@pytest.mark.parametrize(("document", "where"), MISTAKES, ids=[where for _, where in MISTAKES])
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, messages: Messages) -> None:
    problem = find_mistake(document)
    assert problem.where == where
    messages.check(told(problem))


def test_tenant_role_needs_issuer_with_tenant(messages: Messages) -> None:
    values = {"claim": "r", "values": {"x": ["outer"]}}
    document = {
        "issuer": [
            table(identity_prefix="", tenant="org", permission_map=values),
            table(issuer="https://b.test", identity_prefix="b:", permission_map=values),
        ],
        "roles": {"outer": ["inner"], "inner": ["threads:read@tenant"]},
    }
    (problem,) = problems(document)
    assert problem.where == "issuer[1].permission_map[0].values.x"
    messages.check(told(problem))


def test_tenant_permission_needs_tenant_claim() -> None:
    document = {**issuer(tenant="org"), "roles": {"a": ["threads:read@tenant"]}}
    OIDCAuth.from_dict(document)
