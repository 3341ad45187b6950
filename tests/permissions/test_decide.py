"""The decision as a table: what one holds and what is asked, against the answer, the filter and the stamp."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import pytest

from oidc_auth import Caller, Code, DeniedError
from oidc_auth.permissions.caller import Tenancy
from oidc_auth.permissions.decide import Ask, Decision, NoRestriction, Restriction, decide, deny
from oidc_auth.permissions.mapping import Right, united
from oidc_auth.permissions.names import EVENTS, split_reach

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
    # event, and the filter of whoever holds it with the reach own, tenant, all
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

MISSING = [
    ("threads:create", "missing permission threads:create (threads:write includes it)"),
    ("threads:update", "missing permission threads:update (threads:write includes it)"),
    ("threads:delete", "missing permission threads:delete (threads:write includes it)"),
    ("threads:create_run", "missing permission threads:create_run (threads:write includes it)"),
    ("assistants:create", "missing permission assistants:create (assistants:write includes it)"),
    ("assistants:update", "missing permission assistants:update (assistants:write includes it)"),
    ("assistants:delete", "missing permission assistants:delete (assistants:write includes it)"),
    ("crons:create", "missing permission crons:create (crons:write includes it)"),
    ("crons:read", "missing permission crons:read (crons:write includes it)"),
    ("store:put", "missing permission store:put (store:write includes it)"),
    ("store:delete", "missing permission store:delete (store:write includes it)"),
]

STEER = Ask(event="threads:update", steers_run=True)
CASCADE = Ask(event="threads:update", steers_run=True, of_many=True)
DROP = Ask(event="threads:delete", drops_run=True)
COPY = Ask(event="threads:create", copies=True)
FOR_CRON = Ask(event="threads:read", for_cron=True)
REWRITE = Ask(event="crons:update", edits_payload=True)

SPECIAL = [
    # what the caller holds, the ask, the filter
    ("threads:create_run", STEER, "own"),
    ("threads:create_run@tenant", STEER, "own"),
    ("threads:create_run@all", STEER, "own"),
    ("threads:update@tenant", STEER, "tenant"),
    ("threads:create_run", CASCADE, "own"),
    ("threads:create_run", DROP, "own"),
    ("threads:create_run@all", DROP, "own"),
    ("threads:delete@all", DROP, "all"),
    ("threads:create_run", Ask(event="threads:delete"), "temporary"),
    ("threads:create_run@all", Ask(event="threads:delete"), "temporary"),
    ("threads:delete threads:create_run", Ask(event="threads:delete"), "own"),
    ("assistants:delete", CASCADE, "own"),
    ("assistants:delete@all", CASCADE, "own"),
    ("threads:create threads:read", COPY, "own"),
    ("threads:read@all", FOR_CRON, "own"),
    ("threads:read@tenant", FOR_CRON, "own"),
    ("crons:update@all threads:create_run", REWRITE, "own"),
    ("crons:update@tenant threads:create_run", REWRITE, "own"),
    ("crons:update@all", Ask(event="crons:update"), "all"),
    ("crons:read@all", Ask(event="threads:read"), "own"),
    ("crons:read@all", Ask(event="assistants:read"), "own+system"),
    ("threads:read threads:read@all", Ask(event="threads:read"), "all"),
    ("threads:create_run@all", Ask(event="threads:search"), "all"),
]

REFUSED = [
    ("threads:create_run", Ask(event="threads:update"), Code.PERMISSION_MISSING),
    ("threads:create_run", Ask(event="threads:update", of_many=True), Code.PERMISSION_MISSING),
    ("threads:read", STEER, Code.PERMISSION_MISSING),
    ("threads:read", DROP, Code.PERMISSION_MISSING),
    ("threads:read", Ask(event="threads:delete"), Code.PERMISSION_MISSING),
    ("assistants:delete", STEER, Code.PERMISSION_MISSING),
    ("assistants:delete", Ask(event="threads:update", of_many=True), Code.PERMISSION_MISSING),
    ("assistants:delete", Ask(event="threads:delete"), Code.PERMISSION_MISSING),
    ("assistants:delete", DROP, Code.PERMISSION_MISSING),
    ("assistants:read", FOR_CRON, Code.PERMISSION_MISSING),
    ("crons:read", REWRITE, Code.PERMISSION_MISSING),
    ("crons:update", REWRITE, Code.PERMISSION_MISSING),
    ("threads:create threads:read@tenant", COPY, Code.COPY_REFUSED),
    ("threads:create threads:read@all", COPY, Code.COPY_REFUSED),
    ("*@all", COPY, Code.COPY_REFUSED),
    ("crons:create", Ask(event="crons:create"), Code.PERMISSION_MISSING),
    ("crons:write", Ask(event="crons:create"), Code.PERMISSION_MISSING),
    ("threads:write", Ask(event="threads:nod"), Code.EVENT_UNKNOWN),
    ("threads:write", Ask(event="runs:create"), Code.EVENT_UNKNOWN),
    ("threads:write", Ask(event="threads:write"), Code.EVENT_UNKNOWN),
    ("threads:write", Ask(event="*"), Code.EVENT_UNKNOWN),
    ("threads:write", Ask(event=""), Code.EVENT_UNKNOWN),
    ("", Ask(event="threads:nod"), Code.EVENT_UNKNOWN),
    ("", Ask(event="threads:read"), Code.NO_PERMISSION_MAPS),
    ("", STEER, Code.NO_PERMISSION_MAPS),
]


def holder(rights: str, *, tenancy: Tenancy | None = ACME, graphs: frozenset[str] | None = None) -> Caller:
    """Return alice, who holds these rights."""
    pairs = [split_reach(right) for right in rights.split()]
    every = [(name, reach) for text, reach in pairs for name in (EVENTS if text == "*" else [text])]
    return Caller(
        identity="alice", tenancy=tenancy, graphs=graphs, rights=united(Right(name, reach) for name, reach in every)
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
def test_a_permission_allows_its_event_on_the_objects_in_reach(
    event: str, own: str, tenant: str, every: str, suffix: str
) -> None:
    also = " threads:create_run" if event == "crons:create" else ""
    expected = {"": own, "@tenant": tenant, "@all": every}[suffix]
    assert touched(decide(holder(event + suffix + also), Ask(event=event))) == FILTERS[expected]


def test_the_table_has_every_event() -> None:
    assert [row[0] for row in REACHES] == list(EVENTS)


@pytest.mark.parametrize("event", EVENTS)
def test_a_new_object_is_stamped_and_nothing_else_is(event: str) -> None:
    stamped = {"threads:create", "threads:create_run", "assistants:create", "crons:create"}
    decision = decide(holder("*"), Ask(event=event))
    assert decision.stamp == (MINE if event in stamped else {})


@pytest.mark.parametrize("event", EVENTS)
def test_without_the_permission_the_event_is_denied(event: str) -> None:
    others = " ".join(other for other in EVENTS if event not in united([Right(other, split_reach("")[1])]))
    decision = decide(holder(others.replace("threads:create_run", "")), Ask(event=event))
    assert not decision.allowed
    assert decision.code is Code.PERMISSION_MISSING
    assert decision.says.startswith(f"missing permission {event}")
    assert decision.filter == Restriction({"owner": ""})


@pytest.mark.parametrize(("event", "says"), MISSING)
def test_the_denial_says_what_is_missing_and_what_includes_it(event: str, says: str) -> None:
    decision = decide(holder("store:get" if event != "store:get" else "store:put"), Ask(event=event))
    assert decision.says == says
    assert decision.event == event


@pytest.mark.parametrize("event", EVENTS)
def test_the_hint_stays_in_the_resource_that_was_asked_for(event: str) -> None:
    held = "threads:create" if event.startswith("store:") else "store:get"
    hint = decide(holder(held), Ask(event=event)).says.partition("(")[2]
    assert hint.startswith(f"{event.partition(':')[0]}:")


@pytest.mark.parametrize(("rights", "ask", "expected"), SPECIAL)
def test_one_right_covers_what_the_server_asks_on_the_way(rights: str, ask: Ask, expected: str) -> None:
    assert touched(decide(holder(rights), ask)) == FILTERS[expected]


@pytest.mark.parametrize(("rights", "ask", "code"), REFUSED)
def test_these_are_refused(rights: str, ask: Ask, code: Code) -> None:
    decision = decide(holder(rights), ask)
    assert (decision.allowed, decision.code) == (False, code)
    assert decision.says
    assert decision.cure
    assert decision.stamp == {}


def test_a_cron_without_the_right_to_run_names_that_right() -> None:
    decision = decide(holder("crons:write"), Ask(event="crons:create"))
    assert decision.says == "missing permission threads:create_run (threads:write includes it)"


def test_a_cron_of_whoever_may_run_is_their_own() -> None:
    decision = decide(holder("crons:create@all threads:create_run"), Ask(event="crons:create"))
    assert touched(decision) == MINE
    assert decision.stamp == MINE


def test_a_denial_becomes_the_error_a_server_can_raise() -> None:
    error = decide(holder("store:get"), Ask(event="threads:create")).denied()
    assert isinstance(error, DeniedError)
    assert error.code is Code.PERMISSION_MISSING
    assert error.challenge().status == 403
    assert error.challenge().detail == "missing permission threads:create (threads:write includes it)"


@pytest.mark.parametrize("event", ["threads:create", "threads:update", "threads:create_run", "crons:create"])
@pytest.mark.parametrize(("named", "code"), [(("docs",), None), (("docs", "other"), Code.GRAPH_REFUSED), ((), None)])
def test_metadata_name_only_graphs_that_a_caller_may_start(
    event: str, named: tuple[str, ...], code: Code | None
) -> None:
    limited = holder("*", graphs=frozenset({"docs"}))
    assert decide(limited, Ask(event=event, assistant="docs", metadata_graphs=named)).code is code
    assert decide(holder("*"), Ask(event=event, metadata_graphs=named)).code is None


@pytest.mark.parametrize(
    ("graphs", "right", "expected"),
    [
        (["docs"], "*", {**MINE, "$or": [{"graph_id": "docs"}, {"assistant_id": "docs"}]}),
        (["docs"], "*@all", {"$or": [{"graph_id": "docs"}, {"assistant_id": "docs"}]}),
        ([], "*@all", {"owner": ""}),
        (None, "*", MINE),
    ],
)
def test_a_change_of_state_is_limited_to_graphs(graphs: list[str] | None, right: str, expected: dict[str, Any]) -> None:
    limited = holder(right, graphs=None if graphs is None else frozenset(graphs))
    decision = decide(limited, Ask(event="threads:update", changes_state=True))
    assert touched(decision) == expected


def test_a_denial_for_an_expired_token_is_401() -> None:
    error = deny("threads:read", Code.EXPIRED, expected="leeway 30 s", found="31.0 s past expires_at").denied()
    assert (error.expected, error.found) == ("leeway 30 s", "31.0 s past expires_at")
    challenge = error.challenge()
    assert (challenge.status, challenge.error) == (401, "invalid_token")
    assert challenge.detail.startswith("expired: ")


@pytest.mark.parametrize("event", EVENTS)
def test_without_a_tenant_rule_only_the_owner_counts(event: str) -> None:
    decision = decide(holder("*", tenancy=None), Ask(event=event))
    shared = event in ("assistants:read", "assistants:search")
    assert touched(decision) == ({"$or": [{"owner": "alice"}, BUILT_IN]} if shared else {"owner": "alice"})
    assert decision.stamp in ({}, {"owner": "alice"})


@pytest.mark.parametrize("suffix", ["", "@tenant"])
@pytest.mark.parametrize("event", EVENTS)
def test_no_tenant_is_a_tenant_of_its_own_and_never_any(event: str, suffix: str) -> None:
    nobodys = {"owner": "alice", "tenant": None}
    decision = decide(holder(f"*{suffix}", tenancy=Tenancy(None)), Ask(event=event))
    shared = event in ("assistants:read", "assistants:search")
    assert touched(decision) == ({"$or": [nobodys, BUILT_IN]} if shared else nobodys)
    assert decision.stamp in ({}, nobodys)


@pytest.mark.parametrize("event", EVENTS)
def test_a_tenant_reach_without_a_tenant_rule_is_own(event: str) -> None:
    wide = decide(holder("*@tenant", tenancy=None), Ask(event=event))
    assert touched(wide) == touched(decide(holder("*", tenancy=None), Ask(event=event)))


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
def test_a_graph_limit_knows_the_name_and_the_built_in_assistant(
    graphs: list[str] | None, assistant: str | None, *, allowed: bool, event: str
) -> None:
    limit = None if graphs is None else frozenset(graphs)
    decision = decide(holder("*", graphs=limit), Ask(event=event, assistant=assistant))
    assert decision.allowed is allowed
    assert decision.code is (None if allowed else Code.GRAPH_REFUSED)


def test_the_id_of_a_built_in_assistant_is_the_servers() -> None:
    built_in = "fe096781-5601-53d2-b2f6-0d3403f7e9ca"
    assert decide(holder("*", graphs=frozenset({"agent"})), Ask(event="threads:create_run", assistant=built_in)).allowed


def test_a_graph_limit_says_nothing_about_other_events() -> None:
    limited = holder("*", graphs=frozenset())
    for event in set(EVENTS) - {"threads:create_run", "crons:create"}:
        assert decide(limited, Ask(event=event)).allowed
