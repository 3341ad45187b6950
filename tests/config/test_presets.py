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


def test_the_default_fetcher_is_closed_with_the_authenticator() -> None:
    async def enter_and_leave() -> str:
        async with OIDCAuth.from_dict({"issuer": presets.keycloak(KEYCLOAK, audience="agents")}) as oidc:
            return oidc.source

    assert asyncio.run(enter_and_leave()) == "mapping"
