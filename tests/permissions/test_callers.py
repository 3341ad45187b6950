"""Identity, name and claims of a caller, and the user that a server reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from kit.mapping import NOW, URL, authenticated, bearer, configured, token
from permissions.test_roles import GRAPH_ROLES

from oidc_auth import Caller, TokenError
from oidc_auth.permissions.caller import Tenancy
from oidc_auth.permissions.names import Reach
from oidc_auth.permissions.reports import person_fields
from oidc_auth.revocation.entries import digest_subject

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLES = {"claim": "roles", "values": {"reader": ["threads:read"], "writer": ["threads:create"]}}


class Served:
    """A user as servers hand it on: attributes alone, no keys, no methods."""

    def __init__(self, user: Mapping[str, Any]) -> None:
        self.__dict__.update(user)


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
        "subject_digest": digest_subject(URL, "alice"),
        "issued_at": NOW,
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
    for field in ("identity", "rights", "tenancy", "graphs", "subject_digest", "issued_at"):
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
    ("claims", "issued_at"), [({}, NOW), ({"iat": NOW - 0.5}, NOW - 1), ({"iat": ...}, 0)], ids=["now", "part", "none"]
)
def test_user_has_time_of_token(claims: dict[str, Any], issued_at: int) -> None:
    assert authenticated(configured(ROLES), **claims).user()["issued_at"] == issued_at


def test_user_without_subject_has_no_digest() -> None:
    oidc = configured(ROLES, identity="uid")
    assert authenticated(oidc, uid="u1", sub=...).user()["subject_digest"] == ""
    assert authenticated(oidc, uid="u1", sub="s1").user()["subject_digest"] == digest_subject(URL, "s1")


@pytest.mark.parametrize("value", [None, 7.5, "7", ["x"]])
def test_unreadable_authorization_names_nobody(value: object) -> None:
    digest = value if not isinstance(value, str) else 7
    user = {"identity": "alice", "subject_digest": digest, "issued_at": value}
    caller = Caller.from_user(Served(user))
    assert (caller.subject_digest, caller.issued_at) == ("", 0)


@pytest.mark.parametrize(
    ("graphs", "limit"),
    [(None, None), ([], set()), (["a"], {"a"}), (("a", "b"), {"a", "b"}), ("a", set()), ({"a": 1}, set()), (5, set())],
)
def test_unreadable_graphs_mean_none(graphs: object, limit: set[str] | None) -> None:
    assert Caller.from_user(Served({"identity": "alice", "graphs": graphs})).graphs == limit
    assert Caller.from_user(Served({"identity": "alice", "resume_graphs": graphs})).resume_graphs == limit


def test_missing_graphs_mean_none() -> None:
    caller = Caller.from_user(Served({"identity": "alice", "permissions": ["threads:resume", "threads:create_run"]}))
    assert (caller.graphs, caller.resume_graphs) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    ("roles", "graphs", "resume_graphs"),
    [
        (["docs", "approver"], ["docs_agent"], ["pay"]),
        (["docs", "approver", "any_approver"], ["docs_agent"], None),
        (["approver"], None, ["pay"]),
        (["docs"], ["docs_agent"], ...),
    ],
)
def test_each_permission_has_its_graphs(roles: list[str], graphs: Any, resume_graphs: Any) -> None:
    limits: dict[str, Any] = {
        "docs": {"permissions": ["threads:create_run"], "graphs": ["docs_agent"]},
        "approver": {"permissions": ["threads:resume@all"], "graphs": ["pay"]},
        "any_approver": ["threads:resume"],
    }
    values = {name: [name] for name in limits}
    caller = authenticated(configured({"claim": "roles", "values": values}, roles=limits), roles=roles)
    user = caller.user()
    assert (user["graphs"], user.get("resume_graphs", ...)) == (graphs, resume_graphs)
    if resume_graphs is not ...:
        assert Caller.from_user(Served(json.loads(json.dumps(user)))).resume_graphs == caller.resume_graphs


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


@pytest.mark.parametrize(
    ("caller", "fields"),
    [
        (None, {}),
        (Caller(identity="alice"), {"identity": "alice", "tenant": ""}),
        (Caller(identity="alice", tenancy=Tenancy(None)), {"identity": "alice", "tenant": ""}),
        (Caller(identity="alice", tenancy=Tenancy("acme")), {"identity": "alice", "tenant": "acme"}),
    ],
)
def test_event_names_identity_and_tenant(caller: Caller | None, fields: dict[str, str]) -> None:
    assert person_fields(caller) == fields
