"""Who may move a paused graph, on every route: REST, v2 commands, WebSocket, A2A, MCP, crons, assistants and state."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from kit.shared_threads import INPUT, enforce, find_interrupt, is_paused, pause, run, wait_for_runs

from oidc_auth import ErrorCode
from oidc_auth.enforcement.limits import built_in_assistant
from oidc_auth.observability import AuthorizationDecided

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit.live_server import LiveServer, SampleUser

    Way = Callable[[SampleUser, str], Any]

pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol")

MODES = ["permission", "other"]
YEARLY = "0 0 1 1 *"
EMPTY: dict[str, Any] = {}


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest, live_server: LiveServer) -> str:
    found: str = request.param
    enforce(live_server, found)
    return found


@pytest.fixture
def owner(live_server: LiveServer) -> SampleUser:
    """Return a user who may do everything but resume."""
    return live_server.user(f"alice-{uuid.uuid4()}", "member", "editor")


@pytest.fixture
def resumer(live_server: LiveServer) -> SampleUser:
    return live_server.user(f"rita-{uuid.uuid4()}", "resumer", "editor")


def post(suffix: str, body: dict[str, Any] | None = None, **more: Any) -> Way:
    """Return a request for a run of the paused graph, without input unless ``more`` has it."""

    def way(user: SampleUser, path: str) -> Any:
        graph = user("GET", path).json()["metadata"]["graph_id"]
        return user("POST", f"{path}{suffix}", {"assistant_id": graph, **(body or {}), **more})

    return way


def command(method: str = "run.start", **params: Any) -> Way:
    """Return a v2 command."""

    def way(user: SampleUser, path: str) -> Any:
        graph = user("GET", path).json()["metadata"]["graph_id"]
        sent = {"id": 1, "method": method, "params": {"assistant_id": graph, **params}}
        return user("POST", f"{path}/commands", sent)

    return way


def socket(method: str = "run.start", **params: Any) -> Way:
    """Return a command of a WebSocket."""

    def way(user: SampleUser, path: str) -> Any:
        graph = user("GET", path).json()["metadata"]["graph_id"]
        headers = {"authorization": f"Bearer {user.token}"}
        with user.server.client.websocket_connect(f"{path}/stream/events", headers=headers) as opened:
            opened.send_json({"id": 7, "method": method, "params": {"assistant_id": graph, **params}})
            for _ in range(100):
                answer = opened.receive_json()
                if answer.get("id") == 7:
                    return answer
        raise AssertionError("the command was not answered")

    return way


def respond(send: Callable[..., Way], **more: Any) -> Way:
    """Return an ``input.respond`` with the id of the pending question."""

    def way(user: SampleUser, path: str) -> Any:
        return send("input.respond", interrupt_id=find_interrupt(user, path), response="yes", **more)(user, path)

    return way


def change_state(body: dict[str, Any]) -> Way:
    return lambda user, path: user("POST", f"{path}/state", body)


def supersteps(user: SampleUser, path: str) -> Any:
    updates = [{"updates": [{"values": {"answer": "yes"}, "as_node": "act"}]}]
    body = {"thread_id": path.rpartition("/")[2], "if_exists": "do_nothing", "supersteps": updates}
    return user("POST", "/threads", body)


def with_assistant(**configuration: Any) -> Way:
    """Return a run with an assistant that would steer."""

    def way(user: SampleUser, path: str) -> Any:
        graph = user("GET", path).json()["metadata"]["graph_id"]
        made = user("POST", "/assistants", {"graph_id": graph, **configuration})
        if made.status_code != 200:
            return made
        return user("POST", f"{path}/runs/wait", {"assistant_id": made.json()["assistant_id"], "input": INPUT})

    return way


def with_changed_assistant(**configuration: Any) -> Way:
    def way(user: SampleUser, path: str) -> Any:
        graph = user("GET", path).json()["metadata"]["graph_id"]
        made = user("POST", "/assistants", {"graph_id": graph}).json()["assistant_id"]
        changed = user("PATCH", f"/assistants/{made}", configuration)
        user("POST", f"{path}/runs/wait", {"assistant_id": made, "input": INPUT})
        return changed

    return way


def cron(**body: Any) -> Way:
    """Return a cron on the paused thread, which would run at once."""

    def way(user: SampleUser, path: str) -> Any:
        graph = user("GET", path).json()["metadata"]["graph_id"]
        return user("POST", f"{path}/runs/crons", {"assistant_id": graph, "schedule": "* * * * * *", **body})

    return way


def changed_cron(**body: Any) -> Way:
    def way(user: SampleUser, path: str) -> Any:
        made = cron(input=INPUT, schedule=YEARLY)(user, path).json()["cron_id"]
        return user("PATCH", f"/runs/crons/{made}", body)

    return way


def a2a(**message: Any) -> Way:
    def way(user: SampleUser, path: str) -> Any:
        thread = path.rpartition("/")[2]
        graph = user("GET", path).json()["metadata"]["graph_id"]
        run_id = user("GET", f"{path}/runs").json()[-1]["run_id"]
        said = {"role": "user", "messageId": "m1", "contextId": thread, "taskId": run_id, **message}
        sent = {"jsonrpc": "2.0", "id": "1", "method": "message/send", "params": {"message": said}}
        return user("POST", f"/a2a/{built_in_assistant(graph)}", sent, accept="application/json")

    return way


def a2a_cancel(user: SampleUser, path: str) -> Any:
    thread = path.rpartition("/")[2]
    graph = user("GET", path).json()["metadata"]["graph_id"]
    run_id = user("GET", f"{path}/runs").json()[-1]["run_id"]
    params = {"id": run_id, "contextId": thread}
    sent = {"jsonrpc": "2.0", "id": "1", "method": "tasks/cancel", "params": params}
    return user("POST", f"/a2a/{built_in_assistant(graph)}", sent, accept="application/json")


def from_graph(user: SampleUser, path: str) -> Any:
    """Let a graph of the user's send the request."""
    call = {"path": f"{path}/runs/wait", "json": {"assistant_id": "approval", "command": {"resume": "yes"}}}
    return user("POST", "/runs/wait", {"assistant_id": "loop", "input": {"requests": [call]}})


def resume_by_id(user: SampleUser, path: str, **more: Any) -> int:
    body = {"assistant_id": "approval", "command": {"resume": {find_interrupt(user, path): "yes"}}, **more}
    status: int = user("POST", f"{path}/runs/wait", body).status_code
    return status


RESUME = {"command": {"resume": "yes"}}
PREGEL = {"__pregel_resuming": True}
RESUMES: dict[str, Way] = {
    "wait": post("/runs/wait", RESUME),
    "stream": post("/runs/stream", RESUME),
    "background": post("/runs", RESUME),
    "delayed": post("/runs", RESUME, after_seconds=1),
    "falsy": post("/runs/wait", {"command": {"resume": False}}),
    "by id": resume_by_id,
    "any id": post("/runs/wait", {"command": {"resume": {"0" * 32: "yes"}}}),
    "no id": post("/runs/wait", {"command": {"resume": EMPTY}}),
    "v2 start": command(input={"text": "yes"}),
    "v2 respond": respond(command),
    "socket start": socket(input={"text": "yes"}),
    "socket respond": respond(socket),
    "a2a command": a2a(parts=[{"kind": "text", "text": "x"}], command={"resume": "yes"}),
    "a2a text": a2a(parts=[{"kind": "text", "text": "yes"}]),
    "a2a data": a2a(parts=[{"kind": "data", "data": {"resume": "yes"}}]),
    "graph": from_graph,
}
OTHER_WAYS: dict[str, Way] = {
    "goto": post("/runs/wait", {"command": {"goto": "act"}}),
    "update": post("/runs/wait", {"command": {"update": {"answer": "yes"}}}),
    "resume and goto": post("/runs/wait", {"command": {"resume": "yes", "goto": "act"}}),
    "resume and update": post("/runs/wait", {"command": {"resume": "yes", "update": {"text": "x"}}}),
    "resume of nothing": post("/runs/wait", {"command": {"resume": None}}),
    "null input": post("/runs/wait", {"input": None}),
    "no input": post("/runs/wait"),
    "empty command": post("/runs/wait", {"command": EMPTY}),
    "empty command and input": post("/runs/wait", {"command": EMPTY, "input": INPUT}),
    "breakpoint before": post("/runs/wait", {"input": INPUT, "interrupt_before": ["ask"]}),
    "breakpoint after": post("/runs/wait", {"input": INPUT, "interrupt_after": ["*"]}),
    "no breakpoints": post("/runs/wait", {"input": INPUT, "interrupt_before": []}),
    "resume and breakpoint": post("/runs/wait", {**RESUME, "interrupt_after": ["ask"]}),
    "checkpoint": post("/runs/wait", {"input": INPUT, "checkpoint_id": str(uuid.uuid4())}),
    "checkpoint table": post("/runs/wait", {"input": INPUT, "checkpoint": {"checkpoint_id": str(uuid.uuid4())}}),
    "checkpoint map": post("/runs/wait", {"input": INPUT, "checkpoint": {"checkpoint_map": {"": str(uuid.uuid4())}}}),
    "checkpoint in config": post("/runs/wait", {"input": INPUT, "config": {"configurable": {"checkpoint_id": "1"}}}),
    "checkpoint namespace": post("/runs/wait", {"input": INPUT, "config": {"configurable": {"checkpoint_ns": "act"}}}),
    "checkpoint in context": post("/runs/wait", {"input": INPUT, "context": {"checkpoint_id": "1"}}),
    "pregel in config": post("/runs/wait", {"input": INPUT, "config": {"configurable": PREGEL}}),
    "pregel in context": post("/runs/wait", {"input": INPUT, "context": PREGEL}),
    "pregel resume map": post("/runs/wait", {"input": INPUT, "context": {"__pregel_resume_map": {"a": 1}}}),
    "resume and pregel": post("/runs/wait", {**RESUME, "config": {"configurable": {"__pregel_task_id": "1"}}}),
    "v2 null input": command(input=None),
    "v2 checkpoint": command(input=None, config={"configurable": {"checkpoint_id": str(uuid.uuid4())}}),
    "v2 pregel": command(input=None, config={"configurable": PREGEL}),
    "v2 respond and goto": respond(command, goto="act"),
    "v2 respond and update": respond(command, update={"text": "x"}),
    "socket null input": socket(input=None),
    "socket respond and goto": respond(socket, goto="act"),
    "state": change_state({"values": {"answer": "yes"}, "as_node": "ask"}),
    "state of nothing": change_state({"values": None, "as_node": "act"}),
    "supersteps": supersteps,
    "a2a cancel": a2a_cancel,
}
NEVER: dict[str, Way] = {
    "assistant": with_assistant(config={"configurable": PREGEL}),
    "assistant context": with_assistant(context=PREGEL),
    "assistant checkpoint": with_assistant(config={"configurable": {"checkpoint_id": str(uuid.uuid4())}}),
    "assistant change": with_changed_assistant(config={"configurable": PREGEL}),
    "assistant context change": with_changed_assistant(context={"__pregel_resume_map": {"a": 1}}),
    "cron command": cron(input=INPUT, command={"resume": "yes"}),
    "cron without input": cron(),
    "cron breakpoint": cron(input=INPUT, interrupt_before=["ask"]),
    "cron pregel": cron(input=INPUT, config={"configurable": PREGEL}),
    "cron context": cron(input=INPUT, context=PREGEL),
    "cron checkpoint": cron(input=INPUT, checkpoint_id=str(uuid.uuid4())),
    "cron checkpoint table": cron(input=INPUT, checkpoint={"checkpoint_id": str(uuid.uuid4())}),
    "changed cron command": changed_cron(command={"resume": "yes"}),
    "changed cron breakpoint": changed_cron(interrupt_after=["*"]),
    "changed cron pregel": changed_cron(config={"configurable": PREGEL}),
    "changed cron context": changed_cron(context=PREGEL),
}


def denials(live_server: LiveServer) -> set[str]:
    """Return the codes of the denials since the last call."""
    events, live_server.observed_events[:] = list(live_server.observed_events), []
    return {str(each.code) for each in events if isinstance(each, AuthorizationDecided) and each.outcome == "denied"}


@pytest.mark.parametrize("way", [*RESUMES, *OTHER_WAYS])
def test_owner_needs_permission_to_steer(live_server: LiveServer, mode: str, owner: SampleUser, way: str) -> None:
    path = pause(owner)
    denials(live_server)
    ({**RESUMES, **OTHER_WAYS}[way])(owner, path)
    assert denials(live_server) & {"permission_missing", "resume_not_allowed"}, way
    assert is_paused(owner, path)


@pytest.mark.parametrize("way", NEVER)
def test_crons_and_assistants_never_steer(live_server: LiveServer, mode: str, resumer: SampleUser, way: str) -> None:
    path = pause(resumer)
    denials(live_server)
    assert NEVER[way](resumer, path).status_code == 403
    assert denials(live_server) == {"resume_not_allowed"}
    assert is_paused(resumer, path)


@pytest.mark.parametrize("way", [*RESUMES, *OTHER_WAYS])
def test_owner_never_approves_with_other(live_server: LiveServer, resumer: SampleUser, way: str) -> None:
    enforce(live_server, "other")
    path = pause(resumer)
    ({**RESUMES, **OTHER_WAYS}[way])(resumer, path)
    assert is_paused(resumer, path)


MOVING = [name for name in RESUMES if name not in ("any id", "no id")]


@pytest.mark.parametrize("way", MOVING)
def test_permission_lets_owner_resume(live_server: LiveServer, resumer: SampleUser, way: str) -> None:
    enforce(live_server, "permission")
    path = pause(resumer)
    RESUMES[way](resumer, path)
    assert not is_paused(resumer, path)
    assert resumer("GET", f"{path}/state").json()["values"]["acted_as"] == resumer.name
    runs = resumer("GET", f"{path}/runs").json()
    assert [each["metadata"]["approved_by"] for each in runs] == [resumer.name, None]


@pytest.mark.parametrize("way", ["wait", "null input", "any id"])
def test_compiled_breakpoint_needs_permission(live_server: LiveServer, mode: str, owner: SampleUser, way: str) -> None:
    path = pause(owner, "breakpoint")
    ({**RESUMES, **OTHER_WAYS}[way])(owner, path)
    assert is_paused(owner, path)
    enforce(live_server, "permission")
    ({**RESUMES, **OTHER_WAYS}[way])(live_server.user(owner.name, "resumer"), path)
    assert not is_paused(owner, path)


@pytest.mark.parametrize("send", [command, socket])
def test_run_id_in_metadata_moves_nothing(mode: str, owner: SampleUser, send: Callable[..., Way]) -> None:
    """LangGraph continues a run of the same id. v2 commands do not remove the key."""
    path = pause(owner, "breakpoint")
    paused = owner("GET", f"{path}/runs").json()[0]["run_id"]
    for named in ({"metadata": {"run_id": paused}}, {"config": {"metadata": {"run_id": paused}}}):
        send(input={"text": "again"}, **named)(owner, path)
        assert is_paused(owner, path)


def test_run_id_in_metadata_continues_without_rule(live_server: LiveServer, owner: SampleUser) -> None:
    """The test above would otherwise prove nothing."""

    async def allow(ctx: Any, value: Any) -> None:
        del ctx, value

    path = pause(owner, "breakpoint")
    live_server.enforce(replace={"threads:create_run": allow})
    paused = owner("GET", f"{path}/runs").json()[0]["run_id"]
    command(input={"text": "again"}, metadata={"run_id": paused})(owner, path)
    assert not is_paused(owner, path)


def test_ordinary_runs_need_no_permission(mode: str, owner: SampleUser) -> None:
    path = owner.thread()
    for sent in (run(), run(config={"configurable": {"checkpoint_ns": ""}}), run(command=None), run(input={})):
        assert owner("POST", f"{path}/runs/wait", sent).json()["answer"]
    assert owner("POST", "/runs/wait", run(input=None)).status_code == 200
    assert owner("POST", f"{path}/runs/crons", run(schedule=YEARLY)).status_code == 200
    assert owner("POST", "/runs/crons", {"assistant_id": "agent", "schedule": YEARLY}).status_code == 200
    assert owner("POST", "/assistants", {"graph_id": "agent", "context": {"model": "x"}}).status_code == 200


@pytest.mark.parametrize("body", [{"command": {"goto": "respond"}}, {"interrupt_before": "*", "input": INPUT}])
@pytest.mark.parametrize("where", ["/runs", "/runs/wait", "/runs/stream", "/runs/batch"])
def test_stateless_runs_do_not_steer(mode: str, owner: SampleUser, where: str, body: dict[str, Any]) -> None:
    sent = {"assistant_id": "agent", **body}
    assert owner("POST", where, [sent] if where == "/runs/batch" else sent).status_code == 403


def test_mcp_tool_does_not_resume(mode: str, owner: SampleUser) -> None:
    path = pause(owner)
    arguments = {"text": "x", "command": {"resume": "yes"}, "thread_id": path.rpartition("/")[2]}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "approval", "arguments": arguments}}
    owner("POST", "/mcp", call, accept="application/json, text/event-stream")
    assert is_paused(owner, path)


@pytest.mark.parametrize("mode", ["run", *MODES])
def test_thread_never_names_another_assistant(live_server: LiveServer, owner: SampleUser, mode: str) -> None:
    """Filters compare it. The server does not remove it from the metadata of v2 commands."""
    enforce(live_server, mode)
    forged = {"assistant_id": built_in_assistant("other")}
    for more in ({"metadata": forged}, {"config": {"metadata": forged}}):
        path = f"/threads/{uuid.uuid4()}"
        sent = {"id": 1, "method": "run.start", "params": {"assistant_id": "agent", "input": INPUT, **more}}
        assert owner("POST", f"{path}/commands", sent).json()["type"] == "success"
        assert owner.metadata(path)["assistant_id"] == built_in_assistant("agent")


@pytest.mark.parametrize("role", ["approver", "tenant_approver"])
def test_approver_needs_no_permission_to_run(live_server: LiveServer, mode: str, owner: SampleUser, role: str) -> None:
    bob, path = live_server.user("bob", role), pause(owner, shared_approvers=["bob"], shared_editors=["eve"])
    answer = respond(command)(bob, path)
    assert answer.json()["type"] == "success"
    wait_for_runs(owner, path)
    latest, first = owner("GET", f"{path}/runs").json()
    assert (latest["metadata"]["approved_by"], first["metadata"]["approved_by"]) == ("bob", None)
    assert owner("GET", f"{path}/state").json()["values"]["acted_as"] == "bob"
    assert bob("POST", f"{path}/runs", run("approval")).status_code == 403


@pytest.mark.parametrize(
    ("role", "tenant", "permission", "other"),
    [
        ("approver", "acme", 404, 404),
        ("tenant_approver", "acme", 200, 404),
        ("tenant_approver", "umbrella", 404, 404),
        ("tenant_approver", None, 403, 403),
        ("root", "umbrella", 200, 404),
        ("runner", "acme", 403, 403),
    ],
)
def test_reach_counts_without_other_only(
    live_server: LiveServer, owner: SampleUser, role: str, tenant: str | None, permission: int, other: int
) -> None:
    found = []
    for value in MODES:
        enforce(live_server, value)
        path = pause(owner)
        body = {"assistant_id": "approval", "command": {"resume": {find_interrupt(owner, path): "yes"}}}
        user = live_server.user("carl", role, tenant=tenant)
        found.append(user("POST", f"{path}/runs/wait", body).status_code)
        assert is_paused(owner, path) is (found[-1] != 200)
    assert found == [permission, other]


def test_list_of_approvers_counts_in_tenant_only(live_server: LiveServer, mode: str, owner: SampleUser) -> None:
    path = pause(owner, shared_approvers=["bob"], shared_editors=[])
    body = {"assistant_id": "approval", "command": {"resume": {find_interrupt(owner, path): "yes"}}}
    for tenant in ("umbrella", None):
        assert live_server.user("bob", "approver", tenant=tenant)("POST", f"{path}/runs", body).status_code == 404
    assert live_server.user("bob", "approver")("POST", f"{path}/runs/wait", body).status_code == 200


def test_resume_runs_assistant_of_thread_only(live_server: LiveServer, mode: str, owner: SampleUser) -> None:
    path = pause(owner, shared_approvers=["bob"], shared_editors=[])
    for name, role in (("bob", "approver"), ("root", "root"), (owner.name, "resumer")):
        assert resume_by_id(live_server.user(name, role), path, assistant_id="breakpoint") in (403, 404)
    assert is_paused(owner, path)


@pytest.mark.parametrize(
    "sent",
    [
        {"command": {"resume": "yes"}},
        {"command": {"resume": {"yes": True}}},
        {"command": {"resume": EMPTY}},
        {"command": {"resume": {"A" * 32: 1}}},
        {"command": {"resume": {"0" * 32: 1, "more": 1}}},
        {"command": {"resume": [{"0" * 32: 1}]}},
        {"config": {"configurable": {"model": "x"}}},
        {"config": {"recursion_limit": 3}},
        {"config": {"tags": ["x"]}},
        {"context": {"model": "x"}},
        {"input": {"text": "x"}},
        {"input": [1]},
        {"interrupt_before": ["act"]},
    ],
)
def test_other_takes_ids_and_nothing_beside(live_server: LiveServer, owner: SampleUser, sent: dict[str, Any]) -> None:
    enforce(live_server, "other")
    path, bob = pause(owner, shared_approvers=["bob"], shared_editors=[]), live_server.user("bob", "approver")
    assert resume_by_id(bob, path, **sent) == 403
    assert is_paused(owner, path)
    assert resume_by_id(bob, path, input={}, if_not_exists="create", metadata={"note": "x"}) == 200
    assert not is_paused(owner, path)


def test_remote_graph_resumes(live_server: LiveServer, owner: SampleUser) -> None:
    """``RemoteGraph`` sends the unused parts of a command as null or as an empty list."""
    enforce(live_server, "other")
    path, bob = pause(owner, shared_approvers=["bob"], shared_editors=[]), live_server.user("bob", "approver")
    parts: dict[str, Any] = {"graph": None, "update": None, "goto": [], "resume": {find_interrupt(bob, path): "yes"}}
    assert resume_by_id(bob, path, command=parts) == 200


@pytest.mark.parametrize("headers", [{"x_trace": "1"}, {"user_agent": "ui"}, {"langsmith_trace": "1-2"}])
def test_headers_do_not_prevent_resume(live_server: LiveServer, owner: SampleUser, headers: dict[str, str]) -> None:
    enforce(live_server, "other")
    path, bob = pause(owner, shared_approvers=["bob"], shared_editors=[]), live_server.user("bob", "approver")
    body = {"assistant_id": "approval", "command": {"resume": {find_interrupt(bob, path): "yes"}}}
    assert bob("POST", f"{path}/runs/wait", body, **headers).status_code == 200


SEPARATION: list[tuple[dict[str, Any], int]] = [
    ({"shared_approvers": ["bob"], "shared_editors": ["eve"]}, 200),
    ({"shared_approvers": [], "shared_editors": []}, 200),
    ({"shared_with": ["bob"]}, 200),
    ({"shared_approvers": ["bob"]}, 403),
    ({"shared_editors": ["bob"]}, 403),
    ({"shared_approvers": ["bob", "eve"], "shared_editors": ["eve"]}, 403),
]


@pytest.mark.parametrize(("lists", "status"), SEPARATION)
def test_other_separates_approvers_from_editors(
    live_server: LiveServer, owner: SampleUser, lists: dict[str, Any], status: int
) -> None:
    enforce(live_server, "other")
    path = owner.thread()
    assert owner("PATCH", path, {"metadata": lists}).status_code == status
    assert owner("POST", "/threads", {"metadata": lists}).status_code == status


def test_only_owner_names_approvers_with_other(live_server: LiveServer, owner: SampleUser) -> None:
    found = []
    for value in ("run", *MODES):
        enforce(live_server, value)
        path, sharer = owner.thread(), live_server.user("sharer", "sharer")
        lists = {"shared_approvers": [owner.name], "shared_editors": []}
        assert sharer("PATCH", path, {"metadata": {"shared_with": ["bob"]}}).status_code == 200
        found.append(sharer("PATCH", path, {"metadata": lists}).status_code)
    assert found == [200, 200, 404]


def test_editor_runs_and_does_not_resume(live_server: LiveServer, mode: str, owner: SampleUser) -> None:
    path = pause(owner, shared_editors=["eve"], shared_approvers=["bob"])
    editor = live_server.user("eve", "runner", "approver")
    assert resume_by_id(editor, path) == 404
    assert editor("POST", f"{path}/runs/wait", {"assistant_id": "approval"}).status_code in (403, 404)
    assert is_paused(owner, path)
    assert editor("POST", f"{path}/runs/wait", run("approval")).status_code == 200
    assert is_paused(owner, path)


def test_approved_by_is_not_inherited(live_server: LiveServer, mode: str, owner: SampleUser) -> None:
    forged = {"approved_by": "bob"}
    made = owner("POST", "/assistants", {"graph_id": "agent", "metadata": forged}).json()
    assert "approved_by" not in made["metadata"]
    stored = {"metadata": {**forged, "owner": owner.name, "tenant": "acme"}}

    async def keep(ctx: Any, value: Any) -> None:
        del ctx
        value["metadata"] |= stored["metadata"]

    # Objects from before this library have the key.
    live_server.enforce(replace={"threads:create": keep, "assistants:create": keep})
    path = owner.thread()
    assistant = owner("POST", "/assistants", {"graph_id": "agent"}).json()["assistant_id"]
    enforce(live_server, mode)
    sent = run(assistant, metadata=forged, config={"metadata": forged}, after_seconds=3600)
    assert owner("POST", f"{path}/runs", sent).json()["metadata"]["approved_by"] is None
    assert owner("PATCH", path, {"metadata": {"approved_by": "eve"}}).json()["metadata"] == owner.metadata(path)
    assert owner.metadata(path)["approved_by"] == "bob"
    assert "approved_by" not in owner.metadata(owner.thread(**forged))
    cron = run(schedule=YEARLY, metadata=forged)
    assert "approved_by" not in owner("POST", "/runs/crons", cron).json()["metadata"]


def test_default_stamps_no_approval(live_server: LiveServer, owner: SampleUser) -> None:
    enforce(live_server, "run")
    path = pause(owner)
    RESUMES["wait"](owner, path)
    assert not is_paused(owner, path)
    runs = owner("GET", f"{path}/runs").json()
    assert not [each for each in runs if "approved_by" in each["metadata"]]


@pytest.mark.parametrize("mode", MODES)
def test_older_cron_does_not_steer(live_server: LiveServer, owner: SampleUser, mode: str) -> None:
    enforce(live_server, "run")
    path = pause(owner)
    crons = live_server.user(owner.name, "editor")
    made = cron(schedule=YEARLY)(crons, path).json()["cron_id"]
    enforce(live_server, mode)
    assert crons("PATCH", f"/runs/crons/{made}", {"schedule": "* * * * * *"}).status_code == 200
    live_server.wait_for_denial(ErrorCode.RESUME_NOT_ALLOWED)
    crons("DELETE", f"/runs/crons/{made}")
    assert is_paused(owner, path)


def test_cron_run_states_no_approval(live_server: LiveServer, owner: SampleUser) -> None:
    enforce(live_server, "permission")
    path = owner.thread()
    made = cron(assistant_id="agent", input=INPUT)
    owner("POST", f"{path}/runs/wait", run())
    cron_id = made(owner, path).json()["cron_id"]
    try:
        for _ in range(500):
            if len(runs := owner("GET", f"{path}/runs").json()) > 1:
                break
    finally:
        owner("DELETE", f"/runs/crons/{cron_id}")
    assert {each["metadata"]["approved_by"] for each in runs} == {None}


def test_role_limits_graphs_of_approver(live_server: LiveServer, owner: SampleUser) -> None:
    roles = {
        "limited": {"permissions": ["threads:resume@tenant"], "graphs": ["breakpoint"]},
        "wide": {"permissions": ["threads:create_run"], "graphs": ["breakpoint", "approval"]},
    }
    rights = {"limited": ["limited"], "wide": ["wide"], "member": ["threads:share"]}
    enforce(live_server, "permission", rights, roles=roles)
    approval, stopped = pause(owner), pause(owner, "breakpoint")
    limited = live_server.user("bob", "limited", "wide")
    assert resume_by_id(limited, approval) == 403
    body = {"assistant_id": "breakpoint", "command": {"resume": {"0" * 32: 1}}}
    assert limited("POST", f"{stopped}/runs/wait", body).status_code == 200
    assert (is_paused(owner, approval), is_paused(owner, stopped)) == (True, False)
