"""The store label: its bytes never change, or memories would be lost."""

from __future__ import annotations

import hashlib
import struct
from types import SimpleNamespace

import pytest
from kit.mapping import authenticated, configured
from langgraph_sdk.auth.types import StudioUser

from oidc_auth import Caller, store_label
from oidc_auth.permissions.caller import Tenancy

PEOPLE = [
    (None, "alice"),
    ("acme", "alice"),
    ("alice", "acme"),
    ("acme", "gha:12345"),
    (None, "al_ce@ex.com"),
    (None, "al%ce@ex.com"),
    (None, "alice@ex.com"),
    (None, "alice@ex.com.evil"),
    ("", "alice"),
    ("a", "lice"),
    ("Zürich", "Ζωή 🦉"),
    (None, "x" * 255),
]


def digest(tenant: str | None, identity: str) -> str:
    """Compute the label as `make_store_label` words it: length in 8 big-endian bytes and UTF-8 bytes, tenant first."""
    bytes_ = b"".join(
        struct.pack(">Q", 2**64 - 1)
        if part is None
        else struct.pack(">Q", len(part.encode("utf-8"))) + part.encode("utf-8")
        for part in (tenant, identity)
    )
    return hashlib.sha256(bytes_).hexdigest()[:32]


@pytest.mark.parametrize(
    ("tenant", "identity", "label"),
    [
        (None, "alice", "302bcd247b95c90a14ba0d0de67907e4"),
        ("acme", "alice", "46ec638c86401bf75d7fe7f186eec6b7"),
        ("Zürich", "Ζωή 🦉", "5c5916b81818211b062a5ed24076775e"),
    ],
)
def test_label_vectors_never_change(tenant: str | None, identity: str, label: str) -> None:
    assert store_label({"identity": identity, "tenant": tenant}) == label


@pytest.mark.parametrize(("tenant", "identity"), PEOPLE)
def test_label_is_same_for_all_user_forms(tenant: str | None, identity: str) -> None:
    expected = digest(tenant, identity)
    assert store_label({"identity": identity, "tenant": tenant}) == expected
    assert store_label(SimpleNamespace(identity=identity, tenant=tenant)) == expected
    assert store_label(Caller(identity=identity, tenancy=Tenancy(tenant))) == expected


def test_missing_tenant_rule_and_tenant_share_label() -> None:
    fields = {"identity": "alice", "has_tenants": False}
    stored = {"identity": "alice", "kind": "StudioUser", "permissions": []}
    studio = [StudioUser("alice"), stored, SimpleNamespace(**stored)]
    without = [Caller(identity="alice"), fields, SimpleNamespace(**fields), *studio]
    assert {store_label(user) for user in without} == {store_label(Caller(identity="alice", tenancy=Tenancy(None)))}


@pytest.mark.parametrize(
    "tenants", [{}, {"has_tenants": True}, {"has_tenants": None}, {"has_tenants": 0}, {"kind": "User"}, {"kind": None}]
)
def test_user_of_unknown_tenancy_has_no_label(tenants: dict[str, object]) -> None:
    fields = {"identity": "alice", **tenants}
    for user in (fields, SimpleNamespace(**fields)):
        with pytest.raises(TypeError, match="has_tenants"):
            store_label(user)


@pytest.mark.parametrize("has_tenants", [True, False])
def test_tenant_counts_whatever_has_tenants_says(has_tenants: bool) -> None:  # noqa: FBT001 - a parameter of the test
    fields = {"identity": "alice", "tenant": "acme", "has_tenants": has_tenants}
    assert store_label(fields) == store_label(SimpleNamespace(**fields)) == digest("acme", "alice")


def test_labels_are_unique_per_user() -> None:
    assert len({store_label({"identity": identity, "tenant": tenant}) for tenant, identity in PEOPLE}) == len(PEOPLE)


def test_label_is_hexadecimal() -> None:
    for tenant, identity in PEOPLE:
        label = store_label({"identity": identity, "tenant": tenant})
        assert len(label) == 32
        assert set(label) <= set("0123456789abcdef")


def test_caller_and_user_dict_share_label() -> None:
    oidc = configured({"claim": "roles", "values": {"user": ["store:read"]}}, tenant="org")
    for claims in ({"org": "acme"}, {"org": ""}, {}):
        caller = authenticated(oidc, **claims)
        assert store_label(caller) == store_label(caller.user()) == digest(claims.get("org") or None, "alice")


@pytest.mark.parametrize("tenant", [5, True, ["acme"], {"acme": 1}])
def test_non_string_tenant_counts_as_none(tenant: object) -> None:
    assert store_label({"identity": "alice", "tenant": tenant}) == digest(None, "alice")


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"identity": ""},
        {"identity": None},
        {"identity": 5},
        {"identity": ["alice"]},
        SimpleNamespace(),
        SimpleNamespace(identity=""),
        Caller(identity=""),
        None,
        "alice",
    ],
)
def test_missing_identity_raises_error(user: object) -> None:
    with pytest.raises(TypeError, match="identity"):
        store_label(user)


class AegraUser(SimpleNamespace):
    """A user as Aegra passes it to a graph."""

    __module__ = "aegra_api.models.auth"


def test_label_on_aegra_depends_on_identity_only() -> None:
    own = AegraUser(identity="acme/alice", tenant="acme", has_tenants=True)
    assert store_label(own) == store_label(AegraUser(identity="acme/alice"))
    assert store_label(own) != store_label(AegraUser(identity="globex/alice", tenant="acme"))
    with pytest.raises(TypeError):
        store_label(AegraUser(identity=""))
