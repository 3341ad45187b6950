"""WorkOS AuthKit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..codes import Code
from .preset import build_table
from .record import IssuerForm, Parameter, Provider, SampleToken, Setup, Sourced, TokenRules
from .starter_maps import ACCEPTED_PERMISSIONS

if TYPE_CHECKING:
    from .preset import Audience, Grants

DOCS = "https://workos.com/docs/reference/authkit/session-tokens"

PROVIDER = Provider(
    name="workos",
    title="WorkOS",
    aliases=("authkit",),
    issuer=IssuerForm(
        template="https://api.workos.com/user_management/{client_id}",
        source="https://docs.convex.dev/auth/authkit: the issuer of newer environments",
        parameters=(
            Parameter(name="client_id", help="The environment's client id, client_...", example="client_01HXYZ"),
        ),
        recognized=r"https://api\.workos\.com(/|$)",
    ),
    tokens=TokenRules(
        settings={
            "aliases": Sourced(["https://api.workos.com", "https://api.workos.com/"], f"{DOCS}: iss"),
            "jwks_url": Sourced("https://api.workos.com/sso/jwks/{client_id}", f"{DOCS}: keys of one client"),
            "tenant": Sourced("org_id", f"{DOCS}: org_id"),
        },
        grants=Sourced(({"claim": "permissions"},), f"{DOCS}: permissions"),
    ),
    hints={
        Code.AUDIENCE_MISMATCH: "WorkOS: session tokens have no aud. Add it to the JWT template (Authentication > "
        "Sessions).",
    },
    setup=Setup(
        address="of the environment",
        place="the WorkOS dashboard",
        steps=(
            (
                'Authentication > Sessions > JWT template: add "aud": "{audience}", so that its tokens are for an API, '
                "not an application."
            ),
            (
                "Authorization > Permissions: create threads:read, threads:write, assistants:read, crons:write, "
                "store:write. Give them to roles."
            ),
        ),
        permission_map=f"""
[[issuer.grant]]
claim = "permissions"
{ACCEPTED_PERMISSIONS}""",
    ),
    sample=SampleToken(
        header={"typ": None},
        claims={
            "aud": "agents",
            "sub": "user_01HBEQKA6K4QJAS93VPE39W1JT",
            "org_id": "org_01HRDMC6CM357W30QMHMQ96Q0S",
            "role": "member",
            "roles": ["member"],
            "permissions": ["threads:read", "posts:write"],
            "entitlements": ["audit-logs"],
            "sid": "session_01HQSXZGF8FHF7A9ZZFCW4387R",
        },
    ),
)


def workos(
    client_id: str, *, audience: Audience | None = None, grants: Grants | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for a WorkOS AuthKit client; its JWT template must add an ``aud``."""
    return build_table("workos", {"client_id": client_id, "audience": audience}, grants, settings)
