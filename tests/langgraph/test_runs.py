"""Users with the permission to run can also stop, replace and delete their runs."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.enforcement.limits import built_in_assistant
from oidc_auth.observability import AuthorizationDecided
from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    import httpx
    from kit.live_server import LiveServer, SampleUser

JSON = "application/json"
OTHER = built_in_assistant("other")


WAYS: list[tuple[str, dict[str, Any]]] = [
    ("{thread}/runs", {"after_seconds": 3600}),
    ("/runs", {"after_seconds": 3600}),
    ("/runs/crons", {"schedule": "0 0 1 1 *"}),
    ("{thread}/runs/crons", {"schedule": "0 0 1 1 *"}),
]
"""Requests that start a run later. A test that is allowed to send them starts no run now."""
AT_ONCE = ["/runs/wait", "/runs/stream", "{thread}/runs/wait", "{thread}/runs/stream"]


def run(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"assistant_id": "agent", "input": {"text": text}, **more}


def answer(response: httpx.Response) -> object:
    assert response.status_code == 200, response.text
    body = response.json()
    assert "answer" in body, body
    return body["answer"]


@pytest.fixture
def robot(live_server: LiveServer) -> SampleUser:
    return live_server.user(f"robot-{uuid.uuid4()}", "robot")


def test_run_belongs_to_caller_without_token(alice: SampleUser) -> None:
    path = alice.thread()
    made = alice("POST", f"{path}/runs", run())
    record = alice("GET", f"{path}/runs/{made.json()['run_id']}").text
    assert '"langgraph_auth_user_id":"alice"' in record.replace(" ", "")
    assert alice.token.split(".")[2] not in record + made.text


def test_stateless_run_needs_only_create_run(robot: SampleUser) -> None:
    assert answer(robot("POST", "/runs/wait", run())) == f"{robot.name} said hello"
    assert robot.search("threads") == []


def test_kept_stateless_run_belongs_to_creator(robot: SampleUser, bob: SampleUser) -> None:
    assert answer(robot("POST", "/runs/wait", run(on_completion="keep")))
    (kept,) = robot.search("threads")
    assert kept["metadata"]["owner"] == robot.name
    assert "oidc_auth_temporary" not in kept["metadata"]
    assert bob("GET", f"/threads/{kept['thread_id']}").status_code == 404


@pytest.mark.parametrize("strategy", ["rollback", "interrupt"])
def test_second_run_replaces_running_run(robot: SampleUser, strategy: str) -> None:
    path = f"/threads/{uuid.uuid4()}"
    slow = robot("POST", f"{path}/runs", run("slow", if_not_exists="create") | {"input": {"text": "slow", "wait": 4}})
    assert slow.status_code == 200
    quick = robot("POST", f"{path}/runs/wait", run("quick", multitask_strategy=strategy))
    assert str(answer(quick)).endswith("said quick")
    statuses = [r["status"] for r in robot("GET", f"{path}/runs").json()]
    assert sorted(statuses) == {"rollback": ["success"], "interrupt": ["interrupted", "success"]}[strategy]


def test_cancel_all_affects_own_runs_only(live_server: LiveServer, alice: SampleUser) -> None:
    path = alice.thread()
    run_id = alice("POST", f"{path}/runs", run(after_seconds=3600)).json()["run_id"]
    without_runs = live_server.user("wendy", "editor")
    assert without_runs("POST", "/runs/cancel", {"status": "pending"}).status_code == 404
    assert alice("GET", f"{path}/runs/{run_id}").json()["status"] == "pending"


@pytest.mark.parametrize(
    ("policy", "webhook", "status"),
    [
        ("https", "https://127.0.0.1/x", 200),
        ("https", "http://127.0.0.1/x", 403),
        ("https", "/threads", 403),
        ("any", "http://127.0.0.1/x", 200),
        ("any", "/threads", 403),
        ("deny", "https://127.0.0.1/x", 403),
    ],
)
def test_webhook_follows_configuration(live_server: LiveServer, policy: str, webhook: str, status: int) -> None:
    live_server.enforce(langgraph={"webhooks": policy})
    alice = live_server.user("alice", "editor")
    made = alice("POST", f"{alice.thread()}/runs", run(webhook=webhook, after_seconds=3600))
    assert made.status_code == status, made.text


@pytest.mark.parametrize(("where", "more"), [*WAYS, ("/runs/wait", {})])
def test_relative_webhook_is_denied_everywhere(alice: SampleUser, where: str, more: dict[str, Any]) -> None:
    """The server would call itself without authentication."""
    path = where.format(thread=alice.thread())
    assert alice("POST", path, run(webhook="/threads", **more)).status_code == 403


def test_relative_webhook_is_denied_in_batch_and_cron(alice: SampleUser) -> None:
    assert alice("POST", "/runs/batch", [run(webhook="/threads", after_seconds=3600)]).status_code == 403
    cron = alice("POST", "/runs/crons", run(schedule="0 0 1 1 *")).json()["cron_id"]
    assert alice("PATCH", f"/runs/crons/{cron}", {"webhook": "/threads"}).status_code == 403


def delay(path: str, seconds: Any) -> tuple[str, str, Any]:
    """Return a request for a delayed run."""
    body = run(after_seconds=seconds, schedule="0 0 1 1 *") if "crons" in path else run(after_seconds=seconds)
    return ("POST", path, [body] if path == "/runs/batch" else body)


DELAYED = [*dict(WAYS), *AT_ONCE, "/runs/batch"]
CENTURY = 3_000_000_000
DELAYS = [CENTURY, 3600.5, 1e300, -1, -CENTURY, "3600", True, [3600], {"seconds": 3600}]


@pytest.mark.parametrize("path", DELAYED)
def test_long_delay_is_refused_on_every_route(alice: SampleUser, path: str) -> None:
    refused = alice(*delay(path.format(thread=alice.thread()), CENTURY))
    assert refused.status_code == 403
    assert "3600" in refused.json()["detail"]


@pytest.mark.parametrize("crons", ["allow", "deny"])
@pytest.mark.parametrize(("most", "seconds", "status"), [(5, 5, 200), (5, 6, 403), (0, 0, 200), (0, 1, 403)])
def test_max_delay_is_configurable(
    live_server: LiveServer, alice: SampleUser, crons: str, most: float, seconds: float, status: int
) -> None:
    live_server.enforce(langgraph={"max_delay": most, "crons": crons})
    live_server.observed_events.clear()
    assert alice(*delay("/runs", seconds)).status_code == status
    codes = [event.code for event in live_server.observed_events if isinstance(event, AuthorizationDecided)]
    assert ("delay_not_allowed" in codes) is (status == 403)


@pytest.mark.parametrize("seconds", DELAYS)
@pytest.mark.parametrize("path", DELAYED)
def test_invalid_delay_starts_no_run(alice: SampleUser, path: str, seconds: Any) -> None:
    """The server's schema refuses some values with 422, and the library refuses the others."""
    thread = alice.thread()
    assert alice(*delay(path.format(thread=thread), seconds)).status_code in (403, 422)
    assert alice("GET", f"{thread}/runs").json() == []


def test_existing_cron_cannot_be_delayed(alice: SampleUser) -> None:
    cron = alice("POST", "/runs/crons", run(schedule="0 0 1 1 *")).json()["cron_id"]
    assert alice("PATCH", f"/runs/crons/{cron}", {"after_seconds": CENTURY}).status_code == 403


def test_command_starts_run_without_delay(alice: SampleUser) -> None:
    """The server ignores a delay in a command. If a release accepts it, the limit applies as for other runs."""
    path = alice.thread()
    start = {"id": 1, "method": "run.start", "params": run(after_seconds=CENTURY)}
    assert alice("POST", f"{path}/commands", start).json()["type"] == "success"
    (made,) = alice("GET", f"{path}/runs").json()
    assert datetime.fromisoformat(made["created_at"]) < datetime.now(UTC) + timedelta(seconds=60)


def analyst(live_server: LiveServer, graphs: list[str]) -> SampleUser:
    """Return a user who may do everything with own objects, but start only these graphs."""
    values = {"claim": "roles", "values": {"analyst": "analyst"}}
    limited = {"analyst": {"permissions": ["*"], "graphs": graphs}}
    live_server.enforce(roles=limited, issuer=[{**issuer_table(live_server), "permission_map": values}])
    return live_server.user("ann", "analyst")


@pytest.mark.parametrize(("where", "more"), WAYS)
def test_graph_limits_apply_to_delayed_starts(live_server: LiveServer, where: str, more: dict[str, Any]) -> None:
    ann = analyst(live_server, ["agent"])
    path = where.format(thread=ann.thread())
    statuses = [
        ann("POST", path, {**run(**more), "assistant_id": name}).status_code for name in ("agent", "other", OTHER)
    ]
    assert statuses == [200, 403, 403]


def test_graph_limits_apply_to_immediate_starts(live_server: LiveServer) -> None:
    ann = analyst(live_server, ["agent"])
    thread = ann.thread()
    for where in AT_ONCE:
        assert ann("POST", where.format(thread=thread), {**run(), "assistant_id": "other"}).status_code == 403
    assert ann("POST", "/runs/batch", [run(after_seconds=3600), {**run(), "assistant_id": "other"}]).status_code == 403


def test_graph_limits_apply_to_protocols(live_server: LiveServer) -> None:
    ann = analyst(live_server, ["agent"])
    thread = ann.thread()
    start = {"id": 1, "method": "run.start", "params": {**run(), "assistant_id": "other"}}
    call = {"name": "other", "arguments": {"text": "hello"}}
    said = {"messageId": "1", "role": "ROLE_USER", "parts": [{"kind": "text", "text": "hello"}]}
    live_server.observed_events.clear()
    answers = [
        ann("POST", f"{thread}/commands", start),
        ann("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}, accept=JSON),
        ann(
            "POST",
            f"/a2a/{built_in_assistant('chat')}",
            {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": said}},
            accept=JSON,
        ),
    ]
    with live_server.server.client.websocket_connect(
        f"{thread}/stream/events", headers={"authorization": f"Bearer {ann.token}"}
    ) as socket:
        socket.send_json(start)
        assert "graph" in socket.receive_text()
    assert all("error" in answer.text.lower() for answer in answers), [answer.text for answer in answers]
    decided = [
        event
        for event in live_server.observed_events
        if isinstance(event, AuthorizationDecided) and event.event == "threads:create_run"
    ]
    assert [event.code for event in decided] == ["graph_not_allowed"] * 4
    assert ann("GET", f"{thread}/runs").json() == []


def test_older_version_respects_graph_limit(live_server: LiveServer) -> None:
    """The handler sees the number of the version and not its graph, which can be another one."""
    listed = str(uuid.uuid4())
    everything = live_server.user("ann", *EVENTS)
    everything("POST", "/assistants", {"graph_id": "loop", "assistant_id": listed})
    assert everything("PATCH", f"/assistants/{listed}", {"graph_id": "agent"}).status_code == 200
    older = ("POST", f"/assistants/{listed}/latest", {"version": 1})
    assert analyst(live_server, ["agent", listed])(*older).status_code == 403
    live_server.enforce()
    assert everything(*older).status_code == 200


def test_assistant_respects_graph_limit(live_server: LiveServer) -> None:
    listed = str(uuid.uuid4())
    limited = {"maker": {"permissions": ["threads:write", "assistants:write"], "graphs": ["agent", listed]}}
    values = {"claim": "roles", "values": {"maker": "maker"}}
    live_server.enforce(roles=limited, issuer=[{**issuer_table(live_server), "permission_map": values}])
    max_ = live_server.user("max", "maker")
    assert max_("POST", "/assistants", {"graph_id": "loop", "assistant_id": listed}).status_code == 403
    assert max_("POST", "/assistants", {"graph_id": "agent", "assistant_id": listed}).status_code == 200
    assert max_("PATCH", f"/assistants/{listed}", {"graph_id": "loop"}).status_code == 403
    assert max_("PATCH", f"/assistants/{listed}", {"name": "mine"}).status_code == 200
    assert max_("POST", "/runs", {**run(after_seconds=3600), "assistant_id": listed}).status_code == 200


def issuer_table(live_server: LiveServer) -> dict[str, Any]:
    return {"issuer": live_server.issuer.url, "audience": "agents", "tenant": "org"}


def test_run_config_cannot_change_identity(live_server: LiveServer) -> None:
    forged = {"langgraph_auth_user": {"identity": "root"}, "langgraph_auth_user_id": "root", "user_id": "root"}
    config = {"configurable": {**forged, "langgraph_auth_permissions": ["*@all"]}}
    author = live_server.user("author", "author")
    made = author("POST", "/assistants", {"graph_id": "agent", "config": config}).json()["assistant_id"]
    body = {"assistant_id": made, "input": {"text": "hello"}, "config": config}
    assert answer(author("POST", "/runs/wait", body)) == "author said hello"


def test_colleague_cannot_stop_owners_run(live_server: LiveServer, alice: SampleUser) -> None:
    """The server refuses only the interrupt. The other run starts afterwards."""
    path = alice.thread()
    earlier = alice("POST", f"{path}/runs", run(after_seconds=3600)).json()["run_id"]
    cora = live_server.user("cora", "threads:create_run@tenant")
    for strategy in ("interrupt", "rollback"):
        assert cora("POST", f"{path}/runs", run(after_seconds=3600, multitask_strategy=strategy)).status_code == 200
    assert alice("GET", f"{path}/runs/{earlier}").json()["status"] == "pending"


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("input.respond", "error"),
        ("agent.getTree", "error"),
        ("nothing.known", "error"),
        ("subscription.subscribe", "success"),  # the subscription ends with the request
    ],
)
def test_foreign_command_changes_nothing(alice: SampleUser, bob: SampleUser, method: str, kind: str) -> None:
    path = alice.thread(title="secret")
    params = {**run(), "interrupt_id": "x", "namespace": [], "channels": ["values"], "response": "yes"}
    said = bob("POST", f"{path}/commands", {"id": 1, "method": method, "params": params})
    assert (said.json()["type"], "secret" in said.text) == (kind, False)
    assert alice("GET", f"{path}/runs").json() == []
