"""Mistakes in permission maps."""

from __future__ import annotations

from typing import Any

import pytest
from kit.mapping import table
from kit.mistakes import check_mistake, granting, issuer, problems

from oidc_auth import OIDCAuth

ZITADEL_ROLES = "urn:zitadel:iam:org:project:1:roles"


def zitadel(**changes: Any) -> dict[str, Any]:
    return issuer(issuer=..., preset="zitadel", url="https://z.test", **changes)


MISTAKES = [
    # document, where, a word of the message, a word of the hint
    (granting(), "issuer[0].permission_map[0]", "neither accept nor values", "to map its values"),
    (
        granting(accept="*", values={"a": "*"}),
        "issuer[0].permission_map[0]",
        "both accept and values",
        "permission names",
    ),
    (granting(values={"*": ["*:read"]}), "issuer[0].permission_map[0].values.*", "matches every value", "when = {...}"),
    (
        granting(values={"*": ["*:read"]}, when={}),
        "issuer[0].permission_map[0].values.*",
        "matches every value",
        "condition",
    ),
    (granting(accept="*", split=""), "issuer[0].permission_map[0].split", "is empty", ""),
    (
        issuer(token_type="id", permission_map={"claim": "c", "accept": "*"}),
        "issuer[0].permission_map[0].accept",
        "an ID token",
        "map",
    ),
    (
        granting(accept="*@all"),
        "issuer[0].permission_map[0].accept",
        "a pattern covers own",
        "each name with a reach",
    ),
    (
        granting(claim="urn:zitadel:iam:org:project:roles", object_keys=True, values={"admin": "*:read@all"}),
        "issuer[0].permission_map[0].claim",
        "which can be any project",
        "urn:zitadel:iam:org:project:<the project's id>:roles",
    ),
    (
        granting(claim='"urn:zitadel:iam:org:project:roles"', object_keys=True, accept="*"),
        "issuer[0].permission_map[0].claim",
        "which can be any project",
        "",
    ),
    (
        issuer(
            tenant="org", permission_map={"claim": ZITADEL_ROLES, "object_keys": True, "values": {"admin": "*@tenant"}}
        ),
        "issuer[0].permission_map[0]",
        "'*@tenant': another organization can have given the role",
        "@all",
    ),
    (
        {
            **issuer(
                tenant="org", permission_map={"claim": ZITADEL_ROLES, "object_keys": True, "values": {"a": "admin"}}
            ),
            "roles": {"admin": ["*@tenant"]},
        },
        "issuer[0].permission_map[0]",
        "'admin': another organization can have given the role",
        "@all",
    ),
    (
        issuer(
            tenant="org", permission_map={"claim": ZITADEL_ROLES, "object_keys": True, "accept": "threads:read@tenant"}
        ),
        "issuer[0].permission_map[0]",
        "another organization",
        "@all",
    ),
    *(
        (document, "issuer[0].project_id", message, "")
        for document, message in [
            (zitadel(audience=["1", "2"]), "is missing: audience is not one value"),
            (zitadel(audience=["1", "2"], permission_map=...), "is missing: audience is not one value"),
            (zitadel(audience=..., insecure_skip_audience=True), "is missing: audience is not one value"),
            (zitadel(project_id=""), "is missing"),
            (zitadel(project_id=5), "should be a string; found a number"),
        ]
    ),
    (issuer(preset="generic", project_id="1"), "issuer[0].project_id", "does not belong", "'issuer'"),
]


@pytest.mark.parametrize(("document", "where", "message", "hint"), MISTAKES)
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, message: str, hint: str) -> None:
    check_mistake(document, where, message, hint)


def test_tenant_role_needs_issuer_with_tenant() -> None:
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
    assert "'outer' has @tenant rights, and this issuer has no tenant claim" in problem.message


def test_tenant_permission_needs_tenant_claim() -> None:
    document = {**issuer(tenant="org"), "roles": {"a": ["threads:read@tenant"]}}
    OIDCAuth.from_dict(document)
