"""Each claim missing, null, empty or of the wrong type: the table of docs/claims.md is the test data.

No cell gives more than the valid claim.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kit.mapping import NOW, URL, authenticated, configured

from oidc_auth import OIDCAuthError

TABLE: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "malformed-claims.json").read_text("utf-8"))
CASES = [(row["claim"], column, said) for row in TABLE["rows"] for column, said in row["outcomes"].items()]
RIGHT: dict[str, Any] = {
    "iss": URL,
    "sub": "u1",
    "aud": "agents",
    "exp": NOW + 300,
    "nbf": NOW - 1,
    "iat": NOW - 1,
    "jti": "j1",
    "azp": "web",
    "client_id": "web",
    "plan": "pro",
    "org": "acme",
    "name": "Alice",
    "email": "a@acme.com",
    "scope": "openid store:get",
    "groups": ["users"],
    "roles": ["builder"],
    "gty": "password",
    "typ": "Bearer",
    "token_use": "access",
    "sts": "active",
}
FORBIDDEN = {"cnf": ..., "events": ...}
OIDC = configured(
    {"claim": "scope", "accept": ["store:get"]},
    {"claim": "groups", "values": {"users": ["threads:read"]}},
    {"claim": "roles", "values": {"builder": ["assistants:create"]}, "when": {"gty": "password"}},
    tenant="org",
    display_name="name",
    claims=["email"],
    allowed_clients=["web"],
    client_claim={"claim": "client_id", "values": ["web"]},
    require={"plan": ["pro", "team"], "jti": "*"},
)
BASE = authenticated(OIDC, **RIGHT, **FORBIDDEN)


def outcome(claim: str, value: object) -> str:
    """Return the result for a valid token in which one claim has this value, as text of the table."""
    try:
        caller = authenticated(OIDC, **{**RIGHT, **FORBIDDEN, claim: value})
    except OIDCAuthError as refusal:
        return str(refusal.code)
    assert set(caller.permissions) <= set(BASE.permissions)
    if caller.permissions != BASE.permissions:
        return "gives nothing"
    if caller.tenancy != BASE.tenancy:
        tenant = caller.user()["tenant"]
        return "no tenant" if tenant is None else f"tenant `{tenant}`"
    if caller.display_name != BASE.display_name:
        assert caller.display_name == caller.identity
        return "the identity is shown"
    if caller.claims != BASE.claims:
        return "as it is" if claim in caller.claims else "left out"
    return "admitted"


def test_valid_token_is_accepted() -> None:
    assert BASE.permissions == ["assistants:create", "store:get", "threads:read", "threads:search"]
    assert (BASE.display_name, BASE.user()["tenant"], BASE.claims) == ("Alice", "acme", {"email": "a@acme.com"})


def test_every_claim_has_table_row() -> None:
    rows = [row["claim"] for row in TABLE["rows"]]
    assert sorted(rows) == sorted({**RIGHT, **FORBIDDEN})
    assert all(list(row["outcomes"]) == ["missing", *TABLE["values"]] for row in TABLE["rows"])


@pytest.mark.parametrize(("claim", "column", "said"), CASES)
def test_malformed_claim_has_documented_outcome(claim: str, column: str, said: str) -> None:
    assert outcome(claim, TABLE["values"].get(column, ...)) == said
