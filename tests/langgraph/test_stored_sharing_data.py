"""What clients stored in one mode must give nothing after the operator changes the mode or turns sharing on."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from kit.sharing import (
    LISTS,
    SHARED,
    WITHOUT_LITERALS,
    People,
    SharingServer,
    is_paused,
    pause,
    settle,
    share,
    shared_thread,
)

if TYPE_CHECKING:
    from kit.live_server import SampleUser
    from kit.server import Server

# The server uses a beta of LangGraph for commands.
pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol")

BREAK = "breakpoint"
FORGED: dict[str, Any] = {name: ["cora"] for name in LISTS} | {"approved_by": "root", "run_id": str(uuid.uuid4())}
MODES = ["run", "permission", "other"]
RUN = {"assistant_id": "agent", "input": {"text": "hello"}}


@pytest.fixture(scope="module")
def sharing(server: Server) -> SharingServer:
    return SharingServer(server)


@pytest.fixture(scope="module")
def people(sharing: SharingServer) -> People:
    return sharing.people()


def turn_off(sharing: SharingServer, mode: str = "run") -> SampleUser:
    """Turn sharing off, and return alice."""
    sharing.change(mode, WITHOUT_LITERALS)
    return sharing.user("alice", "user")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("key", FORGED)
def test_reserved_keys_are_reserved_without_sharing(sharing: SharingServer, mode: str, key: str) -> None:
    alice, forged = turn_off(sharing, mode), {key: FORGED[key]}
    path = alice.thread()
    alice("PATCH", path, {"metadata": forged})
    created = alice("POST", "/threads", {"metadata": forged})
    both = {"metadata": forged, "config": {"metadata": forged}}
    new = f"/threads/{uuid.uuid4()}"
    alice("POST", f"{new}/runs", {**RUN, **both, "if_not_exists": "create", "after_seconds": 3600})
    command = f"/threads/{uuid.uuid4()}"
    alice("POST", f"{command}/commands", {"id": 1, "method": "run.start", "params": {**RUN, **both}})
    paths = [path, new, command, *([f"/threads/{created.json()['thread_id']}"] if created.is_success else [])]
    for each in paths:
        found = alice("GET", each)
        assert found.status_code == 404 or not found.json()["metadata"].get(key), each
    for each in (new, command):
        found = alice("GET", f"{each}/runs")
        assert found.status_code == 404 or not any(run["metadata"].get(key) for run in found.json())


@pytest.mark.parametrize("mode", MODES)
def test_lists_have_no_effect_without_sharing(sharing: SharingServer, people: People, mode: str) -> None:
    sharing.change("run")
    thread = shared_thread(people.alice)
    turn_off(sharing, mode)
    for name in ("rita", "eddie", "april"):
        person = sharing.user(name, "user")
        assert person("GET", thread).status_code == 404
        assert person("POST", f"{thread}/runs", RUN).status_code == 404
    alice = sharing.user("alice", "user")
    assert {key: alice.metadata(thread)[key] for key in SHARED} == SHARED
    alice("PATCH", thread, {"metadata": {name: [] for name in LISTS} | {"title": "new"}})
    assert {key: alice.metadata(thread)[key] for key in SHARED} == SHARED
    sharing.change("run")
    assert [one("GET", thread).status_code for one in (*people.listed, people.cora)] == [200, 200, 200, 404]


@pytest.mark.parametrize("mode", ["permission", "other"])
@pytest.mark.parametrize(
    "prepared",
    [
        {"config": {"configurable": {"__pregel_resuming": True}}},
        {"context": {"__pregel_resuming": True}},
    ],
)
def test_older_assistant_never_steers(
    sharing: SharingServer, people: People, mode: str, prepared: dict[str, Any]
) -> None:
    sharing.change("run")
    created = people.alice("POST", "/assistants", {"graph_id": BREAK, **prepared})
    sharing.change(mode)
    thread = pause(people.alice, BREAK)
    if created.is_success:
        owner = sharing.user("alice", "sharer")
        assistant = created.json()["assistant_id"]
        owner("POST", f"{thread}/runs/wait", {"assistant_id": assistant, "input": {"text": "new"}})
    assert is_paused(people.alice, thread)


@pytest.mark.parametrize("mode", ["permission", "other"])
@pytest.mark.parametrize("shares", [False, True])
def test_older_thread_never_steers(sharing: SharingServer, people: People, mode: str, *, shares: bool) -> None:
    sharing.change("run") if shares else turn_off(sharing)
    owner = sharing.user("alice", "user")
    path = f"/threads/{uuid.uuid4()}"
    params = {"assistant_id": BREAK, "input": {"text": "first"}, "metadata": {"run_id": str(uuid.uuid4())}}
    owner("POST", f"{path}/commands", {"id": 1, "method": "run.start", "params": params})
    settle(owner, path)
    sharing.change(mode)
    for text in ("second", "third"):
        owner("POST", f"{path}/runs/wait", {"assistant_id": BREAK, "input": {"text": text}})
        assert is_paused(people.alice, path)
        assert settle(people.alice, path)["values"]["text"] == text


def test_other_mode_ignores_lists_of_earlier_modes(sharing: SharingServer, people: People) -> None:
    """Before, one person could be an editor and an approver. The owner writes both lists again."""
    sharing.change("permission")
    thread = pause(people.alice, shared_editors=["april"], shared_approvers=["april"])
    sharing.change("other")
    interrupt = people.alice("GET", thread).json()["interrupts"]
    assert interrupt
    share(people.alice, thread, shared_editors=[], shared_approvers=["april"])
    assert people.april("POST", f"{thread}/runs", RUN).status_code == 404
