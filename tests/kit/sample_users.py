"""Roles with each reach, and a configuration and tokens for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oidc_auth.permissions.names import EVENTS, Reach, clamp_reach, format_permission

if TYPE_CHECKING:
    from oidc_auth.testing import LocalIssuer

ROLES: dict[str, list[str]] = {
    "editor": ["threads:write", "assistants:read", "crons:write", "store:write"],
    "viewer": ["threads:read", "assistants:read", "store:read"],
    "author": ["threads:write", "assistants:write", "store:write"],
    "robot": ["threads:create_run"],
    "creator": ["threads:create"],
    "colleague": ["threads:read@tenant", "threads:write", "crons:update@tenant", "crons:write"],
    "admin": ["*@tenant"],
    "root": ["*@all"],
    "unprivileged": [],
}


# One role per permission, such as "threads:read@tenant".
ROLES.update(
    {
        right: [right]
        for event in EVENTS
        for reach in Reach
        for right in [format_permission(event, clamp_reach(event, reach))]
    }
)


def configuration_for(issuer: LocalIssuer, /, **tables: Any) -> dict[str, Any]:
    """Return a configuration with these roles in the claim ``roles``, and the tenant in ``org``."""
    given = {name: rights for name, rights in ROLES.items() if rights}
    return {
        "issuer": {
            "preset": "generic",
            "issuer": issuer.url,
            "audience": "agents",
            "tenant": "org",
            "permission_map": {"claim": "roles", "values": given},
        },
        **tables,
    }


def user_token(issuer: LocalIssuer, name: str, *roles: str, tenant: str | None = "acme", **claims: Any) -> str:
    """Return a token of a user with these roles."""
    return issuer.token(name, roles=list(roles), org=tenant, **claims)
