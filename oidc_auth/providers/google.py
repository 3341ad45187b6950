"""Google accounts: ID tokens, because Google has no access tokens for other APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .preset import build_table
from .record import IssuerForm, Provider, PublicIssuer, RequiredOption, SampleToken, Setup, Sourced, TokenRules
from .starter_maps import EVERY_USER

if TYPE_CHECKING:
    from .preset import Audience, PermissionMaps

DOCS = "https://developers.google.com/identity/openid-connect/openid-connect"
ISSUER = "https://accounts.google.com"
OTHER_SPELLING = "accounts.google.com"

PROVIDER = Provider(
    name="google",
    title="Google",
    aliases=("google-oidc", "gcp"),
    issuer=IssuerForm(template=ISSUER, source=f"{DOCS}: iss", recognized=r"(https://)?accounts\.google\.com$"),
    tokens=TokenRules(
        settings={
            "aliases": Sourced([OTHER_SPELLING], f"{DOCS}: iss has two spellings"),
            "jwks_uri": Sourced("https://www.googleapis.com/oauth2/v3/certs", f"{DOCS}: jwks_uri of discovery"),
            "token_type": Sourced("id", f"{DOCS}: its access tokens are opaque"),
            "display_name": Sourced("email", f"{DOCS}: email"),
        },
        client_id=r"[\w-]+\.apps\.googleusercontent\.com",
        public=PublicIssuer(issuers=(ISSUER, OTHER_SPELLING), owners=("hd", "email", "sub")),
    ),
    setup=Setup(
        place="the Google Cloud console",
        steps=(
            (
                "APIs & Services > Credentials: the OAuth client id is the audience, {audience}. Google issues no "
                "tokens for your API, so the client sends Google's ID token. This is an exception."
            ),
            "Name with --require the accounts that may log in, preferably hd=<your Workspace domain>.",
        ),
        permission_map=EVERY_USER.replace("{everyone}", "every account that [issuer.require] accepts"),
        required=(
            RequiredOption(
                name="require", reason="Without it, any Google account could log in.", examples=("hd=acme.com",)
            ),
        ),
        access_tokens=False,
        tenant_claim="hd",
    ),
    sample=SampleToken(
        claims={
            "azp": "1234-abc.apps.googleusercontent.com",
            "aud": "1234-abc.apps.googleusercontent.com",
            "sub": "110169484474386276334",
            "hd": "acme.com",
            "email": "alice@acme.com",
            "email_verified": True,
            "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
        }
    ),
    notes=(
        "An Android or iOS app has its own client id, which Google writes into `azp`. If the app requests tokens for",
        "your web client (`audience`), list the app's client id in `allowed_clients`, and the web client's too if",
        "the web client also calls this server.",
        "",
    ),
)


def google(*, audience: Audience, permission_map: PermissionMaps | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for Google's ID tokens.

    ``audience`` is the client id. ``require`` names the accounts that may log in.
    """
    return build_table("google", {"audience": audience}, permission_map, settings)
