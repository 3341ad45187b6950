"""Microsoft Entra ID, formerly Azure Active Directory."""

from __future__ import annotations

import re
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
    TenantTemplate,
    TokenRules,
)
from .starter_maps import TENANT_ROLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .preset import Audience, PermissionMaps

DOCS = "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference"
GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
RECOGNIZED = (
    r"https://(login\.microsoftonline\.(com|us)|login\.partner\.microsoftonline\.cn|sts\.windows\.net"
    r"|[^/]+\.ciamlogin\.com|[^/]+\.b2clogin\.com)/"
)
GRAPH_AUDIENCES = ("00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com")

GRAPH_HINT = "A Microsoft Graph token, which only Graph can verify: request scope api://<your API>/.default."
VERSION_HINT = (
    "An Entra token of the other version: set api.requestedAccessTokenVersion to 2 in the API's manifest, or configure "
    "the issuer that the token names."
)
EXTERNAL_HINT = (
    "Entra: the tenant is an external one with its own host. Write issuer = {issuer} instead of tenants, as its "
    "discovery document spells it."
)
TENANT_HINT = "Entra: another tenant. The issuer holds the tenant's GUID, never its domain, common or organizations."
AUDIENCE_HINT = (
    "Entra: in tokens of version 2.0 aud is the API's Application (client) ID, a GUID in lower case: write that as "
    "audience. Is it another application's? Let the client request a scope of this API, api://<client ID>/<scope>."
)
KEY_HINT = (
    "Entra: an application with its own signing key (claims mapping, SAML certificate) has it under another address "
    "only. Set jwks_uri to the jwks_uri of the discovery document with ?appid=<the API's client ID> appended. "
    "Otherwise the token comes from another tenant or cloud."
)
IDENTITY_HINT = (
    "Entra: access tokens name every caller in oid and sub: let the client send an access token of this API, and leave "
    "identity to the preset."
)
OVERAGE_HINT = "its groups were left out for being too many: use app roles"


def _is_graph(token: RefusedToken) -> bool:
    # The signature of a Graph token covers the hash of its nonce header, so that only Graph can verify it.
    return token.claims.get("aud") in GRAPH_AUDIENCES or "nonce" in token.header


def _both_entra(token: RefusedToken) -> bool:
    return all(re.match(RECOGNIZED, issuer) for issuer in (token.issuer, token.configured))


def _same_tenant(token: RefusedToken) -> bool:
    return _both_entra(token) and token.issuer.split("/")[3] == token.configured.split("/")[3]


def _is_external(token: RefusedToken) -> bool:
    return _both_entra(token) and re.match(r"https://[^/]+\.(ciamlogin|b2clogin)\.com/", token.issuer) is not None


def _omits_groups(token: RefusedToken) -> bool:
    # Above 200 groups, the token names an address to ask instead of listing them.
    names = token.claims.get("_claim_names")
    return token.claims.get("hasgroups") is True or (isinstance(names, dict) and "groups" in names)


PROVIDER = Provider(
    name="entra",
    title="Entra",
    aliases=("azure", "azuread", "azure-ad", "aad", "entra-id", "entraid", "microsoft"),
    issuer=IssuerForm(
        template="https://login.microsoftonline.com/{tenantid}/v2.0",
        source=f"{DOCS}: iss of version 2.0",
        parameters=(
            Parameter(
                name="tenants",
                help="The GUID of a tenant; repeat the option for several tenants",
                example="8d5f2a3e-0000-4000-8000-000000000001",
                listed=True,
            ),
        ),
        recognized=RECOGNIZED,
        pattern=rf"(^https://sts\.windows\.net/({GUID}|\{{tenantid\}})/|/({GUID}|\{{tenantid\}})/v2\.0"
        rf"|b2clogin\.com/{GUID}/v2\.0/)$",
        mismatch="is not an Entra issuer, which holds the tenant's GUID, never its domain, common or organizations",
        hint='write the GUID instead of issuer: tenants = ["<GUID>"]',
        suffix="/v2.0",
    ),
    tokens=TokenRules(
        settings={
            "identity": Sourced("oid", f"{DOCS}: oid; sub differs from application to application"),
            "tenant": Sourced("tid", f"{DOCS}: tid"),
            "display_name": Sourced("name", f"{DOCS}: name, for display only"),
        },
        # scp holds the names of the scopes, and a client requests them with the Application ID URI.
        scope_prefix="api://{audience}/",
        # The scope selects the API. With openid alone, the token would be for Microsoft Graph.
        default_scope="{prefix}.default",
        permission_maps=Sourced(
            ({"claim": "scp"}, {"claim": "roles"}), f"{DOCS}: scp for users, roles for applications and users"
        ),
        audience=AudienceForm(
            issuers=r"https://login\.microsoftonline\.com/[^/]+/v2\.0",
            pattern=GUID,
            mismatch="is in no token of Entra's version 2.0, which carries the API's Application (client) ID, a GUID "
            "in lower case",
        ),
        tenants=TenantTemplate(
            placeholder="{tenantid}",
            claim="tid",
            pattern=GUID,
            hint="'tenants' (preset 'entra') requires the claim tid, so that each tenant can only issue tokens for "
            "itself. Entra adds it to every access token.",
            id_hint="write the GUID in lower case; tokens never contain a domain, common or organizations",
        ),
    ),
    mistakes=(
        Mistake(code=ErrorCode.ISSUER_NOT_TRUSTED, matches=_is_external, hint=EXTERNAL_HINT),
        Mistake(code=ErrorCode.ISSUER_NOT_TRUSTED, matches=_same_tenant, hint=VERSION_HINT),
        Mistake(code=ErrorCode.ISSUER_NOT_TRUSTED, matches=_both_entra, hint=TENANT_HINT),
        Mistake(code=ErrorCode.AUDIENCE_MISMATCH, matches=_is_graph, hint=GRAPH_HINT),
        Mistake(code=ErrorCode.SIGNATURE_INVALID, matches=_is_graph, hint=GRAPH_HINT),
        Mistake(code=ErrorCode.NO_PERMISSIONS, matches=_omits_groups, hint=OVERAGE_HINT),
    ),
    hints={
        ErrorCode.AUDIENCE_MISMATCH: AUDIENCE_HINT,
        ErrorCode.KEY_NOT_FOUND: KEY_HINT,
        ErrorCode.IDENTITY_INVALID: IDENTITY_HINT,
    },
    setup=Setup(
        address="the directory's tenant, by GUID",
        place="the Microsoft Entra admin center",
        steps=(
            (
                "App registrations > New registration for this server (an API, not an application). Its Application "
                "(client) ID, a GUID, is the audience. This file has {audience}."
            ),
            (
                "Manifest of this registration: api.requestedAccessTokenVersion = 2. It is the API's manifest, not the "
                "client's."
            ),
            (
                "App roles > Create app role: Agent.User and Agent.Admin. Assign them under Enterprise applications > "
                "Users and groups."
            ),
            (
                "Expose an API > Add a scope. Let the client request its full name, api://<client ID>/<scope>, never a "
                "scope of Microsoft Graph."
            ),
        ),
        permission_map=f"""
[[issuer.permission_map]]
claim = "roles"                            # app roles; groups are GUIDs, and are left out above 200
values = {{ "Agent.User" = ["user"], "Agent.Admin" = ["admin"] }}
{TENANT_ROLES}""",
    ),
    sample=SampleToken(
        claims={
            "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
            "azp": "72f988bf-0000-4000-8000-000000000001",
            "azpacr": "0",
            "name": "Alice Example",
            "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
            "preferred_username": "alice@acme.com",
            "scp": "access_as_user threads:read",
            "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
            "tid": "0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c",
            "uti": "fqiBqXLPj0eQa82S-IYFAA",
            "ver": "2.0",
        }
    ),
    notes=(
        "`audience` is the API's own client id, a GUID. An ID token for the same client id is accepted like an access",
        "token, because the two cannot be distinguished. Let users sign in with another application than the one that",
        "represents this API.",
        "",
        "External tenants (`ciamlogin.com`, `b2clogin.com`): write `issuer` instead of `tenants`, as the discovery",
        "document spells it.",
        "",
    ),
)


def entra(
    tenants: Audience, *, audience: Audience, permission_map: PermissionMaps | None = None, **settings: object
) -> dict[str, Any]:
    """Return the mapping for Microsoft Entra ID, with one tenant or several by GUID.

    ``audience`` is the API's client id. Tokens of version 1.0 are accepted only with
    ``aliases=["https://sts.windows.net/{tenantid}/"]``.
    """
    return build_table("entra", {"tenants": tenants, "audience": audience}, permission_map, settings)


def sample_claims(
    roles: Sequence[str] = (),
    *,
    scopes: str | None = "access_as_user",
    groups: Sequence[str] | None = None,
    tenant: str = "8d5f2a3e-0000-4000-8000-000000000001",
    user: str = "1b6c9f00-0000-4000-8000-000000000002",
) -> dict[str, Any]:
    """Return the claims of a token of version 2.0: app roles, delegated scopes in ``scp``, ``oid`` and ``tid``."""
    given = None if groups is None else [*groups]
    return {"ver": "2.0", "oid": user, "tid": tenant, "roles": [*roles] or None, "scp": scopes, "groups": given}
