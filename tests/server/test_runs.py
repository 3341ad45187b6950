"""Runs: whoever may run can also stop, replace and clean up; nothing hangs, and nothing is left behind."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx
    from world.town import Somebody, Town

OTHER = str(uuid.uuid5(uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8"), "other"))


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
    run_id = alice("POST", f"{path}/runs", run(after_seconds=60)).json()["run_id"]
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
    made = alice("POST", f"{alice.thread()}/runs", run(webhook=webhook, after_seconds=60))
    assert made.status_code == status, made.text


def test_graph_limits_hold_on_every_way_to_start(town: Town) -> None:
    limited = {"analyst": {"allow": ["threads:write", "crons:write", "assistants:read"], "graphs": ["agent"]}}
    values = {"claim": "roles", "values": {"analyst": "analyst"}}
    town.enforce(roles=limited, issuer=[{**issuer_table(town), "grant": values}])
    ann = town.person("ann", "analyst")
    path = ann.thread()
    ways: list[tuple[str, dict[str, Any]]] = [
        (f"{path}/runs", run(after_seconds=60)),
        ("/runs", run(after_seconds=60)),
        ("/runs/crons", run(schedule="0 0 1 1 *")),
        (f"{path}/runs/crons", run(schedule="0 0 1 1 *")),
    ]
    own = [ann("POST", where, body).status_code for where, body in ways]
    named = [ann("POST", where, {**body, "assistant_id": "other"}).status_code for where, body in ways]
    by_id = [ann("POST", where, {**body, "assistant_id": OTHER}).status_code for where, body in ways]
    assert (own, named, by_id) == ([200] * 4, [403] * 4, [403] * 4)
    batch = ann("POST", "/runs/batch", [{**run(), "assistant_id": "other"}])
    assert batch.status_code == 403


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
    assert max_("POST", "/runs", {**run(after_seconds=60), "assistant_id": listed}).status_code == 200


def issuer_table(town: Town) -> dict[str, Any]:
    return {"issuer": town.issuer.url, "audience": "agents", "tenant": "org"}
