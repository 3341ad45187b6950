"""Providers as data: what each fixes, and where that is documented. Its tests mint a token of each provider's shape.

In a text, ``{name}`` stands for that parameter, ``{issuer}`` for the issuer; ``{tenantid}`` is filled in later, once
for each of ``tenants``. How to write the same by hand, for a provider that is not here: docs/recipes.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fixed(NamedTuple):
    """What a provider fixes, and its source."""

    value: Any
    source: str


NO_GRANTS = Fixed((), "its tokens carry no permission names of an API")


class Shape(NamedTuple):
    """What every issuer of a provider looks like.

    Attributes:
        pattern: a regular expression for its end.
        says: what it means that an issuer looks otherwise.
        must: no token of another issuer could ever be checked: an error, and not a warning.
    """

    pattern: str
    says: str
    must: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What one provider fixes.

    Attributes:
        issuer: the issuer exactly as the provider spells it.
        parameters: the keys that stand in for ``issuer``: the address as people know it.
        wants: the key of ``[[issuer]]`` without which the issuer is not complete.
        defaults: parameters that may be left out, and the key of ``[[issuer]]`` whose only value each then is.
        grants: where the provider's tokens naturally carry permission names; the default grants take them from there.
        settings: ``[[issuer]]`` keys that fit the provider's tokens.
        shape: what its issuers look like.
    """

    issuer: Fixed
    parameters: tuple[str, ...] = ()
    wants: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])
    grants: Fixed = NO_GRANTS
    settings: Mapping[str, Fixed] = field(default_factory=dict[str, Fixed])
    shape: Shape | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that say which issuer it is."""
        return (*self.parameters, self.wants) if self.wants else self.parameters


OKTA_DOCS = "https://developer.okta.com/docs/guides/validate-access-tokens/main/"
ENTRA_DOCS = "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference"
COGNITO_DOCS = (
    "https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html"
)
GOOGLE_DOCS = "https://developers.google.com/identity/openid-connect/openid-connect"
IAP_DOCS = "https://cloud.google.com/iap/docs/signed-headers-howto"
ZITADEL_DOCS = "https://zitadel.com/docs/apis/openidoauth/claims"
AUTHENTIK_DOCS = "https://docs.goauthentik.io/add-secure-apps/providers/oauth2/"
SUPABASE_DOCS = "https://supabase.com/docs/guides/auth/jwt-fields"
CLERK_DOCS = "https://clerk.com/docs/guides/sessions/session-tokens"
WORKOS_DOCS = "https://workos.com/docs/reference/authkit/session-tokens"
GITHUB_DOCS = "https://docs.github.com/actions/reference/openid-connect-reference"
KUBERNETES_DOCS = "https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/"
AUTH0_DOCS = "https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles"
KEYCLOAK_DOCS = "https://www.keycloak.org/securing-apps/oidc-layers"
# Below project:roles stand those of the project of the client that asked, whichever that is.
ZITADEL_ROLES = ["urn:zitadel:iam:org:project:{project_id}:roles"]
ZITADEL_SCOPES = "https://zitadel.com/docs/apis/openidoauth/scopes"

SCOPE = {"claim": "scope"}
SCP = {"claim": "scp"}

PRESETS: Mapping[str, Preset] = {
    "generic": Preset(
        issuer=Fixed("{issuer}", "OpenID Connect Discovery 1.0 §3: exactly as the document spells it"),
        parameters=("issuer",),
        grants=Fixed((SCOPE, SCP), "RFC 9068 §2.2.3: scope; Okta, Entra and Hydra write scp"),
    ),
    "auth0": Preset(
        issuer=Fixed("https://{domain}/", f"{AUTH0_DOCS}: iss, with the slash"),
        parameters=("domain",),
        grants=Fixed(({"claim": "permissions"}, SCOPE), f"{AUTH0_DOCS}: scope; RBAC adds permissions"),
        shape=Shape(r"[^/]\.[^/]+/$", "is no Auth0 domain, acme.eu.auth0.com"),
    ),
    "keycloak": Preset(
        issuer=Fixed("{url}", f"{KEYCLOAK_DOCS}: <host>/realms/<realm>, without a slash"),
        parameters=("url",),
        grants=Fixed((SCOPE,), "tokens of Keycloak 26.7, as captured"),
        settings={"display_name": Fixed("preferred_username", "tokens of Keycloak 26.7, as captured")},
        shape=Shape(r"/realms/[^/]+$", "is no Keycloak realm, https://<host>/realms/<realm>"),
    ),
    "entra": Preset(
        issuer=Fixed("https://login.microsoftonline.com/{tenantid}/v2.0", f"{ENTRA_DOCS}: iss of version 2.0"),
        wants="tenants",
        grants=Fixed((SCP, {"claim": "roles"}), f"{ENTRA_DOCS}: scp for users, roles for applications and users"),
        settings={
            "identity": Fixed("oid", f"{ENTRA_DOCS}: oid; sub differs from application to application"),
            "tenant": Fixed("tid", f"{ENTRA_DOCS}: tid"),
            "display_name": Fixed("name", f"{ENTRA_DOCS}: name, for people only"),
        },
        shape=Shape(
            r"/([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\{tenantid\})(/v2\.0|/)$",
            "is no Entra issuer: it holds the tenant's GUID, never its domain, common or organizations",
        ),
    ),
    "okta": Preset(
        issuer=Fixed("{url}", "https://developer.okta.com/docs/concepts/auth-servers/: a custom server's issuer"),
        parameters=("url",),
        grants=Fixed((SCP,), f"{OKTA_DOCS}: scp, a list"),
        settings={
            "identity": Fixed(
                [{"claim": "uid"}, {"claim": "cid", "prefix": "client:"}],
                f"{OKTA_DOCS}: uid of a user; a service's token has cid alone. sub is a login name, which changes",
            ),
            "display_name": Fixed("sub", f"{OKTA_DOCS}: sub is the login name"),
        },
        shape=Shape(
            r"/oauth2/[^/]+$",
            "is Okta's org authorization server, whose tokens only Okta can check: "
            "use a custom one, https://<org>.okta.com/oauth2/default",
            must=True,
        ),
    ),
    "cognito": Preset(
        issuer=Fixed("https://cognito-idp.{region}.amazonaws.com/{user_pool}", f"{COGNITO_DOCS}: iss"),
        parameters=("region", "user_pool"),
        settings={
            "aliases": Fixed(
                ["https://issuer-cognito-idp.{region}.amazonaws.com/{user_pool}"],
                "https://github.com/awslabs/aws-jwt-verify: the issuer of pools in several regions",
            ),
            "require": Fixed({"token_use": "access"}, f"{COGNITO_DOCS}: token_use"),
            "display_name": Fixed("username", f"{COGNITO_DOCS}: username"),
        },
    ),
    "google": Preset(
        issuer=Fixed("https://accounts.google.com", f"{GOOGLE_DOCS}: iss"),
        settings={
            "aliases": Fixed(["accounts.google.com"], f"{GOOGLE_DOCS}: iss has two spellings"),
            "jwks_url": Fixed("https://www.googleapis.com/oauth2/v3/certs", f"{GOOGLE_DOCS}: jwks_uri of discovery"),
            "token_type": Fixed("id", f"{GOOGLE_DOCS}: its access tokens are opaque"),
            "display_name": Fixed("email", f"{GOOGLE_DOCS}: email"),
        },
    ),
    "google-iap": Preset(
        issuer=Fixed("https://cloud.google.com/iap", f"{IAP_DOCS}: iss"),
        settings={
            "header": Fixed("x-goog-iap-jwt-assertion", f"{IAP_DOCS}: the header that IAP adds"),
            "jwks_url": Fixed("https://www.gstatic.com/iap/verify/public_key-jwk", f"{IAP_DOCS}: keys as JWK"),
            "algorithms": Fixed(["ES256"], f"{IAP_DOCS}: alg"),
            "display_name": Fixed("email", f"{IAP_DOCS}: email"),
        },
    ),
    "zitadel": Preset(
        issuer=Fixed("{url}", f"{ZITADEL_DOCS}: iss"),
        parameters=("url",),
        defaults={"project_id": "audience"},
        grants=Fixed(({"claim": ZITADEL_ROLES, "keys": True},), f"{ZITADEL_DOCS}: an object, its keys are the roles"),
        settings={
            "required_claims": Fixed(
                [ZITADEL_ROLES, "jti"],
                f"{ZITADEL_SCOPES}: any client may ask for any audience; {ZITADEL_DOCS}: no ID token has jti",
            ),
            "tenant": Fixed("urn:zitadel:iam:user:resourceowner:id", f"{ZITADEL_DOCS}: the user's organization"),
        },
    ),
    "authentik": Preset(
        issuer=Fixed("{url}/", f"{AUTHENTIK_DOCS}: <host>/application/o/<slug>/, with the slash"),
        parameters=("url",),
        grants=Fixed((SCOPE,), f"{AUTHENTIK_DOCS}: scope"),
        settings={"display_name": Fixed("preferred_username", f"{AUTHENTIK_DOCS}: the scope profile")},
        shape=Shape(r"/application/o/[^/]+/$", "is no authentik provider, https://<host>/application/o/<slug>/"),
    ),
    "supabase": Preset(
        issuer=Fixed("https://{project}.supabase.co/auth/v1", f"{SUPABASE_DOCS}: iss"),
        parameters=("project",),
        settings={
            "audience": Fixed("authenticated", f"{SUPABASE_DOCS}: aud"),
            "jwks_url": Fixed(
                "{issuer}/.well-known/jwks.json", "https://supabase.com/docs/guides/auth/signing-keys: its address"
            ),
            "require": Fixed(
                {"role": "authenticated", "is_anonymous": "false"},
                f"{SUPABASE_DOCS}: role (anon and service_role are no users), is_anonymous",
            ),
            "display_name": Fixed("email", f"{SUPABASE_DOCS}: email"),
        },
    ),
    "clerk": Preset(
        issuer=Fixed("{url}", f"{CLERK_DOCS}: iss, the Frontend API URL"),
        parameters=("url",),
        settings={
            "jwks_url": Fixed(
                "{issuer}/.well-known/jwks.json", "https://clerk.com/docs/backend-requests/manual-jwt: the public key"
            ),
            "tenant": Fixed("o.id", f"{CLERK_DOCS}: o.id, the active organization"),
        },
    ),
    "workos": Preset(
        issuer=Fixed(
            "https://api.workos.com/user_management/{client_id}",
            "https://docs.convex.dev/auth/authkit: the issuer of newer environments",
        ),
        parameters=("client_id",),
        grants=Fixed(({"claim": "permissions"},), f"{WORKOS_DOCS}: permissions"),
        settings={
            "aliases": Fixed(["https://api.workos.com", "https://api.workos.com/"], f"{WORKOS_DOCS}: iss"),
            "jwks_url": Fixed("https://api.workos.com/sso/jwks/{client_id}", f"{WORKOS_DOCS}: keys of one client"),
            "tenant": Fixed("org_id", f"{WORKOS_DOCS}: org_id"),
        },
    ),
    "github-actions": Preset(
        issuer=Fixed("https://token.actions.githubusercontent.com", f"{GITHUB_DOCS}: iss"),
        settings={
            "identity": Fixed("repository_id", f"{GITHUB_DOCS}: repository_id; a name may be given to somebody else"),
            "display_name": Fixed("repository", f"{GITHUB_DOCS}: repository"),
        },
    ),
    "kubernetes": Preset(
        issuer=Fixed("{issuer}", f"{KUBERNETES_DOCS}: the API server's --service-account-issuer"),
        parameters=("issuer",),
        settings={"display_name": Fixed(["kubernetes.io", "serviceaccount", "name"], f"{KUBERNETES_DOCS}: the name")},
    ),
}
