"""Crons run as their creator and end with their authorization. The scheduler can do nothing else."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from kit.live_server import SampleUser

from oidc_auth import ErrorCode
from oidc_auth.revocation.entries import digest_subject

if TYPE_CHECKING:
    from kit.live_server import LiveServer
    from kit.snapshots import Messages

EVERY_SECOND = "* * * * * *"
NEVER = "0 0 1 1 *"


def cron(schedule: str = NEVER, **more: Any) -> dict[str, Any]:
    return {"assistant_id": "agent", "input": {"text": "tick"}, "schedule": schedule, **more}


def first_fire(person: SampleUser, **where: Any) -> dict[str, Any]:
    """Return the first thread with a finished run of a cron, within a time limit."""
    for _ in range(200):
        for thread in person.search("threads", **where):
            if thread.get("values"):
                return thread
        time.sleep(0.05)  # the scheduler offers no event to wait for
    raise AssertionError("the cron did not fire")


def test_cron_runs_as_creator(live_server: LiveServer, alice: SampleUser, bob: SampleUser) -> None:
    body = cron(EVERY_SECOND, metadata={"job": "own", "owner": "bob"}, on_run_completed="keep")
    made = alice("POST", "/runs/crons", body).json()
    thread = first_fire(alice, job="own")
    alice("DELETE", f"/runs/crons/{made['cron_id']}")
    assert (thread["metadata"]["owner"], thread["metadata"]["tenant"]) == ("alice", "acme")
    assert thread["values"]["answer"] == "alice said tick"
    assert bob.search("threads", job="own") == []


def test_cron_without_keep_leaves_no_thread(live_server: LiveServer) -> None:
    timer = live_server.user("timer", "editor")
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


def test_thread_cron_runs_as_creator_after_reschedule(live_server: LiveServer, alice: SampleUser) -> None:
    path = alice.thread(job="threaded")
    made = alice("POST", f"{path}/runs/crons", cron()).json()
    moved = live_server.user("cora", "colleague")("PATCH", f"/runs/crons/{made['cron_id']}", {"schedule": EVERY_SECOND})
    assert moved.status_code == 200
    thread = first_fire(alice, job="threaded")
    alice("DELETE", f"/runs/crons/{made['cron_id']}")
    assert thread["values"]["answer"] == "alice said tick"


def test_cron_past_authorization_does_not_run(live_server: LiveServer) -> None:
    live_server.enforce(langgraph={"cron_max_age": 0.5})
    late = live_server.user("late", "editor")
    made = late("POST", "/runs/crons", cron(EVERY_SECOND, metadata={"job": "late"}, on_run_completed="keep")).json()
    live_server.wait_for_denial(ErrorCode.CRON_EXPIRED)
    late("DELETE", f"/runs/crons/{made['cron_id']}")
    assert late.search("threads", job="late") == []


def test_cron_with_context_runs_until_crons_denied(live_server: LiveServer) -> None:
    conny = live_server.user("conny", "editor")
    body = cron(EVERY_SECOND, metadata={"job": "context"}, context={"language": "en"}, on_run_completed="keep")
    made = conny("POST", "/runs/crons", body).json()
    thread = first_fire(conny, job="context")
    live_server.enforce(langgraph={"crons": "deny"})
    live_server.wait_for_denial(ErrorCode.CRONS_DISABLED)
    before = len(conny.search("threads", job="context"))
    live_server.wait_for_denial(ErrorCode.CRONS_DISABLED)
    after = len(conny.search("threads", job="context"))
    conny("DELETE", f"/runs/crons/{made['cron_id']}")
    assert (thread["metadata"]["owner"], thread["values"]["answer"]) == ("conny", "conny said tick")
    assert after == before


def test_only_owner_renews_authorized_until(live_server: LiveServer, alice: SampleUser) -> None:
    made = alice("POST", "/runs/crons", cron(metadata={"authorized_until": 9_999_999_999})).json()
    stamped = made["metadata"]["authorized_until"]
    assert 0 < stamped - time.time() <= 90 * 86_400
    path = f"/runs/crons/{made['cron_id']}"
    renewed = alice("PATCH", path, {"schedule": "0 0 2 1 *"}).json()
    assert renewed["payload"]["metadata"]["authorized_until"] >= stamped
    cora = live_server.user("cora", "colleague")
    touched = cora("PATCH", path, {"schedule": "0 0 3 1 *", "timezone": "Europe/Berlin"})
    assert (touched.status_code, touched.json()["metadata"]["owner"]) == (200, "alice")


@pytest.mark.parametrize(
    "change", [{"input": {"text": "evil"}}, {"config": {}}, {"metadata": {"x": 1}}, {"webhook": "https://127.0.0.1/x"}]
)
def test_only_owner_changes_cron_payload(live_server: LiveServer, alice: SampleUser, change: dict[str, Any]) -> None:
    path = f"/runs/crons/{alice('POST', '/runs/crons', cron()).json()['cron_id']}"
    assert live_server.user("cora", "colleague")("PATCH", path, change).status_code == 404
    assert live_server.user("ada", "admin")("PATCH", path, change).status_code == 404
    assert alice("PATCH", path, change).status_code in (200, 422)


def test_forged_payload_keys_never_reach_runs(live_server: LiveServer, alice: SampleUser) -> None:
    forged = {
        "owner": "bob",
        "tenant": "globex",
        "authorized_until": 9_999_999_999,
        "authorized_for": "another-user",
        "authorized_at": 9_999_999_999,
    }
    made = alice("POST", "/runs/crons", cron(metadata=forged, config={"metadata": dict(forged)})).json()
    stored = {**made["metadata"], **(made["payload"].get("metadata") or {})}
    assert (stored["owner"], stored["tenant"]) == ("alice", "acme")
    assert stored["authorized_until"] < 9_999_999_999
    assert stored["authorized_for"] == digest_subject(live_server.issuer.url, "alice")
    assert stored["authorized_at"] < 9_999_999_999
    assert not set(forged) & set((made["payload"].get("config") or {}).get("metadata") or {})


def test_cron_creation_needs_run_permission(live_server: LiveServer, messages: Messages) -> None:
    live_server.enforce(
        issuer=[{"issuer": live_server.issuer.url, "audience": "agents", "permission_map": only_crons()}]
    )
    refused = live_server.server.request("POST", "/runs/crons", live_server.issuer.token(scope="crons:create"), cron())
    assert refused.status_code == 403
    messages.check(refused.json()["detail"])


def only_crons() -> dict[str, Any]:
    return {"claim": "scope", "accept": ["crons:*", "assistants:read"]}


def test_crons_can_be_disabled(live_server: LiveServer, messages: Messages) -> None:
    live_server.enforce(langgraph={"crons": "deny"})
    answer = live_server.user("alice", "editor")("POST", "/runs/crons", cron())
    assert answer.status_code == 403
    messages.check(answer.json()["detail"])


def test_cron_run_has_no_rights_on_server(live_server: LiveServer, alice: SampleUser) -> None:
    """The user of the run looks like the scheduler, so its graph cannot start anything."""
    elsewhere = live_server.user("alice", "editor", tenant="globex").thread(job="in globex")
    forged = {"owner": "alice", "tenant": "globex", "authorized_until": 9_999_999_999}
    run = {"assistant_id": "agent", "input": {"text": "evil"}, "metadata": forged}
    requests = [
        {"path": f"{elsewhere}/runs", "json": run},
        {"path": "/runs", "json": {**run, "metadata": {**forged, "tenant": "acme"}}},
        {"path": "/threads/search", "json": {}},
        {"path": "/runs/cancel", "json": {"status": "all"}},
    ]
    body = {**cron(EVERY_SECOND, metadata={"job": "loop"}, on_run_completed="keep"), "assistant_id": "loop"}
    made = alice("POST", "/runs/crons", {**body, "input": {"requests": requests}}).json()
    thread = first_fire(alice, job="loop")
    alice("DELETE", f"/runs/crons/{made['cron_id']}")
    answers = thread["values"]["answers"]
    assert len(answers) == 4
    assert not any(answer == "allowed" for answer in answers), answers


def test_cron_on_own_assistant_runs(live_server: LiveServer) -> None:
    live_server.enforce(issuer={"issuer": live_server.issuer.url, "audience": "agents", "permission_map": everything()})
    who = {"bearer": live_server.issuer.token("wanda", scope="all")}
    made = live_server.server.request("POST", "/assistants", who["bearer"], {"graph_id": "agent"}).json()
    body = {
        **cron(EVERY_SECOND, metadata={"job": "mine"}, on_run_completed="keep"),
        "assistant_id": made["assistant_id"],
    }
    started = live_server.server.request("POST", "/runs/crons", who["bearer"], body).json()
    wanda = SampleUser(live_server.server, "wanda", who["bearer"])
    thread = first_fire(wanda, job="mine")
    wanda("DELETE", f"/runs/crons/{started['cron_id']}")
    assert thread["values"]["answer"] == "wanda said tick"


def everything() -> dict[str, Any]:
    return {"claim": "scope", "values": {"all": ["*"]}}


def test_lost_run_right_blocks_cron_changes(live_server: LiveServer, alice: SampleUser) -> None:
    path = f"/runs/crons/{alice('POST', '/runs/crons', cron()).json()['cron_id']}"
    only_update = {"claim": "roles", "values": {"update": ["crons:update", "crons:read"]}}
    issuer = {"issuer": live_server.issuer.url, "audience": "agents", "tenant": "org", "permission_map": only_update}
    live_server.enforce(issuer=issuer)
    demoted = live_server.user("alice", "update")
    assert demoted("PATCH", path, {"input": {"text": "changed"}}).status_code == 403
    assert demoted("PATCH", path, {"enabled": False}).status_code == 200


def memory_cron(person: SampleUser, job: str) -> Any:
    """Run a cron of a user twice. Return the store items that the second run read, and its user."""
    body = {**cron(EVERY_SECOND, metadata={"job": job}, on_run_completed="keep"), "assistant_id": "memory"}
    made = person("POST", "/runs/crons", {**body, "input": {"text": job}}).json()
    try:
        for _ in range(300):
            values = [thread["values"] for thread in person.search("threads", job=job) if thread.get("values")]
            if found := [value for value in values if value["for_cache"]]:
                return found[0]
            time.sleep(0.05)  # the scheduler offers no event to wait for
    finally:
        person("DELETE", f"/runs/crons/{made['cron_id']}")
    raise AssertionError("the cron did not fire twice")


def test_crons_of_two_tenants_share_no_store(live_server: LiveServer) -> None:
    name = f"mia-{uuid.uuid4()}"
    for tenant in ("acme", "globex"):
        found = memory_cron(live_server.user(name, "editor", tenant=tenant), f"{name}-{tenant}")
        assert set(found["for_cache"]) == {f"{name}-{tenant}"}
        assert found["user"] == {"identity": name, "tenant": tenant, "has_tenants": True, "permissions": []}


@pytest.mark.parametrize("tenant", ["acme", None])
def test_cron_and_owner_share_store(live_server: LiveServer, tenant: str | None) -> None:
    mia = live_server.user(f"mia-{uuid.uuid4()}", "editor", tenant=tenant)
    said = {"assistant_id": "memory", "input": {"text": "by hand"}}
    assert mia("POST", "/runs/wait", said).json()["for_cache"] == []
    assert "by hand" in memory_cron(mia, mia.name)["for_cache"]


def test_cron_user_without_tenants_has_flag(live_server: LiveServer) -> None:
    live_server.enforce(issuer={"issuer": live_server.issuer.url, "audience": "agents", "permission_map": everything()})
    name = f"mia-{uuid.uuid4()}"
    mia = SampleUser(live_server.server, name, live_server.issuer.token(name, scope="all"))
    expected = {"identity": name, "has_tenants": False, "permissions": []}
    assert memory_cron(mia, name)["user"] == expected
