"""Mistakes in claim paths and in patterns."""

from __future__ import annotations

from typing import Any

import pytest
from kit.mistakes import check_mistake, granting, issuer

MISTAKES = [
    # document, where, a word of the message, a word of the hint
    (granting(accept="*", claim="a..b"), "issuer[0].permission_map[0].claim", "expected at position 3", ""),
    (granting(accept="*", claim="a b"), "issuer[0].permission_map[0].claim", "'.' is expected at position 2", ""),
    (granting(accept="*", claim="roles[0]"), "issuer[0].permission_map[0].claim", "expected at position 6", ""),
    (granting(accept="*", claim="roles.*"), "issuer[0].permission_map[0].claim", "wildcards in claim paths", ""),
    (granting(accept="*", claim='a."b'), "issuer[0].permission_map[0].claim", "expected at position 3", ""),
    (granting(accept="*", claim=""), "issuer[0].permission_map[0].claim", "expected at position 1", ""),
    (
        granting(accept="*", claim="/realm_access/roles"),
        "issuer[0].permission_map[0].claim",
        "write realm_access.roles",
        "",
    ),
    (
        granting(accept="*", claim="$.realm_access.roles"),
        "issuer[0].permission_map[0].claim",
        "write realm_access.roles",
        "",
    ),
    (granting(accept="*", claim=[]), "issuer[0].permission_map[0].claim", "is empty", ""),
    (granting(accept="*", claim=["a", ""]), "issuer[0].permission_map[0].claim", "non-empty", ""),
    (granting(accept="*", claim=["a", 5]), "issuer[0].permission_map[0].claim[1]", "a number", ""),
    (issuer(identity="email"), "issuer[0].identity[0]", "unverified e-mail address", "email_verified = true"),
    (
        issuer(identity=[{"claim": "oid"}, {"claim": ["email"], "prefix": "m:"}], require={"email_verified": "yes"}),
        "issuer[0].identity[1]",
        "unverified e-mail address",
        "sub",
    ),
    (issuer(identity='"email"'), "issuer[0].identity[0]", "unverified e-mail address", "sub"),
    (issuer(identity=[{"claim": ["email"]}]), "issuer[0].identity[0]", "unverified e-mail address", "sub"),
    (
        issuer(identity=["uid", "cid"]),
        "issuer[0].identity",
        "two claims can produce the same identity",
        "its own prefix",
    ),
    (issuer(identity="/sub"), "issuer[0].identity[0].claim", "write sub", ""),
    (issuer(identity=[]), "issuer[0].identity", "is empty", ""),
    (issuer(tenant="$.org"), "issuer[0].tenant.claim", "write org", ""),
    (issuer(display_name="a b"), "issuer[0].display_name", "expected at position 2", ""),
    (issuer(claims=["email", "a..b"]), "issuer[0].claims[1]", "expected at position 3", ""),
    (issuer(require={"/jti": "*"}), "issuer[0].require./jti", "write jti", ""),
    (issuer(client_claim={"claim": "/c", "values": "x"}, require={"a": "b"}), "issuer[0].client_claim.claim", "c", ""),
    (issuer(require={"/repository": "x"}), "issuer[0].require./repository", "write repository", ""),
    (issuer(require={"repository": "ac*me"}), "issuer[0].require.repository", "only at the end", "a prefix and *"),
    (granting(accept="*", when={"$.azp": "x"}), "issuer[0].permission_map[0].when.$.azp", "write azp", ""),
    (
        granting(accept="*", when={"azp": "**"}),
        "issuer[0].permission_map[0].when.azp",
        "only at the end",
        "a prefix and *",
    ),
    (granting(values={"*-eng": "*"}), "issuer[0].permission_map[0].values.*-eng", "only at the end", "a prefix and *"),
]


@pytest.mark.parametrize(("document", "where", "message", "hint"), MISTAKES)
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, message: str, hint: str) -> None:
    check_mistake(document, where, message, hint)
