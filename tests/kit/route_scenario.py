"""Create the objects for a row of ``kit.routes``, and send its request."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

import httpx

from kit.exchange import first_answer, first_event
from oidc_auth import store_label
from oidc_auth.enforcement.limits import built_in_assistant
from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kit.live_server import LiveServer, SampleUser
    from kit.routes import Row

FINISHED: dict[str, dict[str, str]] = {}
"""The thread with a finished run, per graph. All rows share it, because a run takes half a second."""


class RouteScenario:
    """The objects of the owner, alice, for one row.

    An owner who is passed may share the objects. Other rows then do not use them.

    In a path, a query or a body, ``{name}`` is replaced with the id of an object.
    """

    def __init__(self, live_server: LiveServer, row: Row, owner: SampleUser | None = None) -> None:
        self.row, self.shares = row, owner is not None
        self.mark = f"mark-{uuid.uuid4().hex[:12]}"
        self.owner = owner or live_server.user("alice", *EVENTS)
        self.names = {"mark": self.mark, "label": store_label({"identity": "alice", "tenant": "acme"})}
        template = row.route + row.query + json.dumps(row.body) + f"{{{row.makes}}}"
        for name in re.findall(r"\{(\w+)\}", template):
            if name not in self.names:
                MAKERS[name](self)
        if "/store/" in row.route:
            item = {"key": "k", "value": {"mark": self.mark}}
            self.create("PUT", "/store/items", {**item, "namespace": [self.names["label"], self.mark]})

    def create(self, method: str, path: str, body: Any) -> Any:
        """Create an object as alice."""
        answer = self.owner(method, path, body)
        assert answer.status_code < httpx.codes.BAD_REQUEST, answer.text
        return answer.json() if answer.content else None

    def fill(self, template: str) -> str:
        """Replace the names in a template."""
        for name, text in self.names.items():
            template = template.replace(f"{{{name}}}", text)
        return template

    def request(self, sample_user: SampleUser) -> httpx.Response:
        """Send the row's request as a user."""
        method, _, path = self.row.route.partition(" ")
        body = None if self.row.body is None else json.loads(self.fill(json.dumps(self.row.body)))
        return SENDERS[self.row.protocol](sample_user, method, self.fill(path + self.row.query), body, self.row.headers)

    def stored(self) -> dict[str, Any]:
        """Return alice's objects as they are stored."""
        names = self.names
        paths = {
            "thread_id": ["/threads/{thread_id}", "/threads/{thread_id}/state", "/threads/{thread_id}/runs"],
            "assistant_id": ["/assistants/{assistant_id}"],
            "cron_id": ["/runs/crons/{cron_id}"],
        }
        found = [self.fill(path) for name, some in paths.items() if name in names for path in some]
        if "/store/" in self.row.route:
            found.append(self.fill("/store/items?namespace={label}.{mark}&key=k"))
        return {path: self.owner("GET", path).json() for path in found}

    def owners(self) -> set[Any]:
        """Return the owners and tenants of the objects that still exist."""
        found = [one.get("metadata") for one in self.stored().values() if isinstance(one, dict)]
        return {(one["owner"], one["tenant"]) for one in found if isinstance(one, dict) and "owner" in one}


def make_thread(scenario: RouteScenario) -> None:
    """Create a thread without a run, or with a running, delayed or finished run."""
    graph, on = scenario.row.graph, scenario.row.on
    if on == "finished" and scenario.shares:
        scenario.names.update(_finished(scenario, graph))
        return
    if on == "paused":
        scenario.names.update(_paused(scenario))
        return
    if on == "finished":
        scenario.names.update(FINISHED.get(graph) or FINISHED.setdefault(graph, _finished(scenario, graph)))
        scenario.mark = scenario.names["mark"]
        return
    thread = scenario.create("POST", "/threads", {"metadata": {"mark": scenario.mark, "graph_id": graph}})
    scenario.names["thread_id"] = thread["thread_id"]
    path = scenario.fill("/threads/{thread_id}")
    if graph == "agent" and on != "running":
        state = scenario.create("POST", f"{path}/state", {"values": {"text": scenario.mark}, "as_node": "respond"})
        scenario.names["checkpoint_id"] = state["checkpoint"]["checkpoint_id"]
    if on != "idle":
        run = {"assistant_id": graph, "input": graph_input(graph, scenario.mark)}
        when = {"after_seconds": 3600} if on == "pending" else {"input": {"text": scenario.mark, "wait": 1}}
        scenario.names["run_id"] = scenario.create("POST", f"{path}/runs", run | when)["run_id"]
    if on == "running":
        _wait_for_start(scenario, path)


def _wait_for_start(scenario: RouteScenario, thread: str) -> None:
    """Wait until the run wrote its input, because the stored state of the thread changes then."""
    deadline = time.monotonic() + 10
    while not scenario.owner("GET", f"{thread}/state").json()["values"]:
        assert time.monotonic() < deadline, "the run did not start"
        time.sleep(0.01)


def graph_input(graph: str, text: str) -> dict[str, Any]:
    """Return an input for a graph."""
    return {"messages": [{"role": "user", "content": text}]} if graph == "chat" else {"text": text}


def _finished(scenario: RouteScenario, graph: str) -> dict[str, str]:
    thread = scenario.create("POST", "/threads", {"metadata": {"mark": scenario.mark}})["thread_id"]
    run = {"assistant_id": graph, "input": graph_input(graph, scenario.mark)}
    scenario.create("POST", f"/threads/{thread}/runs/wait", run)
    (run,) = scenario.owner("GET", f"/threads/{thread}/runs").json()
    return {"thread_id": thread, "run_id": run["run_id"], "mark": scenario.mark}


def _paused(scenario: RouteScenario) -> dict[str, str]:
    thread = scenario.create("POST", "/threads", {"metadata": {"mark": scenario.mark}})["thread_id"]
    run = {"assistant_id": "approval", "input": {"text": scenario.mark}}
    answer = scenario.create("POST", f"/threads/{thread}/runs/wait", run)
    return {"thread_id": thread, "interrupt_id": answer["__interrupt__"][0]["id"]}


def make_assistant(scenario: RouteScenario) -> None:
    """Create an assistant with two versions. Its name is also its tool name."""
    if scenario.row.built_in:
        scenario.names["assistant_id"] = built_in_assistant(scenario.row.graph)
        return
    body = {"graph_id": scenario.row.graph, "name": scenario.mark, "metadata": {"mark": scenario.mark}}
    assistant = scenario.create("POST", "/assistants", body)
    scenario.names["assistant_id"] = assistant["assistant_id"]
    scenario.create("PATCH", scenario.fill("/assistants/{assistant_id}"), {"metadata": {"title": "second"}})


def make_cron(scenario: RouteScenario) -> None:
    """Create a cron that does not run during the test."""
    body = {"assistant_id": "agent", "input": {"text": scenario.mark}, "schedule": "0 0 1 1 *"}
    scenario.names["cron_id"] = scenario.create("POST", "/runs/crons", {**body, "metadata": {"mark": scenario.mark}})[
        "cron_id"
    ]


def make_namespace(scenario: RouteScenario) -> None:
    """Name a subgraph that does not exist."""
    scenario.names["namespace"] = "none"


MAKERS: dict[str, Callable[[RouteScenario], None]] = {
    "thread_id": make_thread,
    "run_id": make_thread,
    "checkpoint_id": make_thread,
    "interrupt_id": make_thread,
    "assistant_id": make_assistant,
    "cron_id": make_cron,
    "namespace": make_namespace,
}


def send_http(sample_user: SampleUser, method: str, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
    """Send a request and read the whole response."""
    answer: httpx.Response = sample_user(method, path, body, **headers)
    return answer


def send_stream(
    sample_user: SampleUser, method: str, path: str, body: Any, headers: Mapping[str, str]
) -> httpx.Response:
    """Send a request with an endless response."""
    return first_event(sample_user.server, method, path, body, {**bearer(sample_user), **headers})


def send_websocket(
    sample_user: SampleUser, method: str, path: str, body: Any, headers: Mapping[str, str]
) -> httpx.Response:
    """Send a WebSocket message."""
    return first_answer(sample_user.server, path, body, {**bearer(sample_user), **headers})


def bearer(sample_user: SampleUser) -> dict[str, str]:
    """Return the header with the token."""
    return {"authorization": f"Bearer {sample_user.token}"}


SENDERS: dict[str, Callable[..., httpx.Response]] = {
    "http": send_http,
    "endless stream": send_stream,
    "websocket": send_websocket,
}
