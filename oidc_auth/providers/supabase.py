"""Supabase projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..error_codes import ErrorCode
from .preset import build_table
from .record import IssuerForm, Parameter, Provider, SampleToken, Setup, Sourced, TokenRules
from .starter_maps import ROLES

if TYPE_CHECKING:
    from .preset import Audience, PermissionMaps

DOCS = "https://supabase.com/docs/guides/auth/jwt-fields"

PROVIDER = Provider(
    name="supabase",
    title="Supabase",
    issuer=IssuerForm(
        template="https://{project}.supabase.co/auth/v1",
        source=f"{DOCS}: iss",
        parameters=(Parameter(name="project", help="The project's reference id", example="abcdefghijklmnop"),),
        recognized=r"https://[^/]+\.supabase\.co/",
    ),
    tokens=TokenRules(
        user_claims=("user_metadata",),
        settings={
            "audience": Sourced("authenticated", f"{DOCS}: aud"),
            "jwks_uri": Sourced(
                "{issuer}/.well-known/jwks.json", "https://supabase.com/docs/guides/auth/signing-keys: its address"
            ),
            "require": Sourced(
                {"role": "authenticated", "is_anonymous": "false"},
                f"{DOCS}: role (anon and service_role are not users), is_anonymous",
            ),
            "display_name": Sourced("email", f"{DOCS}: email"),
        },
    ),
    hints={
        ErrorCode.ALG_NOT_ALLOWED: "Supabase: move from the legacy JWT secret to signing keys (Project Settings > JWT "
        "Keys).",
    },
    setup=Setup(
        address="of the project: its reference id",
        place="Supabase's dashboard",
        steps=(
            (
                "Project Settings > JWT Keys: move from the legacy JWT secret to signing keys (ES256). Nothing else is "
                "registered: a project is an API, not an application."
            ),
            (
                "Add roles to app_metadata (auth.admin.updateUserById, or a Custom Access Token hook). Never read "
                "user_metadata, which users write themselves."
            ),
        ),
        permission_map=f"""
[[issuer.permission_map]]
claim = "app_metadata.roles"
values = {{ agent-user = ["user"], agent-admin = ["admin"] }}
{ROLES}""",
    ),
    sample=SampleToken(
        claims={
            "aud": "authenticated",
            "sub": "123e4567-e89b-12d3-a456-426614174000",
            "role": "authenticated",
            "aal": "aal1",
            "session_id": "123e4567-e89b-12d3-a456-426614174001",
            "email": "alice@acme.com",
            "phone": "",
            "is_anonymous": False,
            "app_metadata": {"provider": "email", "roles": ["reader"]},
            "user_metadata": {"roles": ["admin"]},
        }
    ),
)


def supabase(
    project: str, *, audience: Audience | None = None, permission_map: PermissionMaps | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for a Supabase project; anonymous users and API keys are refused.

    Map claims below ``app_metadata``. Users write their ``user_metadata`` themselves.
    """
    return build_table("supabase", {"project": project, "audience": audience}, permission_map, settings)
