"""Providers as data: what a preset fills in, and the worked examples with tokens as those providers send them."""

from __future__ import annotations

import asyncio
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from world.mapping import NOW, bearer

from oidc_auth import Caller, ConfigError, OIDCAuth, TokenError, presets
from oidc_auth.config.load import load_mapping
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from oidc_auth.keys.fetch import Response

KEYCLOAK = "https://sso.acme.com/realms/acme"
AUTH0 = "https://acme.eu.auth0.com/"
OKTA = "https://acme.okta.com/oauth2/default"
COGNITO = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"
GITHUB = "https://token.actions.githubusercontent.com"

READ = ["threads:read", "threads:search"]
WRITE = ["threads:create", "threads:create_run", "threads:delete", *READ, "threads:update", "threads:write"]
PRESETS: dict[str, Callable[..., dict[str, Any]]] = {
    "generic": presets.generic,
    "keycloak": presets.keycloak,
    "auth0": presets.auth0,
}


def filled(table: Mapping[str, Any]) -> Any:
    """Return the [[issuer]] table that a preset's mapping loads as."""
    return load_mapping({"issuer": table}).document.issuer[0]


# --- presets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "address", "issuer"),
    [
        ("generic", "https://sso.acme.com", "https://sso.acme.com"),
        ("generic", "https://sso.acme.com/", "https://sso.acme.com/"),
        ("keycloak", KEYCLOAK, KEYCLOAK),
        ("keycloak", f"{KEYCLOAK}/", KEYCLOAK),
        ("auth0", "acme.eu.auth0.com", AUTH0),
        ("auth0", "acme.eu.auth0.com/", AUTH0),
        ("auth0", "https://acme.eu.auth0.com", AUTH0),
        ("auth0", AUTH0, AUTH0),
    ],
)
def test_a_preset_spells_the_issuer_as_the_provider_does(name: str, address: str, issuer: str) -> None:
    assert filled(PRESETS[name](address, audience="agents")).issuer == issuer


@pytest.mark.parametrize(
    ("name", "claims"),
    [("generic", ["scope", "scp"]), ("keycloak", ["scope"]), ("auth0", ["permissions", "scope"])],
)
def test_without_grants_the_providers_natural_claims_carry_the_vocabulary(name: str, claims: list[str]) -> None:
    grants = filled(PRESETS[name]("https://sso.acme.com", audience="agents")).grant
    assert [(grant.claim, grant.accept) for grant in grants] == [([claim], ["*"]) for claim in claims]


@pytest.mark.parametrize("name", PRESETS)
def test_an_explicit_map_is_the_whole_map(name: str) -> None:
    table = PRESETS[name]("https://sso.acme.com", audience="agents", grants={"roles": {"user": ["threads:read"]}})
    assert [(grant.claim, grant.values) for grant in filled(table).grant] == [(["roles"], {"user": ["threads:read"]})]


@pytest.mark.parametrize("name", PRESETS)
def test_the_issuer_may_always_be_given_instead(name: str) -> None:
    assert (
        filled({"preset": name, "issuer": "https://id.acme.com/x/", "audience": "a"}).issuer == "https://id.acme.com/x/"
    )


@pytest.mark.parametrize(
    ("given", "grant"),
    [
        ({"user": ["threads:read"]}, {"claim": "c", "values": {"user": ["threads:read"]}}),
        (["threads:read", "store:*"], {"claim": "c", "accept": ["threads:read", "store:*"]}),
        (("threads:read",), {"claim": "c", "accept": ["threads:read"]}),
        ({"threads:read"}, {"claim": "c", "accept": ["threads:read"]}),
        (frozenset({"threads:read"}), {"claim": "c", "accept": ["threads:read"]}),
        ("threads:read", {"claim": "c", "accept": ["threads:read"]}),
    ],
)
def test_a_grant_is_a_mapping_a_list_or_a_lone_name(given: Any, grant: dict[str, Any]) -> None:
    table = presets.generic("https://sso.acme.com", audience="agents", grants={"c": given})
    assert table["grant"] == [grant]
    assert filled(table).grant


def test_a_grant_may_be_any_mapping() -> None:
    given = MappingProxyType({"user": ("threads:read",)})
    table = presets.keycloak(KEYCLOAK, audience="agents", grants=MappingProxyType({"roles": given}))
    assert filled(table).grant[0].values == {"user": ["threads:read"]}


@pytest.mark.parametrize("grant", [{"claim": "scope", "accept": ["*"]}, [{"claim": "scope", "accept": ["*"]}]])
def test_grants_stand_beside_a_grant_that_is_written_as_a_table(grant: object) -> None:
    table = presets.generic("https://sso.acme.com", audience="agents", grant=grant, grants={"roles": ["*"]})
    assert [grant.claim for grant in filled(table).grant] == [["scope"], ["roles"]]


def test_a_preset_returns_a_plain_mapping_that_is_not_validated_yet() -> None:
    table = presets.keycloak("nonsense", audience=["a", "b"], grants={"a..b": ["nod"]}, leeway=-1, nod=True)
    assert table == {
        "preset": "keycloak",
        "url": "nonsense",
        "audience": ["a", "b"],
        "leeway": -1,
        "nod": True,
        "grant": [{"claim": "a..b", "accept": ["nod"]}],
    }
    assert type(table) is dict
    assert json.loads(json.dumps(table)) == table
    with pytest.raises(ConfigError, match="5 problems"):
        load_mapping({"issuer": table})


def test_what_an_operator_writes_wins_over_the_preset() -> None:
    table = presets.keycloak(KEYCLOAK, audience="agents", display_name="name", leeway=5, identity="oid")
    issuer = filled(table)
    assert (issuer.display_name, issuer.leeway, issuer.identity[0].claim) == (["name"], 5, ["oid"])
    assert filled(presets.keycloak(KEYCLOAK, audience="agents")).display_name == ["preferred_username"]


# --- tokens of each provider -----------------------------------------------------------------------------------------


def provider(url: str) -> LocalIssuer:
    return LocalIssuer(url, algorithm="ES256", clock=lambda: NOW)


def caller_of(table: Mapping[str, Any], issuer: LocalIssuer, token: str) -> Caller:
    return bearer(OIDCAuth.from_dict({"issuer": table}, fetcher=issuer, clock=lambda: NOW), token)


def test_a_keycloak_token_gives_what_its_scopes_say() -> None:
    realm = provider(KEYCLOAK)
    token = realm.token(
        "f:1:alice",
        audience=["langgraph-api", "account"],
        header={"typ": "JWT"},
        typ="Bearer",
        azp="spa",
        acr="1",
        realm_access={"roles": ["offline_access", "agent-user"]},
        scope="openid profile email threads:write",
        preferred_username="alice",
    )
    caller = caller_of(presets.keycloak(f"{KEYCLOAK}/", audience="langgraph-api"), realm, token)
    assert (caller.identity, caller.display_name, caller.permissions) == ("f:1:alice", "alice", WRITE)
    grants = {"realm_access.roles": {"agent-user": ["threads:read"], "agent-admin": ["*@all"]}}
    caller = caller_of(presets.keycloak(KEYCLOAK, audience="langgraph-api", grants=grants), realm, token)
    assert caller.permissions == READ


@pytest.mark.parametrize("kind", ["ID", "Refresh", "Offline", "Logout"])
def test_another_kind_of_keycloak_token_is_nobody(kind: str) -> None:
    realm = provider(KEYCLOAK)
    token = realm.token(audience="langgraph-api", header={"typ": "JWT"}, typ=kind, scope="threads:write")
    with pytest.raises(TokenError, match="token_kind_refused"):
        caller_of(presets.keycloak(KEYCLOAK, audience="langgraph-api"), realm, token)


@pytest.mark.parametrize(
    ("claims", "permissions"),
    [
        ({"scope": "openid profile", "permissions": ["threads:read", "billing:read"]}, READ),
        ({"scope": "openid threads:read"}, READ),
        ({"scope": "openid", "permissions": []}, []),
        ({"permissions": ["*", "threads:*", "threads:read@all"]}, []),
    ],
)
def test_an_auth0_token_gives_its_permissions_and_scopes(claims: dict[str, Any], permissions: list[str]) -> None:
    tenant = provider(AUTH0)
    audience = ["https://agents.acme.com", "https://acme.eu.auth0.com/userinfo"]
    token = tenant.token("auth0|1", audience=audience, azp="SPA", gty="password", **claims)
    caller = caller_of(presets.auth0("acme.eu.auth0.com", audience="https://agents.acme.com"), tenant, token)
    assert (caller.identity, caller.issuer, caller.permissions) == ("auth0|1", AUTH0, permissions)


@pytest.mark.parametrize("claims", [{"scope": "threads:read"}, {"scp": ["threads:read"]}, {"scp": "a threads:read"}])
def test_a_token_of_any_provider_gives_what_its_scopes_say(claims: dict[str, Any]) -> None:
    somewhere = provider("https://id.acme.com/oauth2/")
    table = presets.generic("https://id.acme.com/oauth2/", audience="agents")
    assert caller_of(table, somewhere, somewhere.token(**claims)).permissions == READ


def test_an_issuer_that_differs_by_a_slash_is_another_one() -> None:
    realm = provider(KEYCLOAK)
    with pytest.raises(TokenError, match="differ only by a trailing '/'"):
        caller_of(presets.keycloak(KEYCLOAK, audience="agents"), realm, realm.token(iss=f"{KEYCLOAK}/"))


# --- the worked examples ---------------------------------------------------------------------------------------------

EXAMPLES = {
    1: """
[[issuer]]
name = "auth0"
issuer = "https://acme.eu.auth0.com/"
audience = "https://agents.acme.com"
tenant = "org_id"
[[issuer.grant]]
claim = "permissions"                       # claim carries permission names
accept = ["threads:*", "assistants:read", "store:*"]
[[issuer.grant]]
claim = "https://acme.com/roles"            # URL = one literal name
values = { "Agent Admin" = ["admin"] }
[roles]
admin = ["*@tenant"]
""",
    2: """
[[issuer]]
name = "auth0"
issuer = "https://acme.eu.auth0.com/"
audience = "https://agents.acme.com"
[[issuer.grant]]
claim = "scope"
accept = ["threads:read", "threads:write"]
[[issuer.grant]]
claim = "azp"
values = { "SPA_CLIENT_ID" = ["threads:write", "store:write", "assistants:read"] }
""",
    3: """
[[issuer]]
name = "keycloak"
issuer = "https://sso.acme.com/realms/acme"
audience = "langgraph-api"
[[issuer.grant]]
claim = "realm_access.roles"
values = { agent-admin = ["admin"], agent-user = ["user"] }
[[issuer.grant]]
claim = 'resource_access."langgraph.api".roles'
accept = ["*"]
[roles]
user = ["threads:write", "store:write", "assistants:read"]
admin = ["user", "*:read@all", "assistants:write@all", "crons:write"]
""",
    4: """
[[issuer]]
name = "entra"
issuer = "https://login.microsoftonline.com/TENANT/v2.0"
audience = ["CLIENT_ID", "api://CLIENT_ID"]
identity = "oid"
tenant = "tid"
[[issuer.grant]]
claim = "roles"
values = { "Agent.User" = ["threads:write", "assistants:read"], "Agent.Admin" = ["*@tenant"] }
[[issuer.grant]]
claim = "groups"
values = { "3f1c0000-0000-0000-0000-000000000000" = ["threads:read@tenant"] }
""",
    5: """
[[issuer]]
name = "okta"
issuer = "https://acme.okta.com/oauth2/default"
audience = "api://agents"
identity = "uid"
[[issuer.grant]]
claim = "groups"
values = { "agents-users" = ["threads:write"], "agents-*" = ["assistants:read"] }
""",
    6: """
[[issuer]]
name = "cognito"
issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"
client_claim = { claim = "client_id", values = ["WEB", "BATCH"] }
token_type = "access"
[[issuer.grant]]
claim = "cognito:groups"
values = { users = ["threads:write", "assistants:read"] }
[[issuer.grant]]
claim = "scope"
strip_prefix = "agents/"
accept = ["threads:create", "threads:create_run"]
""",
    7: """
[[issuer]]
name = "workforce"
issuer = "https://acme.okta.com/oauth2/default"
audience = "api://agents"
identity_prefix = ""
[[issuer.grant]]
claim = "groups"
values = { agents-users = ["threads:write"] }
[[issuer]]
name = "ci"
issuer = "https://token.actions.githubusercontent.com"
audience = "https://agents.acme.com"
identity = "repository_id"                  # names can be reassigned
identity_prefix = "gha:"
[issuer.require]                            # all must hold; a missing claim fails
repository_owner_id = "12345"
repository = ["acme/agents"]
ref = "refs/heads/main"
[[issuer.grant]]
claim = "environment"
values = { production = ["assistants:write@all", "threads:create_run"] }
""",
}


class Internet:
    """A fetcher that reaches several providers."""

    def __init__(self, *providers: LocalIssuer) -> None:
        self.providers = providers

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, /) -> Response:
        """Ask the provider whose address it is."""
        (asked,) = (issuer for issuer in self.providers if url.startswith(issuer.url))
        return await asked(method, url, headers, body)


def example(number: int, folder: Path, *providers: LocalIssuer) -> OIDCAuth:
    path = folder / "oidc-auth.toml"
    path.write_text(EXAMPLES[number], encoding="utf-8")
    return OIDCAuth.from_file(path, fetcher=Internet(*providers), clock=lambda: NOW)


@pytest.mark.parametrize("number", EXAMPLES)
def test_a_worked_example_loads(number: int, tmp_path: Path) -> None:
    assert example(number, tmp_path).source.endswith("oidc-auth.toml")


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
def test_example_1_takes_auth0_permissions(claims: dict[str, Any], permissions: list[str], tmp_path: Path) -> None:
    auth0 = provider(AUTH0)
    token = auth0.token("auth0|1", audience="https://agents.acme.com", **claims)
    assert bearer(example(1, tmp_path, auth0), token).permissions == permissions


def test_example_1_makes_an_agent_admin_of_one_organisation(tmp_path: Path) -> None:
    auth0 = provider(AUTH0)
    claims: dict[str, Any] = {"https://acme.com/roles": "Agent Admin", "org_id": "org_1"}
    user = bearer(example(1, tmp_path, auth0), auth0.token(audience="https://agents.acme.com", **claims)).user()
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
            {"scope": "openid profile", "azp": "SPA_CLIENT_ID"},
            sorted(
                [*WRITE, "assistants:read", "assistants:search", "store:read", "store:write"]
                + [f"store:{action}" for action in ("put", "get", "search", "list_namespaces", "delete")]
            ),
        ),
    ],
)
def test_example_2_takes_scopes_and_knows_the_first_party_app(
    claims: dict[str, Any], permissions: list[str], tmp_path: Path
) -> None:
    auth0 = provider(AUTH0)
    token = auth0.token(audience="https://agents.acme.com", **claims)
    assert bearer(example(2, tmp_path, auth0), token).permissions == permissions


def test_example_3_takes_realm_roles_and_client_roles(tmp_path: Path) -> None:
    realm = provider(KEYCLOAK)
    oidc = example(3, tmp_path, realm)
    roles: dict[str, Any] = {"realm_access": {"roles": ["offline_access", "agent-user"]}}
    user = bearer(oidc, realm.token(audience="langgraph-api", **roles))
    assert {"threads:write", "store:write", "assistants:read"} < set(user.permissions)
    assert not any("@" in name or name.startswith("crons:") for name in user.permissions)
    admin = bearer(oidc, realm.token(audience="langgraph-api", realm_access={"roles": ["agent-admin"]}))
    assert {"threads:read@all", "store:get@all", "assistants:delete@all", "crons:read@all"} < set(admin.permissions)
    assert not {"threads:delete@all", "store:put@all", "crons:create@all"} & set(admin.permissions)
    roles = {"resource_access": {"langgraph.api": {"roles": ["threads:read"]}, "account": {"roles": ["store:put"]}}}
    assert bearer(oidc, realm.token(audience="langgraph-api", **roles)).permissions == READ


@pytest.mark.parametrize(
    ("groups", "permissions"),
    [
        (["agents-users"], ["assistants:read", "assistants:search", *WRITE]),
        ("agents-users", ["assistants:read", "assistants:search", *WRITE]),
        (["agents-eu"], ["assistants:read", "assistants:search"]),
        (["Everyone", "agents"], []),
    ],
)
def test_example_5_takes_okta_groups(groups: object, permissions: list[str], tmp_path: Path) -> None:
    okta = provider(OKTA)
    caller = bearer(
        example(5, tmp_path, okta), okta.token("a@ex.com", audience="api://agents", uid="00u1", groups=groups)
    )
    assert (caller.identity, caller.permissions) == ("00u1", permissions)


@pytest.mark.parametrize(
    ("claims", "permissions"),
    [
        ({"client_id": "WEB", "cognito:groups": ["users"]}, ["assistants:read", "assistants:search", *WRITE]),
        ({"client_id": "BATCH", "scope": "agents/threads:create_run"}, ["threads:create_run", *READ]),
        ({"client_id": "BATCH", "scope": "threads:create_run other/threads:create"}, []),
        ({"client_id": "WEB", "scope": "aws.cognito.signin.user.admin"}, []),
    ],
)
def test_example_6_takes_cognito_groups_and_machine_scopes(
    claims: dict[str, Any], permissions: list[str], tmp_path: Path
) -> None:
    pool = provider(COGNITO)
    token = pool.token(audience=None, header={"typ": None}, token_use="access", **claims)
    assert bearer(example(6, tmp_path, pool), token).permissions == permissions


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"client_id": "OTHER"}, "client_refused"),
        ({}, "client_refused"),
        ({"client_id": "WEB", "token_use": "id"}, "token_kind_refused"),
    ],
)
def test_example_6_refuses_other_clients_and_id_tokens(claims: dict[str, Any], code: str, tmp_path: Path) -> None:
    pool = provider(COGNITO)
    with pytest.raises(TokenError, match=code):
        bearer(example(6, tmp_path, pool), pool.token(audience=None, **{"token_use": "access", **claims}))


PIPELINE: dict[str, Any] = {
    "repository_id": "777",
    "repository_owner_id": "12345",
    "repository": "acme/agents",
    "ref": "refs/heads/main",
    "environment": "production",
}


def test_example_7_keeps_people_and_pipelines_apart(tmp_path: Path) -> None:
    okta, github = provider(OKTA), provider(GITHUB)
    oidc = example(7, tmp_path, okta, github)
    person = bearer(oidc, okta.token("777", audience="api://agents", groups=["agents-users"]))
    assert (person.identity, person.issuer, person.permissions) == ("777", OKTA, WRITE)
    pipeline = bearer(oidc, github.token("repo:acme/agents:ref", audience="https://agents.acme.com", **PIPELINE))
    assert (pipeline.identity, pipeline.issuer) == ("gha:777", GITHUB)
    assert {"assistants:delete@all", "threads:create_run", "threads:read"} < set(pipeline.permissions)
    assert "threads:read@all" not in pipeline.permissions


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"repository": "acme/other"}, "requirement_unmet"),
        ({"repository_owner_id": "666"}, "requirement_unmet"),
        ({"repository_owner_id": None}, "requirement_unmet"),
        ({"ref": "refs/heads/main2"}, "requirement_unmet"),
        ({"ref": ["refs/heads/dev"]}, "requirement_unmet"),
        ({"repository_id": None}, "identity_invalid"),
        ({"aud": "api://agents"}, "audience_mismatch"),
    ],
)
def test_example_7_refuses_other_pipelines(changes: dict[str, Any], code: str, tmp_path: Path) -> None:
    okta, github = provider(OKTA), provider(GITHUB)
    token = github.token(audience="https://agents.acme.com", **{**PIPELINE, **changes})
    with pytest.raises(TokenError, match=code):
        bearer(example(7, tmp_path, okta, github), token)


def test_example_7_trusts_each_issuer_with_its_own_keys_only(tmp_path: Path) -> None:
    okta, github = provider(OKTA), provider(GITHUB)
    forged = okta.token(iss=GITHUB, audience="https://agents.acme.com", **PIPELINE)
    with pytest.raises(TokenError, match="signature_invalid"):
        bearer(example(7, tmp_path, okta, github), forged)


def test_the_default_fetcher_is_closed_with_the_authenticator() -> None:
    async def enter_and_leave() -> str:
        async with OIDCAuth.from_dict({"issuer": presets.keycloak(KEYCLOAK, audience="agents")}) as oidc:
            return oidc.source

    assert asyncio.run(enter_and_leave()) == "mapping"
