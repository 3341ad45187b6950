"""Crons: run as their creator, end with their authorization, and the scheduler does nothing else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from world.town import Somebody, Town

EVERY_SECOND = "* * * * * *"
NEVER = "0 0 1 1 *"


def cron(schedule: str = NEVER, **more: Any) -> dict[str, Any]:
    return {"assistant_id": "agent", "input": {"text": "tick"}, "schedule": schedule, **more}


def first_fire(person: Somebody, **where: Any) -> dict[str, Any]:
    """Return the first thread that a cron's run has finished on; bounded."""
    for _ in range(100):
        for thread in person.search("threads", **where):
            if thread.get("values"):
                return thread
        time.sleep(0.1)  # the scheduler is a process of the server's own: there is no event to wait for
    raise AssertionError("the cron did not fire")


def test_a_cron_runs_as_its_creator_on_their_own_objects(town: Town, alice: Somebody, bob: Somebody) -> None:
    body = cron(EVERY_SECOND, metadata={"job": "own", "owner": "bob"}, on_run_completed="keep")
    made = alice("POST", "/runs/crons", body).json()
    thread = first_fire(alice, job="own")
    alice("DELETE", f"/runs/crons/{made['cron_id']}")
    assert (thread["metadata"]["owner"], thread["metadata"]["tenant"]) == ("alice", "acme")
    assert thread["values"]["answer"] == "alice said tick"
    assert bob.search("threads", job="own") == []


def test_a_cron_without_keep_leaves_no_thread_behind(town: Town) -> None:
    timer = town.person("timer", "editor")
    made = timer("POST", "/runs/crons", cron(EVERY_SECOND)).json()
    for _ in range(60):
        if timer.search("threads"):
            break
        time.sleep(0.05)
    timer("DELETE", f"/runs/crons/{made['cron_id']}")
    for _ in range(60):
        if not timer.search("threads"):
            return
        time.sleep(0.1)
    raise AssertionError("a temporary thread stayed")


def test_a_cron_on_a_thread_runs_on_it(alice: Somebody) -> None:
    path = alice.thread(job="threaded")
    made = alice("POST", f"{path}/runs/crons", cron(EVERY_SECOND)).json()
    thread = first_fire(alice, job="threaded")
    alice("DELETE", f"/runs/crons/{made['cron_id']}")
    assert thread["values"]["answer"] == "alice said tick"


def test_a_cron_past_its_authorization_does_not_run(town: Town) -> None:
    town.enforce(langgraph={"cron_max_age": 0.5})
    late = town.person("late", "editor")
    made = late("POST", "/runs/crons", cron(EVERY_SECOND, metadata={"job": "late"}, on_run_completed="keep")).json()
    time.sleep(2.5)  # two fires of the server's own scheduler
    late("DELETE", f"/runs/crons/{made['cron_id']}")
    assert late.search("threads", job="late") == []


def test_authorized_until_is_stamped_and_only_the_owner_renews_it(town: Town, alice: Somebody) -> None:
    made = alice("POST", "/runs/crons", cron(metadata={"authorized_until": 9_999_999_999})).json()
    stamped = made["metadata"]["authorized_until"]
    assert 0 < stamped - time.time() <= 90 * 86_400
    path = f"/runs/crons/{made['cron_id']}"
    renewed = alice("PATCH", path, {"schedule": "0 0 2 1 *"}).json()
    assert renewed["payload"]["metadata"]["authorized_until"] >= stamped
    cora = town.person("cora", "colleague")
    touched = cora("PATCH", path, {"schedule": "0 0 3 1 *", "timezone": "Europe/Berlin"})
    assert (touched.status_code, touched.json()["metadata"]["owner"]) == (200, "alice")


@pytest.mark.parametrize(
    "change", [{"input": {"text": "evil"}}, {"config": {}}, {"metadata": {"x": 1}}, {"webhook": "https://127.0.0.1/x"}]
)
def test_what_a_cron_runs_is_changed_by_its_owner_alone(town: Town, alice: Somebody, change: dict[str, Any]) -> None:
    path = f"/runs/crons/{alice('POST', '/runs/crons', cron()).json()['cron_id']}"
    assert town.person("cora", "colleague")("PATCH", path, change).status_code == 404
    assert town.person("ada", "admin")("PATCH", path, change).status_code == 404
    assert alice("PATCH", path, change).status_code in (200, 422)


@pytest.mark.parametrize("key", ["owner", "tenant"])
def test_a_cron_is_not_given_away(alice: Somebody, key: str) -> None:
    path = f"/runs/crons/{alice('POST', '/runs/crons', cron()).json()['cron_id']}"
    assert alice("PATCH", path, {"metadata": {key: "bob"}}).status_code == 403
    assert alice("PATCH", path, {"metadata": {"created_by": "system"}}).status_code == 403


def test_forged_keys_in_a_crons_payload_do_not_reach_its_runs(alice: Somebody) -> None:
    forged = {"owner": "bob", "tenant": "globex", "authorized_until": 9_999_999_999}
    made = alice("POST", "/runs/crons", cron(metadata=forged, config={"metadata": dict(forged)})).json()
    stored = {**made["metadata"], **(made["payload"].get("metadata") or {})}
    assert (stored["owner"], stored["tenant"]) == ("alice", "acme")
    assert stored["authorized_until"] < 9_999_999_999
    assert not set(forged) & set((made["payload"].get("config") or {}).get("metadata") or {})


def test_crons_create_alone_is_not_enough_to_run_something_tomorrow(town: Town) -> None:
    town.enforce(issuer=[{"issuer": town.issuer.url, "audience": "agents", "grant": only_crons()}])
    refused = town.server.ask("POST", "/runs/crons", town.issuer.token(scope="crons:create"), cron())
    assert (refused.status_code, refused.json()["detail"][:37]) == (403, "missing permission threads:create_run")


def only_crons() -> dict[str, Any]:
    return {"claim": "scope", "accept": ["crons:*", "assistants:read"]}


def test_crons_can_be_switched_off(town: Town) -> None:
    town.enforce(langgraph={"crons": "deny"})
    answer = town.person("alice", "editor")("POST", "/runs/crons", cron())
    assert (answer.status_code, answer.json()["detail"]) == (403, "crons are disabled on this server")


def test_others_crons_are_not_seen(alice: Somebody, bob: Somebody) -> None:
    path = f"/runs/crons/{alice('POST', '/runs/crons', cron(metadata={'job': 'secret'})).json()['cron_id']}"
    assert [bob(method, path).status_code for method in ("GET", "DELETE")] == [404, 404]
    assert bob("POST", "/runs/crons/search", {"metadata": {"job": "secret"}}).json() == []
    assert alice("GET", path).status_code == 200
