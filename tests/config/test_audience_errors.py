"""Configurations that accept tokens for other APIs or for anyone are mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import USERS
from kit.mistakes import CLIENT, find_mistake, issuer, told

from oidc_auth import OIDCAuth

if TYPE_CHECKING:
    from kit.snapshots import Messages

GITHUB = "https://token.actions.githubusercontent.com"

PREFIXED = {"claim": "scope", "strip_prefix": "agents/", "accept": "*"}


MISTAKES = [
    (issuer(audience=..., client_claim=CLIENT), "issuer[0].client_claim"),
    (
        issuer(client_claim=CLIENT, permission_map={"claim": "scope", "accept": "*"}),
        "issuer[0].client_claim",
    ),
    (
        issuer(client_claim={**CLIENT, "values": []}, require={"a": "b"}),
        "issuer[0].client_claim.values",
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
    ),
    (
        issuer(audience=..., client_claim=CLIENT, permission_map=[PREFIXED, {"claim": '"scope"', "accept": "*"}]),
        "issuer[0].client_claim",
    ),
    (
        issuer(issuer=GITHUB, require={'"repository"': "acme*"}),
        'issuer[0].require."repository"',
    ),
    (issuer(issuer=GITHUB), "issuer[0].require"),
    (issuer(issuer=GITHUB, require={}), "issuer[0].require"),
    (issuer(issuer=GITHUB, require={"ref": "refs/heads/main"}), "issuer[0].require"),
    (issuer(issuer="https://accounts.google.com"), "issuer[0].require"),
    (issuer(issuer="accounts.google.com"), "issuer[0].require"),
    (issuer(aliases=GITHUB), "issuer[0].require"),
    (issuer(issuer="https://gitlab.com", require={"ref": "main"}), "issuer[0].require"),
    *(
        (
            issuer(issuer=url, require={claim: value, "ref": "x"}),
            f"issuer[0].require.{claim}",
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


@pytest.mark.parametrize(("document", "where"), MISTAKES, ids=[where for _, where in MISTAKES])
def test_each_mistake_has_place_and_hint(document: dict[str, Any], where: str, messages: Messages) -> None:
    problem = find_mistake(document)
    assert problem.where == where
    messages.check(told(problem))


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
