"""The claims of a token, and what each one gives."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

from ...permissions.permission_maps import (
    claim_values,
    conditions_met,
    format_rights,
    is_effective,
    read_tenancy,
    rights_from_value,
)
from ...tokens.checks import find_identity
from ...tokens.claim_path import MISSING, find_claim, format_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...permissions.permission_maps import MappingRules, PermissionMap
    from ...tokens.policy import TokenPolicy

    Row = dict[str, Any]

USES: Mapping[str, str] = {
    "iss": "the issuer that this server trusts",
    "aud": "names this API",
    "exp": "the time when the token ends",
    "iat": "the time when the token was issued",
    "auth_time": "the time of the login",
    "sid": "the session. A logout with this value revokes the token",
    "jti": "the id of the token",
    "azp": "the client that logged in",
    "client_id": "the client that logged in",
}
"""What the library does with a registered claim (RFC 7519 §4.1, OpenID Connect)."""


def read_payload(token: str) -> dict[str, Any]:
    """Return the claims of a token that was verified before. This function verifies nothing."""
    segment = token.split(".")[1]
    payload: dict[str, Any] = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return payload


def explain_rows(claims: Mapping[str, object], rules: MappingRules) -> list[Row]:
    """Return one row for each claim, and for each value of a claim that a permission map reads."""
    mapped = [row for each in rules.permission_maps for row in _mapped_rows(claims, each, rules)]
    read = {each.path[0] for each in rules.permission_maps}
    uses = {**USES, **_names_of_user(claims, rules.policy)}
    others = [_row(name, value, uses.get(name, "")) for name, value in claims.items() if name not in read]
    # Claims without a use come last.
    return [*mapped, *sorted(others, key=lambda row: not row["use"])]


def _mapped_rows(claims: Mapping[str, object], permission_map: PermissionMap, rules: MappingRules) -> Iterator[Row]:
    claim, name = find_claim(claims, permission_map.path), format_path(permission_map.path)
    if claim is MISSING or not conditions_met(permission_map.when, claims):
        return
    tenancy = read_tenancy(claims, rules.policy.tenant)
    for value in claim_values(claim, permission_map):
        given = [right for right in rights_from_value(value, permission_map) if is_effective(right, tenancy)]
        permissions = format_rights(given).split(", ") if given else []
        yield {**_row(name, value, "permissions" if given else "no permission"), "permissions": permissions}


def _names_of_user(claims: Mapping[str, object], policy: TokenPolicy) -> dict[str, str]:
    """Return the top-level claims with identity and tenant, and their use."""
    identity, _ = find_identity(claims, policy)
    tenant = {} if policy.tenant is None else {policy.tenant.path[0]: "the tenant"}
    return {identity.path[0]: "the identity: the owner of new threads", **tenant}


def _row(claim: str, value: object, use: str) -> Row:
    return {"claim": claim, "value": value, "use": use, "permissions": []}
