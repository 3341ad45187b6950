"""The enforcement of one event: what it decides, and what it writes into the server's value."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest

from oidc_auth import ErrorCode
from oidc_auth.enforcement.access_request import MalformedError, Value
from oidc_auth.enforcement.authorize import ServerFacts
from oidc_auth.enforcement.decision import Decision, NoRestriction, Restriction
from oidc_auth.enforcement.enforce import enforce
from oidc_auth.enforcement.event_rules import EVENT_RULES
from oidc_auth.enforcement.limits import EnforcementSettings
from oidc_auth.permissions.caller import Tenancy, make_store_label
from oidc_auth.permissions.names import EVENTS

MINE = {"owner": "alice", "tenant": "acme"}
FORGED = {
    "owner": "bob",
    "tenant": "globex",
    "authorized_until": 9_999_999_999,
    "authorized_for": "another-user",
    "authorized_at": 9_999_999_999,
    "oidc_auth_temporary": True,
}
NOW = 1_000.0
MAX_AGE = 60
SETTINGS = EnforcementSettings(cron_max_age=MAX_AGE)
CREATES = ["threads:create", "threads:create_run", "assistants:create", "crons:create"]
CHANGES = ["threads:update", "assistants:update", "crons:update"]
ALICE = SimpleNamespace(
    identity="alice",
    permissions=list(EVENTS),
    graphs=None,
    tenant="acme",
    subject_digest="digest-of-alice",
    issued_at=900,
)
AUTHORIZED = {"authorized_until": 1_060, "authorized_for": "digest-of-alice", "authorized_at": 900}
"""What a cron of ALICE carries."""
ADMIN = SimpleNamespace(identity="ada", permissions=[f"{e}@all" for e in EVENTS], graphs=None, tenant="acme")
FACTS = ServerFacts(is_studio=False, in_request=True, expiry_leeway=None)
STUDIO = FACTS._replace(is_studio=True)


def enforce_event(
    event: str,
    value: Value,
    user: object = ALICE,
    facts: ServerFacts = FACTS,
    settings: EnforcementSettings = SETTINGS,
) -> Decision:
    return enforce(user, event, value, settings, NOW, facts)


def test_each_event_has_one_row() -> None:
    assert list(EVENT_RULES) == list(EVENTS)
    assert [event for event, rule in EVENT_RULES.items() if rule.stamp] == sorted(CREATES, key=EVENTS.index)
    assert [event for event, rule in EVENT_RULES.items() if rule.rewrite] == [
        event for event in EVENTS if event in CHANGES or event.startswith("store:")
    ]


@pytest.mark.parametrize("event", CREATES)
def test_owner_is_stamped_over_client_values(event: str) -> None:
    metadata: dict[str, Any] = {**FORGED, "title": "plans"}
    value = {"metadata": metadata}
    assert enforce_event(event, value).allowed
    stamped = {**MINE, "title": "plans"}
    assert value["metadata"] is metadata
    assert metadata == (stamped if event != "crons:create" else {**stamped, **AUTHORIZED})


@pytest.mark.parametrize("event", CREATES)
@pytest.mark.parametrize("metadata", [None, [], "text"])
def test_object_without_metadata_is_not_created(event: str, metadata: Any) -> None:
    with pytest.raises(MalformedError):
        enforce_event(event, {"metadata": metadata})


@pytest.mark.parametrize("event", [event for event in CREATES if event != "threads:create_run"])
def test_client_creates_no_system_object(event: str) -> None:
    system = {"created_by": "system"}
    assert enforce_event(event, {"metadata": dict(system)}).code is ErrorCode.RESERVED_METADATA
    value = {"metadata": {}, "payload": {"metadata": dict(system)}}
    assert enforce_event(event, value).code is ErrorCode.RESERVED_METADATA
    assert value["metadata"] == {}


def test_run_drops_system_mark() -> None:
    value = {"metadata": {"created_by": "system"}}
    assert enforce_event("threads:create_run", value).allowed
    assert value["metadata"] == MINE


def test_copy_is_not_stamped() -> None:
    value: Value = {"thread_id": "t"}
    assert enforce_event("threads:create", value).allowed
    assert value == {"thread_id": "t"}


@pytest.mark.parametrize(("temporary", "marked"), [(True, True), (False, False), (None, False)])
def test_temporary_thread_is_marked(temporary: object, *, marked: bool) -> None:
    value: Value = {"metadata": {}, "kwargs": {"temporary": temporary}}
    enforce_event("threads:create_run", value)
    assert value["metadata"] == ({**MINE, "oidc_auth_temporary": True} if marked else MINE)


@pytest.mark.parametrize("event", [*CREATES, *CHANGES])
def test_reserved_keys_are_removed_everywhere(event: str) -> None:
    forged = {**FORGED, "owner": "alice", "tenant": "acme"}
    config = {"metadata": dict(forged), "thread_id": "t", "configurable": {"x": 1}}
    value: Value = {"thread_id": "t", "metadata": {"title": "plans"}, "config": copy.deepcopy(config)}
    if event == "threads:create_run":
        value["kwargs"] = {"config": value.pop("config")}
    if event.startswith("crons:"):
        value["payload"] = {"metadata": dict(forged), "config": copy.deepcopy(config)}
    assert enforce_event(event, value).allowed
    holders = [value, value.get("kwargs"), value.get("payload")]
    configs = [holder["config"] for holder in holders if holder and "config" in holder]
    assert configs == [{"metadata": {}, "configurable": {"x": 1}}] * len(configs)
    assert configs
    left = value.get("payload", {}).get("metadata", {})
    assert left == (AUTHORIZED if event == "crons:update" else {})


@pytest.mark.parametrize("event", [*CREATES, *CHANGES])
@pytest.mark.parametrize("config", [{"metadata": "text"}, {"metadata": [1]}])
def test_malformed_config_metadata_fails(event: str, config: dict[str, Any]) -> None:
    holder = {"threads:create_run": "kwargs", "crons:create": "payload", "crons:update": "payload"}.get(event)
    value: Value = {"thread_id": "t", "metadata": {}}
    value |= {holder: {"config": config}} if holder else {"config": config}
    with pytest.raises(MalformedError):
        enforce_event(event, value)


@pytest.mark.parametrize("event", CHANGES)
@pytest.mark.parametrize("change", [{"owner": "bob"}, {"tenant": "globex"}, {"owner": None}, {"created_by": "system"}])
def test_owner_cannot_be_changed(event: str, change: dict[str, Any]) -> None:
    assert enforce_event(event, {"thread_id": "t", "metadata": dict(change)}).code is ErrorCode.RESERVED_METADATA
    if event == "crons:update":
        assert enforce_event(event, {"payload": {"metadata": dict(change)}}).code is ErrorCode.RESERVED_METADATA


@pytest.mark.parametrize("event", ["threads:update", "assistants:update"])
def test_read_metadata_can_be_written_back(event: str) -> None:
    for user, owner in ((ALICE, "alice"), (ADMIN, "alice")):
        value = {"thread_id": "t", "metadata": {"owner": owner, "tenant": "acme", "title": "new"}}
        assert enforce_event(event, value, user).allowed
        assert value["metadata"] == {"title": "new"}


def test_administrator_cannot_mark_system_object() -> None:
    value = {"metadata": {"created_by": "system"}}
    assert enforce_event("assistants:update", value, ADMIN).code is ErrorCode.RESERVED_METADATA


@pytest.mark.parametrize("value", [{"action": "interrupt"}, {"thread_id": "t", "action": "rollback", "metadata": [1]}])
def test_run_control_writes_nothing(value: Value) -> None:
    before = copy.deepcopy(value)
    assert enforce_event("threads:update", value).filter == Restriction(MINE)
    assert value == before


def test_action_in_other_changes_is_cleaned() -> None:
    value = {"action": "interrupt", "metadata": {"authorized_until": 9_999_999_999, "authorized_at": 9_999_999_999}}
    assert enforce_event("assistants:update", value).allowed
    assert value["metadata"] == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"payload": {"enabled": False}}, {"payload": {"enabled": False, "metadata": AUTHORIZED}}),
        ({"payload": {}, "metadata": {}}, {"payload": {}, "metadata": AUTHORIZED}),
        ({"payload": {}}, {"payload": {}}),
    ],
)
def test_owners_change_renews_cron(value: Value, expected: Value) -> None:
    assert enforce_event("crons:update", value).allowed
    assert value == expected


def test_only_owner_with_run_permission_renews_cron() -> None:
    demoted = SimpleNamespace(**{**vars(ALICE), "permissions": ["crons:update"]})
    for user in (ADMIN, demoted):
        value: Value = {"payload": {"enabled": False}}
        assert enforce_event("crons:update", value, user).allowed
        assert value == {"payload": {"enabled": False}}


@pytest.mark.parametrize("event", [event for event in EVENTS if event.startswith("store:")])
def test_store_is_isolated_by_namespace(event: str) -> None:
    label = make_store_label("alice", Tenancy("acme"))
    for namespace, scoped in (
        (None, (label,)),
        (["notes"], (label, "notes")),
        ((label, "notes"), (label, "notes")),
        ("*", (label, "*")),
        ("notes", (label, "notes")),
    ):
        value = {"namespace": namespace}
        assert enforce_event(event, value).filter == NoRestriction()
        assert value["namespace"] == scoped


def test_wide_reach_names_any_namespace() -> None:
    label, other = make_store_label("ada", Tenancy("acme")), make_store_label("alice", Tenancy("acme"))
    for namespace, scoped in (([other, "x"], (other, "x")), (["*"], ("*",)), (["x"], (label, "x")), ([5], (label, 5))):
        value: Value = {"namespace": namespace}
        enforce_event("store:get", value, ADMIN)
        assert value["namespace"] == scoped


@pytest.mark.parametrize("identity", [None, "", 5, ["alice"]])
def test_user_without_identity_is_denied(identity: object) -> None:
    for facts in (FACTS, STUDIO):
        user = SimpleNamespace(identity=identity, permissions=list(EVENTS))
        assert enforce_event("threads:read", {}, user, facts).code is ErrorCode.USER_UNKNOWN
    assert enforce_event("threads:read", {}, object()).code is ErrorCode.USER_UNKNOWN


def test_unknown_event_is_denied() -> None:
    assert enforce_event("threads:archive", {}).code is ErrorCode.EVENT_UNKNOWN


@pytest.mark.parametrize("event", EVENTS)
def test_user_without_permissions_is_denied(event: str) -> None:
    user = SimpleNamespace(identity="alice", permissions=[])
    assert enforce_event(event, {"metadata": {}}, user).code is ErrorCode.NO_PERMISSIONS


@pytest.mark.parametrize("event", EVENTS)
def test_studio_follows_setting(event: str) -> None:
    user = SimpleNamespace(identity="studio")
    value: Value = {"metadata": {}, "thread_id": "t"}
    found = {
        studio: enforce_event(event, copy.deepcopy(value), user, STUDIO, EnforcementSettings(studio=studio))
        for studio in ("deny", "own", "all")
    }
    assert found["deny"].code is ErrorCode.STUDIO_NOT_ALLOWED
    assert found["own"].allowed
    assert found["all"].allowed
    assert event.startswith("store:") or found["own"].filter != NoRestriction()


def test_limits_apply_after_decision() -> None:
    late = {"metadata": {}, "after_seconds": 10**6}
    assert enforce_event("threads:create_run", dict(late)).code is ErrorCode.DELAY_NOT_ALLOWED
    reader = SimpleNamespace(identity="alice", permissions=["store:get"])
    assert enforce_event("threads:create_run", dict(late), reader).code is ErrorCode.PERMISSION_MISSING


@pytest.mark.parametrize(
    ("event", "value", "permissions", "permission"),
    [
        ("threads:read", {}, ["threads:read"], "threads:read"),
        ("threads:update", {"action": "interrupt"}, ["threads:create_run"], "threads:create_run"),
        ("threads:update", {"action": "interrupt"}, ["assistants:delete"], "assistants:delete"),
        ("threads:delete", {}, ["threads:create_run"], "threads:create_run"),
        ("threads:delete", {}, ["store:get"], "threads:delete"),
        ("crons:create", {}, ["crons:create"], "threads:create_run"),
    ],
)
def test_decision_names_permission(event: str, value: Value, permissions: list[str], permission: str) -> None:
    user = SimpleNamespace(identity="alice", permissions=permissions, graphs=None)
    assert enforce_event(event, value, user).permission == permission
