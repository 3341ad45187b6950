"""What a client writes beside ``configurable`` in a run's config: LangGraph would let it win over the server's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from world.town import Somebody, Town

RUN = {"assistant_id": "agent", "input": {"text": "hello"}}
NEVER = {**RUN, "schedule": "0 0 1 1 *"}
KEPT = {"tags": ["a"], "recursion_limit": 9, "configurable": {"colour": "blue"}}
FORGED = {
    "langgraph_auth_user": {"identity": "bob", "tenant": "globex"},
    "langgraph_auth_user_id": "bob",
    "__pregel_checkpointer": None,
    "anything": 1,
}


@pytest.fixture
def bob(town: Town) -> Somebody:
    return town.person("bob", "editor", tenant="globex")


@pytest.fixture
def mallory(town: Town) -> Somebody:
    return town.person("mallory", "editor", "author")


def on_a_thread(mallory: Somebody, config: dict[str, Any]) -> Any:
    return mallory("POST", f"{mallory.thread()}/runs/wait", {**RUN, "config": config}).json()["answer"]


def stateless(mallory: Somebody, config: dict[str, Any]) -> Any:
    return mallory("POST", "/runs/wait", {**RUN, "config": config}).json()["answer"]


def streamed(mallory: Somebody, config: dict[str, Any]) -> Any:
    return mallory("POST", "/runs/stream", {**RUN, "config": config}).text


def on_an_assistant(mallory: Somebody, config: dict[str, Any]) -> Any:
    made = mallory("POST", "/assistants", {"graph_id": "agent", "config": config}).json()
    return mallory("POST", "/runs/wait", {**RUN, "assistant_id": made["assistant_id"]}).json()["answer"]


def on_a_changed_assistant(mallory: Somebody, config: dict[str, Any]) -> Any:
    made = mallory("POST", "/assistants", {"graph_id": "agent"}).json()
    mallory("PATCH", f"/assistants/{made['assistant_id']}", {"config": config})
    path = mallory.thread()
    return mallory("POST", f"{path}/runs/wait", {**RUN, "assistant_id": made["assistant_id"]}).json()["answer"]


def by_context(mallory: Somebody, config: dict[str, Any]) -> Any:
    return mallory("POST", f"{mallory.thread()}/runs/wait", {**RUN, "context": config}).json()["answer"]


def by_an_assistants_context(mallory: Somebody, config: dict[str, Any]) -> Any:
    made = mallory("POST", "/assistants", {"graph_id": "agent", "context": config}).json()
    path = mallory.thread()
    return mallory("POST", f"{path}/runs/wait", {**RUN, "assistant_id": made["assistant_id"]}).json()["answer"]


def by_an_assistants_configurable(mallory: Somebody, config: dict[str, Any]) -> Any:
    return on_an_assistant(mallory, {"configurable": config})


WAYS = [
    on_a_thread,
    stateless,
    streamed,
    on_an_assistant,
    on_a_changed_assistant,
    by_context,
    by_an_assistants_context,
    by_an_assistants_configurable,
]


@pytest.mark.parametrize("way", WAYS)
def test_no_key_of_a_config_makes_a_run_anothers_or_moves_it_to_anothers_thread(
    bob: Somebody, mallory: Somebody, way: Callable[[Somebody, dict[str, Any]], Any]
) -> None:
    path = bob.thread(title="plans")
    before = bob("GET", f"{path}/history").json()
    answer = way(mallory, {**FORGED, "thread_id": path.rpartition("/")[2]})
    assert "mallory said hello" in answer
    assert "bob" not in answer
    assert bob("GET", f"{path}/history").json() == before == []


def stored_cron(somebody: Somebody, config: dict[str, Any], *, later: bool) -> Any:
    """Return the config that a cron keeps, which was made or changed with this one."""
    made = somebody("POST", "/runs/crons", NEVER if later else {**NEVER, "config": config}).json()
    if later:
        somebody("PATCH", f"/runs/crons/{made['cron_id']}", {"config": config})
    return somebody("GET", f"/runs/crons/{made['cron_id']}").json()["payload"]["config"]


@pytest.mark.parametrize("later", [False, True])
def test_a_cron_keeps_no_key_that_would_make_its_runs_anothers(town: Town, *, later: bool) -> None:
    planner = town.person("planner", "editor")
    stored = stored_cron(planner, {**KEPT, **FORGED, "thread_id": "t"}, later=later)
    assert not {*FORGED, "thread_id"} & set(stored)
    assert (stored["tags"], stored["recursion_limit"], stored["configurable"]["colour"]) == (["a"], 9, "blue")


def test_what_a_config_may_hold_stays_in_an_assistant(mallory: Somebody) -> None:
    made = mallory("POST", "/assistants", {"graph_id": "agent", "config": {**KEPT, **FORGED}}).json()
    assert made["config"] == KEPT


def test_a_rule_of_ones_own_adds_no_such_key_either(town: Town, mallory: Somebody) -> None:
    async def rule(ctx: Any, value: Any) -> None:
        value["kwargs"]["config"]["langgraph_auth_user"] = {"identity": "bob"}

    town.enforce(also={"threads:create_run": rule})
    assert on_a_thread(mallory, {}) == "mallory said hello"
