"""Providers as data: what a preset fills in, and the worked examples with tokens as those providers send them."""

from __future__ import annotations

import asyncio
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import NOW, bearer

from oidc_auth import Caller, ConfigError, OIDCAuth, TokenError, presets
from oidc_auth.config.load import load_mapping
from oidc_auth.errors import ErrorCode
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kit.snapshots import Messages


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
def test_preset_uses_provider_issuer_form(name: str, address: str, issuer: str) -> None:
    assert filled(PRESETS[name](address, audience="agents")).issuer == issuer


@pytest.mark.parametrize(
    ("name", "claims"),
    [("generic", ["scope", "scp"]), ("keycloak", ["scope"]), ("auth0", ["permissions", "scope"])],
)
def test_default_maps_use_provider_claims(name: str, claims: list[str]) -> None:
    permission_maps = filled(PRESETS[name]("https://sso.acme.com", audience="agents")).permission_map
    assert [(permission_map.claim, permission_map.accept) for permission_map in permission_maps] == [
        ([claim], ["*"]) for claim in claims
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_explicit_map_replaces_defaults(name: str) -> None:
    table = PRESETS[name](
        "https://sso.acme.com", audience="agents", permission_map={"roles": {"user": ["threads:read"]}}
    )
    assert [(permission_map.claim, permission_map.values) for permission_map in filled(table).permission_map] == [
        (["roles"], {"user": ["threads:read"]})
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_issuer_may_replace_parameters(name: str) -> None:
    assert (
        filled({"preset": name, "issuer": "https://id.acme.com/x/", "audience": "a"}).issuer == "https://id.acme.com/x/"
    )


@pytest.mark.parametrize(
    ("given", "permission_map"),
    [
        ({"user": ["threads:read"]}, {"claim": "c", "values": {"user": ["threads:read"]}}),
        (["threads:read", "store:*"], {"claim": "c", "accept": ["threads:read", "store:*"]}),
        (("threads:read",), {"claim": "c", "accept": ["threads:read"]}),
        ({"threads:read"}, {"claim": "c", "accept": ["threads:read"]}),
        (frozenset({"threads:read"}), {"claim": "c", "accept": ["threads:read"]}),
        ("threads:read", {"claim": "c", "accept": ["threads:read"]}),
    ],
)
def test_map_accepts_mapping_list_or_name(given: Any, permission_map: dict[str, Any]) -> None:
    table = presets.generic("https://sso.acme.com", audience="agents", permission_map={"c": given})
    assert table["permission_map"] == [permission_map]
    assert filled(table).permission_map


def test_map_accepts_any_mapping_type() -> None:
    given = MappingProxyType({"user": ("threads:read",)})
    table = presets.keycloak(KEYCLOAK, audience="agents", permission_map=MappingProxyType({"roles": given}))
    assert filled(table).permission_map[0].values == {"user": ["threads:read"]}


@pytest.mark.parametrize("permission_map", [{"claim": "scope", "accept": ["*"]}, [{"claim": "scope", "accept": ["*"]}]])
def test_map_accepts_permission_map_tables(permission_map: Any) -> None:
    table = presets.generic("https://sso.acme.com", audience="agents", permission_map=permission_map)
    assert [permission_map.claim for permission_map in filled(table).permission_map] == [["scope"]]


def test_preset_returns_plain_unvalidated_mapping() -> None:
    table = presets.keycloak("nonsense", audience=["a", "b"], permission_map={"a..b": ["nod"]}, leeway=-1, nod=True)
    assert table == {
        "preset": "keycloak",
        "url": "nonsense",
        "audience": ["a", "b"],
        "leeway": -1,
        "nod": True,
        "permission_map": [{"claim": "a..b", "accept": ["nod"]}],
    }
    assert type(table) is dict
    assert json.loads(json.dumps(table)) == table
    with pytest.raises(ConfigError, match="5 problems"):
        load_mapping({"issuer": table})


def test_operator_settings_override_preset() -> None:
    table = presets.keycloak(KEYCLOAK, audience="agents", display_name="name", leeway=5, identity="oid")
    issuer = filled(table)
    assert (issuer.display_name, issuer.leeway, issuer.identity[0].claim) == (["name"], 5, ["oid"])
    assert filled(presets.keycloak(KEYCLOAK, audience="agents")).display_name == ["preferred_username"]


# --- tokens of each provider -----------------------------------------------------------------------------------------


def provider(url: str) -> LocalIssuer:
    return LocalIssuer(url, algorithm="ES256", clock=lambda: NOW)


def caller_of(table: Mapping[str, Any], issuer: LocalIssuer, token: str) -> Caller:
    return bearer(OIDCAuth.from_dict({"issuer": table}, fetcher=issuer, clock=lambda: NOW), token)


def test_keycloak_scopes_give_permissions() -> None:
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
    permission_maps = {"realm_access.roles": {"agent-user": ["threads:read"], "agent-admin": ["*@all"]}}
    caller = caller_of(
        presets.keycloak(KEYCLOAK, audience="langgraph-api", permission_map=permission_maps), realm, token
    )
    assert caller.permissions == READ


@pytest.mark.parametrize("kind", ["ID", "Refresh", "Offline", "Logout"])
def test_other_keycloak_token_kinds_are_rejected(kind: str) -> None:
    realm = provider(KEYCLOAK)
    token = realm.token(audience="langgraph-api", header={"typ": "JWT"}, typ=kind, scope="threads:write")
    with pytest.raises(TokenError, match="token_use_not_allowed"):
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
def test_auth0_permissions_and_scopes_are_read(claims: dict[str, Any], permissions: list[str]) -> None:
    tenant = provider(AUTH0)
    audience = ["https://agents.acme.com", "https://acme.eu.auth0.com/userinfo"]
    token = tenant.token("auth0|1", audience=audience, azp="SPA", gty="password", **claims)
    caller = caller_of(presets.auth0("acme.eu.auth0.com", audience="https://agents.acme.com"), tenant, token)
    assert (caller.identity, caller.issuer, caller.permissions) == ("auth0|1", AUTH0, permissions)


@pytest.mark.parametrize("claims", [{"scope": "threads:read"}, {"scp": ["threads:read"]}, {"scp": "a threads:read"}])
def test_scopes_of_any_provider_are_read(claims: dict[str, Any]) -> None:
    somewhere = provider("https://id.acme.com/oauth2/")
    table = presets.generic("https://id.acme.com/oauth2/", audience="agents")
    assert caller_of(table, somewhere, somewhere.token(**claims)).permissions == READ


def test_issuer_with_extra_slash_is_different(messages: Messages) -> None:
    realm = provider(KEYCLOAK)
    with pytest.raises(TokenError) as refused:
        caller_of(presets.keycloak(KEYCLOAK, audience="agents"), realm, realm.token(iss=f"{KEYCLOAK}/"))
    assert refused.value.code is ErrorCode.ISSUER_NOT_TRUSTED
    messages.check(refused.value.hint)


def test_default_fetcher_closes_with_auth() -> None:
    async def enter_and_leave() -> str:
        async with OIDCAuth.from_dict({"issuer": presets.keycloak(KEYCLOAK, audience="agents")}) as oidc:
            return oidc.source

    assert asyncio.run(enter_and_leave()) == "mapping"
