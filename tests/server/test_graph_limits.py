"""Limits to graphs, where metadata name a graph: the server runs a thread's ``metadata.graph_id`` on a state update."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.langgraph.judge import read_ask
from oidc_auth.observe import Decided
from oidc_auth.permissions.decide import built_in_assistant
from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    from world.town import Somebody, Town

RUN = {"assistant_id": "agent", "input": {"text": "hello"}, "after_seconds": 3600}
CRON = {"assistant_id": "agent", "input": {"text": "hello"}, "schedule": "0 0 1 1 *"}
STATE = {"values": {"text": "changed"}, "as_node": "respond"}
NAMES = [{"graph_id": "other"}, {"graph_id": ""}, {"graph_id": None}, {"graph_id": ["agent"]}]


def limit(town: Town, *graphs: str, **rules: Any) -> Somebody:
    """Let ann do everything in her tenant, on these graphs alone."""
    grant = {"claim": "roles", "values": {"analyst": "analyst", "anything": ["*"]}}
    issuer = {"issuer": town.issuer.url, "audience": "agents", "tenant": "org", "grant": grant}
    town.enforce(issuer=issuer, roles={"analyst": {"allow": ["*@tenant"], "graphs": list(graphs)}}, **rules)
    return town.person("ann", "analyst")


@pytest.fixture
def unlimited(town: Town) -> Somebody:
    return town.person("ann", *EVENTS)


@pytest.fixture
def ann(town: Town) -> Somebody:
    return limit(town, "agent")


def codes(town: Town) -> list[str | None]:
    return [event.code for event in town.happened if isinstance(event, Decided) and event.code]


def with_metadata(where: str, metadata: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": metadata} if where == "metadata" else {"config": {"metadata": metadata}}


@pytest.mark.parametrize("metadata", NAMES)
def test_a_thread_is_not_made_for_another_graph(ann: Somebody, metadata: dict[str, Any]) -> None:
    assert ann("POST", "/threads", {"metadata": metadata}).status_code == 403
    assert ann("POST", "/threads", {"metadata": {"graph_id": "agent"}}).status_code == 200


@pytest.mark.parametrize("metadata", NAMES)
def test_a_thread_is_not_moved_to_another_graph(town: Town, ann: Somebody, metadata: dict[str, Any]) -> None:
    path = ann.thread(graph_id="agent")
    assert ann("PATCH", path, {"metadata": metadata}).status_code == 403
    assert codes(town) == ["graph_refused"]
    assert ann("POST", f"{path}/state", STATE).status_code == 200


@pytest.mark.parametrize("where", ["metadata", "config"])
@pytest.mark.parametrize("metadata", NAMES)
def test_a_run_names_no_other_graph(ann: Somebody, where: str, metadata: dict[str, Any]) -> None:
    body = {**RUN, **with_metadata(where, metadata)}
    new = f"/threads/{uuid.uuid4()}"
    assert ann("POST", f"{new}/runs", {**body, "if_not_exists": "create"}).status_code == 403
    assert ann("POST", "/runs", {**body, "on_completion": "keep"}).status_code == 403
    assert ann("POST", "/runs/batch", [body]).status_code == 403
    assert ann("GET", new).status_code == 404


@pytest.mark.parametrize("where", ["metadata", "config"])
def test_a_command_names_no_other_graph_or_assistant(ann: Somebody, where: str) -> None:
    """The server takes reserved keys out of the metadata of a request, and not of a command's."""
    for metadata in ({"graph_id": "other"}, {"assistant_id": built_in_assistant("other")}):
        path = f"/threads/{uuid.uuid4()}"
        params = {**RUN, **with_metadata(where, metadata)}
        answer = ann("POST", f"{path}/commands", {"id": 1, "method": "run.start", "params": params})
        assert (answer.json()["type"], ann("GET", path).status_code) == ("error", 404)


@pytest.mark.parametrize("where", ["metadata", "config"])
@pytest.mark.parametrize("metadata", NAMES)
def test_a_cron_names_no_other_graph(ann: Somebody, where: str, metadata: dict[str, Any]) -> None:
    change = with_metadata(where, metadata)
    assert ann("POST", "/runs/crons", {**CRON, **change}).status_code == 403
    assert ann("POST", f"{ann.thread()}/runs/crons", {**CRON, **change}).status_code == 403
    made = ann("POST", "/runs/crons", CRON).json()["cron_id"]
    assert ann("PATCH", f"/runs/crons/{made}", change).status_code == 403


def test_an_assistants_metadata_name_no_other_graph(ann: Somebody) -> None:
    body = {"graph_id": "agent", "metadata": {"graph_id": "other"}}
    assert ann("POST", "/assistants", body).status_code == 403


def test_the_state_of_an_older_thread_runs_no_other_graph(town: Town, unlimited: Somebody) -> None:
    older, allowed = unlimited.thread(graph_id="other"), unlimited.thread(graph_id="agent")
    assert unlimited("POST", f"{older}/state", STATE).status_code == 200
    ann = limit(town, "agent")
    assert [ann("POST", f"{path}/state", STATE).status_code for path in (older, allowed)] == [403, 200]


def test_the_state_of_a_colleagues_thread_runs_no_other_graph(town: Town) -> None:
    ann, colleague = limit(town, "agent"), town.person("cleo", "anything")
    other, allowed = colleague.thread(graph_id="other"), colleague.thread(graph_id="agent")
    assert [ann("POST", f"{path}/state", STATE).status_code for path in (other, allowed)] == [403, 200]
    assert colleague("GET", f"{other}/state").json()["values"] == {}


@pytest.mark.parametrize(("graph", "kept"), [("agent", True), ("other", False)])
def test_supersteps_run_no_other_graph(ann: Somebody, graph: str, *, kept: bool) -> None:
    steps = [{"updates": [{"values": {"text": "changed"}, "as_node": "respond"}]}]
    answer = ann("POST", "/threads", {"metadata": {"graph_id": graph}, "supersteps": steps})
    assert answer.status_code == (200 if kept else 403)


def test_who_may_start_an_assistant_may_change_its_state(town: Town, unlimited: Somebody) -> None:
    listed = unlimited("POST", "/assistants", {"graph_id": "other"}).json()["assistant_id"]
    ann = limit(town, listed)
    path = ann.thread()
    assert ann("POST", f"{path}/runs/wait", {"assistant_id": listed, "input": {"text": "hello"}}).status_code == 200
    assert ann("POST", f"{path}/state", STATE).status_code == 200


def test_a_rule_beside_ours_narrows_the_limit(town: Town, unlimited: Somebody) -> None:
    async def rule(ctx: Any, value: Any) -> dict[str, Any]:
        return {"$or": [{"title": "plans"}, {"title": "ideas"}]}

    paths = unlimited.thread(graph_id="agent", title="plans"), unlimited.thread(graph_id="agent")
    ann = limit(town, "agent", also={"threads:update": rule})
    assert [ann("POST", f"{path}/state", STATE).status_code for path in paths] == [200, 403]


@pytest.mark.parametrize(
    ("event", "metadata", "named"),
    [
        ("threads:create", {"assistant_id": "agent"}, ("agent",)),
        ("threads:update", {"assistant_id": "agent"}, ("",)),
        ("threads:update", {"graph_id": "agent", "assistant_id": "agent"}, ("agent", "")),
        ("threads:search", {"graph_id": "agent"}, ()),
        ("threads:read", {"graph_id": "agent"}, ()),
    ],
)
def test_the_assistant_of_a_thread_is_the_servers_to_write(
    event: str, metadata: dict[str, Any], named: tuple[str, ...]
) -> None:
    """It would let a thread of another graph pass for one of an assistant that the caller may start."""
    assert read_ask(event, {"metadata": metadata}).metadata_graphs == named
