"""Graph limits if metadata name a graph. On a state update, the server runs the thread's ``metadata.graph_id``."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.enforcement.limits import built_in_assistant
from oidc_auth.observability import AuthorizationDecided
from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    from kit.live_server import LiveServer, SampleUser

RUN = {"assistant_id": "agent", "input": {"text": "hello"}, "after_seconds": 3600}
CRON = {"assistant_id": "agent", "input": {"text": "hello"}, "schedule": "0 0 1 1 *"}
STATE = {"values": {"text": "changed"}, "as_node": "respond"}
NAMES = [{"graph_id": "other"}, {"graph_id": ""}, {"graph_id": None}, {"graph_id": ["agent"]}]


def limit(live_server: LiveServer, *graphs: str, **rules: Any) -> SampleUser:
    """Return ann, who may do everything in her tenant, with these graphs only."""
    permission_map = {"claim": "roles", "values": {"analyst": "analyst", "anything": ["*"]}}
    issuer = {"issuer": live_server.issuer.url, "audience": "agents", "tenant": "org", "permission_map": permission_map}
    live_server.enforce(
        issuer=issuer, roles={"analyst": {"permissions": ["*@tenant"], "graphs": list(graphs)}}, **rules
    )
    return live_server.user("ann", "analyst")


@pytest.fixture
def unlimited(live_server: LiveServer) -> SampleUser:
    return live_server.user("ann", *EVENTS)


@pytest.fixture
def ann(live_server: LiveServer) -> SampleUser:
    return limit(live_server, "agent")


def codes(live_server: LiveServer) -> list[str | None]:
    return [
        event.code for event in live_server.observed_events if isinstance(event, AuthorizationDecided) and event.code
    ]


def with_metadata(where: str, metadata: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": metadata} if where == "metadata" else {"config": {"metadata": metadata}}


@pytest.mark.parametrize("metadata", NAMES)
def test_thread_for_another_graph_is_denied(ann: SampleUser, metadata: dict[str, Any]) -> None:
    assert ann("POST", "/threads", {"metadata": metadata}).status_code == 403
    assert ann("POST", "/threads", {"metadata": {"graph_id": "agent"}}).status_code == 200


@pytest.mark.parametrize("metadata", NAMES)
def test_thread_cannot_change_to_another_graph(
    live_server: LiveServer, ann: SampleUser, metadata: dict[str, Any]
) -> None:
    path = ann.thread(graph_id="agent")
    assert ann("PATCH", path, {"metadata": metadata}).status_code == 403
    assert codes(live_server) == ["graph_not_allowed"]
    assert ann("POST", f"{path}/state", STATE).status_code == 200


@pytest.mark.parametrize("where", ["metadata", "config"])
@pytest.mark.parametrize("metadata", NAMES)
def test_run_cannot_name_another_graph(ann: SampleUser, where: str, metadata: dict[str, Any]) -> None:
    body = {**RUN, **with_metadata(where, metadata)}
    new = f"/threads/{uuid.uuid4()}"
    assert ann("POST", f"{new}/runs", {**body, "if_not_exists": "create"}).status_code == 403
    assert ann("POST", "/runs", {**body, "on_completion": "keep"}).status_code == 403
    assert ann("POST", "/runs/batch", [body]).status_code == 403
    assert ann("GET", new).status_code == 404


@pytest.mark.parametrize("where", ["metadata", "config"])
def test_command_cannot_name_another_graph_or_assistant(ann: SampleUser, where: str) -> None:
    """The server removes reserved keys from the metadata of a request, but not from those of a command."""
    for metadata in ({"graph_id": "other"}, {"assistant_id": built_in_assistant("other")}):
        path = f"/threads/{uuid.uuid4()}"
        params = {**RUN, **with_metadata(where, metadata)}
        answer = ann("POST", f"{path}/commands", {"id": 1, "method": "run.start", "params": params})
        assert (answer.json()["type"], ann("GET", path).status_code) == ("error", 404)


@pytest.mark.parametrize("where", ["metadata", "config"])
@pytest.mark.parametrize("metadata", NAMES)
def test_cron_cannot_name_another_graph(ann: SampleUser, where: str, metadata: dict[str, Any]) -> None:
    change = with_metadata(where, metadata)
    assert ann("POST", "/runs/crons", {**CRON, **change}).status_code == 403
    assert ann("POST", f"{ann.thread()}/runs/crons", {**CRON, **change}).status_code == 403
    made = ann("POST", "/runs/crons", CRON).json()["cron_id"]
    assert ann("PATCH", f"/runs/crons/{made}", change).status_code == 403


def test_assistant_metadata_cannot_name_another_graph(ann: SampleUser) -> None:
    body = {"graph_id": "agent", "metadata": {"graph_id": "other"}}
    assert ann("POST", "/assistants", body).status_code == 403


def test_state_update_of_old_thread_is_denied(live_server: LiveServer, unlimited: SampleUser) -> None:
    older, allowed = unlimited.thread(graph_id="other"), unlimited.thread(graph_id="agent")
    assert unlimited("POST", f"{older}/state", STATE).status_code == 200
    ann = limit(live_server, "agent")
    assert [ann("POST", f"{path}/state", STATE).status_code for path in (older, allowed)] == [403, 200]


@pytest.mark.parametrize("metadata", [{"graph_id": "other"}, {}])
def test_graph_of_existing_thread_cannot_change(
    live_server: LiveServer, unlimited: SampleUser, metadata: dict[str, Any]
) -> None:
    """Its latest run can be of the other graph. On a state update, the PostgreSQL runtime runs that graph."""
    path = unlimited.thread(**metadata)
    ann = limit(live_server, "agent")
    assert ann("PATCH", path, {"metadata": {"graph_id": "agent"}}).status_code == 404
    assert ann.metadata(path).get("graph_id") == metadata.get("graph_id")
    assert ann("PATCH", path, {"metadata": {"title": "plans"}}).status_code == 200


def test_written_back_metadata_keep_graph(ann: SampleUser) -> None:
    path = ann.thread(graph_id="agent")
    assert ann("PATCH", path, {"metadata": {**ann.metadata(path), "title": "plans"}}).status_code == 200


def test_state_update_of_colleagues_thread_is_limited(live_server: LiveServer) -> None:
    ann, colleague = limit(live_server, "agent"), live_server.user("cleo", "anything")
    other, allowed = colleague.thread(graph_id="other"), colleague.thread(graph_id="agent")
    assert [ann("POST", f"{path}/state", STATE).status_code for path in (other, allowed)] == [403, 200]
    assert colleague("GET", f"{other}/state").json()["values"] == {}


@pytest.mark.parametrize(("graph", "kept"), [("agent", True), ("other", False)])
def test_supersteps_cannot_run_another_graph(ann: SampleUser, graph: str, *, kept: bool) -> None:
    steps = [{"updates": [{"values": {"text": "changed"}, "as_node": "respond"}]}]
    answer = ann("POST", "/threads", {"metadata": {"graph_id": graph}, "supersteps": steps})
    assert answer.status_code == (200 if kept else 403)


def test_right_to_start_permits_state_update(live_server: LiveServer, unlimited: SampleUser) -> None:
    listed = unlimited("POST", "/assistants", {"graph_id": "other"}).json()["assistant_id"]
    ann = limit(live_server, listed)
    path = ann.thread()
    assert ann("POST", f"{path}/runs/wait", {"assistant_id": listed, "input": {"text": "hello"}}).status_code == 200
    assert ann("POST", f"{path}/state", STATE).status_code == 200


def test_custom_rule_narrows_graph_limit(live_server: LiveServer, unlimited: SampleUser) -> None:
    async def rule(ctx: Any, value: Any) -> dict[str, Any]:
        return {"$or": [{"title": "plans"}, {"title": "ideas"}]}

    paths = unlimited.thread(graph_id="agent", title="plans"), unlimited.thread(graph_id="agent")
    ann = limit(live_server, "agent", also={"threads:update": rule})
    assert [ann("POST", f"{path}/state", STATE).status_code for path in paths] == [200, 403]
