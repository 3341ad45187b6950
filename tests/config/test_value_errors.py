"""Values of a wrong type or out of bounds: the message says what kind of value it was, not the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.mistakes import find_mistake, granting, issuer, told, with_roles

if TYPE_CHECKING:
    from kit.snapshots import Messages

MISTAKES = [
    (issuer(issuer=5, jwks=...), "issuer[0].issuer"),
    (issuer(audience=5), "issuer[0].audience"),
    (issuer(audience=""), "issuer[0].audience[0]"),
    (issuer(audience=["a", True]), "issuer[0].audience[1]"),
    (issuer(leeway=True), "issuer[0].leeway"),
    (issuer(leeway="30"), "issuer[0].leeway"),
    (issuer(leeway=61), "issuer[0].leeway"),
    (issuer(leeway=-1), "issuer[0].leeway"),
    (issuer(leeway=float("nan")), "issuer[0].leeway"),
    (issuer(max_token_age=0), "issuer[0].max_token_age"),
    (issuer(max_token_age=-1.5), "issuer[0].max_token_age"),
    (issuer(token_type="refresh"), "issuer[0].token_type"),
    (issuer(strict_rfc9068=True, accepted_typ=["JWT"]), "issuer[0].strict_rfc9068"),
    (issuer(strict_rfc9068=True, token_type="id"), "issuer[0].strict_rfc9068"),
    *(
        (granting(accept="*", split=separator), "issuer[0].permission_map[0].split")
        for separator in ("*", ",*", "[", " ]")
    ),
    (issuer(strict_rfc9068=1), "issuer[0].strict_rfc9068"),
    (issuer(require=["x"]), "issuer[0].require"),
    (issuer(require={"groups": {}}), "issuer[0].require.groups[0]"),
    (issuer(tenant=5), "issuer[0].tenant"),
    (issuer(client_claim=5, require={"a": "b"}), "issuer[0].client_claim"),
    (
        issuer(permission_map=5),
        "issuer[0].permission_map",
    ),
    (issuer(permission_map=["scope"]), "issuer[0].permission_map[0]"),
    (issuer(identity=5), "issuer[0].identity"),
    (granting(values=["a"]), "issuer[0].permission_map[0].values"),
    (granting(values={"a": 1.5}), "issuer[0].permission_map[0].values.a"),
    (granting(accept="*", when=b"x"), "issuer[0].permission_map[0].when"),
    ({"issuer": 5}, "issuer"),
    ({"issuer": "https://sso.acme.com"}, "issuer[0]"),
    ({**issuer(), "roles": 5}, "roles"),
    (with_roles(a=5), "roles.a.permissions"),
    ({**issuer(), "langgraph": {"studio": "yes"}}, "langgraph.studio"),
    ({**issuer(), "langgraph": {"cron_max_age": 0}}, "langgraph.cron_max_age"),
    ({**issuer(), "langgraph": {"cron_max_age": float("inf")}}, "langgraph.cron_max_age"),
    ({**issuer(), "langgraph": {"max_delay": -1}}, "langgraph.max_delay"),
    ({**issuer(), "langgraph": {"max_delay": float("inf")}}, "langgraph.max_delay"),
    ({**issuer(), "langgraph": {"max_delay": "1h"}}, "langgraph.max_delay"),
    (
        {**issuer(), "limits": {"jwks_max_age": 60}},
        "limits.jwks_max_age",
    ),
    (
        {**issuer(), "limits": {"jwks_max_stale": 600}},
        "limits.jwks_max_stale",
    ),
    ({**issuer(), "limits": {"token_bytes": 1.5}}, "limits.token_bytes"),
    ({**issuer(), "limits": {"fetch_timeout": 0}}, "limits.fetch_timeout"),
    # Without a pause, anyone could cause unlimited fetches with made-up key ids.
    ({**issuer(), "limits": {"unknown_kid_window": 0}}, "limits.unknown_kid_window"),
    ({**issuer(), "limits": {"json_depth": 257}}, "limits.json_depth"),
    ({**issuer(), "limits": []}, "limits"),
    # what only a Python program can write
    (granting(values={1: ["*:read"]}), "issuer[0].permission_map[0].values.1"),
    (with_roles(a=["*"]) | {"roles": {1: ["*"]}}, "roles.1"),
    (issuer() | {1: 2}, "1"),
]


@pytest.mark.parametrize(("document", "where"), MISTAKES, ids=[where for _, where in MISTAKES])
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, messages: Messages) -> None:
    problem = find_mistake(document)
    assert problem.where == where
    messages.check(told(problem))
