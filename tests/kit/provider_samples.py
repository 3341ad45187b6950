"""A token of each provider, in the shape that its documentation shows, with a preset and the expected result.

This does not prove that a provider sends today what its documentation says.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from kit.mapping import NOW
from oidc_auth import OIDCAuth, OIDCAuthError, presets
from oidc_auth.errors import ErrorCode
from oidc_auth.providers import PROVIDERS
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oidc_auth import Caller
    from oidc_auth.keys.fetch import Response
    from oidc_auth.providers.record import SampleToken

TENANT = "0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c"
OTHER_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
ENTRA_CLIENT = "6e74172b-be56-4843-9ff4-e66a39bb12e3"
READ = ["threads:read", "threads:search"]
READER = {"reader": ["threads:read"]}
PROJECT = "166801539137011969"
ROLES = f"urn:zitadel:iam:org:project:{PROJECT}:roles"
ROLES_OF_ANY_PROJECT = "urn:zitadel:iam:org:project:roles"
IAP = "x-goog-iap-jwt-assertion"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A provider's token and what becomes of it.

    Attributes:
        table: the configuration.
        url: the provider's issuer.
        who: identity, display name, tenant ("" where the issuer knows none).
        gives: the permissions.
        more: claims in addition to those of the provider's sample.
        place: the request's header.
        refusals: what is changed in the claims, and the code of the refusal.
    """

    table: dict[str, Any]
    url: str
    who: tuple[str, str, str | None]
    gives: list[str] = field(default_factory=lambda: READ)
    more: dict[str, Any] = field(default_factory=dict[str, Any])
    algorithm: str = "ES256"
    place: str = "authorization"
    refusals: tuple[tuple[dict[str, Any], ErrorCode], ...] = ()

    @property
    def token(self) -> SampleToken:
        return PROVIDERS[self.table["preset"]].sample

    @property
    def claims(self) -> dict[str, Any]:
        return {**self.token.claims, **self.more}

    @property
    def issuer(self) -> LocalIssuer:
        return LocalIssuer(self.url, algorithm=self.algorithm, clock=lambda: NOW)


OTHER_AUDIENCE = ({"aud": "https://other.acme.com"}, ErrorCode.AUDIENCE_MISMATCH)

SAMPLES: dict[str, Sample] = {
    "generic": Sample(
        table=presets.generic("https://id.acme.com", audience="agents"),
        url="https://id.acme.com",
        who=("u1", "u1", ""),
        refusals=(OTHER_AUDIENCE, ({"iss": "https://id.acme.com/"}, ErrorCode.ISSUER_NOT_TRUSTED)),
    ),
    "auth0": Sample(
        table=presets.auth0("acme.eu.auth0.com", audience="https://agents.acme.com", tenant="org_id"),
        url="https://acme.eu.auth0.com/",
        who=("auth0|507f1f77bcf86cd799439020", "auth0|507f1f77bcf86cd799439020", "org_9ybsU1dN2dKfDkBi"),
        refusals=(OTHER_AUDIENCE, ({"aud": "https://acme.eu.auth0.com/userinfo"}, ErrorCode.AUDIENCE_MISMATCH)),
    ),
    "keycloak": Sample(
        table=presets.keycloak(
            "https://sso.acme.com/realms/acme", audience="langgraph-api", permission_map={"realm_access.roles": READER}
        ),
        url="https://sso.acme.com/realms/acme",
        who=("5f9f1c1e-9a9b-4d9e-8c7d-000000000001", "alice", ""),
        refusals=(
            ({"aud": "account"}, ErrorCode.AUDIENCE_MISMATCH),
            ({"aud": None}, ErrorCode.AUDIENCE_MISMATCH),
            *(({"typ": kind}, ErrorCode.TOKEN_USE_NOT_ALLOWED) for kind in ("ID", "Refresh", "Offline", "Logout")),
            ({"sub": None}, ErrorCode.IDENTITY_INVALID),
        ),
    ),
    "entra": Sample(
        table=presets.entra(TENANT, audience=[ENTRA_CLIENT]),
        url=f"https://login.microsoftonline.com/{TENANT}/v2.0",
        who=("690222be-ff1a-4d56-abd1-7e4f7d38e474", "Alice Example", TENANT),
        refusals=(
            ({"aud": "00000003-0000-0000-c000-000000000000"}, ErrorCode.AUDIENCE_MISMATCH),
            ({"iss": f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"}, ErrorCode.ISSUER_NOT_TRUSTED),
            ({"iss": f"https://sts.windows.net/{TENANT}/", "ver": "1.0"}, ErrorCode.ISSUER_NOT_TRUSTED),
            ({"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"}, ErrorCode.ISSUER_NOT_TRUSTED),
            ({"tid": OTHER_TENANT}, ErrorCode.REQUIREMENT_NOT_MET),
            ({"tid": None}, ErrorCode.REQUIREMENT_NOT_MET),
            ({"oid": None}, ErrorCode.IDENTITY_INVALID),
        ),
    ),
    "okta": Sample(
        table=presets.okta("https://acme.okta.com/oauth2/default", audience="api://agents"),
        url="https://acme.okta.com/oauth2/default",
        who=("00uk1u7AsAk6dZL3z0g3", "alice@acme.com", ""),
        refusals=(
            OTHER_AUDIENCE,
            ({"iss": "https://acme.okta.com", "aud": "https://acme.okta.com"}, ErrorCode.ISSUER_NOT_TRUSTED),
            ({"uid": None, "cid": None}, ErrorCode.IDENTITY_INVALID),
        ),
    ),
    "cognito": Sample(
        table=presets.cognito(
            "eu-west-1",
            "eu-west-1_AbC",
            client_claim={"claim": "client_id", "values": ["WEB"]},
            permission_map=[{"claim": "scope", "strip_prefix": "agents/", "accept": ["threads:read"]}],
        ),
        url="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC",
        who=("aaaaaaaa-bbbb-cccc-dddd-example", "alice", ""),
        refusals=(
            (
                {"token_use": "id", "aud": "WEB", "client_id": None, "cognito:username": "alice"},
                ErrorCode.TOKEN_USE_NOT_ALLOWED,
            ),
            ({"token_use": None}, ErrorCode.REQUIREMENT_NOT_MET),
            ({"client_id": "OTHER"}, ErrorCode.CLIENT_NOT_ALLOWED),
            ({"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_XyZ"}, ErrorCode.ISSUER_NOT_TRUSTED),
        ),
    ),
    "google": Sample(
        table=presets.google(
            audience="1234-abc.apps.googleusercontent.com",
            require={"hd": "acme.com"},
            permission_map={"hd": {"acme.com": ["threads:read"]}},
        ),
        url="https://accounts.google.com",
        who=("110169484474386276334", "alice@acme.com", ""),
        refusals=(
            ({"aud": "999-other.apps.googleusercontent.com"}, ErrorCode.AUDIENCE_MISMATCH),
            ({"hd": None, "email": "alice@gmail.com"}, ErrorCode.REQUIREMENT_NOT_MET),
            ({"hd": "other.com"}, ErrorCode.REQUIREMENT_NOT_MET),
        ),
    ),
    "google-iap": Sample(
        table=presets.google_iap(
            audience="/projects/1234567890/global/backendServices/5678",
            permission_map={"hd": {"acme.com": ["threads:read"]}},
        ),
        url="https://cloud.google.com/iap",
        place=IAP,
        who=("accounts.google.com:110169484474386276334", "alice@acme.com", ""),
        refusals=(({"aud": "/projects/1234567890/global/backendServices/9999"}, ErrorCode.AUDIENCE_MISMATCH),),
    ),
    "zitadel": Sample(
        table=presets.zitadel("https://acme.zitadel.cloud", audience=PROJECT),
        url="https://acme.zitadel.cloud",
        who=("165617850692654601", "165617850692654601", "165617850692654600"),
        refusals=(
            OTHER_AUDIENCE,
            ({ROLES: None}, ErrorCode.CLAIM_MISSING),
            # An ID token has the same audiences and roles.
            ({"jti": None, "at_hash": "h", "nonce": "n"}, ErrorCode.CLAIM_MISSING),
        ),
    ),
    "authentik": Sample(
        table=presets.authentik(
            "https://auth.acme.com/application/o/agents", audience="client-of-agents", permission_map={"groups": READER}
        ),
        url="https://auth.acme.com/application/o/agents/",
        who=("0b7f3ad1f3a84d7ba8ddd9ab3d2c9e1f8f6f0f8b3c4e5d6a7b8c9d0e1f2a3b4c", "alice", ""),
        refusals=(
            OTHER_AUDIENCE,
            ({"iss": "https://auth.acme.com/application/o/agents"}, ErrorCode.ISSUER_NOT_TRUSTED),
        ),
    ),
    "supabase": Sample(
        table=presets.supabase("abcdefghijklmnop", permission_map={"app_metadata.roles": READER}),
        url="https://abcdefghijklmnop.supabase.co/auth/v1",
        who=("123e4567-e89b-12d3-a456-426614174000", "alice@acme.com", ""),
        refusals=(
            ({"is_anonymous": True}, ErrorCode.REQUIREMENT_NOT_MET),
            ({"is_anonymous": None}, ErrorCode.REQUIREMENT_NOT_MET),
            ({"role": "anon"}, ErrorCode.REQUIREMENT_NOT_MET),
            ({"role": "service_role"}, ErrorCode.REQUIREMENT_NOT_MET),
            ({"aud": "anon"}, ErrorCode.AUDIENCE_MISMATCH),
            ({"iss": "supabase", "role": "service_role", "sub": None, "aud": None}, ErrorCode.ISSUER_NOT_TRUSTED),
        ),
    ),
    "clerk": Sample(
        table=presets.clerk(
            "https://clerk.acme.com/",
            client_claim={"claim": "azp", "values": ["https://app.acme.com"]},
            require={"o.id": "org_1"},
            permission_map={"o.rol": READER},
        ),
        url="https://clerk.acme.com",
        who=("user_123", "user_123", "org_1"),
        refusals=(
            ({"sts": "pending"}, ErrorCode.TOKEN_USE_NOT_ALLOWED),
            ({"azp": "https://evil.example"}, ErrorCode.CLIENT_NOT_ALLOWED),
            ({"azp": None}, ErrorCode.CLIENT_NOT_ALLOWED),
            ({"o": None}, ErrorCode.REQUIREMENT_NOT_MET),
        ),
    ),
    "workos": Sample(
        table=presets.workos("client_01", audience="agents"),
        url="https://api.workos.com/user_management/client_01",
        who=("user_01HBEQKA6K4QJAS93VPE39W1JT", "user_01HBEQKA6K4QJAS93VPE39W1JT", "org_01HRDMC6CM357W30QMHMQ96Q0S"),
        refusals=(
            ({"aud": None}, ErrorCode.AUDIENCE_MISMATCH),
            ({"iss": "https://api.workos.com/user_management/client_02"}, ErrorCode.ISSUER_NOT_TRUSTED),
        ),
    ),
    "github-actions": Sample(
        table=presets.github_actions(
            audience="https://agents.acme.com",
            require={"repository_owner_id": "12345", "ref": "refs/heads/main"},
            permission_map={"environment": {"production": ["threads:read"]}},
        ),
        url="https://token.actions.githubusercontent.com",
        who=("777", "acme/agents", ""),
        refusals=(
            ({"repository_owner_id": "666", "repository_owner": "acme"}, ErrorCode.REQUIREMENT_NOT_MET),
            ({"repository_owner_id": None}, ErrorCode.REQUIREMENT_NOT_MET),
            ({"ref": "refs/pull/1/merge"}, ErrorCode.REQUIREMENT_NOT_MET),
            ({"repository_id": None}, ErrorCode.IDENTITY_INVALID),
            ({"aud": "https://github.com/acme"}, ErrorCode.AUDIENCE_MISMATCH),
        ),
    ),
    "kubernetes": Sample(
        table=presets.kubernetes(
            "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
            audience="agents",
            permission_map={"sub": {"system:serviceaccount:jobs:nightly": ["threads:read"]}},
        ),
        url="https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
        more={"nbf": NOW},
        who=("system:serviceaccount:jobs:nightly", "nightly", ""),
        refusals=(({"aud": ["https://kubernetes.default.svc"]}, ErrorCode.AUDIENCE_MISMATCH),),
    ),
}


def oidc_for(sample: Sample, *issuers: LocalIssuer, **settings: Any) -> OIDCAuth:
    """Return the authenticator over these providers."""
    table = {**sample.table, **settings}
    return OIDCAuth.from_dict({"issuer": table}, fetcher=IssuerRouter(*issuers), clock=lambda: NOW)


class IssuerRouter:
    """A fetcher for several providers, with the keys at the address in the documentation of each."""

    def __init__(self, *issuers: LocalIssuer) -> None:
        self.issuers = issuers
        self.fetched: list[str] = []

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        self.fetched.append(url)
        found = [one for one in self.issuers if url.startswith(f"{one.url.rstrip('/')}/")]
        issuer = found[0] if found else self.issuers[0]
        keys = f"{issuer.url.rstrip('/')}/keys"
        return await issuer(method, url if found and not url.endswith("/jwks.json") else keys, headers, body)


def presented(sample: Sample, issuer: LocalIssuer, **changes: Any) -> dict[str, str]:
    """Return a request's headers with the provider's token."""
    claims = {**sample.claims, **changes}
    token = issuer.token(None, audience=None, header=dict(sample.token.header), **claims)
    return {sample.place: token if sample.place == IAP else f"Bearer {token}"}


def authenticate_headers(oidc: OIDCAuth, headers: Mapping[str, str]) -> Caller:
    """Return the caller of a request."""
    return asyncio.run(oidc.authenticate(headers))


def refusal(oidc: OIDCAuth, headers: Mapping[str, str]) -> OIDCAuthError:
    """Return the error of a request."""
    with pytest.raises(OIDCAuthError) as refused:
        authenticate_headers(oidc, headers)
    return refused.value
