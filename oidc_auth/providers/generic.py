"""Any OpenID provider without its own record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .preset import build_table
from .record import IssuerForm, Parameter, Provider, SampleToken, Setup, Sourced, TokenRules
from .starter_maps import ACCEPTED_PERMISSIONS, ROLES

if TYPE_CHECKING:
    from .preset import Audience, Grants

PROVIDER = Provider(
    name="generic",
    title="an OpenID provider",
    aliases=("oidc", "openid"),
    issuer=IssuerForm(
        template="{issuer}",
        source="OpenID Connect Discovery 1.0 §3: the issuer in the discovery document",
        parameters=(
            Parameter(
                name="issuer",
                help="The issuer, exactly as its discovery document spells it",
                example="https://id.acme.com",
            ),
        ),
    ),
    tokens=TokenRules(
        grants=Sourced(
            ({"claim": "scope"}, {"claim": "scp"}), "RFC 9068 §2.2.3: scope; Okta, Entra and Hydra write scp"
        )
    ),
    setup=Setup(
        address="exactly as its discovery document spells it",
        place="the provider's dashboard",
        steps=(
            "Register this server as an API, not an application (some providers call it a resource): {audience}.",
            "Configure JWT access tokens with an asymmetric algorithm (RS256, ES256), never HS256.",
            "Add the user's roles to the access token as the claim 'roles', or name your claim in the permission map.",
            "Let the client request this API: resource={audience} (RFC 8707), or the provider's audience parameter.",
        ),
        permission_map=f"""
[[issuer.grant]]
claim = "scope"                            # scopes that are named like permissions are accepted as they are
{ACCEPTED_PERMISSIONS}
[[issuer.grant]]
claim = "roles"                            # maps values of this claim to the roles below
values = {{ agent-user = ["user"], agent-admin = ["admin"] }}
{ROLES}""",
    ),
    sample=SampleToken(
        header={},
        claims={"sub": "u1", "aud": ["agents"], "client_id": "web", "scope": "openid threads:read", "jti": "j1"},
    ),
)


def generic(issuer: str, *, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for any OpenID provider.

    ``issuer`` is spelled exactly as in the provider's discovery document.
    """
    return build_table("generic", {"issuer": issuer, "audience": audience}, grants, settings)
