"""Crons: run as their creator, end with their authorization, and the scheduler does nothing else."""

from __future__ import annotations

import time
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from world.town import Somebody

from oidc_auth.langgraph.handlers import enforce
from oidc_auth.langgraph.stamp import MalformedError
from oidc_auth.permissions.settings import EnforcementSettings

if TYPE_CHECKING:
    from world.town import Town

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


def test_a_cron_on_a_thread_runs_on_it_as_its_creator_whoever_moved_its_schedule(town: Town, alice: Somebody) -> None:
    path = alice.thread(job="threaded")
    made = alice("POST", f"{path}/runs/crons", cron()).json()
    moved = town.person("cora", "colleague")("PATCH", f"/runs/crons/{made['cron_id']}", {"schedule": EVERY_SECOND})
    assert moved.status_code == 200
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


def test_a_cron_with_a_context_runs_as_its_creator_and_none_runs_once_crons_are_denied(town: Town) -> None:
    conny = town.person("conny", "editor")
    body = cron(EVERY_SECOND, metadata={"job": "context"}, context={"language": "en"}, on_run_completed="keep")
    made = conny("POST", "/runs/crons", body).json()
    thread = first_fire(conny, job="context")
    town.enforce(langgraph={"crons": "deny"})
    time.sleep(0.5)  # what was started before is over
    before = len(conny.search("threads", job="context"))
    time.sleep(2)  # two fires of the server's own scheduler
    after = len(conny.search("threads", job="context"))
    conny("DELETE", f"/runs/crons/{made['cron_id']}")
    assert (thread["metadata"]["owner"], thread["values"]["answer"]) == ("conny", "conny said tick")
    assert after == before


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


def test_a_crons_run_holds_no_rights_when_its_graph_calls_the_server(town: Town, alice: Somebody) -> None:
    """The run's user looks like the scheduler: whatever the graph claims to be, it may start nothing."""
    elsewhere = town.person("alice", "editor", tenant="globex").thread(job="in globex")
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


def test_a_cron_on_an_assistant_of_ones_own_runs(town: Town) -> None:
    town.enforce(issuer={"issuer": town.issuer.url, "audience": "agents", "grant": everything()})
    who = {"bearer": town.issuer.token("wanda", scope="all")}
    made = town.server.ask("POST", "/assistants", who["bearer"], {"graph_id": "agent"}).json()
    body = {
        **cron(EVERY_SECOND, metadata={"job": "mine"}, on_run_completed="keep"),
        "assistant_id": made["assistant_id"],
    }
    started = town.server.ask("POST", "/runs/crons", who["bearer"], body).json()
    wanda = Somebody(town.server, "wanda", who["bearer"])
    thread = first_fire(wanda, job="mine")
    wanda("DELETE", f"/runs/crons/{started['cron_id']}")
    assert thread["values"]["answer"] == "wanda said tick"


def everything() -> dict[str, Any]:
    return {"claim": "scope", "values": {"all": ["*"]}}


def test_who_lost_the_right_to_run_cannot_change_what_their_cron_runs(town: Town, alice: Somebody) -> None:
    path = f"/runs/crons/{alice('POST', '/runs/crons', cron()).json()['cron_id']}"
    only_update = {"claim": "roles", "values": {"update": ["crons:update", "crons:read"]}}
    issuer = {"issuer": town.issuer.url, "audience": "agents", "tenant": "org", "grant": only_update}
    town.enforce(issuer=issuer)
    demoted = town.person("alice", "update")
    assert demoted("PATCH", path, {"input": {"text": "changed"}}).status_code == 403
    assert demoted("PATCH", path, {"enabled": False}).status_code == 200


def memory_cron(person: Somebody, job: str) -> Any:
    """Let a cron of somebody's remember, twice; return what the second run remembered and its user."""
    body = {**cron(EVERY_SECOND, metadata={"job": job}, on_run_completed="keep"), "assistant_id": "memory"}
    made = person("POST", "/runs/crons", {**body, "input": {"text": job}}).json()
    try:
        for _ in range(150):
            values = [thread["values"] for thread in person.search("threads", job=job) if thread.get("values")]
            if found := [value for value in values if value["remembered"]]:
                return found[0]
            time.sleep(0.1)  # the scheduler is a process of the server's own: there is no event to wait for
    finally:
        person("DELETE", f"/runs/crons/{made['cron_id']}")
    raise AssertionError("the cron did not fire twice")


def test_crons_of_two_tenants_share_no_memories(town: Town) -> None:
    name = f"mia-{uuid.uuid4()}"
    for tenant in ("acme", "globex"):
        found = memory_cron(town.person(name, "editor", tenant=tenant), f"{name}-{tenant}")
        assert set(found["remembered"]) == {f"{name}-{tenant}"}
        assert found["user"] == {"identity": name, "tenant": tenant, "has_tenants": True, "permissions": []}


@pytest.mark.parametrize("tenant", ["acme", None])
def test_a_cron_and_its_owner_share_their_memories(town: Town, tenant: str | None) -> None:
    mia = town.person(f"mia-{uuid.uuid4()}", "editor", tenant=tenant)
    said = {"assistant_id": "memory", "input": {"text": "by hand"}}
    assert mia("POST", "/runs/wait", said).json()["remembered"] == []
    assert "by hand" in memory_cron(mia, mia.name)["remembered"]


def test_a_cron_without_tenants_says_so(town: Town) -> None:
    town.enforce(issuer={"issuer": town.issuer.url, "audience": "agents", "grant": everything()})
    name = f"mia-{uuid.uuid4()}"
    mia = Somebody(town.server, name, town.issuer.token(name, scope="all"))
    expected = {"identity": name, "has_tenants": False, "permissions": []}
    assert memory_cron(mia, name)["user"] == expected


@pytest.mark.usefixtures("town")  # outside a server, every call counts as one from a request
@pytest.mark.parametrize("tenants", [{"tenant": "acme"}, {"tenant": None}, {}])
def test_a_fire_carries_its_user_without_permissions(tenants: dict[str, Any]) -> None:
    stored = {"langgraph_auth_user": SimpleNamespace(identity="alice"), "langgraph_auth_permissions": ["*@all"]}
    value = {
        "metadata": {"owner": "alice", "authorized_until": 20, **tenants},
        "kwargs": {"config": {"configurable": stored}},
    }
    user = SimpleNamespace(identity="alice")
    assert enforce(user, "threads:create_run", value, EnforcementSettings(), now=10).allowed
    fields = {"identity": "alice", "display_name": "alice", "is_authenticated": True}
    expected = {**fields, "has_tenants": bool(tenants), **tenants}
    assert stored == {"langgraph_auth_user": expected, "langgraph_auth_permissions": []}


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize("kwargs", [None, {}, {"config": None}, {"config": {"configurable": {}}}])
def test_a_fire_without_a_place_for_its_user_fails(kwargs: Any) -> None:
    value = {"metadata": {"owner": "alice", "authorized_until": 20}, "kwargs": kwargs}
    with pytest.raises(MalformedError):
        enforce(SimpleNamespace(identity="alice"), "threads:create_run", value, EnforcementSettings(), now=10)
