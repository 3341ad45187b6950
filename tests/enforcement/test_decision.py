"""Decisions as a table: permissions and request, against answer, filter and stamp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import pytest

from oidc_auth import Caller, DeniedError, ErrorCode
from oidc_auth.enforcement.access_request import AccessRequest
from oidc_auth.enforcement.authorize import decide
from oidc_auth.enforcement.decision import Decision, NoRestriction, Restriction, deny
from oidc_auth.permissions.caller import Tenancy
from oidc_auth.permissions.names import EVENTS, split_reach
from oidc_auth.permissions.permission_maps import Right, merge_rights

if TYPE_CHECKING:
    from kit.snapshots import Messages

ACME = Tenancy("acme")
MINE = {"owner": "alice", "tenant": "acme"}
OURS = {"tenant": "acme"}
BUILT_IN = {"created_by": "system"}
FILTERS: dict[str, dict[str, Any] | None] = {
    "own": MINE,
    "tenant": OURS,
    "all": None,
    "own+system": {"$or": [MINE, BUILT_IN]},
    "tenant+system": {"$or": [OURS, BUILT_IN]},
    "temporary": {**MINE, "oidc_auth_temporary": True},
}
GRAPHS = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")

REACHES = [
    # event, and the filter of its permission with the reach own, tenant, all
    ("threads:create", "own", "own", "own"),
    ("threads:read", "own", "tenant", "all"),
    ("threads:update", "own", "tenant", "all"),
    ("threads:delete", "own", "tenant", "all"),
    ("threads:search", "own", "tenant", "all"),
    ("threads:create_run", "own", "tenant", "all"),
    ("assistants:create", "own", "own", "own"),
    ("assistants:read", "own+system", "tenant+system", "all"),
    ("assistants:update", "own", "tenant", "all"),
    ("assistants:delete", "own", "tenant", "all"),
    ("assistants:search", "own+system", "tenant+system", "all"),
    ("crons:create", "own", "own", "own"),
    ("crons:read", "own", "tenant", "all"),
    ("crons:update", "own", "tenant", "all"),
    ("crons:delete", "own", "tenant", "all"),
    ("crons:search", "own", "tenant", "all"),
    ("store:put", "own", "own", "all"),
    ("store:get", "own", "own", "all"),
    ("store:search", "own", "own", "all"),
    ("store:list_namespaces", "own", "own", "all"),
    ("store:delete", "own", "own", "all"),
]

GROUPS = {
    # each event, and the narrowest group that includes it
    **dict.fromkeys(["threads:create", "threads:read", "threads:update", "threads:delete"], "threads:write"),
    "threads:create_run": "threads:write",
    "threads:search": "threads:read",
    **dict.fromkeys(["assistants:create", "assistants:read", "assistants:update"], "assistants:write"),
    "assistants:delete": "assistants:write",
    "assistants:search": "assistants:read",
    **dict.fromkeys(["crons:create", "crons:read", "crons:update", "crons:delete"], "crons:write"),
    "crons:search": "crons:read",
    **dict.fromkeys(["store:put", "store:delete"], "store:write"),
    **dict.fromkeys(["store:get", "store:search", "store:list_namespaces"], "store:read"),
}

STEER = AccessRequest(event="threads:update", controls_run=True)
CASCADE = AccessRequest(event="threads:update", controls_run=True, bulk=True)
DROP = AccessRequest(event="threads:delete", deletes_run=True)
COPY = AccessRequest(event="threads:create", copies_thread=True)
FOR_CRON = AccessRequest(event="threads:read", creates_cron=True)
REWRITE = AccessRequest(event="crons:update", edits_payload=True)

SPECIAL = [
    # the rights of the caller, the request, the filter
    ("threads:create_run", STEER, "own"),
    ("threads:create_run@tenant", STEER, "own"),
    ("threads:create_run@all", STEER, "own"),
    ("threads:update@tenant", STEER, "tenant"),
    ("threads:create_run", CASCADE, "own"),
    ("threads:create_run", DROP, "own"),
    ("threads:create_run@all", DROP, "own"),
    ("threads:delete@all", DROP, "all"),
    ("threads:create_run", AccessRequest(event="threads:delete"), "temporary"),
    ("threads:create_run@all", AccessRequest(event="threads:delete"), "temporary"),
    ("threads:delete threads:create_run", AccessRequest(event="threads:delete"), "own"),
    ("assistants:delete", CASCADE, "own"),
    ("assistants:delete@all", CASCADE, "own"),
    ("threads:create threads:read", COPY, "own"),
    ("threads:read@all", FOR_CRON, "own"),
    ("threads:read@tenant", FOR_CRON, "own"),
    ("crons:update@all threads:create_run", REWRITE, "own"),
    ("crons:update@tenant threads:create_run", REWRITE, "own"),
    ("crons:update@all", AccessRequest(event="crons:update"), "all"),
    ("crons:read@all", AccessRequest(event="threads:read"), "own"),
    ("crons:read@all", AccessRequest(event="assistants:read"), "own+system"),
    ("threads:read threads:read@all", AccessRequest(event="threads:read"), "all"),
    ("threads:create_run@all", AccessRequest(event="threads:search"), "all"),
]

REFUSED = [
    ("threads:create_run", AccessRequest(event="threads:update"), ErrorCode.PERMISSION_MISSING),
    ("threads:create_run", AccessRequest(event="threads:update", bulk=True), ErrorCode.PERMISSION_MISSING),
    ("threads:read", STEER, ErrorCode.PERMISSION_MISSING),
    ("threads:read", DROP, ErrorCode.PERMISSION_MISSING),
    ("threads:read", AccessRequest(event="threads:delete"), ErrorCode.PERMISSION_MISSING),
    ("assistants:delete", STEER, ErrorCode.PERMISSION_MISSING),
    ("assistants:delete", AccessRequest(event="threads:update", bulk=True), ErrorCode.PERMISSION_MISSING),
    ("assistants:delete", AccessRequest(event="threads:delete"), ErrorCode.PERMISSION_MISSING),
    ("assistants:delete", DROP, ErrorCode.PERMISSION_MISSING),
    ("assistants:read", FOR_CRON, ErrorCode.PERMISSION_MISSING),
    ("crons:read", REWRITE, ErrorCode.PERMISSION_MISSING),
    ("crons:update", REWRITE, ErrorCode.PERMISSION_MISSING),
    ("threads:create threads:read@tenant", COPY, ErrorCode.COPY_NOT_ALLOWED),
    ("threads:create threads:read@all", COPY, ErrorCode.COPY_NOT_ALLOWED),
    ("*@all", COPY, ErrorCode.COPY_NOT_ALLOWED),
    ("crons:create", AccessRequest(event="crons:create"), ErrorCode.PERMISSION_MISSING),
    ("crons:write", AccessRequest(event="crons:create"), ErrorCode.PERMISSION_MISSING),
    ("threads:write", AccessRequest(event="threads:nod"), ErrorCode.EVENT_UNKNOWN),
    ("threads:write", AccessRequest(event="runs:create"), ErrorCode.EVENT_UNKNOWN),
    ("threads:write", AccessRequest(event="threads:write"), ErrorCode.EVENT_UNKNOWN),
    ("threads:write", AccessRequest(event="*"), ErrorCode.EVENT_UNKNOWN),
    ("threads:write", AccessRequest(event=""), ErrorCode.EVENT_UNKNOWN),
    ("", AccessRequest(event="threads:nod"), ErrorCode.EVENT_UNKNOWN),
    ("", AccessRequest(event="threads:read"), ErrorCode.NO_PERMISSIONS),
    ("", STEER, ErrorCode.NO_PERMISSIONS),
]


def holder(rights: str, *, tenancy: Tenancy | None = ACME, graphs: frozenset[str] | None = None) -> Caller:
    """Return alice, who holds these rights."""
    pairs = [split_reach(right) for right in rights.split()]
    every = [(name, reach) for text, reach in pairs for name in (EVENTS if text == "*" else [text])]
    return Caller(
        identity="alice",
        tenancy=tenancy,
        graphs=graphs,
        rights=merge_rights(Right(name, reach) for name, reach in every),
    )


def touched(decision: Decision) -> dict[str, Any] | None:
    """Return the filter of a yes, None for every object."""
    assert decision.allowed
    assert decision.code is None
    if isinstance(decision.filter, NoRestriction):
        return None
    return dict(decision.filter.where)


@pytest.mark.parametrize("suffix", ["", "@tenant", "@all"])
@pytest.mark.parametrize(("event", "own", "tenant", "every"), REACHES)
def test_permission_allows_event_within_reach(event: str, own: str, tenant: str, every: str, suffix: str) -> None:
    also = " threads:create_run" if event == "crons:create" else ""
    expected = {"": own, "@tenant": tenant, "@all": every}[suffix]
    assert touched(decide(holder(event + suffix + also), AccessRequest(event=event))) == FILTERS[expected]


def test_table_covers_every_event() -> None:
    assert [row[0] for row in REACHES] == list(EVENTS)


@pytest.mark.parametrize("event", EVENTS)
def test_only_new_objects_are_stamped(event: str) -> None:
    stamped = {"threads:create", "threads:create_run", "assistants:create", "crons:create"}
    decision = decide(holder("*"), AccessRequest(event=event))
    assert decision.stamp == (MINE if event in stamped else {})


@pytest.mark.parametrize("event", EVENTS)
def test_missing_permission_is_denied(event: str) -> None:
    others = " ".join(other for other in EVENTS if event not in merge_rights([Right(other, split_reach("")[1])]))
    decision = decide(holder(others.replace("threads:create_run", "")), AccessRequest(event=event))
    assert not decision.allowed
    assert decision.code is ErrorCode.PERMISSION_MISSING
    assert decision.client_message.startswith(f"missing permission {event}")
    assert decision.filter == Restriction({"owner": ""})


@pytest.mark.parametrize("event", EVENTS)
def test_denial_names_permission_and_narrowest_group(event: str) -> None:
    held = "threads:create" if event.startswith("store:") else "store:get"
    decision = decide(holder(held), AccessRequest(event=event))
    assert decision.client_message == f"missing permission {event} ({GROUPS[event]} includes it)"
    assert (decision.event, decision.permission) == (event, event)


@pytest.mark.parametrize(("rights", "wanted", "expected"), SPECIAL)
def test_one_right_covers_implied_events(rights: str, wanted: AccessRequest, expected: str) -> None:
    assert touched(decide(holder(rights), wanted)) == FILTERS[expected]


@pytest.mark.parametrize(("rights", "wanted", "code"), REFUSED)
def test_special_cases_are_denied(rights: str, wanted: AccessRequest, code: ErrorCode) -> None:
    decision = decide(holder(rights), wanted)
    assert (decision.allowed, decision.code) == (False, code)
    assert decision.client_message
    assert decision.hint
    assert decision.stamp == {}


def test_cron_without_run_right_names_it() -> None:
    decision = decide(holder("crons:write"), AccessRequest(event="crons:create"))
    assert decision.client_message == "missing permission threads:create_run (threads:write includes it)"


def test_cron_belongs_to_its_creator() -> None:
    decision = decide(holder("crons:create@all threads:create_run"), AccessRequest(event="crons:create"))
    assert touched(decision) == MINE
    assert decision.stamp == MINE


def test_denial_becomes_raisable_error(messages: Messages) -> None:
    error = decide(holder("store:get"), AccessRequest(event="threads:create")).to_error()
    assert isinstance(error, DeniedError)
    assert error.code is ErrorCode.PERMISSION_MISSING
    assert error.challenge().status == 403
    messages.check(error.challenge().detail)


@pytest.mark.parametrize("event", ["threads:create", "threads:update", "threads:create_run", "crons:create"])
@pytest.mark.parametrize(
    ("named", "code"), [(("docs",), None), (("docs", "other"), ErrorCode.GRAPH_NOT_ALLOWED), ((), None)]
)
def test_metadata_name_only_graphs_that_caller_may_start(
    event: str, named: tuple[str, ...], code: ErrorCode | None
) -> None:
    limited = holder("*", graphs=frozenset({"docs"}))
    assert decide(limited, AccessRequest(event=event, assistant="docs", metadata_graphs=named)).code is code
    assert decide(holder("*"), AccessRequest(event=event, metadata_graphs=named)).code is None


@pytest.mark.parametrize(
    ("graphs", "right", "expected"),
    [
        (["docs"], "*", {**MINE, "$or": [{"graph_id": "docs"}, {"assistant_id": "docs"}]}),
        (["docs"], "*@all", {"$or": [{"graph_id": "docs"}, {"assistant_id": "docs"}]}),
        ([], "*@all", {"owner": ""}),
        (None, "*", MINE),
    ],
)
def test_change_of_state_is_limited_to_graphs(graphs: list[str] | None, right: str, expected: dict[str, Any]) -> None:
    limited = holder(right, graphs=None if graphs is None else frozenset(graphs))
    decision = decide(limited, AccessRequest(event="threads:update", changes_state=True))
    assert touched(decision) == expected


def test_only_threads_of_allowed_graphs_get_another_graph() -> None:
    limited = holder("*", graphs=frozenset({"docs"}))
    named = AccessRequest(event="threads:update", metadata_graphs=("docs",))
    branches = [{"graph_id": "docs"}, {"assistant_id": "docs"}]
    assert touched(decide(limited, named)) == {**MINE, "$or": branches}
    assert touched(decide(limited, AccessRequest(event="threads:update"))) == MINE
    assert touched(decide(limited, named._replace(event="threads:create_run"))) == MINE
    assert touched(decide(holder("*"), named)) == MINE


def test_denial_for_expired_token_is_401() -> None:
    error = deny("threads:read", ErrorCode.TOKEN_EXPIRED, expected="30 s", found="31 s").to_error()
    assert (error.expected, error.found) == ("30 s", "31 s")
    challenge = error.challenge()
    assert (challenge.status, challenge.error) == (401, "invalid_token")
    assert challenge.detail.startswith("token_expired: ")


@pytest.mark.parametrize("event", EVENTS)
def test_owner_alone_counts_without_tenants(event: str) -> None:
    decision = decide(holder("*", tenancy=None), AccessRequest(event=event))
    shared = event in ("assistants:read", "assistants:search")
    assert touched(decision) == ({"$or": [{"owner": "alice"}, BUILT_IN]} if shared else {"owner": "alice"})
    assert decision.stamp in ({}, {"owner": "alice"})


@pytest.mark.parametrize("suffix", ["", "@tenant"])
@pytest.mark.parametrize("event", EVENTS)
def test_missing_tenant_is_own_tenant(event: str, suffix: str) -> None:
    without_tenant = {"owner": "alice", "tenant": None}
    decision = decide(holder(f"*{suffix}", tenancy=Tenancy(None)), AccessRequest(event=event))
    shared = event in ("assistants:read", "assistants:search")
    assert touched(decision) == ({"$or": [without_tenant, BUILT_IN]} if shared else without_tenant)
    assert decision.stamp in ({}, without_tenant)


@pytest.mark.parametrize("event", EVENTS)
def test_tenant_reach_without_tenants_is_own(event: str) -> None:
    wide = decide(holder("*@tenant", tenancy=None), AccessRequest(event=event))
    assert touched(wide) == touched(decide(holder("*", tenancy=None), AccessRequest(event=event)))


@pytest.mark.parametrize("event", ["threads:create_run", "crons:create", "crons:update"])
@pytest.mark.parametrize(
    ("graphs", "assistant", "allowed"),
    [
        (None, "any_agent", True),
        (None, None, True),
        (["docs_agent"], "docs_agent", True),
        (["docs_agent"], str(uuid5(GRAPHS, "docs_agent")), True),
        (["other", "docs_agent"], str(uuid5(GRAPHS, "docs_agent")), True),
        (["0b7b4f2e-0000-4000-8000-000000000001"], "0b7b4f2e-0000-4000-8000-000000000001", True),
        (["docs_agent"], None, True),
        (["docs_agent"], "docs_agent2", False),
        (["docs_agent"], "Docs_agent", False),
        (["docs_agent"], str(uuid5(GRAPHS, "other")), False),
        (["docs_agent"], str(uuid5(UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8"), "docs_agent")), False),
        (["docs_agent"], "", False),
        (["docs_agent"], "None", False),
        (["*"], "docs_agent", False),
        ([], "docs_agent", False),
        ([], "", False),
    ],
)
def test_graph_limit_accepts_name_and_built_in_id(
    graphs: list[str] | None, assistant: str | None, *, allowed: bool, event: str
) -> None:
    limit = None if graphs is None else frozenset(graphs)
    decision = decide(holder("*", graphs=limit), AccessRequest(event=event, assistant=assistant))
    assert decision.allowed is allowed
    assert decision.code is (None if allowed else ErrorCode.GRAPH_NOT_ALLOWED)


def test_built_in_assistant_id_matches_server() -> None:
    built_in = "fe096781-5601-53d2-b2f6-0d3403f7e9ca"
    assert decide(
        holder("*", graphs=frozenset({"agent"})), AccessRequest(event="threads:create_run", assistant=built_in)
    ).allowed


def test_graph_limit_ignores_other_events() -> None:
    limited = holder("*", graphs=frozenset())
    for event in set(EVENTS) - {"threads:create_run", "crons:create"}:
        assert decide(limited, AccessRequest(event=event)).allowed
