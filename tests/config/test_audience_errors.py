"""Configurations that accept tokens for other APIs or for anyone are mistakes."""

from __future__ import annotations

from typing import Any

import pytest
from kit.mapping import USERS
from kit.mistakes import CLIENT, check_mistake, issuer

from oidc_auth import OIDCAuth

GITHUB = "https://token.actions.githubusercontent.com"

PREFIXED = {"claim": "scope", "strip_prefix": "agents/", "accept": "*"}


MISTAKES = [
    # document, where, a word of the message, a word of the hint
    (issuer(audience=..., client_claim=CLIENT), "issuer[0].client_claim", "does not bind", "strip_prefix"),
    (
        issuer(client_claim=CLIENT, permission_map={"claim": "scope", "accept": "*"}),
        "issuer[0].client_claim",
        "does not bind",
        "[issuer.require]",
    ),
    (
        issuer(client_claim={**CLIENT, "values": []}, require={"a": "b"}),
        "issuer[0].client_claim.values",
        "is empty",
        "",
    ),
    (
        issuer(
            issuer=...,
            preset="cognito",
            region="r",
            user_pool="p",
            audience=...,
            client_claim=CLIENT,
            jwks=...,
            require={'"token_use"': "access"},
        ),
        "issuer[0].client_claim",
        "does not bind",
        "[issuer.require]",
    ),
    (
        issuer(audience=..., client_claim=CLIENT, permission_map=[PREFIXED, {"claim": '"scope"', "accept": "*"}]),
        "issuer[0].client_claim",
        "does not bind",
        "strip_prefix",
    ),
    (
        issuer(issuer=GITHUB, require={'"repository"': "acme*"}),
        'issuer[0].require."repository"',
        "also matches other owners",
        "acme/*",
    ),
    (issuer(issuer=GITHUB), "issuer[0].require", "tokens for anyone", "repository_owner_id"),
    (issuer(issuer=GITHUB, require={}), "issuer[0].require", "tokens for anyone", "repository"),
    (issuer(issuer=GITHUB, require={"ref": "refs/heads/main"}), "issuer[0].require", "anyone", "repository"),
    (issuer(issuer="https://accounts.google.com"), "issuer[0].require", "tokens for anyone", "[issuer.require]"),
    (issuer(issuer="accounts.google.com"), "issuer[0].require", "tokens for anyone", "[issuer.require]"),
    (issuer(aliases=GITHUB), "issuer[0].require", "tokens for anyone", "repository_owner_id"),
    (issuer(issuer="https://gitlab.com", require={"ref": "main"}), "issuer[0].require", "for anyone", "namespace_id"),
    *(
        (
            issuer(issuer=url, require={claim: value, "ref": "x"}),
            f"issuer[0].require.{claim}",
            "also matches other owners",
            '"acme/*"',
        )
        for url, claim, value in [
            (GITHUB, "repository", "acme*"),
            (GITHUB, "repository", ["acme/agents", "acme/ag*"]),
            (GITHUB, "repository_owner_id", "12*"),
            ("https://accounts.google.com", "sub", "1*"),
            ("https://accounts.google.com", "email", "alice@*"),
            ("https://accounts.google.com", "hd", "acme.com*"),
            ("https://gitlab.com", "project_path", "acme*"),
            ("https://app.terraform.io", "terraform_organization_id", "org-*"),
        ]
    ),
]


@pytest.mark.parametrize(("document", "where", "message", "hint"), MISTAKES)
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, message: str, hint: str) -> None:
    check_mistake(document, where, message, hint)


@pytest.mark.parametrize(
    ("audience", "permission_map", "require"),
    [
        (..., {"claim": "scope", "strip_prefix": "agents/", "accept": ["*"]}, {}),
        (..., {"claim": "scp", "strip_prefix": "agents/", "accept": ["*"]}, {}),
        (..., USERS, {"groups": "agents"}),
        ("agents", {"claim": "scope", "accept": ["*"]}, {"groups": "agents"}),
    ],
)
def test_client_claim_with_scope_prefix_or_requirement_suffices(
    audience: Any, permission_map: dict[str, Any], require: dict[str, Any]
) -> None:
    OIDCAuth.from_dict(issuer(audience=audience, client_claim=CLIENT, permission_map=permission_map, require=require))


def test_public_issuer_with_requirement_is_accepted() -> None:
    OIDCAuth.from_dict(issuer(issuer=GITHUB, require={"repository": "acme/agents"}))
    OIDCAuth.from_dict(issuer(issuer=GITHUB, require={"repository_owner_id": "12345"}))
