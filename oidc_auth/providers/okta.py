"""Okta: custom authorization servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..codes import Code
from .preset import build_table
from .record import IssuerForm, Mistake, Parameter, Provider, SampleToken, Setup, Sourced, TokenRules
from .starter_maps import ROLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .preset import Audience, Grants

DOCS = "https://developer.okta.com/docs/guides/validate-access-tokens/main/"
ORG_SERVER_HINT = "A token of Okta's org authorization server, which only Okta can check: use the custom server."

PROVIDER = Provider(
    name="okta",
    title="Okta",
    issuer=IssuerForm(
        template="{url}",
        source="https://developer.okta.com/docs/concepts/auth-servers/: the issuer of a custom server",
        parameters=(
            Parameter(
                name="url",
                help="The issuer's address, such as https://acme.okta.com/oauth2/default",
                example="https://acme.okta.com/oauth2/default",
            ),
        ),
        recognized=r"https://[^/]+\.(okta|oktapreview|okta-emea)\.com(/|$)",
        pattern=r"/oauth2/[^/]+$",
        mismatch="is the issuer of Okta's org authorization server; only Okta can check its tokens",
        hint="use a custom authorization server: https://<org>.okta.com/oauth2/default",
        certain=True,
    ),
    tokens=TokenRules(
        settings={
            "identity": Sourced(
                [{"claim": "uid"}, {"claim": "cid", "prefix": "client:"}],
                f"{DOCS}: uid of a user; a service's token has cid only. sub is a login name, which can change",
            ),
            "display_name": Sourced("sub", f"{DOCS}: sub is the login name"),
        },
        grants=Sourced(({"claim": "scp"},), f"{DOCS}: scp, a list"),
        client_id=r"0oa[0-9A-Za-z]{17}",
    ),
    mistakes=(
        Mistake(
            code=Code.ISSUER_UNKNOWN,
            matches=lambda token: token.configured.startswith(f"{token.issuer.rstrip('/')}/oauth2/"),
            hint=ORG_SERVER_HINT,
        ),
    ),
    hints={
        Code.AUDIENCE_MISMATCH: "Okta: audience is the Audience of the authorization server (Security > API > "
        "Authorization Servers > Settings), not a client id.",
    },
    setup=Setup(
        address="a custom authorization server's issuer, .../oauth2/default",
        place="Okta's admin console",
        steps=(
            (
                "Security > API > Authorization Servers: use default or add one (an API, not an application). Its "
                "Audience is {audience}. Only Okta can check tokens of the org server."
            ),
            "Claims > Add claim: groups, Access Token, Always, Groups, a filter such as 'Starts with: agent'.",
            "Access Policies: add a policy that lets your client get tokens.",
        ),
        permission_map=f"""
[[issuer.grant]]
claim = "groups"                           # the claim that you added to the access token
values = {{ agent-users = ["user"], agent-admins = ["admin"] }}
{ROLES}""",
    ),
    sample=SampleToken(
        header={"typ": None},
        claims={
            "ver": 1,
            "sub": "alice@acme.com",
            "uid": "00uk1u7AsAk6dZL3z0g3",
            "cid": "0oabskvc6442nkvQO0h7",
            "aud": "api://agents",
            "scp": ["openid", "threads:read"],
        },
    ),
)


def okta(url: str, *, audience: Audience, grants: Grants | None = None, **settings: object) -> dict[str, Any]:
    """Return the mapping for a custom authorization server of Okta: ``https://acme.okta.com/oauth2/default``."""
    return build_table("okta", {"url": url, "audience": audience}, grants, settings)


def sample_claims(
    groups: Sequence[str] = (), *, scopes: Sequence[str] = ("openid",), user: str = "00u1alice", client: str = "0oa1web"
) -> dict[str, Any]:
    """Return the claims of a user: ``scp`` is a list, ``uid`` is the stable identity."""
    return {"uid": user, "cid": client, "scp": [*scopes], "groups": [*groups] or None}
