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
from world.mapping import NOW

from oidc_auth import ConfigError, OIDCAuth, OIDCAuthError, presets
from oidc_auth.config.load import load_mapping
from oidc_auth.errors import MEANINGS, Code
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
    refusals: tuple[tuple[dict[str, Any], Code], ...] = ()

    @property
    def token(self) -> SampleToken:
        return PROVIDERS[self.table["preset"]].sample

    @property
    def claims(self) -> dict[str, Any]:
        return {**self.token.claims, **self.more}

    @property
    def issuer(self) -> LocalIssuer:
        return LocalIssuer(self.url, algorithm=self.algorithm, clock=lambda: NOW)


OTHER_AUDIENCE = ({"aud": "https://other.acme.com"}, Code.AUDIENCE_MISMATCH)

SAMPLES: dict[str, Sample] = {
    "generic": Sample(
        table=presets.generic("https://id.acme.com", audience="agents"),
        url="https://id.acme.com",
        who=("u1", "u1", ""),
        refusals=(OTHER_AUDIENCE, ({"iss": "https://id.acme.com/"}, Code.ISSUER_UNKNOWN)),
    ),
    "auth0": Sample(
        table=presets.auth0("acme.eu.auth0.com", audience="https://agents.acme.com", tenant="org_id"),
        url="https://acme.eu.auth0.com/",
        who=("auth0|507f1f77bcf86cd799439020", "auth0|507f1f77bcf86cd799439020", "org_9ybsU1dN2dKfDkBi"),
        refusals=(OTHER_AUDIENCE, ({"aud": "https://acme.eu.auth0.com/userinfo"}, Code.AUDIENCE_MISMATCH)),
    ),
    "keycloak": Sample(
        table=presets.keycloak(
            "https://sso.acme.com/realms/acme", audience="langgraph-api", grants={"realm_access.roles": READER}
        ),
        url="https://sso.acme.com/realms/acme",
        who=("5f9f1c1e-9a9b-4d9e-8c7d-000000000001", "alice", ""),
        refusals=(
            ({"aud": "account"}, Code.AUDIENCE_MISMATCH),
            ({"aud": None}, Code.AUDIENCE_MISMATCH),
            *(({"typ": kind}, Code.TOKEN_KIND_REFUSED) for kind in ("ID", "Refresh", "Offline", "Logout")),
            ({"sub": None}, Code.IDENTITY_INVALID),
        ),
    ),
    "entra": Sample(
        table=presets.entra(TENANT, audience=[ENTRA_CLIENT]),
        url=f"https://login.microsoftonline.com/{TENANT}/v2.0",
        who=("690222be-ff1a-4d56-abd1-7e4f7d38e474", "Alice Example", TENANT),
        refusals=(
            ({"aud": "00000003-0000-0000-c000-000000000000"}, Code.AUDIENCE_MISMATCH),
            ({"iss": f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"}, Code.ISSUER_UNKNOWN),
            ({"iss": f"https://sts.windows.net/{TENANT}/", "ver": "1.0"}, Code.ISSUER_UNKNOWN),
            ({"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"}, Code.ISSUER_UNKNOWN),
            ({"tid": OTHER_TENANT}, Code.REQUIREMENT_UNMET),
            ({"tid": None}, Code.REQUIREMENT_UNMET),
            ({"oid": None}, Code.IDENTITY_INVALID),
        ),
    ),
    "okta": Sample(
        table=presets.okta("https://acme.okta.com/oauth2/default", audience="api://agents"),
        url="https://acme.okta.com/oauth2/default",
        who=("00uk1u7AsAk6dZL3z0g3", "alice@acme.com", ""),
        refusals=(
            OTHER_AUDIENCE,
            ({"iss": "https://acme.okta.com", "aud": "https://acme.okta.com"}, Code.ISSUER_UNKNOWN),
            ({"uid": None, "cid": None}, Code.IDENTITY_INVALID),
        ),
    ),
    "cognito": Sample(
        table=presets.cognito(
            "eu-west-1",
            "eu-west-1_AbC",
            client_claim={"claim": "client_id", "values": ["WEB"]},
            grant=[{"claim": "scope", "strip_prefix": "agents/", "accept": ["threads:read"]}],
        ),
        url="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC",
        who=("aaaaaaaa-bbbb-cccc-dddd-example", "alice", ""),
        refusals=(
            (
                {"token_use": "id", "aud": "WEB", "client_id": None, "cognito:username": "alice"},
                Code.TOKEN_KIND_REFUSED,
            ),
            ({"token_use": None}, Code.REQUIREMENT_UNMET),
            ({"client_id": "OTHER"}, Code.CLIENT_REFUSED),
            ({"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_XyZ"}, Code.ISSUER_UNKNOWN),
        ),
    ),
    "google": Sample(
        table=presets.google(
            audience="1234-abc.apps.googleusercontent.com",
            require={"hd": "acme.com"},
            grants={"hd": {"acme.com": ["threads:read"]}},
        ),
        url="https://accounts.google.com",
        who=("110169484474386276334", "alice@acme.com", ""),
        refusals=(
            ({"aud": "999-other.apps.googleusercontent.com"}, Code.AUDIENCE_MISMATCH),
            ({"hd": None, "email": "alice@gmail.com"}, Code.REQUIREMENT_UNMET),
            ({"hd": "other.com"}, Code.REQUIREMENT_UNMET),
        ),
    ),
    "google-iap": Sample(
        table=presets.google_iap(
            audience="/projects/1234567890/global/backendServices/5678", grants={"hd": {"acme.com": ["threads:read"]}}
        ),
        url="https://cloud.google.com/iap",
        place=IAP,
        who=("accounts.google.com:110169484474386276334", "alice@acme.com", ""),
        refusals=(({"aud": "/projects/1234567890/global/backendServices/9999"}, Code.AUDIENCE_MISMATCH),),
    ),
    "zitadel": Sample(
        table=presets.zitadel("https://acme.zitadel.cloud", audience=PROJECT),
        url="https://acme.zitadel.cloud",
        who=("165617850692654601", "165617850692654601", "165617850692654600"),
        refusals=(
            OTHER_AUDIENCE,
            ({ROLES: None}, Code.CLAIM_MISSING),
            # An ID token has the same audiences and roles.
            ({"jti": None, "at_hash": "h", "nonce": "n"}, Code.CLAIM_MISSING),
        ),
    ),
    "authentik": Sample(
        table=presets.authentik(
            "https://auth.acme.com/application/o/agents", audience="client-of-agents", grants={"groups": READER}
        ),
        url="https://auth.acme.com/application/o/agents/",
        who=("0b7f3ad1f3a84d7ba8ddd9ab3d2c9e1f8f6f0f8b3c4e5d6a7b8c9d0e1f2a3b4c", "alice", ""),
        refusals=(OTHER_AUDIENCE, ({"iss": "https://auth.acme.com/application/o/agents"}, Code.ISSUER_UNKNOWN)),
    ),
    "supabase": Sample(
        table=presets.supabase("abcdefghijklmnop", grants={"app_metadata.roles": READER}),
        url="https://abcdefghijklmnop.supabase.co/auth/v1",
        who=("123e4567-e89b-12d3-a456-426614174000", "alice@acme.com", ""),
        refusals=(
            ({"is_anonymous": True}, Code.REQUIREMENT_UNMET),
            ({"is_anonymous": None}, Code.REQUIREMENT_UNMET),
            ({"role": "anon"}, Code.REQUIREMENT_UNMET),
            ({"role": "service_role"}, Code.REQUIREMENT_UNMET),
            ({"aud": "anon"}, Code.AUDIENCE_MISMATCH),
            ({"iss": "supabase", "role": "service_role", "sub": None, "aud": None}, Code.ISSUER_UNKNOWN),
        ),
    ),
    "clerk": Sample(
        table=presets.clerk(
            "https://clerk.acme.com/",
            client_claim={"claim": "azp", "values": ["https://app.acme.com"]},
            require={"o.id": "org_1"},
            grants={"o.rol": READER},
        ),
        url="https://clerk.acme.com",
        who=("user_123", "user_123", "org_1"),
        refusals=(
            ({"sts": "pending"}, Code.TOKEN_KIND_REFUSED),
            ({"azp": "https://evil.example"}, Code.CLIENT_REFUSED),
            ({"azp": None}, Code.CLIENT_REFUSED),
            ({"o": None}, Code.REQUIREMENT_UNMET),
        ),
    ),
    "workos": Sample(
        table=presets.workos("client_01", audience="agents"),
        url="https://api.workos.com/user_management/client_01",
        who=("user_01HBEQKA6K4QJAS93VPE39W1JT", "user_01HBEQKA6K4QJAS93VPE39W1JT", "org_01HRDMC6CM357W30QMHMQ96Q0S"),
        refusals=(
            ({"aud": None}, Code.AUDIENCE_MISMATCH),
            ({"iss": "https://api.workos.com/user_management/client_02"}, Code.ISSUER_UNKNOWN),
        ),
    ),
    "github-actions": Sample(
        table=presets.github_actions(
            audience="https://agents.acme.com",
            require={"repository_owner_id": "12345", "ref": "refs/heads/main"},
            grants={"environment": {"production": ["threads:read"]}},
        ),
        url="https://token.actions.githubusercontent.com",
        who=("777", "acme/agents", ""),
        refusals=(
            ({"repository_owner_id": "666", "repository_owner": "acme"}, Code.REQUIREMENT_UNMET),
            ({"repository_owner_id": None}, Code.REQUIREMENT_UNMET),
            ({"ref": "refs/pull/1/merge"}, Code.REQUIREMENT_UNMET),
            ({"repository_id": None}, Code.IDENTITY_INVALID),
            ({"aud": "https://github.com/acme"}, Code.AUDIENCE_MISMATCH),
        ),
    ),
    "kubernetes": Sample(
        table=presets.kubernetes(
            "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
            audience="agents",
            grants={"sub": {"system:serviceaccount:jobs:nightly": ["threads:read"]}},
        ),
        url="https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
        more={"nbf": NOW},
        who=("system:serviceaccount:jobs:nightly", "nightly", ""),
        refusals=(({"aud": ["https://kubernetes.default.svc"]}, Code.AUDIENCE_MISMATCH),),
    ),
}


def configured(sample: Sample, *issuers: LocalIssuer, **settings: Any) -> OIDCAuth:
    """Return the authenticator over these providers."""
    table = {**sample.table, **settings}
    return OIDCAuth.from_dict({"issuer": table}, fetcher=Internet(*issuers), clock=lambda: NOW)


class Internet:
    """A fetcher that reaches several providers, and a provider's keys wherever its documentation says they lie."""

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


def come_in(oidc: OIDCAuth, headers: Mapping[str, str]) -> Caller:
    return asyncio.run(oidc.authenticate(headers))


def refusal(oidc: OIDCAuth, headers: Mapping[str, str]) -> OIDCAuthError:
    with pytest.raises(OIDCAuthError) as refused:
        come_in(oidc, headers)
    return refused.value


def test_every_preset_has_a_sample() -> None:
    assert sorted(SAMPLES) == sorted(PROVIDERS)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_providers_token_is_somebody_with_a_tenant_and_permissions(name: str) -> None:
    sample = SAMPLES[name]
    issuer = sample.issuer
    caller = come_in(configured(sample, issuer), presented(sample, issuer))
    user = caller.user()
    assert (user["identity"], user["display_name"], user.get("tenant", "")) == sample.who
    assert user["permissions"] == sample.gives


REFUSALS = [
    pytest.param(name, changes, code, id=f"{name}-{'-'.join(changes)}-{code}")
    for name, sample in SAMPLES.items()
    for changes, code in sample.refusals
]


@pytest.mark.parametrize(("name", "changes", "code"), REFUSALS)
def test_what_a_provider_signs_for_others_is_nobody(name: str, changes: dict[str, Any], code: Code) -> None:
    sample = SAMPLES[name]
    issuer = sample.issuer
    assert refusal(configured(sample, issuer), presented(sample, issuer, **changes)).code is code


@pytest.mark.parametrize("name", SAMPLES)
def test_a_claim_less_is_nobody_or_somebody_who_may_do_no_more(name: str) -> None:
    sample = SAMPLES[name]
    issuer = sample.issuer
    oidc = configured(sample, issuer)
    for claim in sample.claims:
        try:
            caller = come_in(oidc, presented(sample, issuer, **{claim: None}))
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
def test_whatever_stands_in_a_providers_claims_is_explained_and_gives_no_more(name: str, data: st.DataObject) -> None:
    sample = SAMPLES[name]
    oidc = OIDCAuth.from_dict({"issuer": sample.table}, clock=lambda: NOW)
    odd = data.draw(st.dictionaries(st.sampled_from(sorted(sample.claims)), json_values, max_size=4))
    why = oidc.explain({"iss": sample.url, **sample.claims, **odd})
    assert str(why)
    assert why.refusal or set(why.rights) <= set(sample.gives)


# --- what is particular to one provider ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_field_of_a_preset_names_its_source(name: str) -> None:
    provider = PROVIDERS[name]
    tokens = provider.tokens
    sources = [provider.issuer.source, *(one.source for one in tokens.settings.values())]
    sources += [tokens.grants.source] if tokens.grants.value else []
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
def test_the_keys_are_fetched_where_the_provider_has_them(name: str, address: str) -> None:
    sample = SAMPLES[name]
    issuer = sample.issuer
    internet = Internet(issuer)
    oidc = OIDCAuth.from_dict({"issuer": sample.table}, fetcher=internet, clock=lambda: NOW)
    come_in(oidc, presented(sample, issuer))
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
def test_a_provider_with_several_names_is_one_provider(name: str, spelling: str) -> None:
    sample = SAMPLES[name]
    usual = sample.issuer
    other = usual if "jwks_url" in PROVIDERS[name].tokens.settings else replace(sample, url=spelling).issuer
    oidc = configured(sample, usual, other)
    callers = [
        come_in(oidc, presented(sample, issuer, iss=iss)) for issuer, iss in [(usual, usual.url), (other, spelling)]
    ]
    assert callers[0].identity == callers[1].identity
    assert [caller.permissions for caller in callers] == [sample.gives, sample.gives]


@pytest.mark.parametrize(("name", "usual"), [("workos", "https://api.workos.com"), ("google", "accounts.google.com")])
def test_an_issuer_of_ones_own_does_not_bring_the_providers_other_names(name: str, usual: str) -> None:
    table = {key: value for key, value in SAMPLES[name].table.items() if key != "client_id"}
    issuer = replace(SAMPLES[name], url="https://auth.acme.com").issuer
    oidc = OIDCAuth.from_dict(
        {"issuer": {**table, "issuer": issuer.url, "jwks": issuer.key_set()}}, fetcher=issuer, clock=lambda: NOW
    )
    assert come_in(oidc, presented(SAMPLES[name], issuer)).issuer == issuer.url
    assert refusal(oidc, presented(SAMPLES[name], issuer, iss=usual)).code is Code.ISSUER_UNKNOWN
    assert issuer.fetched == []


def test_a_second_name_with_keys_of_its_own_does_not_speak_for_the_first() -> None:
    sample = SAMPLES["cognito"]
    usual = sample.issuer
    other = replace(sample, url="https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC").issuer
    forged = presented(sample, other, iss=usual.url)
    assert refusal(configured(sample, usual, other), forged).code is Code.SIGNATURE_INVALID


def entra_v1(tenant: str) -> LocalIssuer:
    return LocalIssuer(f"https://sts.windows.net/{tenant}/", algorithm="ES256", clock=lambda: NOW)


def test_an_entra_token_of_version_1_is_somebody_only_where_its_issuer_is_written_down() -> None:
    sample, issuer = SAMPLES["entra"], entra_v1(TENANT)
    old = presented(sample, issuer, ver="1.0", appid="72f988bf-0000-4000-8000-000000000001", azp=None)
    refused = refusal(configured(sample, issuer), old)
    assert refused.code is Code.ISSUER_UNKNOWN
    assert "requestedAccessTokenVersion" in refused.cure
    opted_in = configured(sample, issuer, aliases="https://sts.windows.net/{tenantid}/")
    assert come_in(opted_in, old).identity == sample.who[0]


def test_each_tenant_of_an_entra_application_is_trusted_by_name_and_speaks_for_itself_alone() -> None:
    sample = SAMPLES["entra"]
    ours = sample.issuer
    theirs = replace(sample, url=f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0").issuer
    oidc = configured(sample, ours, theirs, tenants=[TENANT, OTHER_TENANT])
    callers = [come_in(oidc, presented(sample, one, tid=tid)) for one, tid in [(ours, TENANT), (theirs, OTHER_TENANT)]]
    assert [caller.user()["tenant"] for caller in callers] == [TENANT, OTHER_TENANT]
    assert refusal(oidc, presented(sample, theirs, tid=TENANT)).code is Code.REQUIREMENT_UNMET
    assert refusal(oidc, presented(sample, theirs, iss=ours.url)).code is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("tid", [None, OTHER_TENANT, ""])
def test_a_token_of_entra_that_does_not_name_its_tenant_is_told_what_asks_for_it(tid: str | None) -> None:
    sample = SAMPLES["entra"]
    issuer = sample.issuer
    refused = refusal(configured(sample, issuer), presented(sample, issuer, tid=tid))
    assert (refused.code, refused.expected) == (Code.REQUIREMENT_UNMET, f"tid in {TENANT}")
    assert "'tenants' (preset 'entra') requires the claim tid" in refused.cure


def test_what_a_preset_requires_is_said_to_be_its_and_what_the_operator_requires_is_not() -> None:
    sample = SAMPLES["supabase"]
    issuer = sample.issuer
    anonymous = presented(sample, issuer, is_anonymous=True)
    refused = refusal(configured(sample, issuer), anonymous)
    assert refused.cure.startswith("Preset 'supabase' requires is_anonymous = 'false' of every token")
    own = configured(sample, issuer, require={"is_anonymous": ["false", "maybe"], "mfa": "true"})
    assert refusal(own, anonymous).cure == MEANINGS[Code.REQUIREMENT_UNMET].cure
    assert refusal(own, presented(sample, issuer, mfa=None)).cure == MEANINGS[Code.REQUIREMENT_UNMET].cure


def test_claims_of_entra_are_explained_with_the_cures_of_its_tokens() -> None:
    sample = SAMPLES["entra"]
    oidc = configured(sample, sample.issuer)
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
def test_an_audience_that_no_token_of_entra_carries_is_warned_of_when_the_configuration_is_loaded(
    audience: str | list[str], more: dict[str, Any], warned: list[str]
) -> None:
    loaded = load_mapping({"issuer": presets.entra(TENANT, audience=audience, **more)})
    assert [warning.split("'")[1] for warning in loaded.warnings] == warned
    assert all("Application (client) ID, a GUID in lower case" in warning for warning in loaded.warnings)
    assert load_mapping({"issuer": presets.auth0("acme.eu.auth0.com", audience=audience)}).warnings == ()


def test_a_graph_token_is_named_as_what_it_is() -> None:
    sample = SAMPLES["entra"]
    issuer = sample.issuer
    graph = presented(sample, issuer, aud="https://graph.microsoft.com")
    assert "Microsoft Graph token" in refusal(configured(sample, issuer), graph).cure


@pytest.mark.parametrize(
    "overage",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.windows.net/x"}}},
        {"hasgroups": True},
    ],
)
def test_groups_that_entra_left_out_are_named_and_cost_nobody_their_roles(
    overage: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    sample = SAMPLES["entra"]
    issuer = sample.issuer
    grants = presets.entra(TENANT, audience="a", grants={"groups": READER, "roles": READER})["grant"]
    oidc = configured(sample, issuer, grant=grants)
    assert come_in(oidc, presented(sample, issuer, **overage)).permissions == []
    assert "its groups were left out for being too many: use app roles" in caplog.text
    assert come_in(oidc, presented(sample, issuer, **overage, roles=["reader"])).permissions == READ


def test_a_service_of_okta_is_another_one_than_a_user_with_its_name() -> None:
    sample = SAMPLES["okta"]
    issuer = sample.issuer
    oidc = configured(sample, issuer)
    service = presented(sample, issuer, uid=None, sub="0oabskvc6442nkvQO0h7")
    assert come_in(oidc, service).identity == "client:0oabskvc6442nkvQO0h7"
    assert refusal(oidc, presented(sample, issuer, uid="client:0oabskvc6442nkvQO0h7")).code is Code.IDENTITY_INVALID


def test_a_token_of_oktas_org_server_is_named_as_what_it_is() -> None:
    sample = SAMPLES["okta"]
    issuer = sample.issuer
    refused = refusal(configured(sample, issuer), presented(sample, issuer, iss="https://acme.okta.com"))
    assert "org authorization server" in refused.cure


def test_a_clerk_session_with_tasks_left_is_named_as_what_it_is() -> None:
    sample = SAMPLES["clerk"]
    issuer = sample.issuer
    refused = refusal(configured(sample, issuer), presented(sample, issuer, sts="pending"))
    assert "has tasks left" in refused.cure
    assert "sts='pending'" in refused.found


def test_a_zitadel_user_without_a_role_may_do_nothing() -> None:
    sample = SAMPLES["zitadel"]
    issuer = sample.issuer
    assert come_in(configured(sample, issuer), presented(sample, issuer, **{ROLES: {}})).permissions == []


ZITADEL = SAMPLES["zitadel"].issuer


def at_zitadel(**more: object) -> OIDCAuth:
    return OIDCAuth.from_dict({"issuer": {**SAMPLES["zitadel"].table, **more}}, fetcher=ZITADEL, clock=lambda: NOW)


def zitadel_token(project: str, *roles: str, **more: object) -> dict[str, str]:
    """Return a token of a client of a project: Zitadel writes its roles twice, with and without the project's id."""
    given = {role: {"165617850692654600": "acme.zitadel.cloud"} for role in roles}
    claims = {ROLES: None, ROLES_OF_ANY_PROJECT: given, f"urn:zitadel:iam:org:project:{project}:roles": given}
    return presented(SAMPLES["zitadel"], ZITADEL, **{**claims, **more})


ADMIN = {"claim": ROLES, "keys": True, "values": {"admin": ["threads:read@all"]}}


@pytest.mark.parametrize("more", [{}, {"grant": ADMIN}, {"required_claims": ["jti"]}])
def test_a_client_of_another_zitadel_project_that_asked_for_our_audience_is_nobody(more: dict[str, Any]) -> None:
    theirs = zitadel_token("100000000000000001", "admin", "threads:read")
    refused = refusal(at_zitadel(**more), theirs)
    assert (refused.code, refused.expected) == (Code.CLAIM_MISSING, f"a claim {ROLES}")
    assert come_in(at_zitadel(**more), zitadel_token(PROJECT, "admin", "threads:read")).permissions


def test_a_zitadel_project_may_have_another_name_than_the_audience() -> None:
    api = {"audience": ["agents", "agents-2"], "project_id": PROJECT}
    token = zitadel_token(PROJECT, "threads:read", aud=["agents-2"])
    assert come_in(at_zitadel(**api), token).permissions == READ
    assert refusal(at_zitadel(**api), zitadel_token("1", "threads:read", aud=["agents"])).code is Code.CLAIM_MISSING
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
def test_a_cognito_token_for_another_api_of_the_same_client_is_nobody(
    settings: dict[str, Any], scope: str | None, *, refused: bool
) -> None:
    sample = SAMPLES["cognito"]
    issuer = sample.issuer
    oidc = configured(sample, issuer, grant=[*sample.table["grant"], COGNITO_GROUPS], **settings)
    presented_one = presented(sample, issuer, scope=scope, aud=settings.get("audience"))
    if refused:
        assert refusal(oidc, presented_one).code is Code.REQUIREMENT_UNMET
    else:
        assert come_in(oidc, presented_one).permissions == READ


def test_what_supabase_users_write_about_themselves_is_not_read() -> None:
    sample = SAMPLES["supabase"]
    issuer = sample.issuer
    vain = presented(sample, issuer, app_metadata={}, user_metadata={"roles": ["reader"]})
    assert come_in(configured(sample, issuer), vain).permissions == []


def test_an_operators_own_conditions_stand_beside_the_presets() -> None:
    sample = SAMPLES["supabase"]
    issuer = sample.issuer
    oidc = configured(sample, issuer, require={"aal": "aal2"})
    assert refusal(oidc, presented(sample, issuer)).code is Code.REQUIREMENT_UNMET
    assert refusal(oidc, presented(sample, issuer, aal="aal2", is_anonymous=True)).code is Code.REQUIREMENT_UNMET
    assert come_in(oidc, presented(sample, issuer, aal="aal2")).permissions == READ
    allowed = configured(sample, issuer, require={"is_anonymous": ["false", "true"]})
    assert come_in(allowed, presented(sample, issuer, is_anonymous=True)).permissions == READ


@pytest.mark.parametrize(
    ("table", "where", "message"),
    [
        (presets.github_actions(audience="a", grants={"ref": READER}), "issuer[0].require", "for anybody"),
        (presets.google(audience="a", grants={"hd": READER}), "issuer[0].require", "for anybody"),
        (presets.okta("https://acme.okta.com", audience="a"), "issuer[0].issuer", "org authorization server"),
        (presets.entra("acme.com", audience="a"), "issuer[0].tenants[0]", "not a tenant's GUID"),
        (presets.entra(TENANT.upper(), audience="a"), "issuer[0].tenants[0]", "not a tenant's GUID"),
        (presets.entra([], audience="a"), "issuer[0].tenants", "is missing"),
        (presets.clerk("https://clerk.acme.com", grants={"o.rol": READER}), "issuer[0].audience", "is missing"),
        (
            presets.cognito("eu-west-1", "p", client_claim={"claim": "client_id", "values": "W"}, grants={"x": READER}),
            "issuer[0].client_claim",
            "does not bind",
        ),
        (presets.workos("client_01"), "issuer[0].audience", "is missing"),
        (presets.kubernetes("https://k", audience="a"), "issuer[0]", "no grant"),
        ({"preset": "cognito", "region": "eu-west-1"}, "issuer[0].user_pool", "is missing"),
        ({"preset": "entra", "audience": "a"}, "issuer[0].tenants", "is missing"),
        ({"preset": "google", "url": "https://x.test", "audience": "a"}, "issuer[0].url", "does not belong"),
    ],
)
def test_what_a_provider_needs_is_asked_for_when_the_configuration_is_loaded(
    table: dict[str, Any], where: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict({"issuer": table})
    assert [message in problem.message for problem in caught.value.problems if problem.where == where] == [True]


# --- a header of its own ---------------------------------------------------------------------------------------------


def behind_iap(*more: dict[str, Any], issuers: tuple[LocalIssuer, ...]) -> OIDCAuth:
    tables = [{**table, "identity_prefix": f"{n}:"} for n, table in enumerate((SAMPLES["google-iap"].table, *more))]
    return OIDCAuth.from_dict({"issuer": tables}, fetcher=Internet(*issuers), clock=lambda: NOW)


@pytest.mark.parametrize("spelling", [IAP, IAP.upper(), "X-Goog-IAP-JWT-Assertion"])
def test_a_header_of_its_own_is_read_in_any_case(spelling: str) -> None:
    sample = SAMPLES["google-iap"]
    issuer = sample.issuer
    (token,) = presented(sample, issuer).values()
    oidc = configured(sample, issuer)
    assert come_in(oidc, {spelling: token}).permissions == READ
    assert asyncio.run(oidc.authenticate([(spelling.encode(), token.encode())])).permissions == READ


def test_where_no_issuer_uses_authorization_it_is_not_read() -> None:
    sample = SAMPLES["google-iap"]
    issuer = sample.issuer
    (token,) = presented(sample, issuer).values()
    oidc = configured(sample, issuer)
    refused = refusal(oidc, {"authorization": f"Bearer {token}"})
    assert (refused.code, refused.expected) == (Code.TOKEN_MISSING, f"a header {IAP}")
    assert refused.found == "a header authorization, which is not read"
    assert come_in(oidc, {"authorization": "Basic YTpi", IAP: token}).permissions == READ


@pytest.mark.parametrize("text", ["Bearer {}", "{} {}", '"{}"', "{},{}", ""])
def test_a_header_of_its_own_carries_the_token_and_nothing_else(text: str) -> None:
    sample = SAMPLES["google-iap"]
    issuer = sample.issuer
    (token,) = presented(sample, issuer).values()
    code = Code.HEADER_MALFORMED if text else Code.TOKEN_MISSING
    assert refusal(configured(sample, issuer), {IAP: text.format(token, token)}).code is code


def test_two_credentials_that_could_both_be_accepted_are_refused() -> None:
    iap, generic = SAMPLES["google-iap"], SAMPLES["generic"]
    issuers = (iap.issuer, generic.issuer)
    oidc = behind_iap(generic.table, issuers=issuers)
    headers = [presented(sample, issuer) for sample, issuer in zip((iap, generic), issuers, strict=True)]
    assert [come_in(oidc, sent).permissions for sent in headers] == [READ, READ]
    assert refusal(oidc, {**headers[0], **headers[1]}).code is Code.HEADER_REPEATED


@pytest.mark.parametrize("times_seen", [0, 1])
def test_a_token_in_the_header_of_another_issuer_is_refused(times_seen: int) -> None:
    iap, generic = SAMPLES["google-iap"], SAMPLES["generic"]
    issuers = (iap.issuer, generic.issuer)
    oidc = behind_iap(generic.table, issuers=issuers)
    for sample, issuer, place in [(iap, issuers[0], "authorization"), (generic, issuers[1], IAP)]:
        headers = presented(sample, issuer)
        for _ in range(times_seen):
            come_in(oidc, headers)
        token = next(iter(headers.values())).removeprefix("Bearer ")
        refused = refusal(oidc, {place: token if place == IAP else f"Bearer {token}"})
        assert (refused.code, refused.found) == (Code.ISSUER_UNKNOWN, f"it in {place}")


def test_a_token_of_a_header_of_its_own_is_explained_like_any_other() -> None:
    sample = SAMPLES["google-iap"]
    issuer = sample.issuer
    (token,) = presented(sample, issuer).values()
    assert asyncio.run(configured(sample, issuer).explain_token(token)).allows("threads:read")
