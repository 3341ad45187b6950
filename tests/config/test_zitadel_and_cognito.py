"""Tokens for another Zitadel project or another API of a Cognito user pool are rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import NOW
from kit.provider_samples import (
    PROJECT,
    READ,
    ROLES,
    ROLES_OF_ANY_PROJECT,
    SAMPLES,
    authenticate_headers,
    oidc_for,
    presented,
    refusal,
)

from oidc_auth import ConfigError, OIDCAuth
from oidc_auth.errors import ErrorCode

if TYPE_CHECKING:
    from kit.snapshots import Messages


@pytest.mark.parametrize("empty", [{}, None])
def test_zitadel_user_without_role_is_refused(empty: object, messages: Messages) -> None:
    sample = SAMPLES["zitadel"]
    issuer = sample.issuer
    refused = refusal(oidc_for(sample, issuer), presented(sample, issuer, **{ROLES: empty}))
    assert refused.code is ErrorCode.CLAIM_MISSING
    messages.check(refused.hint)


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
