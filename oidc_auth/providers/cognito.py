"""Amazon Cognito user pools."""

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
from .starter_maps import ROLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .preset import Audience, PermissionMaps

DOCS = "https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html"

PROVIDER = Provider(
    name="cognito",
    title="Cognito",
    aliases=("aws", "aws-cognito", "amazon-cognito"),
    issuer=IssuerForm(
        template="https://cognito-idp.{region}.amazonaws.com/{user_pool}",
        source=f"{DOCS}: iss",
        parameters=(
            Parameter(name="region", help="The user pool's region, such as eu-west-1", example="eu-west-1"),
            Parameter(
                name="user_pool", help="The user pool's id, such as eu-west-1_AbCdEf123", example="eu-west-1_AbCdEf123"
            ),
        ),
        recognized=r"https://(issuer-)?cognito-idp\.[^/]+\.amazonaws\.com(\.cn)?/",
    ),
    tokens=TokenRules(
        settings={
            "aliases": Sourced(
                ["https://issuer-cognito-idp.{region}.amazonaws.com/{user_pool}"],
                "https://github.com/awslabs/aws-jwt-verify: the issuer of pools in several regions",
            ),
            "require": Sourced({"token_use": "access"}, f"{DOCS}: token_use"),
            "display_name": Sourced("username", f"{DOCS}: username"),
        },
        kinds=(TokenKind("token_use", "id", "id"), TokenKind("token_use", "refresh", "refresh")),
        client_claim="client_id",
    ),
    mistakes=(
        Mistake(
            code=ErrorCode.AUDIENCE_MISMATCH,
            matches=lambda token: token.claims.get("aud") is None and token.claims.get("token_use") == "access",
            hint="Cognito access tokens carry client_id instead of aud: use client_claim and a scope prefix.",
        ),
        Mistake(
            code=ErrorCode.REQUIREMENT_NOT_MET,
            matches=lambda token: token.claims.get("scope") == "aws.cognito.signin.user.admin",
            hint="Cognito: sign-in by the API (InitiateAuth) gives no scope of a resource server. Let a Pre token "
            "generation trigger add one, or sign in through the hosted pages with such a scope.",
            own_issuer=True,
        ),
    ),
    hints={
        ErrorCode.AUDIENCE_MISMATCH: "Cognito: access tokens have no aud. Replace audience with client_claim and "
        "a scope prefix.",
    },
    setup=Setup(
        address="of the user pool",
        place="the Amazon Cognito console",
        steps=(
            (
                "Branding > Domain and Applications > Resource servers: create one for this server (an API, not an "
                "application) with the identifier agents, and its custom scopes threads:read and threads:write."
            ),
            (
                "Applications > App clients: allow these scopes for each client, and let it request one of them at "
                "sign-in. The client's id is the value of --client, because access tokens carry no audience."
            ),
            (
                "Sign-in by the API (InitiateAuth, SRP) gives none of your scopes: let a Pre token generation trigger "
                "add one. A token without any is refused."
            ),
            "User management > Groups: agent-users and agent-admins.",
        ),
        permission_map=f"""
[[issuer.permission_map]]
claim = "scope"
strip_prefix = "agents/"                   # the resource server's identifier; tokens without such a scope are refused
accept = ["threads:read", "threads:write"]

[[issuer.permission_map]]
claim = "cognito:groups"
values = {{ agent-users = ["user"], agent-admins = ["admin"] }}
{ROLES}""",
        required=(
            RequiredOption(
                name="client",
                reason="Access tokens have no audience, so the configuration names the app clients instead.",
                examples=("1h57kf5cpq17m0eml12EXAMPLE",),
            ),
        ),
    ),
    sample=SampleToken(
        header={"typ": None},
        claims={
            "sub": "aaaaaaaa-bbbb-cccc-dddd-example",
            "aud": None,
            "client_id": "WEB",
            "cognito:groups": ["testers"],
            "token_use": "access",
            "scope": "openid agents/threads:read",
            "username": "alice",
            "version": 2,
        },
    ),
    notes=(
        "Its access tokens have no audience. `client_claim` names the clients. What binds a token to this API is a",
        "scope of its resource server, by the `strip_prefix` of the maps on `scope`: a token without one is refused,",
        "even if it has groups. Sign-in by the API (InitiateAuth) gives only `aws.cognito.signin.user.admin`: let a",
        "Pre token generation trigger add a scope. Your own `[issuer.require]` replaces the scope.",
        "",
    ),
)


def cognito(
    region: str,
    user_pool: str,
    *,
    audience: Audience | None = None,
    permission_map: PermissionMaps | None = None,
    **settings: object,
) -> dict[str, Any]:
    """Return the mapping for an Amazon Cognito user pool.

    Its access tokens have no audience. Give ``client_claim``, and a permission map on ``scope`` with ``strip_prefix``,
    which is the resource server's identifier and a slash. A token without such a scope is refused.
    """
    return build_table(
        "cognito", {"region": region, "user_pool": user_pool, "audience": audience}, permission_map, settings
    )


def sample_claims(
    groups: Sequence[str] = (), *, scope: str = "openid", client: str = "WEB", username: str = "alice"
) -> dict[str, Any]:
    """Return the claims of an access token, which has no ``aud``."""
    who = {"client_id": client, "username": username}
    return {**who, "aud": None, "token_use": "access", "scope": scope, "cognito:groups": [*groups] or None}
