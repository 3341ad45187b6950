"""Which threads a list adds, and who may write one."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest

from oidc_auth import ErrorCode
from oidc_auth.enforcement.authorize import ServerFacts
from oidc_auth.enforcement.decision import Decision, NoRestriction
from oidc_auth.enforcement.enforce import enforce
from oidc_auth.enforcement.event_rules import EVENT_RULES
from oidc_auth.enforcement.limits import EnforcementSettings
from oidc_auth.enforcement.rule_tables import find_rules
from oidc_auth.permissions.names import EVENTS

FACTS = ServerFacts(is_studio=False, in_request=True, expiry_leeway=None)
ON = EnforcementSettings(sharing=True)
SEPARATED = EnforcementSettings(sharing=True, resume="other")
MINE = {"owner": "bob", "tenant": "acme"}
RUN: dict[str, Any] = {
    "thread_id": "t1",
    "assistant_id": "a1",
    "metadata": {},
    "kwargs": {"input": {}, "config": {"configurable": {}}, "context": {}},
}
CANCEL = {"thread_id": "t1", "action": "interrupt", "metadata": {"run_ids": ["r1"], "status": None}}
LISTS = {"shared_with": ["ann"], "shared_editors": ["eve"], "shared_approvers": ["abe"]}


def user(*permissions: str, tenant: Any = "acme", **fields: Any) -> SimpleNamespace:
    known = {"identity": "bob", "permissions": [*permissions], "graphs": None, "resume_graphs": None, "tenant": tenant}
    return SimpleNamespace(**{key: value for key, value in {**known, **fields}.items() if value is not ...})


def decide(
    who: SimpleNamespace,
    event: str,
    value: dict[str, Any],
    settings: EnforcementSettings = ON,
    facts: ServerFacts = FACTS,
) -> Decision:
    return enforce(who, event, value, settings, 1_000.0, facts)


def where(decision: Decision) -> object:
    assert decision.allowed, decision
    return None if isinstance(decision.filter, NoRestriction) else dict(decision.filter.where)


def listed(*lists: str, **also: str) -> list[dict[str, Any]]:
    return [{"tenant": "acme", **also, name: {"$contains": "bob"}} for name in lists]


EVERY = listed("shared_with", "shared_editors", "shared_approvers")
EDITED = listed("shared_editors")


def test_rules_are_unchanged_without_sharing() -> None:
    assert find_rules(EnforcementSettings()) is EVENT_RULES
    assert find_rules(ON).keys() == EVENT_RULES.keys()
    assert find_rules(ON) is find_rules(EnforcementSettings(sharing=True, crons="deny"))


@pytest.mark.parametrize("event", [event for event in EVENTS if not event.startswith("threads:")])
def test_other_resources_have_the_same_rules(event: str) -> None:
    assert find_rules(ON)[event] == EVENT_RULES[event]


@pytest.mark.parametrize("event", ["threads:read", "threads:search"])
@pytest.mark.parametrize(
    ("permission", "filter_"),
    [
        ("{}", {"$or": [MINE, *EVERY]}),
        ("{}@tenant", {"tenant": "acme"}),
        ("{}@all", None),
    ],
)
def test_each_list_adds_reading(event: str, permission: str, filter_: object) -> None:
    assert where(decide(user(permission.format(event)), event, {"thread_id": "t1"})) == filter_


@pytest.mark.parametrize("event", ["threads:read", "threads:search"])
@pytest.mark.parametrize(
    ("has_tenants", "fields", "filter_"),
    [
        (True, {"tenant": None}, {"owner": "bob", "tenant": None}),
        (False, {"tenant": None}, {"owner": "bob", "tenant": None}),
        (True, {"tenant": ..., "has_tenants": False}, {"owner": "bob"}),
        (
            False,
            {"tenant": ..., "has_tenants": False},
            {"$or": [{"owner": "bob"}, *({name: {"$contains": "bob"}} for name in LISTS)]},
        ),
    ],
)
def test_list_counts_inside_one_tenant(
    event: str, fields: dict[str, Any], filter_: object, *, has_tenants: bool
) -> None:
    settings = EnforcementSettings(sharing=True, has_tenants=has_tenants)
    assert where(decide(user(event, **fields), event, {"thread_id": "t1"}, settings)) == filter_


def test_copy_and_cron_need_own_thread() -> None:
    copying = FACTS._replace(copies_thread=True)
    assert where(decide(user("threads:read"), "threads:read", {"thread_id": "t1"}, facts=copying)) == MINE
    assert where(decide(user("threads:read"), "threads:read", {"thread_id": "t1", "metadata": {}})) == MINE


def test_editor_runs_assistant_of_thread() -> None:
    editor = listed("shared_editors", assistant_id="a1")
    assert where(decide(user("threads:create_run"), "threads:create_run", {**RUN})) == {"$or": [MINE, *editor]}
    resume = {**RUN, "kwargs": {**RUN["kwargs"], "input": None, "command": {"resume": 1}}}
    both = listed("shared_editors", "shared_approvers", assistant_id="a1")
    assert where(decide(user("threads:create_run"), "threads:create_run", resume)) == {"$or": [MINE, *both]}
    steering = {**RUN, "kwargs": {**RUN["kwargs"], "command": {"goto": "a"}}}
    assert where(decide(user("threads:create_run"), "threads:create_run", steering)) == {"$or": [MINE, *editor]}


@pytest.mark.parametrize(
    ("permissions", "event", "value", "filter_"),
    [
        (["threads:create_run"], "threads:update", CANCEL, {"$or": [MINE, *EDITED]}),
        (["threads:create_run", "threads:update"], "threads:update", CANCEL, {"$or": [MINE, *EDITED]}),
        (["threads:create_run", "threads:update@tenant"], "threads:update", CANCEL, {"tenant": "acme"}),
        (["threads:update"], "threads:update", CANCEL, MINE),
        (["threads:create_run"], "threads:update", {**CANCEL, "thread_id": None}, MINE),
        (["threads:create_run", "threads:update"], "threads:update", {**CANCEL, "thread_id": None}, MINE),
        (["assistants:delete"], "threads:update", {**CANCEL, "thread_id": None}, MINE),
        (["threads:create_run"], "threads:delete", {"thread_id": "t1", "run_id": "r1"}, {"$or": [MINE, *EDITED]}),
        (["threads:create_run", "threads:delete"], "threads:delete", {"run_id": "r1"}, {"$or": [MINE, *EDITED]}),
        (["threads:delete"], "threads:delete", {"run_id": "r1"}, MINE),
        (["threads:create_run", "threads:delete"], "threads:delete", {"thread_id": "t1"}, MINE),
        (["threads:create_run"], "threads:delete", {"thread_id": "t1"}, {**MINE, "oidc_auth_temporary": True}),
        (["threads:create_run", "threads:update"], "threads:update", {"thread_id": "t1"}, MINE),
        (["threads:create_run", "threads:update"], "threads:update", {"thread_id": "t1", "metadata": {"a": 1}}, MINE),
    ],
)
def test_editor_stops_and_deletes_runs_only(
    permissions: list[str], event: str, value: dict[str, Any], filter_: object
) -> None:
    assert where(decide(user(*permissions), event, dict(value))) == filter_


@pytest.mark.parametrize(
    ("permissions", "more", "filter_"),
    [
        (["threads:update", "threads:share"], {}, MINE),
        (["threads:update", "threads:share@tenant"], {}, {"tenant": "acme"}),
        (["threads:update", "threads:share@all"], {}, None),
        (["threads:update@all", "threads:share"], {}, MINE),
        (["threads:update", "threads:share@all"], {"title": "x"}, MINE),
        (["threads:update@tenant", "threads:share@all"], {"title": "x"}, {"tenant": "acme"}),
        (["threads:update@all", "threads:share@tenant"], {"title": "x"}, {"tenant": "acme"}),
        (["threads:update", "threads:share@tenant"], {"owner": "alice"}, {"tenant": "acme"}),
    ],
)
def test_reach_of_share_decides_about_lists(permissions: list[str], more: dict[str, Any], filter_: object) -> None:
    metadata = {**LISTS, **more}
    assert where(decide(user(*permissions), "threads:update", {"thread_id": "t1", "metadata": metadata})) == filter_
    assert metadata == {**LISTS, **{key: value for key, value in more.items() if key != "owner"}}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("event", "permissions", "missing"),
    [
        ("threads:create", ["threads:create", "threads:update@all"], "threads:share"),
        ("threads:update", ["threads:create", "threads:update@all"], "threads:share"),
        ("threads:update", ["threads:create_run", "threads:share@all"], "threads:update"),
    ],
)
def test_lists_need_both_permissions(name: str, event: str, permissions: list[str], missing: str) -> None:
    decision = decide(user(*permissions), event, {"thread_id": "t1", "metadata": {name: ["ann"]}})
    assert (decision.code, decision.permission) == (ErrorCode.PERMISSION_MISSING, missing)


@pytest.mark.parametrize(
    "people",
    [None, "ann", 1, {"ann": 1}, ["ann", 1], ["ann", None], [["ann"]], [""], ["x" * 256], ["ann"] * 101, ["bob"]],
)
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("event", ["threads:create", "threads:update"])
def test_invalid_list_is_refused(event: str, name: str, people: object) -> None:
    who = user("threads:create", "threads:update", "threads:share")
    decision = decide(who, event, {"thread_id": "t1", "metadata": {name: people}})
    assert decision.code is ErrorCode.SHARING_LIST_INVALID
    assert "ann" not in decision.found


@pytest.mark.parametrize("people", [[], ["ann"], ["ann"] * 100, ["x" * 255, "Bob", "auth0|bob"]])
def test_valid_list_is_stored(people: list[str]) -> None:
    who, metadata = user("threads:create", "threads:share"), {"shared_with": people}
    assert decide(who, "threads:create", {"metadata": metadata}).allowed
    assert metadata == {**MINE, "shared_with": people}


@pytest.mark.parametrize(
    ("event", "value"),
    [
        ("threads:create_run", {**RUN, "metadata": LISTS, "kwargs": {"input": {}, "config": {"metadata": LISTS}}}),
        ("assistants:create", {"metadata": LISTS, "config": {"metadata": LISTS}}),
        ("assistants:update", {"metadata": LISTS, "config": {"metadata": LISTS}}),
        ("crons:create", {"metadata": LISTS, "payload": {"metadata": LISTS, "config": {"metadata": LISTS}}}),
        ("crons:update", {"metadata": LISTS, "payload": {"metadata": LISTS, "config": {"metadata": LISTS}}}),
    ],
)
def test_lists_are_removed_from_other_events(event: str, value: dict[str, Any]) -> None:
    value = copy.deepcopy(value)
    who = user(*EVENTS, "threads:share@all")
    assert decide(who, event, value).allowed
    assert not [name for name in LISTS if name in str(value)]


@pytest.mark.parametrize("event", ["threads:create", "threads:update"])
def test_lists_are_not_stored_without_sharing(event: str) -> None:
    """They would count when the operator turns sharing on."""
    metadata: dict[str, Any] = {**LISTS, "title": "x"}
    assert decide(user(event), event, {"thread_id": "t1", "metadata": metadata}, EnforcementSettings()).allowed
    assert (metadata["title"], metadata.keys() & LISTS.keys()) == ("x", set())


def test_scheduler_writes_no_lists() -> None:
    metadata = {"owner": "carl", "authorized_until": 2_000, **LISTS}
    configurable = {"langgraph_auth_user_id": "carl"}
    value = {**RUN, "metadata": metadata, "kwargs": {"input": {}, "config": {"configurable": configurable}}}
    scheduler = SimpleNamespace(identity="carl")
    assert decide(scheduler, "threads:create_run", value, facts=FACTS._replace(in_request=False)).allowed
    assert metadata == {"owner": "carl"}


@pytest.mark.parametrize(
    ("lists", "code"),
    [
        ({"shared_approvers": ["abe"], "shared_editors": ["eve"]}, None),
        ({"shared_approvers": [], "shared_editors": []}, None),
        ({"shared_with": ["abe"]}, None),
        ({"shared_approvers": ["abe"]}, ErrorCode.SHARING_LIST_INVALID),
        ({"shared_editors": ["eve"]}, ErrorCode.SHARING_LIST_INVALID),
        ({"shared_approvers": ["abe"], "shared_editors": ["eve", "abe"]}, ErrorCode.SHARING_LIST_INVALID),
    ],
)
@pytest.mark.parametrize("event", ["threads:create", "threads:update"])
def test_approver_is_no_editor_with_other(event: str, lists: dict[str, Any], code: ErrorCode | None) -> None:
    who = user("threads:create", "threads:update@all", "threads:share@all")
    assert decide(who, event, {"thread_id": "t1", "metadata": lists}, SEPARATED).code is code


def test_only_owner_names_approvers_with_other() -> None:
    who, metadata = user("threads:update@all", "threads:share@all"), {"shared_approvers": ["abe"], "shared_editors": []}
    assert where(decide(who, "threads:update", {"thread_id": "t1", "metadata": metadata}, SEPARATED)) == MINE
    assert where(decide(who, "threads:update", {"thread_id": "t1", "metadata": {"shared_with": []}}, SEPARATED)) is None
