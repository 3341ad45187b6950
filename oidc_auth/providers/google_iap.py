"""Google's Identity-Aware Proxy, which adds a signed header to each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..error_codes import ErrorCode
from .preset import build_table
from .record import IssuerForm, Provider, SampleToken, Setup, Sourced, TokenRules
from .starter_maps import EVERY_USER

if TYPE_CHECKING:
    from .preset import Audience, PermissionMaps

DOCS = "https://cloud.google.com/iap/docs/signed-headers-howto"
ISSUER = "https://cloud.google.com/iap"

PROVIDER = Provider(
    name="google-iap",
    title="Google IAP",
    aliases=("iap", "identity-aware-proxy"),
    issuer=IssuerForm(template=ISSUER, source=f"{DOCS}: iss", recognized=r"https://cloud\.google\.com/iap$"),
    tokens=TokenRules(
        settings={
            "header": Sourced("x-goog-iap-jwt-assertion", f"{DOCS}: the header that IAP adds"),
            "jwks_uri": Sourced("https://www.gstatic.com/iap/verify/public_key-jwk", f"{DOCS}: keys as JWK"),
            "algorithms": Sourced(["ES256"], f"{DOCS}: alg"),
            "display_name": Sourced("email", f"{DOCS}: email"),
        }
    ),
    hints={
        ErrorCode.AUDIENCE_MISMATCH: "Google IAP: copy the audience from Identity-Aware Proxy > the backend > Get JWT "
        "audience code: /projects/<number>/...",
    },
    setup=Setup(
        place="the Google Cloud console",
        steps=(
            (
                "Security > Identity-Aware Proxy: turn it on for the backend. Get JWT audience code shows the "
                "audience, {audience}. It is a proxy, not an application: nothing is registered."
            ),
            "Make sure that only the proxy can reach the server.",
        ),
        permission_map=EVERY_USER.replace("{everyone}", "every account that the proxy accepts"),
        access_tokens=False,
        tenant_claim="hd",
    ),
    sample=SampleToken(
        claims={
            "aud": "/projects/1234567890/global/backendServices/5678",
            "sub": "accounts.google.com:110169484474386276334",
            "email": "alice@acme.com",
            "hd": "acme.com",
        }
    ),
    notes=(
        "IAP adds the token to every request with the user's cookie, also to requests of other websites. Only pages of",
        "this server's own origin are accepted. Add others with `allowed_origins`:",
        "[behind a proxy](recipes.md#behind-a-proxy-that-signs).",
        "",
    ),
)


def google_iap(
    *, audience: Audience, permission_map: PermissionMaps | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for Google's Identity-Aware Proxy; ``audience`` is ``/projects/<number>/...``."""
    return build_table("google-iap", {"audience": audience}, permission_map, settings)
