"""Auth0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..error_codes import ErrorCode
from .preset import build_table
from .record import IssuerForm, Parameter, Provider, SampleToken, Setup, Sourced, TokenRules
from .starter_maps import ACCEPTED_PERMISSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .preset import Audience, PermissionMaps

DOCS = "https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles"

PROVIDER = Provider(
    name="auth0",
    title="Auth0",
    issuer=IssuerForm(
        template="https://{domain}/",
        source=f"{DOCS}: iss, with the final slash",
        parameters=(
            Parameter(
                name="domain", help="The tenant's domain, such as acme.eu.auth0.com", example="acme.eu.auth0.com"
            ),
        ),
        recognized=r"https://[^/]+\.auth0\.com(/|$)",
        pattern=r"[^/]\.[^/]+/$",
        mismatch="is not the issuer of an Auth0 tenant",
        hint='write the domain instead of issuer: domain = "acme.eu.auth0.com"',
        suffix="/",
    ),
    tokens=TokenRules(
        user_claims=("user_metadata",),
        permission_maps=Sourced(
            ({"claim": "permissions"}, {"claim": "scope"}), f"{DOCS}: scope; RBAC adds permissions"
        ),
    ),
    hints={
        ErrorCode.TOKEN_MALFORMED: "Auth0: the client did not send audience=<your API id>, or JSON Web Encryption is "
        "on for the API.",
        ErrorCode.ALG_NOT_ALLOWED: "Auth0: the signing algorithm of an API is fixed; create the API again with RS256.",
        ErrorCode.AUDIENCE_MISMATCH: "Auth0: send audience=<your API id> (APIs > Settings > Identifier).",
    },
    setup=Setup(
        address="the tenant's domain",
        place="Auth0's dashboard",
        steps=(
            "Applications > APIs > Create API (an API, not an application): Identifier = {audience}, RS256.",
            "Settings of this API: turn on Enable RBAC and Add Permissions in the Access Token.",
            (
                "Permissions of this API: add threads:read, threads:write, assistants:read, crons:write, store:write. "
                "Add them to roles (User Management > Roles), and assign the roles to users."
            ),
            (
                "Let the client send audience={audience} at login. Without it, Auth0 issues a token that only Auth0 "
                "can read."
            ),
        ),
        permission_map=f"""
[[issuer.permission_map]]
claim = "permissions"                      # of the API, by RBAC
{ACCEPTED_PERMISSIONS}""",
    ),
    sample=SampleToken(
        claims={
            "sub": "auth0|507f1f77bcf86cd799439020",
            "aud": ["https://agents.acme.com", "https://acme.eu.auth0.com/userinfo"],
            "azp": "my_client_id",
            "scope": "openid profile offline_access",
            "permissions": ["threads:read", "billing:write"],
            "org_id": "org_9ybsU1dN2dKfDkBi",
        }
    ),
)


def auth0(
    domain: str, *, audience: Audience, permission_map: PermissionMaps | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for an Auth0 tenant, such as ``acme.eu.auth0.com``.

    ``audience`` is the API's identifier.
    """
    return build_table("auth0", {"domain": domain, "audience": audience}, permission_map, settings)


def sample_claims(
    permissions: Sequence[str] = (), *, scope: str = "openid profile", org: str | None = None, client: str = "web"
) -> dict[str, Any]:
    """Return the claims of a user, with RBAC and "Add Permissions in the Access Token" on."""
    return {"azp": client, "scope": scope, "permissions": [*permissions], "org_id": org}
