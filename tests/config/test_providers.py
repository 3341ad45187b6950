"""Each provider's token, in the shape its documentation shows, against its preset: who, which tenant, what, and no.

What this does not prove: that a provider sends today what its documentation says.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.mapping import NOW
from kit.messages import unread_header

from oidc_auth import ConfigError, OIDCAuth, OIDCAuthError, presets
from oidc_auth.config.load import load_mapping
from oidc_auth.errors import ERROR_DETAILS, ErrorCode
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
    return asyncio.run(oidc.authenticate(headers))


def refusal(oidc: OIDCAuth, headers: Mapping[str, str]) -> OIDCAuthError:
    with pytest.raises(OIDCAuthError) as refused:
        authenticate_headers(oidc, headers)
    return refused.value


def test_every_preset_has_sample() -> None:
    assert sorted(SAMPLES) == sorted(PROVIDERS)


@pytest.mark.parametrize("name", SAMPLES)
def test_provider_token_gives_identity_tenant_and_permissions(name: str) -> None:
    sample = SAMPLES[name]
    issuer = sample.issuer
    caller = authenticate_headers(oidc_for(sample, issuer), presented(sample, issuer))
    user = caller.user()
    assert (user["identity"], user["display_name"], user.get("tenant", "")) == sample.who
    assert user["permissions"] == sample.gives


REFUSALS = [
    pytest.param(name, changes, code, id=f"{name}-{'-'.join(changes)}-{code}")
    for name, sample in SAMPLES.items()
    for changes, code in sample.refusals
]


@pytest.mark.parametrize(("name", "changes", "code"), REFUSALS)
def test_other_provider_tokens_are_rejected(name: str, changes: dict[str, Any], code: ErrorCode) -> None:
    sample = SAMPLES[name]
    issuer = sample.issuer
    assert refusal(oidc_for(sample, issuer), presented(sample, issuer, **changes)).code is code


@pytest.mark.parametrize("name", SAMPLES)
def test_removing_claim_never_adds_permissions(name: str) -> None:
    sample = SAMPLES[name]
    issuer = sample.issuer
    oidc = oidc_for(sample, issuer)
    for claim in sample.claims:
        try:
            caller = authenticate_headers(oidc, presented(sample, issuer, **{claim: None}))
        except OIDCAuthError:
            continue
        assert set(caller.permissions) <= set(sample.gives)
        assert caller.identity in {sample.who[0], f"client:{sample.claims.get('cid')}"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6) | st.just("reader"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, database=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
def test_arbitrary_claims_are_explained_without_extra_permissions(name: str, data: st.DataObject) -> None:
    sample = SAMPLES[name]
    oidc = OIDCAuth.from_dict({"issuer": sample.table}, clock=lambda: NOW)
    odd = data.draw(st.dictionaries(st.sampled_from(sorted(sample.claims)), json_values, max_size=4))
    why = oidc.explain({"iss": sample.url, **sample.claims, **odd})
    assert str(why)
    assert why.refusal or set(why.rights) <= set(sample.gives)


# --- what is particular to one provider ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_preset_field_names_its_source(name: str) -> None:
    provider = PROVIDERS[name]
    tokens = provider.tokens
    sources = [provider.issuer.source, *(one.source for one in tokens.settings.values())]
    sources += [tokens.permission_maps.source] if tokens.permission_maps.value else []
    assert [one for one in sources if not re.match(r"https://|RFC \d+ |OpenID Connect |tokens of Keycloak", one)] == []


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("google", "https://www.googleapis.com/oauth2/v3/certs"),
        ("google-iap", "https://www.gstatic.com/iap/verify/public_key-jwk"),
        ("supabase", "https://abcdefghijklmnop.supabase.co/auth/v1/.well-known/jwks.json"),
        ("clerk", "https://clerk.acme.com/.well-known/jwks.json"),
        ("workos", "https://api.workos.com/sso/jwks/client_01"),
        ("entra", f"https://login.microsoftonline.com/{TENANT}/v2.0/.well-known/openid-configuration"),
    ],
)
def test_keys_are_fetched_from_provider_address(name: str, address: str) -> None:
    sample = SAMPLES[name]
    issuer = sample.issuer
    internet = IssuerRouter(issuer)
    oidc = OIDCAuth.from_dict({"issuer": sample.table}, fetcher=internet, clock=lambda: NOW)
    authenticate_headers(oidc, presented(sample, issuer))
    assert internet.fetched[0] == address


@pytest.mark.parametrize(
    ("name", "spelling"),
    [
        ("cognito", "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"),
        ("google", "accounts.google.com"),
        ("workos", "https://api.workos.com"),
        ("workos", "https://api.workos.com/"),
    ],
)
def test_provider_with_aliases_is_one_provider(name: str, spelling: str) -> None:
    sample = SAMPLES[name]
    usual = sample.issuer
    other = usual if "jwks_uri" in PROVIDERS[name].tokens.settings else replace(sample, url=spelling).issuer
    oidc = oidc_for(sample, usual, other)
    callers = [
        authenticate_headers(oidc, presented(sample, issuer, iss=iss))
        for issuer, iss in [(usual, usual.url), (other, spelling)]
    ]
    assert callers[0].identity == callers[1].identity
    assert [caller.permissions for caller in callers] == [sample.gives, sample.gives]


@pytest.mark.parametrize(("name", "usual"), [("workos", "https://api.workos.com"), ("google", "accounts.google.com")])
def test_custom_issuer_has_no_preset_aliases(name: str, usual: str) -> None:
    table = {key: value for key, value in SAMPLES[name].table.items() if key != "client_id"}
    issuer = replace(SAMPLES[name], url="https://auth.acme.com").issuer
    oidc = OIDCAuth.from_dict(
        {"issuer": {**table, "issuer": issuer.url, "jwks": issuer.key_set()}}, fetcher=issuer, clock=lambda: NOW
    )
    assert authenticate_headers(oidc, presented(SAMPLES[name], issuer)).issuer == issuer.url
    assert refusal(oidc, presented(SAMPLES[name], issuer, iss=usual)).code is ErrorCode.ISSUER_NOT_TRUSTED
    assert issuer.fetched == []


def test_alias_with_own_keys_is_separate() -> None:
    sample = SAMPLES["cognito"]
    usual = sample.issuer
    other = replace(sample, url="https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC").issuer
    forged = presented(sample, other, iss=usual.url)
    assert refusal(oidc_for(sample, usual, other), forged).code is ErrorCode.SIGNATURE_INVALID


def entra_v1(tenant: str) -> LocalIssuer:
    return LocalIssuer(f"https://sts.windows.net/{tenant}/", algorithm="ES256", clock=lambda: NOW)


def test_entra_v1_token_needs_configured_issuer() -> None:
    sample, issuer = SAMPLES["entra"], entra_v1(TENANT)
    old = presented(sample, issuer, ver="1.0", appid="72f988bf-0000-4000-8000-000000000001", azp=None)
    refused = refusal(oidc_for(sample, issuer), old)
    assert refused.code is ErrorCode.ISSUER_NOT_TRUSTED
    assert "requestedAccessTokenVersion" in refused.hint
    opted_in = oidc_for(sample, issuer, aliases="https://sts.windows.net/{tenantid}/")
    assert authenticate_headers(opted_in, old).identity == sample.who[0]


def test_each_entra_tenant_is_separate() -> None:
    sample = SAMPLES["entra"]
    ours = sample.issuer
    theirs = replace(sample, url=f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0").issuer
    oidc = oidc_for(sample, ours, theirs, tenants=[TENANT, OTHER_TENANT])
    callers = [
        authenticate_headers(oidc, presented(sample, one, tid=tid))
        for one, tid in [(ours, TENANT), (theirs, OTHER_TENANT)]
    ]
    assert [caller.user()["tenant"] for caller in callers] == [TENANT, OTHER_TENANT]
    assert refusal(oidc, presented(sample, theirs, tid=TENANT)).code is ErrorCode.REQUIREMENT_NOT_MET
    assert refusal(oidc, presented(sample, theirs, iss=ours.url)).code is ErrorCode.SIGNATURE_INVALID


@pytest.mark.parametrize("tid", [None, OTHER_TENANT, ""])
def test_entra_token_without_tenant_gets_hint(tid: str | None) -> None:
    sample = SAMPLES["entra"]
    issuer = sample.issuer
    refused = refusal(oidc_for(sample, issuer), presented(sample, issuer, tid=tid))
    assert (refused.code, refused.expected) == (ErrorCode.REQUIREMENT_NOT_MET, f"tid in {TENANT}")
    assert "'tenants' (preset 'entra') requires the claim tid" in refused.hint


def test_preset_requirement_is_named_in_hint() -> None:
    sample = SAMPLES["supabase"]
    issuer = sample.issuer
    anonymous = presented(sample, issuer, is_anonymous=True)
    refused = refusal(oidc_for(sample, issuer), anonymous)
    assert refused.hint.startswith("Preset 'supabase' requires is_anonymous = 'false' of every token")
    own = oidc_for(sample, issuer, require={"is_anonymous": ["false", "maybe"], "mfa": "true"})
    assert refusal(own, anonymous).hint == ERROR_DETAILS[ErrorCode.REQUIREMENT_NOT_MET].hint
    assert refusal(own, presented(sample, issuer, mfa=None)).hint == ERROR_DETAILS[ErrorCode.REQUIREMENT_NOT_MET].hint


def test_entra_claims_get_entra_hints() -> None:
    sample = SAMPLES["entra"]
    oidc = oidc_for(sample, sample.issuer)
    why = oidc.explain({"iss": sample.url, "tid": TENANT, "azp": "web"})
    assert "Entra: access tokens name every caller in oid and sub" in why.refusal
    assert "Keycloak" not in why.refusal


@pytest.mark.parametrize(
    ("audience", "more", "warned"),
    [
        ("api://agents", {}, ["api://agents"]),
        (["api://agents", "agents"], {}, ["api://agents", "agents"]),
        (["api://agents", ENTRA_CLIENT], {}, []),
        (ENTRA_CLIENT.upper(), {}, [ENTRA_CLIENT.upper()]),
        (ENTRA_CLIENT, {}, []),
        # Tokens of version 1.0 carry what the client asked for.
        ("api://agents", {"aliases": ["https://sts.windows.net/{tenantid}/"]}, []),
    ],
)
def test_impossible_entra_audience_is_warned_at_load(
    audience: str | list[str], more: dict[str, Any], warned: list[str]
) -> None:
    loaded = load_mapping({"issuer": presets.entra(TENANT, audience=audience, **more)})
    assert [warning.split("'")[1] for warning in loaded.warnings] == warned
    assert all("Application (client) ID, a GUID in lower case" in warning for warning in loaded.warnings)
    assert load_mapping({"issuer": presets.auth0("acme.eu.auth0.com", audience=audience)}).warnings == ()


def test_microsoft_graph_token_is_named() -> None:
    sample = SAMPLES["entra"]
    issuer = sample.issuer
    graph = presented(sample, issuer, aud="https://graph.microsoft.com")
    assert "Microsoft Graph token" in refusal(oidc_for(sample, issuer), graph).hint


@pytest.mark.parametrize(
    "overage",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.windows.net/x"}}},
        {"hasgroups": True},
    ],
)
def test_entra_group_overage_is_named(overage: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    sample = SAMPLES["entra"]
    issuer = sample.issuer
    permission_maps = presets.entra(TENANT, audience="a", permission_map={"groups": READER, "roles": READER})[
        "permission_map"
    ]
    oidc = oidc_for(sample, issuer, permission_map=permission_maps)
    assert authenticate_headers(oidc, presented(sample, issuer, **overage)).permissions == []
    assert "its groups were left out for being too many: use app roles" in caplog.text
    assert authenticate_headers(oidc, presented(sample, issuer, **overage, roles=["reader"])).permissions == READ


def test_okta_service_and_user_identities_differ() -> None:
    sample = SAMPLES["okta"]
    issuer = sample.issuer
    oidc = oidc_for(sample, issuer)
    service = presented(sample, issuer, uid=None, sub="0oabskvc6442nkvQO0h7")
    assert authenticate_headers(oidc, service).identity == "client:0oabskvc6442nkvQO0h7"
    assert (
        refusal(oidc, presented(sample, issuer, uid="client:0oabskvc6442nkvQO0h7")).code is ErrorCode.IDENTITY_INVALID
    )


def test_okta_org_server_token_is_named() -> None:
    sample = SAMPLES["okta"]
    issuer = sample.issuer
    refused = refusal(oidc_for(sample, issuer), presented(sample, issuer, iss="https://acme.okta.com"))
    assert "org authorization server" in refused.hint


def test_pending_clerk_session_is_named() -> None:
    sample = SAMPLES["clerk"]
    issuer = sample.issuer
    refused = refusal(oidc_for(sample, issuer), presented(sample, issuer, sts="pending"))
    assert "has tasks left" in refused.hint
    assert "sts='pending'" in refused.found


@pytest.mark.parametrize("empty", [{}, None])
def test_zitadel_user_without_role_is_refused(empty: object) -> None:
    sample = SAMPLES["zitadel"]
    issuer = sample.issuer
    refused = refusal(oidc_for(sample, issuer), presented(sample, issuer, **{ROLES: empty}))
    assert refused.code is ErrorCode.CLAIM_MISSING
    assert "Give the user a role" in refused.hint


ZITADEL = SAMPLES["zitadel"].issuer


def at_zitadel(**more: object) -> OIDCAuth:
    return OIDCAuth.from_dict({"issuer": {**SAMPLES["zitadel"].table, **more}}, fetcher=ZITADEL, clock=lambda: NOW)


def zitadel_token(project: str, *roles: str, **more: object) -> dict[str, str]:
    """Return a token of a client of a project: Zitadel writes its roles twice, with and without the project's id."""
    given = {role: {"165617850692654600": "acme.zitadel.cloud"} for role in roles}
    claims = {ROLES: None, ROLES_OF_ANY_PROJECT: given, f"urn:zitadel:iam:org:project:{project}:roles": given}
    return presented(SAMPLES["zitadel"], ZITADEL, **{**claims, **more})


ADMIN = {"claim": ROLES, "object_keys": True, "values": {"admin": ["threads:read@all"]}}


@pytest.mark.parametrize("more", [{}, {"permission_map": ADMIN}, {"require": {"sub": "*"}}])
def test_other_zitadel_project_client_is_rejected(more: dict[str, Any]) -> None:
    theirs = zitadel_token("100000000000000001", "admin", "threads:read")
    refused = refusal(at_zitadel(**more), theirs)
    assert (refused.code, refused.expected) == (ErrorCode.CLAIM_MISSING, f"a claim {ROLES}")
    assert authenticate_headers(at_zitadel(**more), zitadel_token(PROJECT, "admin", "threads:read")).permissions


def test_zitadel_project_may_differ_from_audience() -> None:
    api = {"audience": ["agents", "agents-2"], "project_id": PROJECT}
    token = zitadel_token(PROJECT, "threads:read", aud=["agents-2"])
    assert authenticate_headers(at_zitadel(**api), token).permissions == READ
    assert (
        refusal(at_zitadel(**api), zitadel_token("1", "threads:read", aud=["agents"])).code is ErrorCode.CLAIM_MISSING
    )
    with pytest.raises(ConfigError) as caught:
        at_zitadel(audience=["agents", "agents-2"])
    assert [str(problem.where) for problem in caught.value.problems] == ["issuer[0].project_id"]


COGNITO_GROUPS = {"claim": "cognito:groups", "values": {"testers": ["threads:read"]}}


@pytest.mark.parametrize(
    ("settings", "scope", "refused"),
    [
        ({}, "billing/read aws.cognito.signin.user.admin", True),
        ({}, None, True),
        ({}, "agents", True),
        ({}, "billing/read agents/any", False),
        ({"audience": "agents"}, "billing/read", False),
        ({"require": {"cognito:groups": "testers"}}, "billing/read", False),
        ({"require": {"token_use": "access"}}, "billing/read", True),
    ],
)
def test_cognito_token_for_other_api_is_rejected(settings: dict[str, Any], scope: str | None, *, refused: bool) -> None:
    sample = SAMPLES["cognito"]
    issuer = sample.issuer
    oidc = oidc_for(sample, issuer, permission_map=[*sample.table["permission_map"], COGNITO_GROUPS], **settings)
    presented_one = presented(sample, issuer, scope=scope, aud=settings.get("audience"))
    if refused:
        assert refusal(oidc, presented_one).code is ErrorCode.REQUIREMENT_NOT_MET
    else:
        assert authenticate_headers(oidc, presented_one).permissions == READ


def test_supabase_user_metadata_is_not_read() -> None:
    sample = SAMPLES["supabase"]
    issuer = sample.issuer
    vain = presented(sample, issuer, app_metadata={}, user_metadata={"roles": ["reader"]})
    assert authenticate_headers(oidc_for(sample, issuer), vain).permissions == []


def test_own_conditions_add_to_preset_conditions() -> None:
    sample = SAMPLES["supabase"]
    issuer = sample.issuer
    oidc = oidc_for(sample, issuer, require={"aal": "aal2"})
    assert refusal(oidc, presented(sample, issuer)).code is ErrorCode.REQUIREMENT_NOT_MET
    assert refusal(oidc, presented(sample, issuer, aal="aal2", is_anonymous=True)).code is ErrorCode.REQUIREMENT_NOT_MET
    assert authenticate_headers(oidc, presented(sample, issuer, aal="aal2")).permissions == READ
    allowed = oidc_for(sample, issuer, require={"is_anonymous": ["false", "true"]})
    assert authenticate_headers(allowed, presented(sample, issuer, is_anonymous=True)).permissions == READ


@pytest.mark.parametrize(
    ("table", "where", "message"),
    [
        (presets.github_actions(audience="a", permission_map={"ref": READER}), "issuer[0].require", "for anyone"),
        (presets.google(audience="a", permission_map={"hd": READER}), "issuer[0].require", "for anyone"),
        (presets.okta("https://acme.okta.com", audience="a"), "issuer[0].url", "org authorization server"),
        (presets.entra("acme.com", audience="a"), "issuer[0].tenants[0]", "not a tenant's GUID"),
        (presets.entra(TENANT.upper(), audience="a"), "issuer[0].tenants[0]", "not a tenant's GUID"),
        (presets.entra([], audience="a"), "issuer[0].tenants", "is missing"),
        (presets.clerk("https://clerk.acme.com", permission_map={"o.rol": READER}), "issuer[0].audience", "is missing"),
        (
            presets.cognito(
                "eu-west-1", "p", client_claim={"claim": "client_id", "values": "W"}, permission_map={"x": READER}
            ),
            "issuer[0].client_claim",
            "does not bind",
        ),
        (presets.workos("client_01"), "issuer[0].audience", "is missing"),
        (presets.kubernetes("https://k", audience="a"), "issuer[0]", "no permission map"),
        ({"preset": "cognito", "region": "eu-west-1"}, "issuer[0].user_pool", "is missing"),
        ({"preset": "entra", "audience": "a"}, "issuer[0].tenants", "is missing"),
        ({"preset": "google", "url": "https://x.test", "audience": "a"}, "issuer[0].url", "does not belong"),
    ],
)
def test_missing_provider_settings_are_reported_at_load(table: dict[str, Any], where: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict({"issuer": table})
    assert [message in problem.message for problem in caught.value.problems if problem.where == where] == [True]


# --- another header --------------------------------------------------------------------------------------------------


def behind_iap(*more: dict[str, Any], issuers: tuple[LocalIssuer, ...]) -> OIDCAuth:
    tables = [{**table, "identity_prefix": f"{n}:"} for n, table in enumerate((SAMPLES["google-iap"].table, *more))]
    return OIDCAuth.from_dict({"issuer": tables}, fetcher=IssuerRouter(*issuers), clock=lambda: NOW)


@pytest.mark.parametrize("spelling", [IAP, IAP.upper(), "X-Goog-IAP-JWT-Assertion"])
def test_custom_header_name_is_case_insensitive(spelling: str) -> None:
    sample = SAMPLES["google-iap"]
    issuer = sample.issuer
    (token,) = presented(sample, issuer).values()
    oidc = oidc_for(sample, issuer)
    assert authenticate_headers(oidc, {spelling: token}).permissions == READ
    assert asyncio.run(oidc.authenticate([(spelling.encode(), token.encode())])).permissions == READ


def test_unused_authorization_header_is_not_read() -> None:
    sample = SAMPLES["google-iap"]
    issuer = sample.issuer
    (token,) = presented(sample, issuer).values()
    oidc = oidc_for(sample, issuer)
    refused = refusal(oidc, {"authorization": f"Bearer {token}"})
    assert (refused.code, refused.expected) == (ErrorCode.TOKEN_MISSING, f"a token in the header {IAP}")
    assert refused.found == unread_header("authorization")
    assert authenticate_headers(oidc, {"authorization": "Basic YTpi", IAP: token}).permissions == READ


@pytest.mark.parametrize("text", ["Bearer {}", "{} {}", '"{}"', "{},{}", ""])
def test_custom_header_holds_only_token(text: str) -> None:
    sample = SAMPLES["google-iap"]
    issuer = sample.issuer
    (token,) = presented(sample, issuer).values()
    code = ErrorCode.HEADER_MALFORMED if text else ErrorCode.TOKEN_MISSING
    assert refusal(oidc_for(sample, issuer), {IAP: text.format(token, token)}).code is code


def test_two_acceptable_credentials_are_rejected() -> None:
    iap, generic = SAMPLES["google-iap"], SAMPLES["generic"]
    issuers = (iap.issuer, generic.issuer)
    oidc = behind_iap(generic.table, issuers=issuers)
    headers = [presented(sample, issuer) for sample, issuer in zip((iap, generic), issuers, strict=True)]
    assert [authenticate_headers(oidc, sent).permissions for sent in headers] == [READ, READ]
    assert refusal(oidc, {**headers[0], **headers[1]}).code is ErrorCode.HEADER_REPEATED


@pytest.mark.parametrize("times_seen", [0, 1])
def test_token_in_other_issuers_header_is_rejected(times_seen: int) -> None:
    iap, generic = SAMPLES["google-iap"], SAMPLES["generic"]
    issuers = (iap.issuer, generic.issuer)
    oidc = behind_iap(generic.table, issuers=issuers)
    for sample, issuer, place in [(iap, issuers[0], "authorization"), (generic, issuers[1], IAP)]:
        headers = presented(sample, issuer)
        for _ in range(times_seen):
            authenticate_headers(oidc, headers)
        token = next(iter(headers.values())).removeprefix("Bearer ")
        refused = refusal(oidc, {place: token if place == IAP else f"Bearer {token}"})
        assert (refused.code, refused.found) == (ErrorCode.ISSUER_NOT_TRUSTED, f"it in {place}")


def test_custom_header_token_is_explained() -> None:
    sample = SAMPLES["google-iap"]
    issuer = sample.issuer
    (token,) = presented(sample, issuer).values()
    assert asyncio.run(oidc_for(sample, issuer).explain_token(token)).allows("threads:read")
