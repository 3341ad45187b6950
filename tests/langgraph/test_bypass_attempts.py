"""Requests that name another user's object in a filter, a batch or a configuration."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    from kit.live_server import LiveServer, SampleUser

SECRET = "the secret of alice"


@pytest.fixture
def secret(alice: SampleUser) -> str:
    """Return the ID of a thread of alice with a state that only she can see."""
    path = alice.thread(graph_id="agent", secret=SECRET)
    assert alice("POST", f"{path}/state", {"values": {"text": SECRET}, "as_node": "respond"}).status_code == 200
    return path.rpartition("/")[2]


@pytest.fixture
def other_user(live_server: LiveServer) -> SampleUser:
    return live_server.user("other_user", *EVENTS)


@pytest.mark.parametrize("resource", ["threads", "assistants", "runs/crons"])
@pytest.mark.parametrize(
    "where",
    [
        {"metadata": {"owner": "alice"}},
        {"metadata": {"owner": "alice", "tenant": "acme"}},
        {"metadata": {"$or": [{"owner": "alice"}, {"owner": "other_user"}]}},
        {"ids": ["{thread}"]},
        {"values": {"text": SECRET}},
        {"thread_id": "{thread}"},
    ],
)
def test_search_never_finds_foreign_objects(
    alice: SampleUser, other_user: SampleUser, secret: str, resource: str, where: dict[str, Any]
) -> None:
    cron = {"assistant_id": "agent", "schedule": "0 0 1 1 *", "metadata": {"secret": SECRET}}
    assert alice("POST", f"/threads/{secret}/runs/crons", cron).status_code == 200
    body = json.loads(json.dumps(where).replace("{thread}", secret))
    for below in ("search", "count"):
        answer = other_user("POST", f"/{resource}/{below}", body)
        assert SECRET not in answer.text
        assert not any(word in answer.text for word in (secret, '"alice"'))


def test_batch_prune_skips_foreign_threads(alice: SampleUser, other_user: SampleUser, secret: str) -> None:
    own = other_user.thread().rpartition("/")[2]
    for batch in ([own, secret], [secret, own]):
        assert other_user("POST", "/threads/prune", {"thread_ids": batch}).status_code == 404
    assert alice("GET", f"/threads/{secret}").status_code == 200


def forged(thread: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}


def test_run_config_cannot_name_other_thread(alice: SampleUser, other_user: SampleUser, secret: str) -> None:
    before = alice("GET", f"/threads/{secret}/state").json()
    run = {"assistant_id": "agent", "input": {"wait": 0}, "config": forged(secret), "checkpoint": {"thread_id": secret}}
    for path in ("/runs/wait", f"{other_user.thread()}/runs/wait"):
        answer = other_user("POST", path, run)
        assert SECRET not in answer.text
    assert alice("GET", f"/threads/{secret}/state").json() == before


@pytest.mark.parametrize(
    ("below", "body"),
    [
        ("state/checkpoint", {"checkpoint": {"thread_id": "{thread}", "checkpoint_id": "{checkpoint}"}}),
        ("state/checkpoint", {"checkpoint": {"thread_id": "{thread}", "checkpoint_ns": ""}}),
        ("state", {"values": {"text": "evil"}, "as_node": "respond", "checkpoint": {"thread_id": "{thread}"}}),
        ("state", {"values": {"text": "evil"}, "as_node": "respond", "checkpoint_id": "{checkpoint}"}),
        ("history", {"before": {"configurable": {"thread_id": "{thread}", "checkpoint_id": "{checkpoint}"}}}),
        ("history", {"checkpoint": {"thread_id": "{thread}", "checkpoint_ns": ""}}),
    ],
)
def test_foreign_checkpoints_are_not_usable(
    alice: SampleUser, other_user: SampleUser, secret: str, below: str, body: dict[str, Any]
) -> None:
    before = alice("GET", f"/threads/{secret}/state").json()
    named = {"{thread}": secret, "{checkpoint}": before["checkpoint"]["checkpoint_id"]}
    text = json.dumps(body)
    for name, value in named.items():
        text = text.replace(name, value)
    own = other_user.thread(graph_id="agent")
    assert SECRET not in other_user("POST", f"{own}/{below}", json.loads(text)).text
    assert SECRET not in other_user("GET", f"{own}/state").text
    assert alice("GET", f"/threads/{secret}/state").json() == before


def test_cron_cannot_use_foreign_thread(alice: SampleUser, other_user: SampleUser, secret: str) -> None:
    cron = {"assistant_id": "agent", "schedule": "0 0 1 1 *", "thread_id": secret, "config": forged(secret)}
    made = other_user("POST", "/runs/crons", cron)
    assert made.json().get("thread_id") is None
    changed = other_user("PATCH", f"/runs/crons/{made.json()['cron_id']}", {"thread_id": secret, "user_id": "alice"})
    assert changed.json().get("thread_id") is None
    assert changed.json().get("user_id") in (None, "other_user")
    assert alice("POST", "/runs/crons/search", {"thread_id": secret}).json() == []


def test_foreign_assistant_cannot_be_run(live_server: LiveServer, other_user: SampleUser) -> None:
    author = live_server.user("author", *EVENTS)
    name = f"tool-{uuid.uuid4()}"
    theirs = author("POST", "/assistants", {"graph_id": "agent", "name": name}).json()["assistant_id"]
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": {"text": "x"}}}
    answers = [
        other_user("POST", where, {"assistant_id": theirs, "input": {}, "schedule": "0 0 1 1 *"}).status_code
        for where in ("/runs", "/runs/wait", "/runs/stream", "/runs/crons", f"{other_user.thread()}/runs")
    ]
    assert answers == [404] * 5
    assert "Unknown tool" in other_user("POST", "/mcp", call, accept="application/json").text
