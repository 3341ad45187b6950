"""The seven worked examples of the documentation: each loads, and tokens of its provider's shape get what it says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from kit.auth_harness import IssuerRouter
from kit.mapping import NOW, bearer

from oidc_auth import OIDCAuth, TokenError
from oidc_auth.testing import LocalIssuer

PAGE = (Path(__file__).parents[2] / "docs" / "worked-examples.md").read_text("utf-8")
EXAMPLES = dict(enumerate(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL), 1))

KEYCLOAK = "https://sso.acme.com/realms/acme"
AUTH0 = "https://acme.eu.auth0.com/"
OKTA = "https://acme.okta.com/oauth2/default"
COGNITO = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"
GITHUB = "https://token.actions.githubusercontent.com"
TENANT = "0c2b1f6e-9a3d-4f5e-8b7c-1d2e3f4a5b6c"
ENTRA = f"https://login.microsoftonline.com/{TENANT}/v2.0"

READ = ["threads:read", "threads:search"]
WRITE = ["threads:create", "threads:create_run", "threads:delete", *READ, "threads:update", "threads:write"]


def provider(url: str) -> LocalIssuer:
    return LocalIssuer(url, algorithm="ES256", clock=lambda: NOW)


def example(number: int, *providers: LocalIssuer) -> OIDCAuth:
    document = tomllib.loads(EXAMPLES[number])
    return OIDCAuth.from_dict(document, fetcher=IssuerRouter(*providers), clock=lambda: NOW)


def test_seven_examples_load() -> None:
    assert [example(number).source for number in EXAMPLES] == ["mapping"] * 7


@pytest.mark.parametrize(
    ("claims", "permissions"),
    [
        ({"permissions": ["threads:read", "crons:read", "store:get"]}, ["store:get", *READ]),
        ({"permissions": ["threads:create_run"]}, ["threads:create_run", *READ]),
        ({"scope": "threads:write"}, []),
        ({"https://acme.com/roles": ["Agent Admin"]}, []),
        ({"https://acme.com/roles": ["agent admin"], "org_id": "org_1"}, []),
    ],
)
def test_example_1_reads_auth0_permissions(claims: dict[str, Any], permissions: list[str]) -> None:
    auth0 = provider(AUTH0)
    token = auth0.token("auth0|1", audience="https://agents.acme.com", **claims)
    assert bearer(example(1, auth0), token).permissions == permissions


def test_example_1_gives_organisation_admin() -> None:
    auth0 = provider(AUTH0)
    claims: dict[str, Any] = {"https://acme.com/roles": "Agent Admin", "org_id": "org_1"}
    user = bearer(example(1, auth0), auth0.token(audience="https://agents.acme.com", **claims)).user()
    assert user["tenant"] == "org_1"
    assert {"threads:delete@tenant", "crons:write@tenant", "store:put"} < set(user["permissions"])
    assert not any(name.startswith("store:") and "@" in name for name in user["permissions"])
    assert not any(name.endswith("@all") for name in user["permissions"])


@pytest.mark.parametrize(
    ("claims", "permissions"),
    [
        ({"scope": "openid threads:read", "azp": "CLI"}, READ),
        ({"scope": "threads:read threads:write", "azp": "CLI"}, WRITE),
        ({"scope": "threads:delete", "azp": "CLI"}, []),
        (
            {"scope": "openid profile", "azp": "our-web-app"},
            sorted(
                [*WRITE, "assistants:read", "assistants:search", "store:read", "store:write"]
                + [f"store:{action}" for action in ("put", "get", "search", "list_namespaces", "delete")]
            ),
        ),
    ],
)
def test_example_2_reads_scopes_and_first_party_app(claims: dict[str, Any], permissions: list[str]) -> None:
    auth0 = provider(AUTH0)
    token = auth0.token(audience="https://agents.acme.com", **claims)
    assert bearer(example(2, auth0), token).permissions == permissions


def test_example_3_reads_realm_and_client_roles() -> None:
    realm = provider(KEYCLOAK)
    oidc = example(3, realm)
    roles: dict[str, Any] = {"realm_access": {"roles": ["offline_access", "agent-user"]}}
    user = bearer(oidc, realm.token(audience="langgraph-api", **roles))
    assert {"threads:write", "store:write", "assistants:read"} < set(user.permissions)
    assert not any("@" in name or name.startswith("crons:") for name in user.permissions)
    admin = bearer(oidc, realm.token(audience="langgraph-api", realm_access={"roles": ["agent-admin"]}))
    assert {"threads:read@all", "store:get@all", "assistants:delete@all", "crons:read@all"} < set(admin.permissions)
    assert not {"threads:delete@all", "store:put@all", "crons:create@all"} & set(admin.permissions)
    roles = {"resource_access": {"langgraph.api": {"roles": ["threads:read"]}, "account": {"roles": ["store:put"]}}}
    assert bearer(oidc, realm.token(audience="langgraph-api", **roles)).permissions == READ


ADMIN = {"threads:delete@tenant", "assistants:write@tenant", "crons:write@tenant", "store:put"}


@pytest.mark.parametrize(
    ("claims", "held", "absent"),
    [
        ({"roles": ["Agents.User"]}, {"threads:write", "assistants:read"}, {"threads:read@tenant", "store:get"}),
        ({"roles": ["Agents.Admin"]}, ADMIN, {"threads:delete@all", "store:put@tenant"}),
        ({"groups": ["3f1c0000-0000-4000-8000-000000000000"]}, {"threads:read@tenant"}, {"threads:create"}),
        ({"roles": ["Agents.User"], "hasgroups": True}, {"threads:write"}, {"threads:read@tenant"}),
        ({"scp": "threads:write", "roles": ["agents.user"]}, set(), {"threads:write", "threads:read"}),
    ],
)
def test_example_4_reads_app_roles_and_group(claims: dict[str, Any], held: set[str], absent: set[str]) -> None:
    entra = provider(ENTRA)
    audience = "6e74172b-be56-4843-9ff4-e66a39bb12e3"
    token = entra.token("pairwise", audience=audience, header={"typ": "JWT"}, oid="o1", tid=TENANT, **claims)
    caller = bearer(example(4, entra), token)
    assert (caller.identity, caller.user()["tenant"]) == ("o1", TENANT)
    assert held <= set(caller.permissions)
    assert not absent & set(caller.permissions)


@pytest.mark.parametrize(
    ("groups", "permissions"),
    [
        (["agents-users"], ["assistants:read", "assistants:search", *WRITE]),
        ("agents-users", ["assistants:read", "assistants:search", *WRITE]),
        (["agents-eu"], ["assistants:read", "assistants:search"]),
        (["Everyone", "agents"], []),
    ],
)
def test_example_5_reads_okta_groups(groups: object, permissions: list[str]) -> None:
    okta = provider(OKTA)
    caller = bearer(example(5, okta), okta.token("a@ex.com", audience="api://agents", uid="00u1", groups=groups))
    assert (caller.identity, caller.permissions) == ("00u1", permissions)


@pytest.mark.parametrize(
    ("claims", "permissions"),
    [
        (
            {"client_id": "web", "cognito:groups": ["users"], "scope": "openid agents/use"},
            ["assistants:read", "assistants:search", *WRITE],
        ),
        ({"client_id": "nightly-batch", "scope": "agents/threads:create_run"}, ["threads:create_run", *READ]),
        ({"client_id": "web", "scope": "agents/use threads:create_run other/threads:create"}, []),
    ],
)
def test_example_6_reads_cognito_groups_and_scopes(claims: dict[str, Any], permissions: list[str]) -> None:
    pool = provider(COGNITO)
    token = pool.token(audience=None, header={"typ": None}, token_use="access", **claims)
    assert bearer(example(6, pool), token).permissions == permissions


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"client_id": "OTHER"}, "client_not_allowed"),
        ({}, "client_not_allowed"),
        ({"client_id": "web", "token_use": "id"}, "token_use_not_allowed"),
        ({"client_id": "web", "cognito:groups": ["users"]}, "requirement_not_met"),
        ({"client_id": "web", "cognito:groups": ["users"], "scope": "billing/read"}, "requirement_not_met"),
        ({"client_id": "web", "cognito:groups": ["users"], "scope": "billing/agents/use"}, "requirement_not_met"),
        ({"client_id": "nightly-batch", "scope": "threads:create_run other/threads:create"}, "requirement_not_met"),
        ({"client_id": "web", "scope": "aws.cognito.signin.user.admin"}, "requirement_not_met"),
    ],
)
def test_example_6_rejects_other_clients_and_apis(claims: dict[str, Any], code: str) -> None:
    pool = provider(COGNITO)
    with pytest.raises(TokenError, match=code):
        bearer(example(6, pool), pool.token(audience=None, **{"token_use": "access", **claims}))


PIPELINE: dict[str, Any] = {
    "repository_id": "777",
    "repository_owner_id": "12345",
    "repository": "acme/agents",
    "ref": "refs/heads/main",
    "environment": "production",
}


def test_example_7_separates_users_and_pipelines() -> None:
    okta, github = provider(OKTA), provider(GITHUB)
    oidc = example(7, okta, github)
    person = bearer(oidc, okta.token("a@ex.com", audience="api://agents", uid="777", groups=["agents-users"]))
    assert (person.identity, person.issuer, person.permissions) == ("777", OKTA, WRITE)
    pipeline = bearer(oidc, github.token("repo:acme/agents:ref", audience="https://agents.acme.com", **PIPELINE))
    assert (pipeline.identity, pipeline.issuer) == ("gha:777", GITHUB)
    assert {"assistants:delete@all", "threads:create_run", "threads:read"} < set(pipeline.permissions)
    assert "threads:read@all" not in pipeline.permissions


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"repository": "acme/other"}, "requirement_not_met"),
        ({"repository_owner_id": "666"}, "requirement_not_met"),
        ({"repository_owner_id": None}, "requirement_not_met"),
        ({"ref": "refs/heads/main2"}, "requirement_not_met"),
        ({"ref": ["refs/heads/dev"]}, "requirement_not_met"),
        ({"repository_id": None}, "identity_invalid"),
        ({"aud": "api://agents"}, "audience_mismatch"),
    ],
)
def test_example_7_rejects_other_pipelines(changes: dict[str, Any], code: str) -> None:
    okta, github = provider(OKTA), provider(GITHUB)
    token = github.token(audience="https://agents.acme.com", **{**PIPELINE, **changes})
    with pytest.raises(TokenError, match=code):
        bearer(example(7, okta, github), token)


def test_example_7_uses_own_keys_per_issuer() -> None:
    okta, github = provider(OKTA), provider(GITHUB)
    forged = okta.token(iss=GITHUB, audience="https://agents.acme.com", **PIPELINE)
    with pytest.raises(TokenError, match="signature_invalid"):
        bearer(example(7, okta, github), forged)
