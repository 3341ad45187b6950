"""A token in the header of a proxy, such as that of Google IAP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import NOW
from kit.provider_samples import (
    IAP,
    READ,
    SAMPLES,
    IssuerRouter,
    authenticate_headers,
    oidc_for,
    presented,
    refusal,
)

from oidc_auth import OIDCAuth
from oidc_auth.errors import ErrorCode

if TYPE_CHECKING:
    from kit.snapshots import Messages

    from oidc_auth.testing import LocalIssuer


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


def test_unused_authorization_header_is_not_read(messages: Messages) -> None:
    sample = SAMPLES["google-iap"]
    issuer = sample.issuer
    (token,) = presented(sample, issuer).values()
    oidc = oidc_for(sample, issuer)
    refused = refusal(oidc, {"authorization": f"Bearer {token}"})
    assert refused.code is ErrorCode.TOKEN_MISSING
    messages.check(refused.expected)
    messages.check(refused.found)
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
