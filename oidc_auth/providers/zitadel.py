"""Zitadel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..error_codes import ErrorCode
from .preset import build_table
from .record import (
    IssuerForm,
    Mistake,
    Parameter,
    Provider,
    RoleClaim,
    SampleToken,
    Setup,
    Sourced,
    TokenRules,
)
from .starter_maps import ROLES

if TYPE_CHECKING:
    from .preset import Audience, PermissionMaps

DOCS = "https://zitadel.com/docs/apis/openidoauth/claims"
SCOPES_DOCS = "https://zitadel.com/docs/apis/openidoauth/scopes"
# Without the project's id, the claim holds the roles of the requesting client's project, which can be any project.
PROJECT_ROLES = ["urn:zitadel:iam:org:project:{project_id}:roles"]
PROJECT = "166801539137011969"

PROVIDER = Provider(
    name="zitadel",
    title="Zitadel",
    issuer=IssuerForm(
        template="{url}",
        source=f"{DOCS}: iss",
        parameters=(
            Parameter(
                name="url",
                help="The issuer's address, such as https://acme.zitadel.cloud",
                example="https://acme.zitadel.cloud",
            ),
        ),
        defaults={"project_id": "audience"},
        recognized=r"https://[^/]+\.zitadel\.cloud(/|$)",
    ),
    tokens=TokenRules(
        settings={
            "require": Sourced(
                {f'"{PROJECT_ROLES[0]}"': "*", "jti": "*"},
                f"{SCOPES_DOCS}: any client may request any audience; {DOCS}: ID tokens have no jti",
            ),
            "tenant": Sourced("urn:zitadel:iam:user:resourceowner:id", f"{DOCS}: the user's organization"),
        },
        permission_maps=Sourced(
            ({"claim": PROJECT_ROLES, "object_keys": True},), f"{DOCS}: an object, its keys are the roles"
        ),
        roles=RoleClaim(
            pattern=r"urn:zitadel:iam:org:project(:[^:]+)?:roles",
            unqualified="holds the roles of the requesting client's project, which can be any project",
            unqualified_hint="write urn:zitadel:iam:org:project:<the project's id>:roles",
            tenant="another organization can have given the role: @tenant would not be its own",
            tenant_hint="write @all, for a role that no other organization may give; or no reach",
        ),
    ),
    mistakes=(
        Mistake(
            code=ErrorCode.CLAIM_MISSING,
            matches=lambda token: "urn:zitadel:iam:org:project:" in token.missing,
            hint="Zitadel: the token has no role of this project. Give the user a role (Projects > the project > "
            "Authorizations), turn on Assert Roles on Authentication (General), and let a client of another project "
            "request the scope urn:zitadel:iam:org:projects:roles.",
            own_issuer=True,
        ),
        Mistake(
            code=ErrorCode.CLAIM_MISSING,
            matches=lambda token: token.missing == "jti",
            hint="Zitadel: ID tokens have no jti. Send the access token, and set the client's Auth Token Type to JWT.",
            own_issuer=True,
        ),
    ),
    hints={
        ErrorCode.TOKEN_MALFORMED: "Zitadel: set the client's Auth Token Type to JWT (Token Settings).",
        ErrorCode.AUDIENCE_MISMATCH: "Zitadel: let the client request the scope "
        "urn:zitadel:iam:org:project:id:<the project's id>:aud.",
    },
    setup=Setup(
        address="of the instance",
        place="Zitadel's console",
        steps=(
            (
                "Projects > Create: its Resource Id is the audience, {audience}. In it, create an API for this server, "
                "not an application of another kind."
            ),
            (
                "The project's General: turn on Assert Roles on Authentication. Roles: create agent-user and "
                "agent-admin. Authorizations: give them to users."
            ),
            (
                "The client's Token Settings: Auth Token Type = JWT. Let it request the scope "
                "urn:zitadel:iam:org:project:id:{audience}:aud, and if it belongs to another project, "
                "urn:zitadel:iam:org:projects:roles."
            ),
            (
                "The project's Grants: do not grant agent-admin to other organizations. They choose who gets the role, "
                "and an administrator here reaches the objects of all users."
            ),
        ),
        permission_map=f"""
[[issuer.permission_map]]
claim = "urn:zitadel:iam:org:project:{{audience}}:roles"   # of this project; without its id: of the client's project
object_keys = true                                # an object: its keys are the roles
values = {{ agent-user = ["user"], agent-admin = ["admin"] }}
{ROLES}""",
    ),
    sample=SampleToken(
        header={"typ": None},
        claims={
            "aud": ["166801539137011970@acme", PROJECT],
            "sub": "165617850692654601",
            "jti": "165845656864828423",
            f"urn:zitadel:iam:org:project:{PROJECT}:roles": {
                "threads:read": {"165617850692654600": "acme.zitadel.cloud"}
            },
            "urn:zitadel:iam:user:resourceowner:id": "165617850692654600",
        },
    ),
    notes=(
        "Roles are read from the claim with the project's own id. `urn:zitadel:iam:org:project:roles`, without it,",
        "holds those of the client's own project, and any client may request this API's audience: a map on it is",
        "refused.",
        "",
        "A role also names the organizations in which it was given, which can be others than the user's own (a project",
        "grant allows that). These are not read. `@tenant` is therefore refused for these roles: write `@all`, for",
        "roles that you grant to no other organization, or no reach.",
        "",
    ),
)


def zitadel(
    url: str, *, audience: Audience, permission_map: PermissionMaps | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for a Zitadel instance.

    ``audience`` is the project's id; otherwise also give ``project_id``. A role of this project is required. Your own
    grants read ``urn:zitadel:iam:org:project:<id>:roles``.
    """
    return build_table("zitadel", {"url": url, "audience": audience}, permission_map, settings)
