"""Ownership, runs, streams, crons, the store and revocations, across two replicas on PostgreSQL and Redis."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from oidc_auth import store_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from postgres.conftest import Deployment
    from postgres.replica import Replica

pytestmark = pytest.mark.timeout(180)

WAIT_SECONDS = 15.0
RUN: dict[str, Any] = {"assistant_id": "agent", "input": {"text": "hi"}}


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_thread_belongs_to_its_owner_on_both(deployment: Deployment) -> None:
    (alice_1, alice_2), (_, bob_2) = deployment.user("alice"), deployment.user("bob")
    _, other_2 = deployment.user("alice", tenant="globex")
    _, root_2 = deployment.user("root", "administrator")
    path = alice_1.thread(note="mine")
    assert alice_2.metadata(path) == {"note": "mine", "owner": "alice", "tenant": "acme"}
    assert root_2.metadata(path)["owner"] == "alice"
    for stranger in (bob_2, other_2):
        assert stranger("GET", path).status_code == 404
        assert stranger("PATCH", path, {"metadata": {"note": "theirs"}}).status_code == 404
        assert stranger("DELETE", path).status_code == 404
        assert stranger.search("threads", note="mine") == []
    assert [found["thread_id"] for found in alice_2.search("threads", note="mine")] == [path.rpartition("/")[2]]
    assert deployment.second.request("GET", path).status_code == 401


def test_run_is_joined_on_other_replica(deployment: Deployment) -> None:
    (alice_1, alice_2), (bob_1, bob_2) = deployment.user("alice"), deployment.user("bob")
    path = alice_1.thread()
    run = alice_1("POST", f"{path}/runs", {**RUN, "input": {"text": "hi", "wait": 1}}).json()
    assert bob_2("GET", f"{path}/runs/{run['run_id']}/join").status_code == 404
    assert bob_1("POST", f"{path}/runs", RUN).status_code == 404
    assert alice_2("GET", f"{path}/runs/{run['run_id']}/join").json()["answer"] == "alice said hi"


def test_run_is_cancelled_on_other_replica(deployment: Deployment) -> None:
    (alice_1, alice_2), (_, bob_2) = deployment.user("alice"), deployment.user("bob")
    path = alice_1.thread()
    run = alice_1("POST", f"{path}/runs", {**RUN, "input": {"text": "hi", "wait": 5}}).json()["run_id"]
    assert bob_2("POST", f"{path}/runs/{run}/cancel").status_code == 404
    assert alice_2("POST", f"{path}/runs/{run}/cancel").status_code in (200, 202, 204)
    wait_until(lambda: alice_2("GET", f"{path}/runs/{run}").json()["status"] == "interrupted")


def test_stream_is_read_on_other_replica(deployment: Deployment) -> None:
    (alice_1, alice_2), (_, bob_2) = deployment.user("alice"), deployment.user("bob")
    path = alice_1.thread()
    body = {**RUN, "input": {"text": "streamed", "wait": 1}, "stream_resumable": True, "stream_mode": ["values"]}
    run = alice_1("POST", f"{path}/runs", body).json()["run_id"]
    foreign = bob_2("GET", f"{path}/runs/{run}/stream", last_event_id="-1")
    # This runtime answers 200 before it looks for the run.
    assert (foreign.status_code, "event: error" in foreign.text, "streamed" in foreign.text) == (200, True, False), (
        foreign.text
    )
    assert "alice said streamed" in alice_2("GET", f"{path}/runs/{run}/stream", last_event_id="-1").text


def test_store_is_separate_per_user(deployment: Deployment) -> None:
    (alice_1, alice_2), (_, bob_2) = deployment.user("alice"), deployment.user("bob")
    _, other_2 = deployment.user("alice", tenant="globex")
    alice_1("POST", "/runs/wait", {**RUN, "input": {"text": "remembered"}})
    label = store_label({"identity": "alice", "tenant": "acme"})
    query = {"namespace_prefix": ["memories"]}
    (item,) = alice_2("POST", "/store/items/search", query).json()["items"]
    assert item["value"] == {"text": "remembered"}
    for stranger in (bob_2, other_2):
        # The store compares with LIKE, so parts of a name and wildcards are tried too.
        for prefix in (["memories"], [label], [label[:8]], ["%"], ["_" * len(label)], []):
            assert stranger("POST", "/store/items/search", {"namespace_prefix": prefix}).json()["items"] == []


def test_cron_fires_as_its_owner(deployment: Deployment) -> None:
    (alice_1, alice_2), (_, bob_2) = deployment.user("alice"), deployment.user("bob")
    cron = {"assistant_id": "agent", "schedule": "* * * * * *", "input": {"text": "cron"}, "metadata": {"job": "tick"}}
    made = alice_1("POST", "/runs/crons", {**cron, "on_run_completed": "keep"}).json()
    try:
        wait_until(lambda: len(alice_2.search("threads", job="tick")) >= 2)
    finally:
        assert alice_2("DELETE", f"/runs/crons/{made['cron_id']}").is_success
    fired = alice_2.search("threads", job="tick")
    assert {thread["metadata"]["owner"] for thread in fired} == {"alice"}
    # Two schedulers run, and each tick fires once.
    starts = Counter(thread["created_at"][:19] for thread in fired)
    assert max(starts.values()) == 1
    assert bob_2.search("threads", job="tick") == []
    assert bob_2("POST", "/runs/crons/search", {}).json() == []


def test_logout_ends_token_on_both(deployment: Deployment) -> None:
    gone, stays = deployment.user("dora", sid="session-1"), deployment.user("dora", sid="session-2")
    assert [user.search("threads") for user in (*gone, *stays)] == [[], [], [], []]
    notice = deployment.issuer.logout_token("dora", session="session-1")
    assert deployment.first.send_notice(notice).status_code == 200
    wait_until(lambda: all(status_of(user.server, user.token) == 401 for user in gone))
    assert [status_of(user.server, user.token) for user in stays] == [200, 200]
    # The other replica knows that the notice was used.
    assert deployment.second.send_notice(notice).status_code == 400


def status_of(replica: Any, token: str) -> int:
    status: int = replica.request("POST", "/threads/search", token, {}).status_code
    return status


def test_logout_ends_stream_on_other_replica(deployment: Deployment) -> None:
    (_, erin_2), notice = deployment.user("erin", sid="session-3"), deployment.issuer.logout_token("erin")
    path = erin_2.thread()
    received = list[str]()
    reader = threading.Thread(target=read_stream, args=(deployment.second, path, erin_2.token, received))
    reader.start()
    wait_until(lambda: bool(received))
    assert deployment.first.send_notice(notice).status_code == 200
    reader.join(WAIT_SECONDS)
    assert not reader.is_alive()
    assert "token_revoked" in "".join(received)


def read_stream(replica: Replica, path: str, token: str, received: list[str]) -> None:
    """Start a run that takes five seconds, and read its events until the server ends them."""
    headers = {"authorization": f"Bearer {token}"}
    body = {**RUN, "input": {"text": "hi", "wait": 5}, "stream_mode": ["values"]}
    with httpx.stream("POST", f"{replica.url}{path}/runs/stream", json=body, headers=headers, timeout=30) as answer:
        for text in answer.iter_text():
            received.append(text)  # noqa: PERF402 - another thread reads it meanwhile
