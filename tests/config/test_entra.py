"""Entra: versions, tenants, hints and group overage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import NOW
from kit.provider_samples import (
    ENTRA_CLIENT,
    OTHER_TENANT,
    READ,
    READER,
    SAMPLES,
    TENANT,
    authenticate_headers,
    oidc_for,
    presented,
    refusal,
)

from oidc_auth import presets
from oidc_auth.config.load import load_mapping
from oidc_auth.errors import ErrorCode
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from kit.snapshots import Messages


def entra_v1(tenant: str) -> LocalIssuer:
    return LocalIssuer(f"https://sts.windows.net/{tenant}/", algorithm="ES256", clock=lambda: NOW)


def test_entra_v1_token_needs_configured_issuer(messages: Messages) -> None:
    sample, issuer = SAMPLES["entra"], entra_v1(TENANT)
    old = presented(sample, issuer, ver="1.0", appid="72f988bf-0000-4000-8000-000000000001", azp=None)
    refused = refusal(oidc_for(sample, issuer), old)
    assert refused.code is ErrorCode.ISSUER_NOT_TRUSTED
    messages.check(refused.hint)
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
def test_entra_token_without_tenant_gets_hint(tid: str | None, messages: Messages) -> None:
    sample = SAMPLES["entra"]
    issuer = sample.issuer
    refused = refusal(oidc_for(sample, issuer), presented(sample, issuer, tid=tid))
    assert (refused.code, refused.expected) == (ErrorCode.REQUIREMENT_NOT_MET, f"tid in {TENANT}")
    messages.check(refused.hint)


def test_entra_claims_get_entra_hints(messages: Messages) -> None:
    sample = SAMPLES["entra"]
    oidc = oidc_for(sample, sample.issuer)
    why = oidc.explain({"iss": sample.url, "tid": TENANT, "azp": "web"})
    messages.check(why.refusal)


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
    audience: str | list[str], more: dict[str, Any], warned: list[str], messages: Messages
) -> None:
    loaded = load_mapping({"issuer": presets.entra(TENANT, audience=audience, **more)})
    assert [warning.split("'")[1] for warning in loaded.warnings] == warned
    for warning in loaded.warnings:
        messages.check(warning)
    assert load_mapping({"issuer": presets.auth0("acme.eu.auth0.com", audience=audience)}).warnings == ()


def test_microsoft_graph_token_is_named(messages: Messages) -> None:
    sample = SAMPLES["entra"]
    issuer = sample.issuer
    graph = presented(sample, issuer, aud="https://graph.microsoft.com")
    messages.check(refusal(oidc_for(sample, issuer), graph).hint)


@pytest.mark.parametrize(
    "overage",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.windows.net/x"}}},
        {"hasgroups": True},
    ],
)
def test_entra_group_overage_is_named(
    overage: dict[str, Any], caplog: pytest.LogCaptureFixture, messages: Messages
) -> None:
    sample = SAMPLES["entra"]
    issuer = sample.issuer
    permission_maps = presets.entra(TENANT, audience="a", permission_map={"groups": READER, "roles": READER})[
        "permission_map"
    ]
    oidc = oidc_for(sample, issuer, permission_map=permission_maps)
    assert authenticate_headers(oidc, presented(sample, issuer, **overage)).permissions == []
    messages.check(caplog.messages[-1])
    assert authenticate_headers(oidc, presented(sample, issuer, **overage, roles=["reader"])).permissions == READ
