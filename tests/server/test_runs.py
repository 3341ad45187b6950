"""Runs: whoever may run can also stop, replace and clean up; nothing hangs, and nothing is left behind."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.langgraph.judge import refused_by_settings
from oidc_auth.observe import Decided
from oidc_auth.permissions.decide import built_in_assistant
from oidc_auth.permissions.names import EVENTS
from oidc_auth.permissions.settings import EnforcementSettings

if TYPE_CHECKING:
    import httpx
    from world.town import Somebody, Town

JSON = "application/json"
OTHER = built_in_assistant("other")


WAYS: list[tuple[str, dict[str, Any]]] = [
    ("{thread}/runs", {"after_seconds": 3600}),
    ("/runs", {"after_seconds": 3600}),
    ("/runs/crons", {"schedule": "0 0 1 1 *"}),
    ("{thread}/runs/crons", {"schedule": "0 0 1 1 *"}),
]
"""Ways to start a run that start none now, so that they can be tried where they are allowed."""
AT_ONCE = ["/runs/wait", "/runs/stream", "{thread}/runs/wait", "{thread}/runs/stream"]


def run(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"assistant_id": "agent", "input": {"text": text}, **more}


def answer(response: httpx.Response) -> object:
    assert response.status_code == 200, response.text
    body = response.json()
    assert "answer" in body, body
    return body["answer"]


@pytest.fixture
def robot(town: Town) -> Somebody:
    return town.person(f"robot-{uuid.uuid4()}", "robot")


def test_a_run_is_the_callers_and_its_record_holds_no_token(alice: Somebody) -> None:
    path = alice.thread()
    made = alice("POST", f"{path}/runs", run())
    record = alice("GET", f"{path}/runs/{made.json()['run_id']}").text
    assert '"langgraph_auth_user_id":"alice"' in record.replace(" ", "")
    assert alice.token.split(".")[2] not in record + made.text


def test_only_create_run_is_enough_for_a_stateless_run_and_leaves_no_thread(robot: Somebody) -> None:
    assert answer(robot("POST", "/runs/wait", run())) == f"{robot.name} said hello"
    assert robot.search("threads") == []


def test_a_stateless_run_that_is_kept_belongs_to_its_runner(robot: Somebody, bob: Somebody) -> None:
    assert answer(robot("POST", "/runs/wait", run(on_completion="keep")))
    (kept,) = robot.search("threads")
    assert kept["metadata"]["owner"] == robot.name
    assert "oidc_auth_temporary" not in kept["metadata"]
    assert bob("GET", f"/threads/{kept['thread_id']}").status_code == 404


@pytest.mark.parametrize("strategy", ["rollback", "interrupt"])
def test_a_second_run_replaces_one_in_flight(robot: Somebody, strategy: str) -> None:
    path = f"/threads/{uuid.uuid4()}"
    slow = robot("POST", f"{path}/runs", run("slow", if_not_exists="create") | {"input": {"text": "slow", "wait": 4}})
    assert slow.status_code == 200
    quick = robot("POST", f"{path}/runs/wait", run("quick", multitask_strategy=strategy))
    assert str(answer(quick)).endswith("said quick")
    statuses = [r["status"] for r in robot("GET", f"{path}/runs").json()]
    assert sorted(statuses) == {"rollback": ["success"], "interrupt": ["interrupted", "success"]}[strategy]


def test_runs_of_all_threads_are_cancelled_only_among_ones_own(town: Town, alice: Somebody) -> None:
    path = alice.thread()
    run_id = alice("POST", f"{path}/runs", run(after_seconds=3600)).json()["run_id"]
    without_runs = town.person("wendy", "editor")
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
def test_a_webhook_points_where_the_operator_allows(town: Town, policy: str, webhook: str, status: int) -> None:
    town.enforce(langgraph={"webhooks": policy})
    alice = town.person("alice", "editor")
    made = alice("POST", f"{alice.thread()}/runs", run(webhook=webhook, after_seconds=3600))
    assert made.status_code == status, made.text


@pytest.mark.parametrize(("where", "more"), [*WAYS, ("/runs/wait", {})])
def test_a_relative_webhook_is_refused_on_every_way_to_start(alice: Somebody, where: str, more: dict[str, Any]) -> None:
    """It would call the server itself, past authentication."""
    path = where.format(thread=alice.thread())
    assert alice("POST", path, run(webhook="/threads", **more)).status_code == 403


def test_a_relative_webhook_is_refused_in_a_batch_and_in_a_cron_that_is_there(alice: Somebody) -> None:
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
def test_a_long_delay_is_refused_on_every_way(alice: Somebody, path: str) -> None:
    refused = alice(*delay(path.format(thread=alice.thread()), CENTURY))
    assert refused.status_code == 403
    assert "3600" in refused.json()["detail"]


@pytest.mark.parametrize("crons", ["allow", "deny"])
@pytest.mark.parametrize(("most", "seconds", "status"), [(5, 5, 200), (5, 6, 403), (0, 0, 200), (0, 1, 403)])
def test_the_longest_delay_is_a_setting(
    town: Town, alice: Somebody, crons: str, most: float, seconds: float, status: int
) -> None:
    town.enforce(langgraph={"max_delay": most, "crons": crons})
    town.happened.clear()
    assert alice(*delay("/runs", seconds)).status_code == status
    codes = [event.code for event in town.happened if isinstance(event, Decided)]
    assert ("delay_not_allowed" in codes) is (status == 403)


@pytest.mark.parametrize("seconds", DELAYS)
@pytest.mark.parametrize("path", DELAYED)
def test_an_odd_delay_starts_no_run(alice: Somebody, path: str, seconds: Any) -> None:
    """The server's own schema refuses some with 422; ours refuses what it lets pass."""
    thread = alice.thread()
    assert alice(*delay(path.format(thread=thread), seconds)).status_code in (403, 422)
    assert alice("GET", f"{thread}/runs").json() == []


def test_a_cron_that_is_there_gets_no_delay(alice: Somebody) -> None:
    cron = alice("POST", "/runs/crons", run(schedule="0 0 1 1 *")).json()["cron_id"]
    assert alice("PATCH", f"/runs/crons/{cron}", {"after_seconds": CENTURY}).status_code == 403


def test_a_command_starts_its_run_at_once(alice: Somebody) -> None:
    """The server takes no delay from it; should a release take one, it is an event like any other."""
    path = alice.thread()
    start = {"id": 1, "method": "run.start", "params": run(after_seconds=CENTURY)}
    assert alice("POST", f"{path}/commands", start).json()["type"] == "success"
    (made,) = alice("GET", f"{path}/runs").json()
    assert datetime.fromisoformat(made["created_at"]) < datetime.now(UTC) + timedelta(seconds=60)


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize("seconds", [*DELAYS, float("nan"), float("inf"), 10**400])
def test_a_delay_of_the_servers_value_fails_closed(seconds: Any) -> None:
    for value in ({"after_seconds": seconds}, {"payload": {"after_seconds": seconds}}):
        refusal = refused_by_settings("threads:create_run", value, EnforcementSettings())
        assert refusal is not None
        assert (refusal.code, refusal.expected) == ("delay_not_allowed", "a number of seconds from 0 to 3600")
        assert refusal.found


@pytest.mark.parametrize("seconds", [None, 0, 0.5, 3600])
def test_a_delay_within_the_limit_passes(seconds: Any) -> None:
    assert refused_by_settings("threads:create_run", {"after_seconds": seconds}, EnforcementSettings()) is None


def analyst(town: Town, graphs: list[str]) -> Somebody:
    """Return somebody who may do everything with what is theirs, and start these graphs alone."""
    values = {"claim": "roles", "values": {"analyst": "analyst"}}
    limited = {"analyst": {"allow": ["*"], "graphs": graphs}}
    town.enforce(roles=limited, issuer=[{**issuer_table(town), "grant": values}])
    return town.person("ann", "analyst")


@pytest.mark.parametrize(("where", "more"), WAYS)
def test_graph_limits_hold_on_every_way_to_start_later(town: Town, where: str, more: dict[str, Any]) -> None:
    ann = analyst(town, ["agent"])
    path = where.format(thread=ann.thread())
    statuses = [
        ann("POST", path, {**run(**more), "assistant_id": name}).status_code for name in ("agent", "other", OTHER)
    ]
    assert statuses == [200, 403, 403]


def test_graph_limits_hold_on_every_way_to_start_at_once(town: Town) -> None:
    ann = analyst(town, ["agent"])
    thread = ann.thread()
    for where in AT_ONCE:
        assert ann("POST", where.format(thread=thread), {**run(), "assistant_id": "other"}).status_code == 403
    assert ann("POST", "/runs/batch", [run(after_seconds=3600), {**run(), "assistant_id": "other"}]).status_code == 403


def test_graph_limits_hold_for_the_protocols(town: Town) -> None:
    ann = analyst(town, ["agent"])
    thread = ann.thread()
    start = {"id": 1, "method": "run.start", "params": {**run(), "assistant_id": "other"}}
    call = {"name": "other", "arguments": {"text": "hello"}}
    said = {"messageId": "1", "role": "ROLE_USER", "parts": [{"kind": "text", "text": "hello"}]}
    town.happened.clear()
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
    with town.server.client.websocket_connect(
        f"{thread}/stream/events", headers={"authorization": f"Bearer {ann.token}"}
    ) as socket:
        socket.send_json(start)
        assert "graph" in socket.receive_text()
    assert all("error" in answer.text.lower() for answer in answers), [answer.text for answer in answers]
    decided = [event for event in town.happened if isinstance(event, Decided) and event.event == "threads:create_run"]
    assert [event.code for event in decided] == ["graph_refused"] * 4
    assert ann("GET", f"{thread}/runs").json() == []


def test_an_older_version_is_no_way_round_a_graph_limit(town: Town) -> None:
    """The server shows the number of the version, never its graph, which a database may bring back with it."""
    listed = str(uuid.uuid4())
    everything = town.person("ann", *EVENTS)
    everything("POST", "/assistants", {"graph_id": "loop", "assistant_id": listed})
    assert everything("PATCH", f"/assistants/{listed}", {"graph_id": "agent"}).status_code == 200
    older = ("POST", f"/assistants/{listed}/latest", {"version": 1})
    assert analyst(town, ["agent", listed])(*older).status_code == 403
    town.enforce()
    assert everything(*older).status_code == 200


def test_an_assistant_is_no_way_round_a_graph_limit(town: Town) -> None:
    listed = str(uuid.uuid4())
    limited = {"maker": {"allow": ["threads:write", "assistants:write"], "graphs": ["agent", listed]}}
    values = {"claim": "roles", "values": {"maker": "maker"}}
    town.enforce(roles=limited, issuer=[{**issuer_table(town), "grant": values}])
    max_ = town.person("max", "maker")
    assert max_("POST", "/assistants", {"graph_id": "loop", "assistant_id": listed}).status_code == 403
    assert max_("POST", "/assistants", {"graph_id": "agent", "assistant_id": listed}).status_code == 200
    assert max_("PATCH", f"/assistants/{listed}", {"graph_id": "loop"}).status_code == 403
    assert max_("PATCH", f"/assistants/{listed}", {"name": "mine"}).status_code == 200
    assert max_("POST", "/runs", {**run(after_seconds=3600), "assistant_id": listed}).status_code == 200


def issuer_table(town: Town) -> dict[str, Any]:
    return {"issuer": town.issuer.url, "audience": "agents", "tenant": "org"}


def test_nobody_runs_as_somebody_else_whatever_the_configuration_says(town: Town) -> None:
    forged = {"langgraph_auth_user": {"identity": "root"}, "langgraph_auth_user_id": "root", "user_id": "root"}
    config = {"configurable": {**forged, "langgraph_auth_permissions": ["*@all"]}}
    author = town.person("author", "author")
    made = author("POST", "/assistants", {"graph_id": "agent", "config": config}).json()["assistant_id"]
    body = {"assistant_id": made, "input": {"text": "hello"}, "config": config}
    assert answer(author("POST", "/runs/wait", body)) == "author said hello"


def test_a_colleague_who_may_run_on_a_thread_does_not_stop_its_owners_run(town: Town, alice: Somebody) -> None:
    """The server then starts theirs after it: a refused interrupt is no refused run."""
    path = alice.thread()
    earlier = alice("POST", f"{path}/runs", run(after_seconds=3600)).json()["run_id"]
    cora = town.person("cora", "threads:create_run@tenant")
    for strategy in ("interrupt", "rollback"):
        assert cora("POST", f"{path}/runs", run(after_seconds=3600, multitask_strategy=strategy)).status_code == 200
    assert alice("GET", f"{path}/runs/{earlier}").json()["status"] == "pending"


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("input.respond", "error"),
        ("agent.getTree", "error"),
        ("nothing.known", "error"),
        ("subscription.subscribe", "success"),  # it ends with the request
    ],
)
def test_a_strangers_command_changes_and_shows_nothing(alice: Somebody, bob: Somebody, method: str, kind: str) -> None:
    path = alice.thread(title="secret")
    params = {**run(), "interrupt_id": "x", "namespace": [], "channels": ["values"], "response": "yes"}
    said = bob("POST", f"{path}/commands", {"id": 1, "method": method, "params": params})
    assert (said.json()["type"], "secret" in said.text) == (kind, False)
    assert alice("GET", f"{path}/runs").json() == []
