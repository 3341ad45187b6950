"""Ways to move a paused graph apart from the routes for runs: state, crons, assistants, A2A, MCP and stateless runs."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from kit.routes.row import rpc
from kit.sharing import People, SharingServer, contents, find_interrupt, is_paused, pause, settle, share
from kit.steering import ANY_ID, COMMAND_ROUTES, INTERRUPT, REPETITIONS, WAYS, Way, fill

from oidc_auth.enforcement.limits import built_in_assistant
from oidc_auth.observability import AuthorizationDecided

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.live_server import SampleUser
    from kit.server import Server

pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol")

BREAK = "breakpoint"
EVERY_SECOND, NEVER = "* * * * * *", "0 0 1 1 *"
NEW = {"text": "new"}
DENIED = (400, 403, 404, 409, 422)


@pytest.fixture(scope="module")
def sharing(server: Server) -> SharingServer:
    return SharingServer(server, "permission")


@pytest.fixture(autouse=True, params=["permission", "other"])
def mode(sharing: SharingServer, request: pytest.FixtureRequest) -> str:
    mode: str = request.param
    sharing.change(mode)
    return mode


@pytest.fixture(scope="module")
def people(sharing: SharingServer) -> People:
    return sharing.people()


@pytest.fixture
def owner(sharing: SharingServer) -> SampleUser:
    """Return alice without the permission to resume."""
    return sharing.user("alice", "sharer")


@pytest.fixture(scope="module")
def stopped(people: People) -> dict[str, str]:
    return {graph: pause(people.alice, graph) for graph in (INTERRUPT, BREAK)}


@pytest.fixture
def unmoved(people: People, stopped: dict[str, str]) -> Iterator[dict[str, str]]:
    """Return a paused thread of alice for each graph. Tests must not move it."""
    before = {graph: contents(people.alice, thread) for graph, thread in stopped.items()}
    yield stopped
    for graph, thread in stopped.items():
        settle(people.alice, thread)
        assert contents(people.alice, thread) == before[graph]


STATES = [
    {"values": NEW, "as_node": "ask"},
    {"values": None, "as_node": "act"},
    {"values": NEW},
    {"values": {}},
    {"values": NEW, "checkpoint_id": ANY_ID},
    {"values": None, "as_node": "__end__"},
]


@pytest.mark.parametrize("body", STATES)
def test_state_update_needs_permission(
    sharing: SharingServer, people: People, owner: SampleUser, unmoved: dict[str, str], body: dict[str, Any]
) -> None:
    persons = [owner, sharing.user("alice", "clerk"), sharing.user("root", "patterns"), *people.listed, *people.others]
    for person in persons:
        for thread in unmoved.values():
            assert person("POST", f"{thread}/state", body).status_code in DENIED


STEPS = [
    [{"updates": [{"values": NEW, "as_node": "ask"}]}],
    [{"updates": [{"values": None, "as_node": "act"}]}],
    [{"updates": [{"command": {"resume": "yes"}, "as_node": "ask"}]}],
    [],
]


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("if_exists", ["do_nothing", "raise"])
def test_supersteps_need_permission(
    people: People, owner: SampleUser, unmoved: dict[str, str], steps: list[Any], if_exists: str
) -> None:
    for person in (owner, *people.listed, *people.others):
        for thread in unmoved.values():
            body = {"thread_id": thread.rpartition("/")[2], "if_exists": if_exists, "supersteps": steps}
            person("POST", "/threads", body)


def test_owner_with_permission_updates_state(sharing: SharingServer, people: People, mode: str) -> None:
    thread = pause(people.alice)
    updated = people.alice("POST", f"{thread}/state", STATES[0]).status_code
    assert updated == (200 if mode == "permission" else 403)


def cron(graph: str, **more: Any) -> dict[str, Any]:
    return {"assistant_id": graph, "schedule": NEVER, "input": NEW, **more}


CRON_BODIES = [
    {"input": None},
    {"command": {"resume": "yes"}},
    {"command": {"goto": "act"}},
    {"command": {}, "input": None},
    {"interrupt_before": ["none"]},
    {"interrupt_after": "*"},
    {"checkpoint_id": ANY_ID},
    {"checkpoint": {"checkpoint_id": ANY_ID}},
    {"config": {"configurable": {"__pregel_resuming": True}}},
    {"config": {"configurable": {"checkpoint_id": ANY_ID}}},
    {"context": {"__pregel_resuming": True}},
    {"context": {"checkpoint_id": ANY_ID}},
]


@pytest.mark.parametrize("body", CRON_BODIES, ids=json.dumps)
def test_crons_never_steer(people: People, unmoved: dict[str, str], body: dict[str, Any]) -> None:
    """The permission to resume does not help, because nobody is there when the cron runs."""
    made = people.alice("POST", f"{unmoved[BREAK]}/runs/crons", cron(BREAK)).json()["cron_id"]
    before = people.alice("GET", f"/runs/crons/{made}").json()
    assert people.alice("PATCH", f"/runs/crons/{made}", body).status_code in DENIED
    after = people.alice("GET", f"/runs/crons/{made}").json()
    people.alice("DELETE", f"/runs/crons/{made}")
    assert after == before
    assert people.alice("POST", f"{unmoved[BREAK]}/runs/crons", cron(BREAK, **body)).status_code in DENIED


def test_cron_without_input_never_steers(people: People, unmoved: dict[str, str]) -> None:
    body = cron(BREAK)
    del body["input"]
    assert people.alice("POST", f"{unmoved[BREAK]}/runs/crons", body).status_code in DENIED


@pytest.mark.parametrize("below", ["/runs/crons", "{thread}/runs/crons"])
def test_listed_people_create_no_cron(people: People, unmoved: dict[str, str], below: str) -> None:
    thread = unmoved[BREAK]
    for person in (*people.listed, *people.others):
        body = cron(BREAK, config={"configurable": {"thread_id": thread.rpartition("/")[2]}})
        answer = person("POST", below.replace("{thread}", thread), body)
        if answer.status_code == 200:
            assert answer.json()["thread_id"] is None
            person("DELETE", f"/runs/crons/{answer.json()['cron_id']}")


def decisions(sharing: SharingServer) -> list[AuthorizationDecided]:
    return [event for event in list(sharing.observed_events) if isinstance(event, AuthorizationDecided)]


@pytest.mark.parametrize(
    "body", [{}, {"command": {"resume": "yes"}}, {"config": {"configurable": {"__pregel_resuming": True}}}]
)
def test_older_cron_never_steers(
    sharing: SharingServer, people: People, unmoved: dict[str, str], mode: str, body: dict[str, Any]
) -> None:
    """A cron that was created in another mode is refused when it runs."""
    sharing.change("run")
    steering = {"assistant_id": BREAK, "schedule": NEVER, **body}
    made = people.alice("POST", f"{unmoved[BREAK]}/runs/crons", steering).json()["cron_id"]
    sharing.change(mode)
    sharing.observed_events.clear()
    assert people.alice("PATCH", f"/runs/crons/{made}", {"schedule": EVERY_SECOND}).status_code == 200
    deadline = time.monotonic() + 10
    while not (found := [one for one in decisions(sharing) if one.event == "threads:create_run"]):
        assert time.monotonic() < deadline, "the cron did not run"
        time.sleep(0.02)
    people.alice("DELETE", f"/runs/crons/{made}")
    assert {one.outcome for one in found} == {"denied"}


STEERING_CONFIG = [
    {"config": {"configurable": {"__pregel_resuming": True}}},
    {"config": {"configurable": {"__pregel_resume_map": {ANY_ID: "yes"}}}},
    {"config": {"configurable": {"__pregel_": 1}}},
    {"context": {"__pregel_resuming": True}},
    {"config": {"configurable": {"checkpoint_id": ANY_ID}}},
    {"config": {"configurable": {"checkpoint_ns": "act"}}},
    {"config": {"configurable": {"checkpoint_map": {"": ANY_ID}}}},
    {"context": {"checkpoint_id": ANY_ID}},
    {"config": {"__pregel_resuming": True}},
]
KEYS = ("__pregel", "checkpoint_")


@pytest.mark.parametrize("body", STEERING_CONFIG, ids=json.dumps)
def test_assistants_never_carry_steering_keys(people: People, body: dict[str, Any]) -> None:
    for person in (people.alice, people.root):
        created = person("POST", "/assistants", {"graph_id": BREAK, **body})
        assert created.status_code in {200, *DENIED}
        assert not any(key in created.text for key in KEYS if created.status_code == 200)
        made = person("POST", "/assistants", {"graph_id": BREAK}).json()["assistant_id"]
        changed = person("PATCH", f"/assistants/{made}", body)
        assert changed.status_code in {200, *DENIED}
        versions = person("POST", f"/assistants/{made}/versions", {}).text
        assert not any(key in person("GET", f"/assistants/{made}").text + versions for key in KEYS)


@pytest.mark.parametrize("body", [STEERING_CONFIG[0], STEERING_CONFIG[3]], ids=json.dumps)
def test_assistant_never_moves_graph(people: People, owner: SampleUser, body: dict[str, Any]) -> None:
    thread = pause(people.alice, BREAK)
    created = owner("POST", "/assistants", {"graph_id": BREAK, **body})
    if created.status_code == 200:
        run = {"assistant_id": created.json()["assistant_id"], "input": NEW}
        owner("POST", f"{thread}/runs/wait", run)
    assert is_paused(people.alice, thread)


@pytest.mark.parametrize("way", REPETITIONS, ids=lambda way: way.name)
def test_metadata_of_run_never_steer(people: People, owner: SampleUser, way: Way) -> None:
    for send in COMMAND_ROUTES.values():
        for person in (owner, people.eddie, people.alice):
            thread = pause(people.alice, BREAK)
            send(person, thread, BREAK, fill(way, people.alice, thread))
            assert is_paused(people.alice, thread)
            assert settle(people.alice, thread)["values"]["text"] in {"new", "pay"}


def test_metadata_of_thread_never_steer(people: People, owner: SampleUser) -> None:
    """LangGraph continues a run if its metadata name the run of the latest checkpoint."""
    path, run = f"/threads/{uuid.uuid4()}", str(uuid.uuid4())
    for metadata in ({"metadata": {"run_id": run}}, {"config": {"metadata": {"run_id": run}}}):
        params = {"assistant_id": BREAK, "input": {"text": "first"}, **metadata}
        owner("POST", f"{path}/commands", {"id": 1, "method": "run.start", "params": params})
        if owner("GET", path).status_code != 200:
            path = owner.thread()
            owner("POST", f"{path}/runs/wait", {"assistant_id": BREAK, "input": {"text": "first"}})
        settle(people.alice, path)
        owner("POST", f"{path}/runs/wait", {"assistant_id": BREAK, "input": {"text": "second"}})
        assert is_paused(people.alice, path)
        assert settle(people.alice, path)["values"]["text"] == "second"


A2A = f"/a2a/{built_in_assistant(INTERRUPT)}"


def said(text: str, **more: Any) -> dict[str, Any]:
    message = {"messageId": str(uuid.uuid4()), "role": "ROLE_USER", "parts": [{"kind": "text", "text": text}], **more}
    return {"message": message}


def a2a(person: SampleUser, method: str, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = person("POST", A2A, rpc(method, **params), accept="application/json").json()
    return answer


def start_task(owner: SampleUser) -> tuple[str, dict[str, str]]:
    """Return a paused thread that was started over A2A, and the names of its task."""
    started = a2a(owner, "SendMessage", **said("pay"))["result"]
    task = started.get("task", started)
    thread = f"/threads/{task['contextId']}"
    share(owner, thread)
    return thread, {"contextId": task["contextId"], "taskId": task["id"]}


def test_a2a_message_steers_with_permission_only(
    sharing: SharingServer, people: People, owner: SampleUser, mode: str
) -> None:
    thread, task = start_task(people.alice)
    assert is_paused(people.alice, thread)
    answers = {find_interrupt(people.alice, thread): "yes"}
    users = [owner, sharing.user("april", "user"), people.rita, people.cora, people.stranger]
    for person in [*users, people.eddie] if mode == "permission" else [*users, people.eddie, people.alice]:
        for method in ("SendMessage", "SendStreamingMessage"):
            accept = "text/event-stream" if method == "SendStreamingMessage" else "application/json"
            for message in (
                said("yes", **task),
                said("yes", **task, command={"resume": answers}),
                said("yes", **task, command={"goto": "act"}),
                said("yes", contextId=task["contextId"], command={"goto": "act"}),
                said("yes", contextId=task["contextId"], command={"resume": answers, "update": NEW}),
            ):
                person("POST", A2A, rpc(method, **message), accept=accept)
                assert is_paused(people.alice, thread), (person.name, message)
    message = said("", **task)
    message["message"]["parts"] = [{"kind": "data", "data": {"resume": answers}}]
    answer = a2a(people.april, "SendMessage", **message)
    assert settle(people.alice, thread)["values"].get("acted_as") == "april", answer


def test_a2a_cancel_moves_no_paused_graph(sharing: SharingServer, people: People, owner: SampleUser) -> None:
    thread, task = start_task(people.alice)
    for person in (owner, sharing.user("april", "approver"), people.rita, people.eddie, *people.others):
        a2a(person, "CancelTask", id=task["taskId"], contextId=task["contextId"])
        assert is_paused(people.alice, thread), person.name


def test_mcp_call_reaches_no_paused_thread(people: People, owner: SampleUser, unmoved: dict[str, str]) -> None:
    thread_id = unmoved[INTERRUPT].rpartition("/")[2]
    for name in (INTERRUPT, BREAK):
        for arguments in (
            {"text": "x", "thread_id": thread_id, "command": {"resume": "yes"}},
            {"text": "x", "config": {"configurable": {"thread_id": thread_id, "__pregel_resuming": True}}},
        ):
            for person in (owner, people.april, people.eddie, people.stranger):
                body = rpc("tools/call", name=name, arguments=arguments, thread_id=thread_id)
                person("POST", "/mcp", body, accept="application/json")


@pytest.mark.parametrize("mode", ["permission"], indirect=True)
@pytest.mark.parametrize("route", ["/runs", "/runs/wait", "/runs/stream", "/runs/batch"])
def test_stateless_run_reaches_no_paused_thread(
    people: People, owner: SampleUser, unmoved: dict[str, str], route: str
) -> None:
    for way in WAYS:
        body = {"assistant_id": way.graph, "after_seconds": 60, **fill(way, people.alice, unmoved[way.graph])}
        names = {"thread_id": unmoved[way.graph].rpartition("/")[2]}
        configurable = {**body.get("config", {}).get("configurable", {}), **names}
        body |= {**names, "config": {"configurable": configurable}, "checkpoint": {**names, "checkpoint_ns": ""}}
        body.pop("context", None)
        if route in {"/runs/wait", "/runs/stream"}:
            del body["after_seconds"]
        for person in (owner, people.eddie, people.april, people.stranger):
            person("POST", route, [body] if route.endswith("batch") else body)


def test_run_of_editor_leaves_nothing_that_steers(people: People, owner: SampleUser) -> None:
    """The server keeps the configuration of a run in the thread, and later runs inherit it."""
    thread = pause(people.alice, BREAK)
    for configuration in ({"recursion_limit": 50}, {"metadata": {"run_id": str(uuid.uuid4())}}, {"tags": ["x"]}):
        run = {"assistant_id": BREAK, "input": NEW, "config": configuration}
        for person in (people.eddie, owner):
            person("POST", f"{thread}/runs/wait", run)
            person("POST", f"{thread}/commands", {"id": 1, "method": "run.start", "params": run})
            settle(people.alice, thread)
            people.alice("POST", f"{thread}/runs/wait", {"assistant_id": BREAK, "input": {"text": "last"}})
            assert is_paused(people.alice, thread)
            assert settle(people.alice, thread)["values"]["text"] == "last"


def test_owner_cannot_swap_graph_of_paused_thread(people: People, owner: SampleUser, mode: str) -> None:
    """Otherwise the approver would answer another graph than the one that asked."""
    thread = pause(people.alice)
    before = people.alice.metadata(thread)["assistant_id"]
    for metadata in ({"assistant_id": BREAK}, {"assistant_id": str(uuid.uuid4())}):
        people.alice("PATCH", thread, {"metadata": metadata})
    assert people.alice.metadata(thread)["assistant_id"] == before
