"""Each provider's sample token gives identity, tenant and permissions, and tokens for others are rejected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.mapping import NOW
from kit.mistakes import told
from kit.provider_samples import (
    READ,
    READER,
    SAMPLES,
    TENANT,
    authenticate_headers,
    oidc_for,
    presented,
    refusal,
)

from oidc_auth import ConfigError, OIDCAuth, OIDCAuthError, presets
from oidc_auth.errors import ERROR_DETAILS, ErrorCode
from oidc_auth.providers import PROVIDERS

if TYPE_CHECKING:
    from kit.snapshots import Messages


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


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_preset_field_names_its_source(name: str) -> None:
    provider = PROVIDERS[name]
    tokens = provider.tokens
    sources = [provider.issuer.source, *(one.source for one in tokens.settings.values())]
    sources += [tokens.permission_maps.source] if tokens.permission_maps.value else []
    assert [
        one for one in sources if not re.match(r"https://|RFC \d+ |OpenID\sConnect\s|tokens\sof\sKeycloak", one)
    ] == []


def test_preset_requirement_is_named_in_hint(messages: Messages) -> None:
    sample = SAMPLES["supabase"]
    issuer = sample.issuer
    anonymous = presented(sample, issuer, is_anonymous=True)
    refused = refusal(oidc_for(sample, issuer), anonymous)
    messages.check(refused.hint)
    own = oidc_for(sample, issuer, require={"is_anonymous": ["false", "maybe"], "mfa": "true"})
    assert refusal(own, anonymous).hint == ERROR_DETAILS[ErrorCode.REQUIREMENT_NOT_MET].hint
    assert refusal(own, presented(sample, issuer, mfa=None)).hint == ERROR_DETAILS[ErrorCode.REQUIREMENT_NOT_MET].hint


def test_okta_service_and_user_identities_differ() -> None:
    sample = SAMPLES["okta"]
    issuer = sample.issuer
    oidc = oidc_for(sample, issuer)
    service = presented(sample, issuer, uid=None, sub="0oabskvc6442nkvQO0h7")
    assert authenticate_headers(oidc, service).identity == "client:0oabskvc6442nkvQO0h7"
    assert (
        refusal(oidc, presented(sample, issuer, uid="client:0oabskvc6442nkvQO0h7")).code is ErrorCode.IDENTITY_INVALID
    )


def test_okta_org_server_token_is_named(messages: Messages) -> None:
    sample = SAMPLES["okta"]
    issuer = sample.issuer
    refused = refusal(oidc_for(sample, issuer), presented(sample, issuer, iss="https://acme.okta.com"))
    assert refused.code is ErrorCode.ISSUER_NOT_TRUSTED
    messages.check(refused.hint)


def test_pending_clerk_session_is_named(messages: Messages) -> None:
    sample = SAMPLES["clerk"]
    issuer = sample.issuer
    refused = refusal(oidc_for(sample, issuer), presented(sample, issuer, sts="pending"))
    assert "sts='pending'" in refused.found
    messages.check(refused.hint)


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
    ("table", "where"),
    [
        (presets.github_actions(audience="a", permission_map={"ref": READER}), "issuer[0].require"),
        (presets.google(audience="a", permission_map={"hd": READER}), "issuer[0].require"),
        (presets.okta("https://acme.okta.com", audience="a"), "issuer[0].url"),
        (presets.entra("acme.com", audience="a"), "issuer[0].tenants[0]"),
        (presets.entra(TENANT.upper(), audience="a"), "issuer[0].tenants[0]"),
        (presets.entra([], audience="a"), "issuer[0].tenants"),
        (presets.clerk("https://clerk.acme.com", permission_map={"o.rol": READER}), "issuer[0].audience"),
        (
            presets.cognito(
                "eu-west-1", "p", client_claim={"claim": "client_id", "values": "W"}, permission_map={"x": READER}
            ),
            "issuer[0].client_claim",
        ),
        (presets.workos("client_01"), "issuer[0].audience"),
        (presets.kubernetes("https://k", audience="a"), "issuer[0]"),
        ({"preset": "cognito", "region": "eu-west-1"}, "issuer[0].user_pool"),
        ({"preset": "entra", "audience": "a"}, "issuer[0].tenants"),
        ({"preset": "google", "url": "https://x.test", "audience": "a"}, "issuer[0].url"),
    ],
)
def test_missing_provider_settings_are_reported_at_load(table: dict[str, Any], where: str, messages: Messages) -> None:
    with pytest.raises(ConfigError) as caught:
        OIDCAuth.from_dict({"issuer": table})
    (problem,) = [problem for problem in caught.value.problems if problem.where == where]
    messages.check(told(problem))


# --- another header --------------------------------------------------------------------------------------------------
