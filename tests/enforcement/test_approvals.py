"""Who may move a paused graph, and on which threads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from oidc_auth import ErrorCode
from oidc_auth.enforcement.authorize import ServerFacts
from oidc_auth.enforcement.decision import Decision, NoRestriction
from oidc_auth.enforcement.enforce import enforce
from oidc_auth.enforcement.limits import EnforcementSettings
from oidc_auth.permissions.names import EVENTS

FACTS = ServerFacts(is_studio=False, in_request=True, expiry_leeway=None)
SCHEDULER = FACTS._replace(in_request=False)
PERMISSION = EnforcementSettings(resume="permission")
OTHER = EnforcementSettings(resume="other", sharing=True)
SHARED = EnforcementSettings(resume="permission", sharing=True)
MINE = {"owner": "bob", "tenant": "acme"}
APPROVER = {"tenant": "acme", "shared_approvers": {"$contains": "bob"}}
EDITOR = {"tenant": "acme", "assistant_id": "a1", "shared_editors": {"$contains": "bob"}}
ID = "0" * 32
STATE = {"thread_id": "t1"}


def user(*permissions: str, tenant: Any = "acme", graphs: Any = None, resume_graphs: Any = None) -> SimpleNamespace:
    return SimpleNamespace(
        identity="bob", permissions=[*permissions], graphs=graphs, resume_graphs=resume_graphs, tenant=tenant
    )


def run(assistant: str = "a1", thread: str | None = "t1", metadata: Any = None, **kwargs: Any) -> dict[str, Any]:
    configurable: dict[str, Any] = {"langgraph_auth_user_id": "bob"}
    given = {"input": None, "config": {"configurable": configurable}, "context": {}, **kwargs}
    return {"thread_id": thread, "assistant_id": assistant, "metadata": metadata or {}, "kwargs": given}


def decide(who: object, event: str, value: dict[str, Any], settings: EnforcementSettings) -> Decision:
    facts = FACTS if hasattr(who, "permissions") else SCHEDULER
    return enforce(who, event, value, settings, 1_000.0, facts)


def start(who: object, settings: EnforcementSettings, **kwargs: Any) -> Decision:
    return decide(who, "threads:create_run", run(**kwargs), settings)


def where(decision: Decision) -> object:
    assert decision.allowed, decision
    return None if isinstance(decision.filter, NoRestriction) else dict(decision.filter.where)


RESUME = {"resume": {ID: "yes"}}


@pytest.mark.parametrize(
    ("settings", "permissions", "filter_"),
    [
        (PERMISSION, ["threads:resume"], {**MINE, "assistant_id": "a1"}),
        (PERMISSION, ["threads:resume@tenant"], {"tenant": "acme", "assistant_id": "a1"}),
        (PERMISSION, ["threads:resume@all"], {"assistant_id": "a1"}),
        (PERMISSION, ["threads:resume", "threads:create_run@all"], {**MINE, "assistant_id": "a1"}),
        (SHARED, ["threads:resume"], {"$or": [MINE, APPROVER], "assistant_id": "a1"}),
        (SHARED, ["threads:resume@tenant"], {"tenant": "acme", "assistant_id": "a1"}),
        (SHARED, ["threads:resume@all"], {"assistant_id": "a1"}),
        (OTHER, ["threads:resume"], {**APPROVER, "assistant_id": "a1"}),
        (OTHER, ["threads:resume@all", "threads:create_run@all"], {**APPROVER, "assistant_id": "a1"}),
        (EnforcementSettings(resume="other"), ["threads:resume@all"], {"owner": "", "assistant_id": "a1"}),
    ],
)
def test_resume_reaches_what_permission_reaches(
    settings: EnforcementSettings, permissions: list[str], filter_: object
) -> None:
    decision = start(user(*permissions), settings, command=RESUME)
    assert (where(decision), decision.permission) == (filter_, permissions[0])


def test_approver_without_tenant_reaches_nothing() -> None:
    decision = start(user("threads:resume", tenant=None), OTHER, command=RESUME)
    assert where(decision) == {"owner": "", "assistant_id": "a1"}


@pytest.mark.parametrize("settings", [PERMISSION, SHARED, OTHER])
@pytest.mark.parametrize("command", [RESUME, {"resume": "yes"}])
def test_permission_to_run_does_not_resume(settings: EnforcementSettings, command: Any) -> None:
    decision = start(user("threads:create_run@all", "threads:update@all"), settings, command=command)
    assert (decision.code, decision.permission) == (ErrorCode.PERMISSION_MISSING, "threads:resume")


OTHER_WAYS: list[dict[str, Any]] = [
    {"command": {"goto": "a"}},
    {"command": {"resume": 1, "update": {"a": 1}}},
    {"command": {"resume": {ID: 1}, "goto": "a"}},
    {"input": None},
    {"input": {}, "config": {"configurable": {"checkpoint_id": "1"}}},
    {"input": {}, "context": {"__pregel_resuming": True}},
]


@pytest.mark.parametrize("kwargs", OTHER_WAYS)
@pytest.mark.parametrize(
    ("permissions", "filter_"),
    [
        (["threads:create_run", "threads:resume"], {**MINE, "assistant_id": "a1"}),
        (["threads:create_run@all", "threads:resume@tenant"], {"tenant": "acme", "assistant_id": "a1"}),
        (["threads:create_run@tenant", "threads:resume@all"], {"tenant": "acme", "assistant_id": "a1"}),
        (["threads:create_run@all", "threads:resume@all"], {"assistant_id": "a1"}),
        (["threads:create_run@all"], "threads:resume"),
        (["threads:resume@all"], "threads:create_run"),
    ],
)
@pytest.mark.parametrize("settings", [PERMISSION, SHARED])
def test_other_steering_needs_both_permissions(
    settings: EnforcementSettings, permissions: list[str], filter_: object, kwargs: dict[str, Any]
) -> None:
    decision = start(user(*permissions), settings, **kwargs)
    if isinstance(filter_, str):
        assert (decision.code, decision.permission) == (ErrorCode.PERMISSION_MISSING, filter_)
    else:
        assert where(decision) == filter_


def test_breakpoints_of_new_input_need_no_stored_assistant() -> None:
    who = user("threads:create_run", "threads:resume")
    assert where(start(who, PERMISSION, input={}, interrupt_before=["a"])) == MINE


@pytest.mark.parametrize("kwargs", [*OTHER_WAYS, {"input": {}, "interrupt_after": "*"}])
def test_only_resumes_move_graphs_with_other(kwargs: dict[str, Any]) -> None:
    who = user("threads:create_run@all", "threads:resume@all")
    assert start(who, OTHER, **kwargs).code is ErrorCode.RESUME_NOT_ALLOWED


@pytest.mark.parametrize(
    "kwargs",
    [
        {"command": {"resume": "yes"}},
        {"command": {"resume": {}}},
        {"command": {"resume": {"x": 1}}},
        {"command": RESUME, "input": {"a": 1}},
        {"command": RESUME, "context": {"a": 1}},
        {"command": RESUME, "config": {"tags": ["a"]}},
    ],
)
def test_resume_is_bare_and_names_ids_with_other(kwargs: dict[str, Any]) -> None:
    assert start(user("threads:resume"), OTHER, **kwargs).code is ErrorCode.RESUME_NOT_ALLOWED
    assert start(user("threads:resume"), PERMISSION, **kwargs).allowed


@pytest.mark.parametrize(
    ("settings", "filter_"), [(PERMISSION, MINE), (SHARED, {"$or": [MINE, EDITOR]}), (OTHER, {"$or": [MINE, EDITOR]})]
)
def test_new_input_needs_permission_to_run(settings: EnforcementSettings, filter_: object) -> None:
    decision = start(user("threads:create_run"), settings, input={"a": 1})
    assert (where(decision), decision.permission) == (filter_, "threads:create_run")
    assert start(user("threads:resume@all"), settings, input={"a": 1}).permission == "threads:create_run"


@pytest.mark.parametrize(
    ("permissions", "filter_"),
    [
        (["threads:update", "threads:resume"], MINE),
        (["threads:update@all", "threads:resume@tenant"], {"tenant": "acme"}),
        (["threads:update@tenant", "threads:resume@all"], {"tenant": "acme"}),
        (["threads:update@all", "threads:resume@all"], None),
    ],
)
@pytest.mark.parametrize("settings", [PERMISSION, SHARED])
def test_change_of_state_needs_both_permissions(
    settings: EnforcementSettings, permissions: list[str], filter_: object
) -> None:
    assert where(decide(user(*permissions), "threads:update", {**STATE}, settings)) == filter_
    without = decide(user(permissions[0]), "threads:update", {**STATE}, settings)
    assert (without.code, without.permission) == (ErrorCode.PERMISSION_MISSING, "threads:resume")
    assert decide(user(permissions[1]), "threads:update", {**STATE}, settings).permission == "threads:update"
    assert decide(user(*permissions), "threads:update", {**STATE}, OTHER).code is ErrorCode.RESUME_NOT_ALLOWED


@pytest.mark.parametrize("settings", [PERMISSION, SHARED, OTHER])
@pytest.mark.parametrize("more", [{"metadata": {"title": "x"}}, {"action": "interrupt"}])
def test_other_changes_of_threads_are_as_before(settings: EnforcementSettings, more: dict[str, Any]) -> None:
    assert where(decide(user("threads:update"), "threads:update", {**STATE, **more}, settings)) == MINE


@pytest.mark.parametrize(
    ("graphs", "resume_graphs", "named"),
    [
        (None, None, None),
        (["a1"], None, ["a1"]),
        (None, ["a1"], ["a1"]),
        (["a1", "a2"], ["a1", "a3"], ["a1"]),
    ],
)
def test_change_of_state_obeys_both_limits(graphs: Any, resume_graphs: Any, named: Any) -> None:
    who = user("threads:update", "threads:resume", graphs=graphs, resume_graphs=resume_graphs)
    found = where(decide(who, "threads:update", {**STATE}, PERMISSION))
    branches = [{key: name} for name in named or () for key in ("graph_id", "assistant_id")]
    assert found == ({**MINE, "$or": branches} if branches else MINE)
    apart = user("threads:update", "threads:resume", graphs=["a1"], resume_graphs=["a2"])
    assert where(decide(apart, "threads:update", {**STATE}, PERMISSION)) == {"owner": ""}


@pytest.mark.parametrize("reach", ["", "@tenant", "@all"])
@pytest.mark.parametrize("settings", [PERMISSION, SHARED])
def test_graph_limit_of_resume_counts_for_each_reach(settings: EnforcementSettings, reach: str) -> None:
    who = user(f"threads:resume{reach}", "threads:create_run", resume_graphs=["a1"])
    assert start(who, settings, command=RESUME).allowed
    assert start(who, settings, assistant="a2", command=RESUME).code is ErrorCode.GRAPH_NOT_ALLOWED


@pytest.mark.parametrize(
    ("graphs", "resume_graphs", "resumes", "steers"),
    [
        (None, None, True, True),
        (["a1"], None, True, True),
        (["a2"], None, True, False),
        (None, ["a1"], True, True),
        (None, ["a2"], False, False),
        (["a2"], ["a1"], True, False),
    ],
)
def test_limit_of_graphs_belongs_to_permission(graphs: Any, resume_graphs: Any, *, resumes: bool, steers: bool) -> None:
    who = user("threads:create_run", "threads:resume", graphs=graphs, resume_graphs=resume_graphs)
    assert start(who, PERMISSION, command={"resume": 1}).allowed is resumes
    assert start(who, PERMISSION, command={"goto": "a"}).allowed is steers


@pytest.mark.parametrize("settings", [EnforcementSettings(), EnforcementSettings(sharing=True), PERMISSION, OTHER])
@pytest.mark.parametrize("event", ["assistants:create", "assistants:update"])
def test_assistant_never_has_what_steers(settings: EnforcementSettings, event: str) -> None:
    keys = {"__pregel_resuming": True, "__pregel_x": 1, "checkpoint_id": "1", "checkpoint_ns": "", "checkpoint_map": {}}
    configurable, context = {**keys, "model": "x"}, {**keys, "x__pregel": 1}
    value = {"metadata": {}, "config": {"configurable": configurable}, "context": context}
    assert decide(user(*EVENTS), event, value, settings).allowed
    assert (configurable, context) == ({"model": "x"}, {"x__pregel": 1})
    assert decide(user(*EVENTS), event, {"metadata": {}, "config": None, "context": None}, settings).allowed


STEERING = {"config": {"configurable": {"__pregel_resuming": True}}}


@pytest.mark.parametrize("settings", [PERMISSION, SHARED, OTHER])
@pytest.mark.parametrize(
    ("event", "value"),
    [
        ("crons:create", {"metadata": {}, "payload": {"input": {}, **STEERING}}),
        ("crons:update", {"payload": {**STEERING}}),
    ],
)
def test_crons_never_steer(settings: EnforcementSettings, event: str, value: dict[str, Any]) -> None:
    who = user(*EVENTS, "threads:resume@all")
    assert decide(who, event, value, settings).code is ErrorCode.RESUME_NOT_ALLOWED
    assert decide(who, event, {"metadata": {}, "payload": {"input": {}}}, settings).allowed


@pytest.mark.parametrize("settings", [PERMISSION, SHARED, OTHER])
@pytest.mark.parametrize("kwargs", [*OTHER_WAYS, {"command": RESUME}, {"input": {}, "interrupt_before": "*"}])
def test_scheduler_never_steers(settings: EnforcementSettings, kwargs: dict[str, Any]) -> None:
    scheduler, stored = SimpleNamespace(identity="bob"), {"owner": "bob", "authorized_until": 2_000}
    decision = start(scheduler, settings, metadata=dict(stored), **kwargs)
    assert decision.code is ErrorCode.RESUME_NOT_ALLOWED
    assert start(scheduler, EnforcementSettings(sharing=True), metadata=dict(stored), **kwargs).allowed


FORGED = {"approved_by": "abe", "run_id": "r1", "note": "x"}


@pytest.mark.parametrize("settings", [PERMISSION, SHARED, OTHER])
@pytest.mark.parametrize(
    ("who", "kwargs", "approved_by"),
    [
        (user("threads:resume"), {"command": RESUME}, "bob"),
        (user("threads:create_run"), {"input": {}}, None),
        (SimpleNamespace(identity="bob"), {"input": {}}, None),
        (user("threads:create_run"), {"input": None, "thread": None}, None),
    ],
)
def test_each_run_states_who_approved(
    settings: EnforcementSettings, who: object, kwargs: dict[str, Any], approved_by: str | None
) -> None:
    value = run(metadata={**FORGED, "owner": "bob", "tenant": "acme", "authorized_until": 2_000}, **kwargs)
    if approved_by is None:
        value["kwargs"]["config"]["metadata"] = dict(FORGED)
    assert decide(who, "threads:create_run", value, settings).allowed
    assert value["metadata"] == {**MINE, "note": "x", "approved_by": approved_by}
    assert value["kwargs"]["config"].get("metadata", {"note": "x"}) == {"note": "x"}


def test_steering_states_who_approved() -> None:
    value = run(command={"goto": "a"})
    assert decide(user("threads:create_run", "threads:resume"), "threads:create_run", value, PERMISSION).allowed
    assert value["metadata"]["approved_by"] == "bob"


def test_default_states_no_approval() -> None:
    for settings in (EnforcementSettings(), EnforcementSettings(sharing=True)):
        value = run(command=RESUME, metadata=dict(FORGED))
        assert decide(user("threads:create_run"), "threads:create_run", value, settings).allowed
        assert value["metadata"] == {**MINE, "note": "x"}


@pytest.mark.parametrize("event", ["threads:create", "threads:update", "assistants:create", "assistants:update"])
def test_approval_is_reserved_everywhere(event: str) -> None:
    metadata = dict(FORGED)
    value = {"thread_id": "t1", "metadata": metadata}
    assert decide(user(*EVENTS), event, value, PERMISSION).allowed
    assert {"approved_by", "run_id"}.isdisjoint(metadata)


def test_studio_never_steers() -> None:
    settings = EnforcementSettings(resume="permission", studio="all")
    facts = FACTS._replace(is_studio=True)
    studio = SimpleNamespace(identity="langgraph-studio-user")
    found = enforce(studio, "threads:create_run", run(command=RESUME), settings, 1_000.0, facts)
    assert found.code is ErrorCode.PERMISSION_MISSING
    assert enforce(studio, "threads:create_run", run(input={}), settings, 1_000.0, facts).allowed
