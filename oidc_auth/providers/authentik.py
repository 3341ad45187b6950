"""authentik."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..codes import Code
from .preset import build_table
from .record import AudienceForm, IssuerForm, Parameter, Provider, SampleToken, Setup, Sourced, TokenRules
from .starter_maps import ROLES

if TYPE_CHECKING:
    from .preset import Audience, Grants

DOCS = "https://docs.goauthentik.io/add-secure-apps/providers/oauth2/"

PROVIDER = Provider(
    name="authentik",
    title="authentik",
    aliases=("goauthentik",),
    issuer=IssuerForm(
        template="{url}/",
        source=f"{DOCS}: <host>/application/o/<slug>/, with the final slash",
        parameters=(
            Parameter(
                name="url",
                help="The issuer's address, such as https://auth.acme.com/application/o/agents",
                example="https://auth.acme.com/application/o/agents",
            ),
        ),
        recognized=r"https?://[^/]+/application/o/[^/]+/?$",
        pattern=r"/application/o/[^/]+/$",
        mismatch="is not the issuer of an authentik provider",
        hint="the form is https://<host>/application/o/<slug>/",
        suffix="/",
    ),
    tokens=TokenRules(
        settings={"display_name": Sourced("preferred_username", f"{DOCS}: the scope profile")},
        grants=Sourced(({"claim": "scope"},), f"{DOCS}: scope"),
        audience=AudienceForm(issuers=r".*/application/o/[^/]+/$", pattern=r".*", is_client_id=True),
    ),
    hints={
        Code.SEGMENTS_WRONG: "authentik: clear the provider's encryption key.",
        Code.ALGORITHM_REFUSED: "authentik: choose a signing key for the provider. Without one, it signs with HS256.",
        Code.AUDIENCE_MISMATCH: "authentik: audience is the Client ID of the provider that issued the token.",
    },
    setup=Setup(
        address="of the provider, .../application/o/<slug>",
        place="authentik's admin interface",
        steps=(
            (
                "Applications > Providers > Create: OAuth2/OpenID. Its Client ID is the audience, {audience}. It "
                "represents this server, an API, not an application that users open."
            ),
            (
                "Advanced settings of the provider: choose a Signing Key (without one tokens are HS256, which is "
                "refused), no Encryption Key, Subject mode = Based on the User's ID."
            ),
            (
                "Let the client request the scope profile, which carries groups. Directory > Groups: create "
                "agent-users and agent-admins."
            ),
        ),
        permission_map=f"""
[[issuer.grant]]
claim = "groups"
values = {{ agent-users = ["user"], agent-admins = ["admin"] }}
{ROLES}""",
    ),
    sample=SampleToken(
        claims={
            "aud": "client-of-agents",
            "azp": "client-of-agents",
            "sub": "0b7f3ad1f3a84d7ba8ddd9ab3d2c9e1f8f6f0f8b3c4e5d6a7b8c9d0e1f2a3b4c",
            "uid": "XyZ",
            "nonce": "n-0S6_WzA2Mj",
            "preferred_username": "alice",
            "groups": ["reader", "authentik Admins"],
        }
    ),
    notes=(
        "`audience` is always a client id, and a warning at load time repeats this. An ID token for the same client id",
        "is accepted like an access token, because the two cannot be distinguished. Let users sign in with another",
        "application than the one that represents this API.",
        "",
    ),
)


def authentik(url: str, *, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for a provider of authentik: ``https://auth.acme.com/application/o/<slug>/``.

    ``audience`` is its client id. Set its subject mode to the user's id, because e-mail addresses and names can be
    reassigned.
    """
    return build_table("authentik", {"url": url, "audience": audience}, grants, settings)
