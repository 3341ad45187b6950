"""Requests that name somebody else's object where the server might not look: in a filter, a batch, a configuration."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    from world.town import Somebody, Town

SECRET = "the secret of alice"


@pytest.fixture
def secret(alice: Somebody) -> str:
    """Return the id of a thread of alice's with a state that only she may see."""
    path = alice.thread(graph_id="agent", secret=SECRET)
    assert alice("POST", f"{path}/state", {"values": {"text": SECRET}, "as_node": "respond"}).status_code == 200
    return path.rpartition("/")[2]


@pytest.fixture
def stranger(town: Town) -> Somebody:
    return town.person("stranger", *EVENTS)


@pytest.mark.parametrize("resource", ["threads", "assistants", "runs/crons"])
@pytest.mark.parametrize(
    "where",
    [
        {"metadata": {"owner": "alice"}},
        {"metadata": {"owner": "alice", "tenant": "acme"}},
        {"metadata": {"$or": [{"owner": "alice"}, {"owner": "stranger"}]}},
        {"ids": ["{thread}"]},
        {"values": {"text": SECRET}},
        {"thread_id": "{thread}"},
    ],
)
def test_no_search_finds_what_is_anothers(
    alice: Somebody, stranger: Somebody, secret: str, resource: str, where: dict[str, Any]
) -> None:
    cron = {"assistant_id": "agent", "schedule": "0 0 1 1 *", "metadata": {"secret": SECRET}}
    assert alice("POST", f"/threads/{secret}/runs/crons", cron).status_code == 200
    body = json.loads(json.dumps(where).replace("{thread}", secret))
    for below in ("search", "count"):
        answer = stranger("POST", f"/{resource}/{below}", body)
        assert SECRET not in answer.text
        assert not any(word in answer.text for word in (secret, '"alice"'))


def test_a_batch_that_names_one_of_anothers_prunes_nothing_of_theirs(
    alice: Somebody, stranger: Somebody, secret: str
) -> None:
    own = stranger.thread().rpartition("/")[2]
    for batch in ([own, secret], [secret, own]):
        assert stranger("POST", "/threads/prune", {"thread_ids": batch}).status_code == 404
    assert alice("GET", f"/threads/{secret}").status_code == 200


def forged(thread: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}


def test_a_run_reads_and_writes_its_own_thread_whatever_its_configuration_names(
    alice: Somebody, stranger: Somebody, secret: str
) -> None:
    before = alice("GET", f"/threads/{secret}/state").json()
    run = {"assistant_id": "agent", "input": {"wait": 0}, "config": forged(secret), "checkpoint": {"thread_id": secret}}
    for path in ("/runs/wait", f"{stranger.thread()}/runs/wait"):
        answer = stranger("POST", path, run)
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
def test_no_checkpoint_of_anothers_is_read_or_continued(
    alice: Somebody, stranger: Somebody, secret: str, below: str, body: dict[str, Any]
) -> None:
    before = alice("GET", f"/threads/{secret}/state").json()
    named = {"{thread}": secret, "{checkpoint}": before["checkpoint"]["checkpoint_id"]}
    text = json.dumps(body)
    for name, value in named.items():
        text = text.replace(name, value)
    own = stranger.thread(graph_id="agent")
    assert SECRET not in stranger("POST", f"{own}/{below}", json.loads(text)).text
    assert SECRET not in stranger("GET", f"{own}/state").text
    assert alice("GET", f"/threads/{secret}/state").json() == before


def test_a_cron_names_no_thread_of_anothers(alice: Somebody, stranger: Somebody, secret: str) -> None:
    cron = {"assistant_id": "agent", "schedule": "0 0 1 1 *", "thread_id": secret, "config": forged(secret)}
    made = stranger("POST", "/runs/crons", cron)
    assert made.json().get("thread_id") is None
    changed = stranger("PATCH", f"/runs/crons/{made.json()['cron_id']}", {"thread_id": secret, "user_id": "alice"})
    assert changed.json().get("thread_id") is None
    assert changed.json().get("user_id") in (None, "stranger")
    assert alice("POST", "/runs/crons/search", {"thread_id": secret}).json() == []


def test_an_assistant_of_anothers_is_run_on_no_road(town: Town, stranger: Somebody) -> None:
    author = town.person("author", *EVENTS)
    name = f"tool-{uuid.uuid4()}"
    theirs = author("POST", "/assistants", {"graph_id": "agent", "name": name}).json()["assistant_id"]
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": {"text": "x"}}}
    answers = [
        stranger("POST", where, {"assistant_id": theirs, "input": {}, "schedule": "0 0 1 1 *"}).status_code
        for where in ("/runs", "/runs/wait", "/runs/stream", "/runs/crons", f"{stranger.thread()}/runs")
    ]
    assert answers == [404] * 5
    assert "Unknown tool" in stranger("POST", "/mcp", call, accept="application/json").text
