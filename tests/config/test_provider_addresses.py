"""Keys are fetched from the provider's address, and other spellings of an issuer need its keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kit.mapping import NOW
from kit.provider_samples import (
    SAMPLES,
    TENANT,
    IssuerRouter,
    authenticate_headers,
    oidc_for,
    presented,
    refusal,
)

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode
from oidc_auth.providers import PROVIDERS


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
