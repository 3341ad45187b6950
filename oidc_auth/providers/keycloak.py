"""Keycloak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..error_codes import ErrorCode
from .preset import build_table
from .record import (
    AudienceForm,
    IssuerForm,
    Mistake,
    Parameter,
    Provider,
    RefusedToken,
    SampleToken,
    Setup,
    Sourced,
    TokenKind,
    TokenRules,
)
from .starter_maps import ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .preset import Audience, PermissionMaps

DOCS = "https://www.keycloak.org/securing-apps/oidc-layers"
CAPTURED = "tokens of Keycloak 26.7, as captured"
RECOGNIZED = r"https?://[^/]+(/auth)?/realms/[^/]+/?$"
PREFIX_LENGTH = 6
"""Characters before the colon of a ``jti`` of Keycloak 26."""
OTHER_TYPES = ("Refresh", "Offline", "Logout")
"""Values of the claim ``typ`` in tokens that Keycloak issues for itself."""

MAPPER_HINT = (
    "Keycloak: add a mapper of type Audience to {the_client}: Clients > {client} > Client scopes > the one that "
    "ends in -dedicated > Configure a new mapper (or Add mapper > By configuration) > Audience > Included Client "
    "Audience > {audience}."
)
LIGHTWEIGHT_HINT = (
    "Keycloak: {the_client} has lightweight access tokens, without aud and roles: Clients > {client} > Advanced > "
    "Advanced settings > Always use lightweight access token > Off."
)
BASIC_HINT = (
    "Keycloak: give {the_client} the default scope 'basic', which carries sub since version 25: Clients > {client} "
    "> Client scopes > Add client scope > basic > Add > Default."
)
SECRET_HINT = (
    "Keycloak: {the_client} has its access tokens signed with a secret of the realm: Clients > {client} > Advanced "
    "> Fine grain OpenID Connect configuration > Access token signature algorithm > RS256."
)
INACTIVE_HINT = (
    "Keycloak: a token is inactive if it has expired, its session has ended or its user is disabled. It is inactive "
    "too if the client introspection.client_id is not in its aud: add a mapper of type Audience for that client."
)
OTHER_KIND_HINT = "Keycloak: this is the {kind} token, which only Keycloak accepts. Send the access token."


def _is_lightweight(token: RefusedToken) -> bool:
    # The jti of Keycloak 26 names session, kind and grant before the colon: trltcc:d03d2df7-...
    prefix, colon, _ = str(token.claims.get("jti")).partition(":")
    return bool(colon) and len(prefix) == PREFIX_LENGTH and prefix[2:4] == "lt"


def _lacks_mapper(token: RefusedToken) -> bool:
    # Other providers omit aud too. Keycloak's tokens always name their client in azp.
    audience = token.claims.get("aud")
    return audience == "account" or "realm_access" in token.claims or (audience is None and "azp" in token.claims)


PROVIDER = Provider(
    name="keycloak",
    title="Keycloak",
    aliases=("rhbk", "rhsso", "rh-sso"),
    issuer=IssuerForm(
        template="{url}",
        source=f"{DOCS}: <host>/realms/<realm>, without a final slash",
        parameters=(
            Parameter(
                name="url",
                help="The issuer's address, such as https://sso.acme.com/realms/acme",
                example="https://sso.acme.com/realms/acme",
            ),
        ),
        recognized=RECOGNIZED,
        pattern=r"/realms/[^/]+$",
        mismatch="is not the issuer of a Keycloak realm",
        hint="the form is https://<host>/realms/<realm>",
    ),
    tokens=TokenRules(
        settings={"display_name": Sourced("preferred_username", CAPTURED)},
        permission_maps=Sourced(({"claim": "scope"},), CAPTURED),
        audience=AudienceForm(
            issuers=RECOGNIZED,
            shared={
                "account": "is Keycloak's own account console, which is in the tokens of most users for any client. "
                "Use a client of this API, and add an Audience mapper for it"
            },
        ),
        kinds=(TokenKind("typ", "ID", "id"), *(TokenKind("typ", value, value.lower()) for value in OTHER_TYPES)),
    ),
    mistakes=(
        Mistake(code=ErrorCode.AUDIENCE_MISMATCH, matches=_is_lightweight, hint=LIGHTWEIGHT_HINT),
        Mistake(code=ErrorCode.AUDIENCE_MISMATCH, matches=_lacks_mapper, hint=MAPPER_HINT),
        Mistake(
            code=ErrorCode.IDENTITY_INVALID,
            matches=lambda token: "azp" in token.claims and "sub" not in token.claims,
            hint=BASIC_HINT,
        ),
        Mistake(
            code=ErrorCode.ALG_NOT_ALLOWED,
            matches=lambda token: token.claims.get("typ") in OTHER_TYPES,
            hint=OTHER_KIND_HINT,
        ),
        Mistake(
            code=ErrorCode.ALG_NOT_ALLOWED, matches=lambda token: token.claims.get("typ") == "Bearer", hint=SECRET_HINT
        ),
    ),
    hints={ErrorCode.AUDIENCE_MISMATCH: MAPPER_HINT, ErrorCode.TOKEN_INACTIVE: INACTIVE_HINT},
    setup=Setup(
        address="the realm's address, as clients reach it",
        place="Keycloak's admin console",
        steps=(
            "Clients > Create client: {audience}. It is an API, not an application: turn all its flows off.",
            (
                "For each client that calls the API: Clients > <the client> > Client scopes > the one that ends in "
                "-dedicated > Configure a new mapper (or Add mapper > By configuration) > Audience > Included Client "
                "Audience = {audience}, Add to access token = on. Without it aud is 'account'."
            ),
            "Realm roles > Create role: agent-user and agent-admin. Assign them to users or groups.",
        ),
        permission_map=f"""
[[issuer.permission_map]]
claim = "realm_access.roles"               # realm roles; those of a client: resource_access."<client>".roles
values = {{ agent-user = ["user"], agent-admin = ["admin"] }}
{ROLES}""",
    ),
    sample=SampleToken(
        claims={
            "typ": "Bearer",
            "sub": "5f9f1c1e-9a9b-4d9e-8c7d-000000000001",
            "aud": ["langgraph-api", "account"],
            "azp": "spa",
            "realm_access": {"roles": ["default-roles-acme", "offline_access", "uma_authorization", "reader"]},
            "resource_access": {"account": {"roles": ["manage-account"]}},
            "scope": "openid profile",
            "preferred_username": "alice",
        }
    ),
)


def keycloak(
    url: str, *, audience: Audience, permission_map: PermissionMaps | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for a Keycloak realm, such as ``https://sso.acme.com/realms/acme``.

    ``audience`` is the client that represents this API. Each calling client needs an Audience mapper for it. Roles are
    in ``realm_access.roles`` and ``resource_access."<client>".roles``.
    """
    return build_table("keycloak", {"url": url, "audience": audience}, permission_map, settings)


def sample_claims(
    roles: Sequence[str] = (),
    *,
    client_roles: Mapping[str, Sequence[str]] | None = None,
    groups: Sequence[str] | None = None,
    client: str = "web",
    username: str = "alice",
) -> dict[str, Any]:
    """Return the claims of a user.

    Args:
        roles: Realm roles, in addition to those that every user has.
        client_roles: Client id to its roles.
        groups: Group paths with a leading slash, as a mapper writes them.
        client: ``azp``.
        username: ``preferred_username``.
    """
    by_client = {name: {"roles": [*given]} for name, given in (client_roles or {}).items()}
    return {
        "typ": "Bearer",
        "azp": client,
        "scope": "openid profile email",
        "preferred_username": username,
        "realm_access": {"roles": ["offline_access", "uma_authorization", *roles]},
        "resource_access": by_client or None,
        "groups": None if groups is None else [*groups],
    }
