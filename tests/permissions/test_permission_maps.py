"""Permissions that claims, scopes and a mapper give."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import NOW, URL, authenticated, bearer, configured, names, token

from oidc_auth import Caller, TokenError
from oidc_auth.permissions.names import Reach, closure
from oidc_auth.revocation.entries import digest_subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.snapshots import Messages

READ = ["threads:read", "threads:search"]
WIDE = ["threads:read", "threads:read@tenant", "threads:search", "threads:search@tenant"]
ROLES = {"claim": "roles", "values": {"reader": ["threads:read"], "writer": ["threads:create"]}}
SCOPES = {"claim": "scope", "accept": ["threads:*"]}


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


# --- the callable ----------------------------------------------------------------------------------------------------


def test_mapper_result_replaces_caller() -> None:
    def mapper(claims: Mapping[str, object], caller: Caller) -> Caller:
        return replace(caller, display_name=f"{claims['team']}/{caller.identity}", rights={"store:get": Reach.ALL})

    caller = authenticated(configured(ROLES, mapper=mapper), team="blue", roles=["reader"])
    assert caller.display_name == "blue/alice"
    assert caller.permissions == ["store:get", "store:get@all"]


def test_mapper_cannot_hide_user_from_revocations() -> None:
    def mapper(claims: Mapping[str, object], caller: Caller) -> Caller:
        return Caller(identity="other")

    caller = authenticated(configured(ROLES, mapper=mapper), roles=["reader"])
    assert caller.identity == "other"
    assert (caller.subject_digest, caller.issued_at) == (digest_subject(URL, "alice"), NOW)


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
    ("permission_map", "claims"),
    [
        (ROLES, {"roles": ["Reader"]}),
        (ROLES, {"roles": ["/reader"]}),
        ({"claim": "g", "values": {"/eng": ["*:read"]}}, {"g": "eng"}),
        (SCOPES, {"scope": "Threads:Read"}),
        (ROLES, {"roles": ["unmapped"]}),
        (ROLES, {"roles": ["reader"]}),
        (ROLES, {"roles": ["*"]}),
        (SCOPES, {"scope": "threads:*"}),
        (SCOPES, {"scope": "assistants:create"}),
        (SCOPES, {"scope": "assistants:write"}),
        (SCOPES, {"scope": "openid"}),
        (ROLES, {}),
        (ROLES, {"roles": ["reader", 5]}),
        (ROLES, {"roles": ["reader", []]}),
        (ROLES, {"roles": 5}),
        (ROLES, {"roles": None}),
        (FIELD, {"groups": ["admins"]}),
        (FIELD, {"groups": "admins"}),
        (ROLES, {"roles": {"reader": 1}}),
        ({**ROLES, "object_keys": True}, {"roles": {"reader": 1}}),
        ({**ROLES, "when": {"azp": "spa"}}, {"roles": ["reader"]}),
        ({**ROLES, "strip_prefix": "app:"}, {"roles": ["reader"]}),
        ({**ROLES, "strip_prefix": "app:"}, {"roles": ["app:READER"]}),
        (
            {"claim": 'a."b.c".roles', "values": {"x": ["*:read"]}},
            {"a": {"b.c": {"roles": ["y"]}}},
        ),
    ],
)
def test_explain_shows_effect_of_each_value(
    permission_map: dict[str, Any], claims: dict[str, Any], messages: Messages
) -> None:
    for note in configured(permission_map).explain({"sub": "alice", **claims}).notes:
        messages.check(note)


@pytest.mark.parametrize(
    "claims",
    [
        {"org": "acme"},
        {},
    ],
)
def test_explain_shows_rights_ignored_without_tenant(claims: dict[str, Any], messages: Messages) -> None:
    oidc = configured({"claim": "roles", "values": {"a": ["threads:read@tenant", "store:put"]}}, tenant="org")
    (note,) = oidc.explain({"sub": "alice", "roles": ["a"], **claims}).notes
    messages.check(note)


def test_explain_marks_values_with_no_effect(messages: Messages) -> None:
    oidc = configured({"claim": "roles", "values": {"a": ["threads:read@tenant"]}}, tenant="org")
    why = oidc.explain({"sub": "alice", "roles": ["a"]})
    (note,) = why.notes
    messages.check(note)
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
    assert configured(permission_map).scopes_granting(URL, event, {}) == scope


WIDE_SCOPE = {"claim": "scope", "values": {"all": ["threads:read@all"], "new": ["threads:create"]}}
NAMED = {"claim": "scope", "accept": ["threads:read", "threads:create", "assistants:read"]}


@pytest.mark.parametrize(
    ("permission_map", "held", "event", "scope"),
    [
        (NAMED, [], "threads:create", "threads:create"),
        (NAMED, ["threads:read"], "threads:create", "threads:read threads:create"),
        (NAMED, ["threads:read", "assistants:read"], "threads:create", "threads:read threads:create assistants:read"),
        (NAMED, ["threads:read"], "store:put", ""),
        # The caller has the permission, but not for all objects.
        (WIDE_SCOPE, ["threads:read"], "threads:create", "new"),
        # Names that only a pattern covers: the widest that are held.
        (SCOPES, ["threads:read"], "threads:create", "threads:create threads:read"),
    ],
)
def test_suggested_scopes_include_held_ones(
    permission_map: dict[str, Any], held: list[str], event: str, scope: str
) -> None:
    oidc = configured(permission_map)
    rights = {name: reach for given in held for name, reach in closure(given, Reach.OWN).items()}
    assert sorted(oidc.scopes_granting(URL, event, rights).split()) == sorted(scope.split())


def test_suggested_scopes_have_prefix() -> None:
    oidc = configured(NAMED, scope_prefix="api://agents/")
    assert oidc.scopes_granting(URL, "threads:create", {}) == "api://agents/threads:create"


def test_issuer_behind_proxy_suggests_no_scope() -> None:
    oidc = configured(NAMED, header="x-token", allowed_origins=[])
    assert oidc.scopes_granting(URL, "threads:create", {}) == ""


@pytest.mark.parametrize("issuer", ["https://other.test", None, 5, ["x"]])
def test_unconfigured_issuer_suggests_no_scope(issuer: object) -> None:
    assert configured(SCOPES).scopes_granting(issuer, "threads:read", {}) == ""
