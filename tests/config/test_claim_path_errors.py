"""Mistakes in claim paths and in patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.mistakes import find_mistake, granting, issuer, told

if TYPE_CHECKING:
    from kit.snapshots import Messages

MISTAKES = [
    (granting(accept="*", claim="a..b"), "issuer[0].permission_map[0].claim"),
    (granting(accept="*", claim="a b"), "issuer[0].permission_map[0].claim"),
    (granting(accept="*", claim="roles[0]"), "issuer[0].permission_map[0].claim"),
    (granting(accept="*", claim="roles.*"), "issuer[0].permission_map[0].claim"),
    (granting(accept="*", claim='a."b'), "issuer[0].permission_map[0].claim"),
    (granting(accept="*", claim=""), "issuer[0].permission_map[0].claim"),
    (
        granting(accept="*", claim="/realm_access/roles"),
        "issuer[0].permission_map[0].claim",
    ),
    (
        granting(accept="*", claim="$.realm_access.roles"),
        "issuer[0].permission_map[0].claim",
    ),
    (granting(accept="*", claim=[]), "issuer[0].permission_map[0].claim"),
    (granting(accept="*", claim=["a", ""]), "issuer[0].permission_map[0].claim"),
    (granting(accept="*", claim=["a", 5]), "issuer[0].permission_map[0].claim[1]"),
    (issuer(identity="email"), "issuer[0].identity[0]"),
    (
        issuer(identity=[{"claim": "oid"}, {"claim": ["email"], "prefix": "m:"}], require={"email_verified": "yes"}),
        "issuer[0].identity[1]",
    ),
    (issuer(identity='"email"'), "issuer[0].identity[0]"),
    (issuer(identity=[{"claim": ["email"]}]), "issuer[0].identity[0]"),
    (
        issuer(identity=["uid", "cid"]),
        "issuer[0].identity",
    ),
    (issuer(identity="/sub"), "issuer[0].identity[0].claim"),
    (issuer(identity=[]), "issuer[0].identity"),
    (issuer(tenant="$.org"), "issuer[0].tenant.claim"),
    (issuer(display_name="a b"), "issuer[0].display_name"),
    (issuer(claims=["email", "a..b"]), "issuer[0].claims[1]"),
    (issuer(require={"/jti": "*"}), "issuer[0].require./jti"),
    (issuer(client_claim={"claim": "/c", "values": "x"}, require={"a": "b"}), "issuer[0].client_claim.claim"),
    (issuer(require={"/repository": "x"}), "issuer[0].require./repository"),
    (issuer(require={"repository": "ac*me"}), "issuer[0].require.repository"),
    (granting(accept="*", when={"$.azp": "x"}), "issuer[0].permission_map[0].when.$.azp"),
    (
        granting(accept="*", when={"azp": "**"}),
        "issuer[0].permission_map[0].when.azp",
    ),
    (granting(values={"*-eng": "*"}), "issuer[0].permission_map[0].values.*-eng"),
]


@pytest.mark.parametrize(("document", "where"), MISTAKES, ids=[where for _, where in MISTAKES])
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, messages: Messages) -> None:
    problem = find_mistake(document)
    assert problem.where == where
    messages.check(told(problem))
