"""Keys of a run's config outside of ``configurable``. In LangGraph, they have priority over the keys of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit.live_server import LiveServer, SampleUser

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
def bob(live_server: LiveServer) -> SampleUser:
    return live_server.user("bob", "editor", tenant="globex")


@pytest.fixture
def mallory(live_server: LiveServer) -> SampleUser:
    return live_server.user("mallory", "editor", "author")


def on_a_thread(mallory: SampleUser, config: dict[str, Any]) -> Any:
    return mallory("POST", f"{mallory.thread()}/runs/wait", {**RUN, "config": config}).json()["answer"]


def stateless(mallory: SampleUser, config: dict[str, Any]) -> Any:
    return mallory("POST", "/runs/wait", {**RUN, "config": config}).json()["answer"]


def streamed(mallory: SampleUser, config: dict[str, Any]) -> Any:
    return mallory("POST", "/runs/stream", {**RUN, "config": config}).text


def on_an_assistant(mallory: SampleUser, config: dict[str, Any]) -> Any:
    made = mallory("POST", "/assistants", {"graph_id": "agent", "config": config}).json()
    return mallory("POST", "/runs/wait", {**RUN, "assistant_id": made["assistant_id"]}).json()["answer"]


def on_a_changed_assistant(mallory: SampleUser, config: dict[str, Any]) -> Any:
    made = mallory("POST", "/assistants", {"graph_id": "agent"}).json()
    mallory("PATCH", f"/assistants/{made['assistant_id']}", {"config": config})
    path = mallory.thread()
    return mallory("POST", f"{path}/runs/wait", {**RUN, "assistant_id": made["assistant_id"]}).json()["answer"]


def by_context(mallory: SampleUser, config: dict[str, Any]) -> Any:
    return mallory("POST", f"{mallory.thread()}/runs/wait", {**RUN, "context": config}).json()["answer"]


def by_an_assistants_context(mallory: SampleUser, config: dict[str, Any]) -> Any:
    made = mallory("POST", "/assistants", {"graph_id": "agent", "context": config}).json()
    path = mallory.thread()
    return mallory("POST", f"{path}/runs/wait", {**RUN, "assistant_id": made["assistant_id"]}).json()["answer"]


def by_an_assistants_configurable(mallory: SampleUser, config: dict[str, Any]) -> Any:
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
def test_run_config_cannot_change_owner_or_thread(
    bob: SampleUser, mallory: SampleUser, way: Callable[[SampleUser, dict[str, Any]], Any]
) -> None:
    path = bob.thread(title="plans")
    before = bob("GET", f"{path}/history").json()
    answer = way(mallory, {**FORGED, "thread_id": path.rpartition("/")[2]})
    assert "mallory said hello" in answer
    assert "bob" not in answer
    assert bob("GET", f"{path}/history").json() == before == []


def stored_cron(sample_user: SampleUser, config: dict[str, Any], *, later: bool) -> Any:
    """Create or change a cron with a config, and return the config that the server stored."""
    made = sample_user("POST", "/runs/crons", NEVER if later else {**NEVER, "config": config}).json()
    if later:
        sample_user("PATCH", f"/runs/crons/{made['cron_id']}", {"config": config})
    return sample_user("GET", f"/runs/crons/{made['cron_id']}").json()["payload"]["config"]


@pytest.mark.parametrize("later", [False, True])
def test_cron_drops_dangerous_config_keys(live_server: LiveServer, *, later: bool) -> None:
    planner = live_server.user("planner", "editor")
    stored = stored_cron(planner, {**KEPT, **FORGED, "thread_id": "t"}, later=later)
    assert not {*FORGED, "thread_id"} & set(stored)
    assert (stored["tags"], stored["recursion_limit"], stored["configurable"]["colour"]) == (["a"], 9, "blue")


def test_assistant_keeps_allowed_config(mallory: SampleUser) -> None:
    made = mallory("POST", "/assistants", {"graph_id": "agent", "config": {**KEPT, **FORGED}}).json()
    assert made["config"] == KEPT


def test_custom_rule_cannot_add_dangerous_config(live_server: LiveServer, mallory: SampleUser) -> None:
    async def rule(ctx: Any, value: Any) -> None:
        value["kwargs"]["config"]["langgraph_auth_user"] = {"identity": "bob"}

    live_server.enforce(also={"threads:create_run": rule})
    assert on_a_thread(mallory, {}) == "mallory said hello"
