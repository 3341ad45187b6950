"""Clerk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..error_codes import ErrorCode
from .preset import build_table
from .record import (
    IssuerForm,
    Mistake,
    Parameter,
    Provider,
    RequiredOption,
    SampleToken,
    Setup,
    Sourced,
    TokenKind,
    TokenRules,
)
from .starter_maps import TENANT_ROLES

if TYPE_CHECKING:
    from .preset import Audience, PermissionMaps

DOCS = "https://clerk.com/docs/guides/sessions/session-tokens"
PENDING_HINT = "Clerk: this session has tasks left, such as choosing an organization: let the user finish signing in."
ORIGIN_HINT = (
    "Clerk: the token has no azp, because the request for it had no Origin header (a backend, a native app). Request "
    "the token in the browser. Otherwise add aud to a JWT template, and replace client_claim with audience."
)

PROVIDER = Provider(
    name="clerk",
    title="Clerk",
    issuer=IssuerForm(
        template="{url}",
        source=f"{DOCS}: iss, the Frontend API URL",
        parameters=(
            Parameter(
                name="url",
                help="The issuer's address, such as https://clerk.acme.com",
                example="https://clerk.acme.com",
            ),
        ),
        recognized=r"https://([^/]+\.clerk\.accounts\.dev|clerk\.[^/]+)/?$",
    ),
    tokens=TokenRules(
        user_claims=("unsafe_metadata",),
        settings={
            "jwks_uri": Sourced(
                "{issuer}/.well-known/jwks.json", "https://clerk.com/docs/backend-requests/manual-jwt: the public key"
            ),
            "tenant": Sourced("o.id", f"{DOCS}: o.id, the active organization"),
        },
        # The session of a user who has not finished signing in.
        kinds=(TokenKind("sts", "pending", "pending"),),
        client_claim="azp",
    ),
    mistakes=(
        Mistake(
            code=ErrorCode.TOKEN_USE_NOT_ALLOWED,
            matches=lambda token: token.claims.get("sts") == "pending",
            hint=PENDING_HINT,
        ),
        Mistake(
            code=ErrorCode.CLIENT_NOT_ALLOWED,
            matches=lambda token: token.missing == "azp",
            hint=ORIGIN_HINT,
            own_issuer=True,
        ),
    ),
    hints={
        ErrorCode.AUDIENCE_MISMATCH: "Clerk: session tokens have no aud. Replace audience with client_claim on azp and "
        "a [issuer.require] table.",
    },
    setup=Setup(
        address="the Frontend API URL",
        place="Clerk's dashboard",
        steps=(
            (
                "Nothing is registered, neither an API nor an application. A session token belongs to the front end, "
                "and --client names its origin (azp)."
            ),
            "Name with --require what else a token must have, such as o.id=<organization>.",
            "Organizations > Roles: the permission map reads their keys (o.rol).",
        ),
        permission_map=f"""
[[issuer.permission_map]]
claim = "o.rol"                            # the role in the active organization, without org:
values = {{ member = ["user"], admin = ["admin"] }}
{TENANT_ROLES}""",
        required=(
            RequiredOption(
                name="client",
                reason="Session tokens have no audience, so the configuration names the front end's origin instead.",
                examples=("https://app.acme.com",),
            ),
            RequiredOption(
                name="require",
                reason="The origin alone does not bind a token to this API.",
                examples=("o.id=org_1",),
            ),
        ),
    ),
    sample=SampleToken(
        claims={
            "aud": None,
            "azp": "https://app.acme.com",
            "fea": "o:dashboard",
            "fva": [7, -1],
            "o": {"id": "org_1", "slg": "acme", "rol": "reader", "per": "read,manage", "fpm": "3"},
            "sid": "sess_123",
            "sub": "user_123",
            "v": 2,
        }
    ),
)


def clerk(
    url: str, *, audience: Audience | None = None, permission_map: PermissionMaps | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for a Clerk instance, by its Frontend API URL: ``https://clerk.acme.com``.

    Session tokens have no audience. Give ``client_claim`` on ``azp``, the application's origin, and ``require``.
    """
    return build_table("clerk", {"url": url, "audience": audience}, permission_map, settings)
