"""Values of a wrong type or out of bounds: the message says what kind of value it was, not the value."""

from __future__ import annotations

from typing import Any

import pytest
from kit.mistakes import check_mistake, granting, issuer, with_roles

MISTAKES = [
    # document, where, a word of the message, a word of the hint
    (issuer(issuer=5, jwks=...), "issuer[0].issuer", "should be a string; found a number", ""),
    (issuer(audience=5), "issuer[0].audience", "should be a string, or a list of strings; found a number", ""),
    (issuer(audience=""), "issuer[0].audience[0]", "is empty", ""),
    (issuer(audience=["a", True]), "issuer[0].audience[1]", "string; found a boolean", ""),
    (issuer(leeway=True), "issuer[0].leeway", "number; found a boolean", ""),
    (issuer(leeway="30"), "issuer[0].leeway", "number; found a string", ""),
    (issuer(leeway=61), "issuer[0].leeway", "less than or equal to 60; found 61", ""),
    (issuer(leeway=-1), "issuer[0].leeway", "greater than or equal to 0; found -1", ""),
    (issuer(leeway=float("nan")), "issuer[0].leeway", "finite", ""),
    (issuer(max_token_age=0), "issuer[0].max_token_age", "greater than 0; found 0", ""),
    (issuer(max_token_age=-1.5), "issuer[0].max_token_age", "should be greater than 0; found -1.5", ""),
    (issuer(token_type="refresh"), "issuer[0].token_type", "'access' or 'id'; found a string", ""),
    (issuer(strict_rfc9068=1), "issuer[0].strict_rfc9068", "should be true or false; found a number", ""),
    (issuer(require=["x"]), "issuer[0].require", "found a list", ""),
    (issuer(require={"groups": {}}), "issuer[0].require.groups[0]", "found a table", ""),
    (issuer(tenant=5), "issuer[0].tenant", "should be a string or a table; found a number", ""),
    (issuer(client_claim=5, require={"a": "b"}), "issuer[0].client_claim", "should be a table; found a number", ""),
    (
        issuer(permission_map=5),
        "issuer[0].permission_map",
        "should be a table, or a list of them; found a number",
        "",
    ),
    (issuer(permission_map=["scope"]), "issuer[0].permission_map[0]", "found a string", ""),
    (issuer(identity=5), "issuer[0].identity", "a string or a table, or a list of them; found a number", ""),
    (granting(values=["a"]), "issuer[0].permission_map[0].values", "found a list", ""),
    (granting(values={"a": 1.5}), "issuer[0].permission_map[0].values.a", "a list of strings; found a number", ""),
    (granting(accept="*", when=b"x"), "issuer[0].permission_map[0].when", "found bytes", ""),
    ({"issuer": 5}, "issuer", "a list of them; found a number", ""),
    ({"issuer": "https://sso.acme.com"}, "issuer[0]", "found a string", ""),
    ({**issuer(), "roles": 5}, "roles", "found a number", ""),
    (with_roles(a=5), "roles.a.permissions", "a list of strings; found a number", ""),
    ({**issuer(), "langgraph": {"studio": "yes"}}, "langgraph.studio", "'deny', 'own' or 'all'", ""),
    ({**issuer(), "langgraph": {"cron_max_age": 0}}, "langgraph.cron_max_age", "greater than 0", ""),
    ({**issuer(), "langgraph": {"cron_max_age": float("inf")}}, "langgraph.cron_max_age", "finite", ""),
    ({**issuer(), "langgraph": {"max_delay": -1}}, "langgraph.max_delay", "greater than or equal to 0", ""),
    ({**issuer(), "langgraph": {"max_delay": float("inf")}}, "langgraph.max_delay", "finite", ""),
    ({**issuer(), "langgraph": {"max_delay": "1h"}}, "langgraph.max_delay", "a number; found a string", ""),
    (
        {**issuer(), "limits": {"jwks_max_age": 60}},
        "limits.jwks_max_age",
        "less than jwks_refresh_after",
        "at least 90",
    ),
    (
        {**issuer(), "limits": {"jwks_max_stale": 600}},
        "limits.jwks_max_stale",
        "less than jwks_max_age",
        "at least 3600",
    ),
    ({**issuer(), "limits": {"token_bytes": 1.5}}, "limits.token_bytes", "a whole number; found a number", ""),
    ({**issuer(), "limits": {"fetch_timeout": 0}}, "limits.fetch_timeout", "greater than 0", ""),
    # Without a pause, anyone could cause unlimited fetches with made-up key ids.
    ({**issuer(), "limits": {"unknown_kid_window": 0}}, "limits.unknown_kid_window", "greater than 0", ""),
    ({**issuer(), "limits": {"json_depth": 257}}, "limits.json_depth", "less than or equal to 256", ""),
    ({**issuer(), "limits": []}, "limits", "found a list", ""),
    # what only a Python program can write
    (granting(values={1: ["*:read"]}), "issuer[0].permission_map[0].values.1", "not a string", "quote it"),
    (with_roles(a=["*"]) | {"roles": {1: ["*"]}}, "roles.1", "not a string", "quote it"),
    (issuer() | {1: 2}, "1", "not a string", "quote it"),
]


@pytest.mark.parametrize(("document", "where", "message", "hint"), MISTAKES)
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, message: str, hint: str) -> None:
    check_mistake(document, where, message, hint)
