"""Verified claims to rights: what a token gives, and why, through the public API."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import NOW, URL, authenticated, bearer, configured, names, token

from oidc_auth import Caller, ErrorCode, TokenError
from oidc_auth.permissions.caller import Tenancy
from oidc_auth.permissions.names import Reach

if TYPE_CHECKING:
    from collections.abc import Mapping

READ = ["threads:read", "threads:search"]
WIDE = ["threads:read", "threads:read@tenant", "threads:search", "threads:search@tenant"]
ROLES = {"claim": "roles", "values": {"reader": ["threads:read"], "writer": ["threads:create"]}}
SCOPES = {"claim": "scope", "accept": ["threads:*"]}


class Served:
    """A user as servers hand it on: attributes alone, no keys, no methods."""

    def __init__(self, user: Mapping[str, Any]) -> None:
        self.__dict__.update(user)


FIELD = {"claim": "groups", "field": "name", "values": {"admins": ["threads:read"], "7": ["threads:create"]}}
SPLIT = {"claim": "groups", "split": ",", "values": {"admins": ["threads:read"], "users": ["threads:create"]}}
TEXTS = {
    "claim": "v",
    "values": {text: ["threads:read"] for text in ("true", "7", "1.5", "7.0", "0", "18446744073709551615")},
}


# --- values and accept -----------------------------------------------------------------------------------------------

GIVES = [
    # grant, claims, permissions
    (SCOPES, {"scope": "openid threads:read"}, READ),
    (SCOPES, {"scope": "threads:delete threads:create"}, ["threads:create", "threads:delete"]),
    (SCOPES, {"scope": ["threads:read"]}, READ),
    (SCOPES, {"scope": "store:put"}, []),
    (SCOPES, {"scope": "threads:read@all"}, []),
    (SCOPES, {"scope": "threads:read@tenant"}, []),
    (SCOPES, {"scope": "THREADS:READ"}, []),
    (SCOPES, {"scope": "*"}, []),
    (SCOPES, {"scope": "threads:*"}, []),
    ({"claim": "scope", "accept": ["*"]}, {"scope": "* threads:* *:read *@all threads:rea*"}, []),
    ({"claim": "scp", "accept": ["threads:read"]}, {"scp": "a threads:read"}, READ),
    ({"claim": "permissions", "accept": ["threads:read"]}, {"permissions": ["x", "threads:read"]}, READ),
    ({"claim": "permissions", "accept": ["threads:read"]}, {"permissions": "threads:read"}, READ),
    ({"claim": "permissions", "accept": ["threads:read"]}, {"permissions": "x threads:read"}, []),
    (ROLES, {"roles": ["reader"]}, READ),
    (ROLES, {"roles": ["reader", "writer"]}, ["threads:create", *READ]),
    (ROLES, {"roles": "reader"}, READ),
    (ROLES, {"roles": "reader writer"}, []),
    (ROLES, {"roles": "reader,writer"}, []),
    (ROLES, {"roles": ["reader,writer"]}, []),
    (ROLES, {"roles": ["Reader", "/reader", " reader", "reader ", "READER"]}, []),
    (ROLES, {"roles": ["reader", 5, None, True, ["writer"], {"writer": 1}]}, READ),
    (ROLES, {"roles": {"reader": 1}}, []),
    (ROLES, {"roles": ["rea*", "*"]}, []),
    ({**ROLES, "object_keys": True}, {"roles": {"reader": {"org": "x"}, "other": 1}}, READ),
    ({**SCOPES, "object_keys": True}, {"scope": {"threads:read": None}}, READ),
    ({**ROLES, "split": ","}, {"roles": "reader,writer,"}, ["threads:create", *READ]),
    ({**ROLES, "split": ","}, {"roles": "reader writer"}, []),
    ({**SCOPES, "split": ";"}, {"scope": "threads:read;x"}, READ),
    ({**SCOPES, "strip_prefix": "agents/"}, {"scope": "agents/threads:read"}, READ),
    ({**SCOPES, "strip_prefix": "agents/"}, {"scope": "threads:read others/threads:create"}, []),
    ({**ROLES, "strip_prefix": "app:"}, {"roles": ["app:reader", "writer", "app:app:writer"]}, READ),
    ({**SCOPES, "strip_prefix": "a*/"}, {"scope": "a*/threads:read"}, []),
    ({"claim": "g", "strip_prefix": "app:", "values": {"eng-*": ["threads:read"]}}, {"g": ["app:eng-eu"]}, READ),
    ({"claim": "g", "strip_prefix": "app:", "values": {"eng-*": ["threads:read"]}}, {"g": ["eng-eu", "app:eng-*"]}, []),
    ({"claim": "g", "values": {"6*": ["threads:read"], "T*": ["threads:read"]}}, {"g": [5, True]}, []),
    ({"claim": "g", "strip_prefix": "a*:", "values": {"eng-*": ["threads:read"]}}, {"g": ["a*:eng-eu"]}, []),
    ({"claim": "groups", "values": {"eng-*": ["threads:read"]}}, {"groups": ["eng-eu"]}, READ),
    ({"claim": "groups", "values": {"eng-*": ["threads:read"]}}, {"groups": ["eng-"]}, READ),
    ({"claim": "groups", "values": {"eng-*": ["threads:read"]}}, {"groups": ["eng", "Eng-eu", "x-eng-eu"]}, []),
    ({"claim": "groups", "values": {"eng-*": ["threads:read"]}}, {"groups": ["eng-*", "eng-x*"]}, []),
    (
        {"claim": "groups", "values": {"eng-*": ["threads:read"], "eng-eu": ["threads:create"]}},
        {"groups": "eng-eu"},
        ["threads:create", *READ],
    ),
    ({"claim": "realm_access.roles", "values": {"u": ["threads:read"]}}, {"realm_access": {"roles": ["u"]}}, READ),
    ({"claim": "realm_access.roles", "values": {"u": ["threads:read"]}}, {"realm_access.roles": ["u"]}, []),
    (
        {"claim": 'resource_access."langgraph.api".roles', "accept": ["*"]},
        {"resource_access": {"langgraph.api": {"roles": ["threads:read"]}}},
        READ,
    ),
    (
        {"claim": ["resource_access", "langgraph.api", "roles"], "accept": ["*"]},
        {"resource_access": {"langgraph.api": {"roles": ["threads:read"]}}},
        READ,
    ),
    (
        {"claim": 'resource_access."langgraph.api".roles', "accept": ["*"]},
        {"resource_access": {"langgraph": {"api": {"roles": ["threads:read"]}}}},
        [],
    ),
    ({"claim": "https://acme.com/roles", "values": {"Admin": ["threads:read"]}}, {URL: 1}, []),
    (
        {"claim": "https://acme.com/roles", "values": {"Agent Admin": ["threads:read"]}},
        {"https://acme.com/roles": ["Agent Admin"]},
        READ,
    ),
    ({"claim": "cognito:groups", "values": {"users": ["threads:read"]}}, {"cognito:groups": ["users"]}, READ),
    ({**ROLES, "when": {"azp": "spa"}}, {"roles": ["reader"], "azp": "spa"}, READ),
    ({**ROLES, "when": {"azp": ["cli", "spa"]}}, {"roles": ["reader"], "azp": "spa"}, READ),
    ({**ROLES, "when": {"azp": "spa-*"}}, {"roles": ["reader"], "azp": "spa-eu"}, READ),
    ({**ROLES, "when": {"amr": "mfa"}}, {"roles": ["reader"], "amr": ["pwd", "mfa"]}, READ),
    ({**ROLES, "when": {"azp": "spa"}}, {"roles": ["reader"], "azp": "cli"}, []),
    ({**ROLES, "when": {"azp": "spa"}}, {"roles": ["reader"], "azp": "SPA"}, []),
    ({**ROLES, "when": {"azp": "spa"}}, {"roles": ["reader"]}, []),
    ({**ROLES, "when": {"azp": "spa"}}, {"roles": ["reader"], "azp": None}, []),
    ({**ROLES, "when": {"azp": "spa"}}, {"roles": ["reader"], "azp": {"spa": 1}}, []),
    ({**ROLES, "when": {"azp": "spa", "amr": "mfa"}}, {"roles": ["reader"], "azp": "spa"}, []),
    ({"claim": "azp", "values": {"*": ["threads:read"]}, "when": {"gty": "cc"}}, {"azp": "any", "gty": "cc"}, READ),
    ({"claim": "roles", "values": {"n": ["*:write"]}}, {"roles": ["no"]}, []),
    # Numbers and booleans match the text of the same JSON value.
    *((TEXTS, {"v": value}, READ) for value in (True, 7, 1.5, 7.0, 0, 2**64 - 1, [True], [7, None], "7", ["true"])),
    *((TEXTS, {"v": value}, []) for value in (1, False, 70, -7, 1.0, 0.0, None, [None], {"7": 1}, {}, "True", " 7")),
    *((TEXTS, {"v": value}, []) for value in ([[7]], [{"7": 7}], [1], "TRUE", "7.", "1e0", "+7", "07")),
    (SCOPES, {"scope": [True, 7]}, []),
    ({**ROLES, "when": {"n": "7"}}, {"roles": ["reader"], "n": 7}, READ),
    ({**ROLES, "when": {"n": 7}}, {"roles": ["reader"], "n": "7"}, READ),
    ({**ROLES, "when": {"n": "1"}}, {"roles": ["reader"], "n": True}, []),
    ({**ROLES, "when": {"n": True}}, {"roles": ["reader"], "n": 1}, []),
    # One field of a list of objects.
    (FIELD, {"groups": [{"id": 1, "name": "admins"}, {"name": "x"}]}, READ),
    (FIELD, {"groups": [{"name": 7}]}, ["threads:create"]),
    (FIELD, {"groups": [{"name": ["admins"]}, {"name": {"admins": 1}}, {"name": None}, {"id": "admins"}]}, []),
    (FIELD, {"groups": ["admins", ["admins"], None, 7, [{"name": "admins"}]]}, []),
    (FIELD, {"groups": {"name": "admins"}}, []),
    (FIELD, {"groups": {"admins": {"name": "admins"}}}, []),
    (FIELD, {"groups": "admins"}, []),
    (FIELD, {"groups": '[{"name": "admins"}]'}, []),
    (FIELD, {"groups": [{"name": "admins,x"}, {"Name": "admins"}, {"name": "*"}]}, []),
    ({**FIELD, "field": "a.b"}, {"groups": [{"a.b": "admins"}]}, READ),
    ({**FIELD, "field": "a.b"}, {"groups": [{"a": {"b": "admins"}}]}, []),
    (
        {"claim": "authorization.permissions", "field": "rsname", "values": {"x": ["threads:read"]}},
        {"authorization": {"permissions": [{"rsid": "1", "rsname": "x", "scopes": ["view"]}]}},
        READ,
    ),
    # split trims spaces and one pair of square brackets.
    (SPLIT, {"groups": "[admins, users]"}, ["threads:create", *READ]),
    (SPLIT, {"groups": " [ admins ,users ] "}, ["threads:create", *READ]),
    (SPLIT, {"groups": "admins , users"}, ["threads:create", *READ]),
    (SPLIT, {"groups": "[admins]"}, READ),
    (SPLIT, {"groups": "[[admins]]"}, []),
    (SPLIT, {"groups": "[admins"}, []),
    (SPLIT, {"groups": "admins]"}, []),
    (SPLIT, {"groups": "[admins],[x]"}, []),
    (SPLIT, {"groups": '["admins","users"]'}, []),
    (SPLIT, {"groups": "admins\u00a0,\tadmins,admins\n,ad mins"}, []),
    (SPLIT, {"groups": "[, ,]"}, []),
    (SPLIT, {"groups": "[]"}, []),
    (SPLIT, {"groups": "["}, []),
    (SPLIT, {"groups": ["admins,users", " admins", "[admins]"]}, []),
    ({**SPLIT, "split": "|"}, {"groups": "admins| x"}, READ),
]


@pytest.mark.parametrize(("permission_map", "claims", "permissions"), GIVES)
def test_permission_map_gives_exact_permissions(
    permission_map: dict[str, Any], claims: dict[str, Any], permissions: list[str]
) -> None:
    assert names(configured(permission_map), **claims) == permissions


@pytest.mark.parametrize("space", ["\t", "\n", "\u00a0", "\u2003", "\x0b", ",", "+", "%20"])
def test_scope_is_split_on_spaces_only(space: str) -> None:
    assert names(configured(SCOPES), scope=f"threads:read{space}threads:create") == []


def test_repeated_spaces_give_nothing() -> None:
    assert names(configured(SCOPES), scope="  threads:read   threads:create ") == ["threads:create", *READ]


NOTHING: list[object] = [..., None, "", " ", 0, 1.5, True, [], {}, [[]], [None], [1], {"reader": True}]


@pytest.mark.parametrize("value", NOTHING)
@pytest.mark.parametrize("permission_map", [ROLES, {**ROLES, "split": ","}, {**ROLES, "when": {"azp": "spa"}}])
def test_malformed_claim_gives_nothing(permission_map: dict[str, Any], value: object) -> None:
    assert names(configured(permission_map), roles=value, azp="spa") == []


@pytest.mark.parametrize(
    "value", [..., None, "", 5, True, [], ["reader"], "reader", {"role": ["reader"]}, {"roles": 5}]
)
def test_broken_nested_claim_gives_nothing(value: object) -> None:
    permission_map = {"claim": "realm_access.roles", "values": {"reader": ["threads:read"]}}
    assert names(configured(permission_map), realm_access=value) == []


@pytest.mark.parametrize("value", [..., None, "", 5, True, [], {}, ["cli"], {"spa": "spa"}, [["spa"]], [None]])
def test_malformed_condition_claim_fails(value: object) -> None:
    assert names(configured({**ROLES, "when": {"azp": "spa"}}), roles=["reader"], azp=value) == []


@pytest.mark.parametrize("value", [..., None, "", "  ", 5, True, [], ["alice"], {"sub": "alice"}])
def test_malformed_identity_is_rejected(value: object) -> None:
    oidc = configured(ROLES)
    with pytest.raises(TokenError, match="identity_invalid"):
        authenticated(oidc, sub=value, roles=["reader"])
    why = oidc.explain({key: claim for key, claim in {"sub": value, "roles": ["reader"]}.items() if claim is not ...})
    assert why.refusal.startswith("identity_invalid")
    assert not why.allows("threads:read")


def test_maps_add_up_and_wider_reach_counts() -> None:
    auditors = {"claim": "roles", "values": {"auditor": ["threads:read@tenant"]}}
    oidc = configured(SCOPES, auditors, tenant="org")
    assert names(oidc, org="acme", scope="threads:read", roles=["auditor"]) == WIDE
    assert names(oidc, org="acme", scope="threads:read") == READ


def test_listed_reach_is_accepted_from_token() -> None:
    oidc = configured({"claim": "scope", "accept": ["threads:read@all"]})
    wide = ["threads:read", "threads:read@all", "threads:search", "threads:search@all"]
    assert names(oidc, scope="threads:read@all") == wide
    assert names(oidc, scope="threads:read threads:read@tenant") == []


# --- roles and graphs ------------------------------------------------------------------------------------------------

ROLE_TABLE = {
    "user": ["threads:read"],
    "admin": ["user", "threads:read@all", "crons:delete"],
    "owner": {"permissions": ["admin", "store:put"]},
    "one": "assistants:create",
}


@pytest.mark.parametrize(
    ("role", "permissions"),
    [
        ("user", READ),
        ("admin", ["crons:delete", "threads:read", "threads:read@all", "threads:search", "threads:search@all"]),
        (
            "owner",
            ["crons:delete", "store:put", "threads:read", "threads:read@all", "threads:search", "threads:search@all"],
        ),
        ("one", ["assistants:create"]),
    ],
)
def test_role_gives_its_contents(role: str, permissions: list[str]) -> None:
    oidc = configured({"claim": "roles", "values": {"x": [role]}}, roles=ROLE_TABLE)
    assert names(oidc, roles=["x"]) == permissions


def test_role_name_is_no_claim_value() -> None:
    oidc = configured({"claim": "roles", "values": {"x": ["admin"]}}, roles=ROLE_TABLE)
    assert names(oidc, roles=["admin"]) == []


GRAPH_ROLES = {
    "docs": {"permissions": ["threads:create_run"], "graphs": ["docs_agent", "faq"]},
    "sales": {"permissions": ["threads:write"], "graphs": "sales_agent"},
    "free": ["threads:create_run"],
    "reader": {"permissions": ["threads:read"], "graphs": ["docs_agent"]},
    "inner": {"permissions": ["docs"], "graphs": ["faq", "sales_agent"]},
    "outer": ["docs"],
    "limited": {"permissions": ["free"], "graphs": ["faq"]},
    "none": {"permissions": ["threads:create_run"], "graphs": []},
    "beside": {"permissions": ["threads:create_run", "docs"], "graphs": ["other"]},
}


@pytest.mark.parametrize(
    ("held", "graphs"),
    [
        (["docs"], ["docs_agent", "faq"]),
        (["docs", "sales"], ["docs_agent", "faq", "sales_agent"]),
        (["docs", "free"], None),
        (["free"], None),
        (["docs", "direct"], None),
        (["direct"], None),
        (["docs", "direct_read"], ["docs_agent", "faq"]),
        (["reader"], None),
        (["docs", "reader"], ["docs_agent", "faq"]),
        (["inner"], ["faq"]),
        (["outer"], ["docs_agent", "faq"]),
        (["limited"], ["faq"]),
        (["none"], []),
        (["none", "sales"], ["sales_agent"]),
        (["beside"], ["other"]),
        ([], None),
    ],
)
def test_graph_limits_unite_unless_unlimited(held: list[str], graphs: list[str] | None) -> None:
    values = {role: [role] for role in GRAPH_ROLES} | {"direct": ["threads:write"], "direct_read": ["*:read"]}
    oidc = configured({"claim": "roles", "values": values}, roles=GRAPH_ROLES)
    assert names(oidc, roles=held) is not None
    assert authenticated(oidc, roles=held).user()["graphs"] == graphs


def test_ineffective_unlimited_right_keeps_graph_limit() -> None:
    values = {"docs": ["docs"], "wide": ["threads:create_run@tenant"]}
    oidc = configured({"claim": "roles", "values": values}, roles=GRAPH_ROLES, tenant="org")
    assert authenticated(oidc, roles=["docs", "wide"]).graphs == frozenset({"docs_agent", "faq"})
    assert authenticated(oidc, roles=["docs", "wide"], org="acme").graphs is None


# --- tenants ---------------------------------------------------------------------------------------------------------

PLAIN = "org"
KEYED = {"claim": "organization", "object_keys": True}
NESTED = ["ctx", "org"]


@pytest.mark.parametrize(
    ("rule", "claims", "tenant"),
    [
        (PLAIN, {"org": "acme"}, "acme"),
        (PLAIN, {"org": ["acme"]}, "acme"),
        (PLAIN, {"org": ["acme", "evil"]}, None),
        (PLAIN, {"org": ["acme", "acme"]}, None),
        (PLAIN, {"org": []}, None),
        (PLAIN, {}, None),
        (PLAIN, {"org": None}, None),
        (PLAIN, {"org": ""}, None),
        (PLAIN, {"org": "x" * 255}, "x" * 255),
        (PLAIN, {"org": 5}, "5"),
        (PLAIN, {"org": [0]}, "0"),
        (PLAIN, {"org": True}, "true"),
        (PLAIN, {"org": [1, "1"]}, None),
        (PLAIN, {"org": 2**64 - 1}, "18446744073709551615"),
        (PLAIN, {"org": "Acme"}, "Acme"),
        (PLAIN, {"org": " acme "}, " acme "),
        (PLAIN, {"ORG": "acme"}, None),
        (KEYED, {"organization": "acme"}, "acme"),
        (KEYED, {"organization": ["acme"]}, "acme"),
        (KEYED, {"organization": {"acme": {"id": "7"}}}, "acme"),
        (KEYED, {"organization": {"acme": {}, "evil": {}}}, None),
        (KEYED, {"organization": {}}, None),
        (KEYED, {"organization": None}, None),
        (KEYED, {}, None),
        (NESTED, {"ctx": {"org": "acme"}}, "acme"),
        (NESTED, {"ctx": "acme"}, None),
        ("ctx.org", {"ctx": {"org": "acme"}}, "acme"),
    ],
)
def test_tenant_is_one_string_or_none(rule: Any, claims: dict[str, Any], tenant: str | None) -> None:
    oidc = configured({"claim": "roles", "values": {"a": ["threads:read@tenant", "threads:create"]}}, tenant=rule)
    user = authenticated(oidc, roles=["a"], **claims).user()
    assert user["tenant"] == tenant
    assert user["permissions"] == (["threads:create"] if tenant is None else ["threads:create", *WIDE])
    assert names(oidc, roles=["a"], **claims) == user["permissions"]


@pytest.mark.parametrize(
    ("rule", "claims"),
    [
        (PLAIN, {"org": {"acme": {}}}),
        (PLAIN, {"org": "   "}),
        (PLAIN, {"org": 5.0}),
        (PLAIN, {"org": [1e3]}),
        (PLAIN, {"org": [None]}),
        (PLAIN, {"org": [["acme"]]}),
        (PLAIN, {"org": "a\x00b"}),
        (PLAIN, {"org": "a\nb"}),
        (PLAIN, {"org": "a\x7fb"}),
        (PLAIN, {"org": "x" * 256}),
        (KEYED, {"organization": {"": {}}}),
        (KEYED, {"organization": [{"acme": {}}]}),
        (PLAIN, {"org": "a\x85b"}),
        (PLAIN, {"org": ["acme", 5.5]}),
        (PLAIN, {"org": ["acme", {}]}),
    ],
)
def test_ambiguous_tenant_is_rejected(rule: Any, claims: dict[str, Any]) -> None:
    oidc = configured({"claim": "roles", "values": {"a": ["threads:read"]}}, tenant=rule)
    with pytest.raises(TokenError) as refused:
        authenticated(oidc, roles=["a"], **claims)
    assert refused.value.code is ErrorCode.TENANT_INVALID
    assert not oidc.explain({"sub": "u", "roles": ["a"], **claims}).allows("threads:read")


def test_own_rights_stay_without_tenant() -> None:
    oidc = configured({"claim": "roles", "values": {"a": ["threads:read", "threads:read@tenant"]}}, tenant="org")
    assert names(oidc, roles=["a"]) == READ
    assert names(oidc, roles=["a"], org="acme") == WIDE


def test_store_part_of_tenant_pattern_is_own() -> None:
    oidc = configured({"claim": "roles", "values": {"a": ["*@tenant"]}}, tenant="org")
    rights = authenticated(oidc, roles=["a"], org="acme").rights
    assert {name for name, reach in rights.items() if reach is Reach.OWN} == {
        "store:put",
        "store:get",
        "store:search",
        "store:list_namespaces",
        "store:delete",
        "store:read",
        "store:write",
    }


# --- identity, display name, claims, user dict -----------------------------------------------------------------------

SOURCES = [{"claim": "uid"}, {"claim": "cid", "prefix": "client:"}]


@pytest.mark.parametrize(
    ("issuer", "claims", "identity"),
    [
        ({}, {"sub": "alice"}, "alice"),
        ({}, {"sub": " Alice "}, " Alice "),
        ({}, {"sub": "ALICE"}, "ALICE"),
        ({}, {"sub": "e\u0301"}, "e\u0301"),
        ({"identity_prefix": "gha:"}, {"sub": "7"}, "gha:7"),
        ({"identity": "oid"}, {"oid": "o-1"}, "o-1"),
        ({"identity": "ctx.user"}, {"ctx": {"user": "u"}}, "u"),
        ({"identity": SOURCES}, {"uid": "u1", "cid": "c1"}, "u1"),
        ({"identity": SOURCES}, {"cid": "c1"}, "client:c1"),
        ({"identity": SOURCES, "identity_prefix": "okta:"}, {"cid": "c1"}, "okta:client:c1"),
        ({"identity_prefix": "x:"}, {"sub": "system"}, "x:system"),
    ],
)
def test_identity_is_prefixed_claim(issuer: dict[str, Any], claims: dict[str, Any], identity: str) -> None:
    oidc = configured(ROLES, **issuer)
    assert authenticated(oidc, **claims).identity == identity
    assert oidc.explain({"roles": ["reader"], **claims}).identity == identity


@pytest.mark.parametrize("uid", [None, "", 5, ["u1"]])
def test_invalid_identity_never_uses_next_claim(uid: object) -> None:
    oidc = configured(ROLES, identity=SOURCES)
    with pytest.raises(TokenError, match="identity_invalid"):
        authenticated(oidc, uid=uid, cid="c1", roles=["reader"])


@pytest.mark.parametrize("name", ["*", "system", "anonymous", "langgraph-studio-user"])
def test_reserved_identities_are_rejected(name: str) -> None:
    with pytest.raises(TokenError, match="identity_invalid"):
        authenticated(configured(ROLES), sub=name)


@pytest.mark.parametrize(
    ("claims", "shown"),
    [
        ({"name": "Alice A."}, "Alice A."),
        ({}, "alice"),
        ({"name": None}, "alice"),
        ({"name": ""}, "alice"),
        ({"name": " "}, "alice"),
        ({"name": 5}, "alice"),
        ({"name": ["Alice"]}, "alice"),
        ({"name": "a\nb"}, "alice"),
        ({"name": "x" * 256}, "alice"),
    ],
)
def test_display_name_is_clean_or_identity(claims: dict[str, Any], shown: str) -> None:
    assert authenticated(configured(ROLES, display_name="name"), **claims).display_name == shown


def test_display_name_defaults_to_identity() -> None:
    assert authenticated(configured(ROLES, identity_prefix="x:"), name="Alice").display_name == "x:alice"


def test_user_dict_has_exact_keys() -> None:
    oidc = configured(ROLES, claims=["email", "address.city", "https://acme.com/plan", "absent", "phone"])
    caller = authenticated(
        oidc,
        roles=["reader"],
        email="a@ex.com",
        address={"city": "Bern", "zip": "3000"},
        phone=None,
        secret="s3cret",
        **{"https://acme.com/plan": ["pro", {"seats": 5}]},
    )
    assert caller.user() == {
        "identity": "alice",
        "display_name": "alice",
        "is_authenticated": True,
        "permissions": ["threads:read", "threads:search"],
        "issuer": URL,
        "expires_at": NOW + 300,
        "graphs": None,
        "claims": {
            "email": "a@ex.com",
            "address.city": "Bern",
            "https://acme.com/plan": ["pro", {"seats": 5}],
            "phone": None,
        },
        "has_tenants": False,
    }


def test_user_dict_has_tenant_only_when_configured() -> None:
    assert "tenant" not in authenticated(configured(ROLES), tenant="acme", org="acme").user()
    assert authenticated(configured(ROLES, tenant="org")).user()["tenant"] is None
    assert authenticated(configured(ROLES, tenant="org"), org="acme").user()["tenant"] == "acme"


def test_expiry_is_whole_seconds() -> None:
    user = authenticated(configured(ROLES), exp=NOW + 60.75).user()
    assert user["expires_at"] == NOW + 60
    assert isinstance(user["expires_at"], int)


def test_user_dict_is_fresh_json() -> None:
    oidc = configured(ROLES, claims=["deep"], tenant="org")
    caller = authenticated(oidc, roles=["reader"], deep={"a": [{"b": 1}]})
    first = caller.user()
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    first["permissions"].append("*")
    first["claims"]["deep"]["a"][0]["b"] = 2
    first["claims"]["more"] = 1
    assert caller.user() == authenticated(oidc, roles=["reader"], deep={"a": [{"b": 1}]}).user()


def test_cached_token_gives_fresh_user_dicts() -> None:
    oidc, text = configured(ROLES, claims=["deep"]), token(deep={"a": [1]})
    first, second = (bearer(oidc, text).user() for _ in range(2))
    assert first == second
    first["claims"]["deep"]["a"].append(2)
    assert second["claims"]["deep"] == {"a": [1]}


def test_unlisted_claims_stay_out() -> None:
    caller = authenticated(configured(ROLES, claims=["email"]), email="a@ex.com", password="hunter2")
    assert "hunter2" not in json.dumps(caller.user())
    assert "eyJ" not in json.dumps(caller.user())
    assert "a@ex.com" not in repr(caller)


# --- what a server makes of it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("org", [..., None, "acme"])
@pytest.mark.parametrize("tenant", [None, "org"])
@pytest.mark.parametrize("held", [[], ["reader"], ["wide"], ["all"], ["docs"], ["all", "wide", "reader"]])
def test_stored_user_gives_same_decision(held: list[str], tenant: str | None, org: object) -> None:
    values = {"reader": ["threads:read"], "all": ["*@all"], "docs": ["docs"]}
    wide = {"wide": ["*@tenant"]} if tenant else {}
    oidc = configured({"claim": "roles", "values": values | wide}, roles=GRAPH_ROLES, tenant=tenant)
    caller = authenticated(oidc, roles=held, org=org)
    again = Caller.from_user(Served(json.loads(json.dumps(caller.user()))))
    for field in ("identity", "rights", "tenancy", "graphs"):
        assert getattr(again, field) == getattr(caller, field)


@pytest.mark.parametrize(
    ("permissions", "held"),
    [
        ([], {}),
        (["threads:read"], {"threads:read": Reach.OWN}),
        (["threads:read@all", "threads:read"], {"threads:read": Reach.ALL}),
        (["threads:read", "threads:read@tenant"], {"threads:read": Reach.TENANT}),
        (("threads:read",), {"threads:read": Reach.OWN}),
        (["*", "threads:*", "*@all", "admin", "threads:read@everyone", "", 5, None, ["threads:read"]], {}),
        ("threads:read", {}),
        ({"threads:read": 1}, {}),
        (None, {}),
        (5, {}),
    ],
)
def test_unreadable_permissions_give_nothing(permissions: object, held: dict[str, Reach]) -> None:
    assert Caller.from_user(Served({"identity": "alice", "permissions": permissions})).rights == held


@pytest.mark.parametrize(
    ("graphs", "limit"),
    [(None, None), ([], set()), (["a"], {"a"}), (("a", "b"), {"a", "b"}), ("a", set()), ({"a": 1}, set()), (5, set())],
)
def test_unreadable_graphs_mean_none(graphs: object, limit: set[str] | None) -> None:
    assert Caller.from_user(Served({"identity": "alice", "graphs": graphs})).graphs == limit


@pytest.mark.parametrize("tenant", [None, 5, ["acme"], True])
def test_unreadable_tenant_means_none(tenant: object) -> None:
    tenancy = Caller.from_user(Served({"identity": "alice", "tenant": tenant})).tenancy
    assert tenancy is not None
    assert tenancy.tenant is None


@pytest.mark.parametrize(
    ("fields", "tenancy"),
    [
        ({"has_tenants": False}, None),
        ({"has_tenants": True}, Tenancy(None)),
        ({"has_tenants": 0}, Tenancy(None)),
        ({}, Tenancy(None)),
        ({"has_tenants": False, "tenant": "acme"}, Tenancy("acme")),
    ],
)
def test_only_has_tenants_false_means_no_tenants(fields: dict[str, object], tenancy: Tenancy | None) -> None:
    assert Caller.from_user(Served({"identity": "alice", **fields})).tenancy == tenancy


@pytest.mark.parametrize(("max_token_age", "lifetime"), [(None, 300), (600, 300), (100, 90)])
def test_caller_expires_when_token_is_no_longer_accepted(max_token_age: int | None, lifetime: int) -> None:
    oidc = configured(ROLES, max_token_age=max_token_age) if max_token_age else configured(ROLES)
    assert authenticated(oidc, iat=NOW - 10).user()["expires_at"] == NOW + lifetime


def test_user_without_identity_is_no_caller() -> None:
    with pytest.raises(AttributeError):
        Caller.from_user(Served({"permissions": ["threads:read"]}))


# --- the callable ----------------------------------------------------------------------------------------------------


def test_mapper_result_replaces_caller() -> None:
    def mapper(claims: Mapping[str, object], caller: Caller) -> Caller:
        return replace(caller, display_name=f"{claims['team']}/{caller.identity}", rights={"store:get": Reach.ALL})

    caller = authenticated(configured(ROLES, mapper=mapper), team="blue", roles=["reader"])
    assert caller.display_name == "blue/alice"
    assert caller.permissions == ["store:get", "store:get@all"]


def test_mapper_runs_once_per_token() -> None:
    seen: list[object] = []

    def mapper(claims: Mapping[str, object], caller: Caller) -> Caller:
        seen.append(claims["jti"])
        return caller

    oidc = configured(ROLES, mapper=mapper)
    one, two = token(jti="one"), token(jti="two")
    for text in (one, one, two, one):
        bearer(oidc, text)
    assert seen == ["one", "two"]


# --- near misses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permission_map", "claims", "note"),
    [
        (ROLES, {"roles": ["Reader"]}, "'Reader': no match: the configuration has 'reader'"),
        (ROLES, {"roles": ["/reader"]}, "'/reader': no match: the configuration has 'reader'"),
        ({"claim": "g", "values": {"/eng": ["*:read"]}}, {"g": "eng"}, "the configuration has '/eng'"),
        (SCOPES, {"scope": "Threads:Read"}, "the configuration has 'threads:read'"),
        (ROLES, {"roles": ["unmapped"]}, "'unmapped': no match"),
        (ROLES, {"roles": ["reader"]}, "'reader': grants threads:read"),
        (ROLES, {"roles": ["*"]}, "'*': ignored: wildcards in tokens never count"),
        (SCOPES, {"scope": "threads:*"}, "'threads:*': ignored: wildcards in tokens never count"),
        (SCOPES, {"scope": "assistants:create"}, "'assistants:create': a permission that is not in accept"),
        (SCOPES, {"scope": "assistants:write"}, "'assistants:write': a permission that is not in accept"),
        (SCOPES, {"scope": "openid"}, "'openid': no match"),
        (ROLES, {}, "roles: the claim is missing"),
        (ROLES, {"roles": ["reader", 5]}, "roles: '5': no match"),
        (ROLES, {"roles": ["reader", []]}, "roles: [] is not a string, a number or a boolean: ignored"),
        (ROLES, {"roles": 5}, "roles: '5': no match"),
        (ROLES, {"roles": None}, "roles: null: ignored"),
        (FIELD, {"groups": ["admins"]}, "groups: 'admins' is not an object with a string, a number or a boolean in"),
        (FIELD, {"groups": "admins"}, "groups: 'admins' is not a list of objects: ignored"),
        (ROLES, {"roles": {"reader": 1}}, "roles: an object: its keys count only with object_keys = true"),
        ({**ROLES, "object_keys": True}, {"roles": {"reader": 1}}, "'reader': grants threads:read"),
        ({**ROLES, "when": {"azp": "spa"}}, {"roles": ["reader"]}, "roles: its condition (when) is not met"),
        ({**ROLES, "strip_prefix": "app:"}, {"roles": ["reader"]}, "no match: it does not start with 'app:'"),
        ({**ROLES, "strip_prefix": "app:"}, {"roles": ["app:READER"]}, "the configuration has 'reader'"),
        (
            {"claim": 'a."b.c".roles', "values": {"x": ["*:read"]}},
            {"a": {"b.c": {"roles": ["y"]}}},
            "a.\"b.c\".roles: 'y': no match",
        ),
    ],
)
def test_explain_shows_effect_of_each_value(permission_map: dict[str, Any], claims: dict[str, Any], note: str) -> None:
    notes = configured(permission_map).explain({"sub": "alice", **claims}).notes
    assert any(note in line for line in notes), notes


@pytest.mark.parametrize(
    ("claims", "note"),
    [
        ({"org": "acme"}, "'a': grants store:put, threads:read@tenant"),
        ({}, "'a': grants store:put; threads:read@tenant ignored: the token has no tenant"),
    ],
)
def test_explain_shows_rights_ignored_without_tenant(claims: dict[str, Any], note: str) -> None:
    oidc = configured({"claim": "roles", "values": {"a": ["threads:read@tenant", "store:put"]}}, tenant="org")
    why = oidc.explain({"sub": "alice", "roles": ["a"], **claims})
    assert any(note in line for line in why.notes), why.notes


def test_explain_marks_values_with_no_effect() -> None:
    oidc = configured({"claim": "roles", "values": {"a": ["threads:read@tenant"]}}, tenant="org")
    why = oidc.explain({"sub": "alice", "roles": ["a"]})
    assert why.notes == ("roles: 'a': threads:read@tenant ignored: the token has no tenant",)
    assert why.refusal.startswith("no_permissions")
    assert not why.allows("threads:read")


# --- scopes ----------------------------------------------------------------------------------------------------------

MAPPED_SCOPES = {
    "claim": "scope",
    "strip_prefix": "agents/",
    "values": {"all": ["*"], "use": ["threads:write"], "see": ["threads:read"], "pre-*": ["store:put"]},
}


@pytest.mark.parametrize(
    ("permission_map", "event", "scope"),
    [
        (SCOPES, "threads:create", "threads:create"),
        (SCOPES, "threads:search", "threads:search"),
        (SCOPES, "store:put", ""),
        (MAPPED_SCOPES, "threads:read", "agents/see"),
        (MAPPED_SCOPES, "threads:search", "agents/see"),
        (MAPPED_SCOPES, "threads:create", "agents/use"),
        (MAPPED_SCOPES, "store:put", "agents/all"),
        ({**SCOPES, "claim": "scp"}, "threads:create", "threads:create"),
        ({**SCOPES, "claim": "permissions"}, "threads:create", ""),
        ({**SCOPES, "claim": "ctx.scope"}, "threads:create", ""),
        (ROLES, "threads:read", ""),
        (SCOPES, "threads:nod", ""),
    ],
)
def test_suggested_scope_is_narrowest(permission_map: dict[str, Any], event: str, scope: str) -> None:
    assert configured(permission_map).scopes_granting(URL, event) == scope


@pytest.mark.parametrize("issuer", ["https://other.test", None, 5, ["x"]])
def test_unconfigured_issuer_suggests_no_scope(issuer: object) -> None:
    assert configured(SCOPES).scopes_granting(issuer, "threads:read") == ""
