"""The claims of access tokens as providers write them: ``oidc_token(**shapes.keycloak(roles=["agent-user"]))``.

Each function returns the claims beside the standard ones, as the provider documents them. A claim that the provider
leaves out is None, which leaves it out of the token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def keycloak(
    roles: Sequence[str] = (),
    *,
    client_roles: Mapping[str, Sequence[str]] | None = None,
    groups: Sequence[str] | None = None,
    client: str = "web",
    username: str = "alice",
) -> dict[str, Any]:
    """Return a Keycloak user's claims.

    Args:
        roles: realm roles, beside those that every Keycloak user has.
        client_roles: client id to its roles.
        groups: group paths, where a mapper writes them; with a leading slash.
        client: ``azp``.
        username: ``preferred_username``.
    """
    by_client = {name: {"roles": [*given]} for name, given in (client_roles or {}).items()}
    return {
        "typ": "Bearer",
        "azp": client,
        "scope": "openid profile email",
        "preferred_username": username,
        "realm_access": {"roles": ["offline_access", "uma_authorization", *roles]},
        "resource_access": by_client or None,
        "groups": None if groups is None else [*groups],
    }


def auth0(
    permissions: Sequence[str] = (), *, scope: str = "openid profile", org: str | None = None, client: str = "web"
) -> dict[str, Any]:
    """Return an Auth0 user's claims, with RBAC and "Add Permissions in the Access Token" on."""
    return {"azp": client, "scope": scope, "permissions": [*permissions], "org_id": org}


def entra(
    roles: Sequence[str] = (),
    *,
    scopes: str | None = "access_as_user",
    groups: Sequence[str] | None = None,
    tenant: str = "8d5f2a3e-0000-4000-8000-000000000001",
    user: str = "1b6c9f00-0000-4000-8000-000000000002",
) -> dict[str, Any]:
    """Return the claims of Microsoft Entra ID v2: app roles, delegated scopes in ``scp``, ``oid`` and ``tid``."""
    given = None if groups is None else [*groups]
    return {"ver": "2.0", "oid": user, "tid": tenant, "roles": [*roles] or None, "scp": scopes, "groups": given}


def okta(
    groups: Sequence[str] = (), *, scopes: Sequence[str] = ("openid",), user: str = "00u1alice", client: str = "0oa1web"
) -> dict[str, Any]:
    """Return the claims of an Okta custom authorization server: ``scp`` is a list, ``uid`` the stable name."""
    return {"uid": user, "cid": client, "scp": [*scopes], "groups": [*groups] or None}


def cognito(
    groups: Sequence[str] = (), *, scope: str = "openid", client: str = "WEB", username: str = "alice"
) -> dict[str, Any]:
    """Return the claims of a Cognito access token, which has no ``aud``."""
    who = {"client_id": client, "username": username}
    return {**who, "aud": None, "token_use": "access", "scope": scope, "cognito:groups": [*groups] or None}


def github_actions(
    repository: str = "acme/agents",
    *,
    repository_id: str = "1001",
    owner_id: str = "12345",
    ref: str = "refs/heads/main",
    environment: str | None = None,
) -> dict[str, Any]:
    """Return the claims of a GitHub Actions job's token."""
    return {
        "sub": f"repo:{repository}:ref:{ref}",
        "repository": repository,
        "repository_id": repository_id,
        "repository_owner_id": owner_id,
        "ref": ref,
        "environment": environment,
    }
