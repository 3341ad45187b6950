"""What a row of ``kit.routes`` is about: alice's objects, made for it, and whether anything of them changed."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

import httpx

from kit.exchange import first_answer, first_event
from oidc_auth import store_label
from oidc_auth.enforcement.graph_limits import built_in_assistant
from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kit.live_server import LiveServer, SampleUser
    from kit.routes import Row

FINISHED: dict[str, dict[str, str]] = {}
"""For each graph the one thread that has a run behind it; a run takes half a second, so all rows share it."""


class RouteScenario:
    """Alice's objects for one row; ``{name}`` stands for each in a path, query or body."""

    def __init__(self, live_server: LiveServer, row: Row) -> None:
        self.row = row
        self.mark = f"mark-{uuid.uuid4().hex[:12]}"
        self.owner = live_server.user("alice", *EVENTS)
        self.names = {"mark": self.mark, "label": store_label({"identity": "alice", "tenant": "acme"})}
        needed = row.route + row.query + json.dumps(row.body) + f"{{{row.makes}}}"
        for name in re.findall(r"\{(\w+)\}", needed):
            if name not in self.names:
                MAKERS[name](self)
        if "/store/" in row.route:
            item = {"key": "k", "value": {"mark": self.mark}}
            self.made("PUT", "/store/items", {**item, "namespace": [self.names["label"], self.mark]})

    def made(self, method: str, path: str, body: Any) -> Any:
        """Make something as alice, who may do everything with what is hers."""
        answer = self.owner(method, path, body)
        assert answer.status_code < httpx.codes.BAD_REQUEST, answer.text
        return answer.json() if answer.content else None

    def filled(self, template: str) -> str:
        """Put the names in."""
        for name, text in self.names.items():
            template = template.replace(f"{{{name}}}", text)
        return template

    def request(self, sample_user: SampleUser) -> httpx.Response:
        """Send the row's request as somebody."""
        method, _, path = self.row.route.partition(" ")
        body = None if self.row.body is None else json.loads(self.filled(json.dumps(self.row.body)))
        return SENDERS[self.row.protocol](
            sample_user, method, self.filled(path + self.row.query), body, self.row.headers
        )

    def stored(self) -> dict[str, Any]:
        """Return all that is stored of alice's objects."""
        names = self.names
        paths = {
            "thread_id": ["/threads/{thread_id}", "/threads/{thread_id}/state", "/threads/{thread_id}/runs"],
            "assistant_id": ["/assistants/{assistant_id}"],
            "cron_id": ["/runs/crons/{cron_id}"],
        }
        found = [self.filled(path) for name, some in paths.items() if name in names for path in some]
        if "/store/" in self.row.route:
            found.append(self.filled("/store/items?namespace={label}.{mark}&key=k"))
        return {path: self.owner("GET", path).json() for path in found}

    def owners(self) -> set[Any]:
        """Return who owns what is left of alice's objects, as it is stored."""
        found = [one.get("metadata") for one in self.stored().values() if isinstance(one, dict)]
        return {(one["owner"], one["tenant"]) for one in found if isinstance(one, dict) and "owner" in one}


def make_thread(scenario: RouteScenario) -> None:
    """Make the thread of the row's kind: at rest, or with a run in it, an hour ahead of it, or behind it."""
    graph, on = scenario.row.graph, scenario.row.on
    if on == "finished":
        scenario.names.update(FINISHED.get(graph) or FINISHED.setdefault(graph, _finished(scenario, graph)))
        scenario.mark = scenario.names["mark"]
        return
    thread = scenario.made("POST", "/threads", {"metadata": {"mark": scenario.mark, "graph_id": graph}})
    scenario.names["thread_id"] = thread["thread_id"]
    path = scenario.filled("/threads/{thread_id}")
    if graph == "agent" and on != "running":
        state = scenario.made("POST", f"{path}/state", {"values": {"text": scenario.mark}, "as_node": "respond"})
        scenario.names["checkpoint_id"] = state["checkpoint"]["checkpoint_id"]
    if on != "idle":
        run = {"assistant_id": graph, "input": graph_input(graph, scenario.mark)}
        when = {"after_seconds": 3600} if on == "pending" else {"input": {"text": scenario.mark, "wait": 1}}
        scenario.names["run_id"] = scenario.made("POST", f"{path}/runs", run | when)["run_id"]


def graph_input(graph: str, text: str) -> dict[str, Any]:
    """Return an input that says something to a graph."""
    return {"messages": [{"role": "user", "content": text}]} if graph == "chat" else {"text": text}


def _finished(scenario: RouteScenario, graph: str) -> dict[str, str]:
    thread = scenario.made("POST", "/threads", {"metadata": {"mark": scenario.mark}})["thread_id"]
    run = {"assistant_id": graph, "input": graph_input(graph, scenario.mark)}
    scenario.made("POST", f"/threads/{thread}/runs/wait", run)
    (run,) = scenario.owner("GET", f"/threads/{thread}/runs").json()
    return {"thread_id": thread, "run_id": run["run_id"], "mark": scenario.mark}


def make_assistant(scenario: RouteScenario) -> None:
    """Make an assistant with two versions; its name is what it is called as a tool."""
    if scenario.row.built_in:
        scenario.names["assistant_id"] = built_in_assistant(scenario.row.graph)
        return
    body = {"graph_id": scenario.row.graph, "name": scenario.mark, "metadata": {"mark": scenario.mark}}
    made = scenario.made("POST", "/assistants", body)
    scenario.names["assistant_id"] = made["assistant_id"]
    scenario.made("PATCH", scenario.filled("/assistants/{assistant_id}"), {"metadata": {"title": "second"}})


def make_cron(scenario: RouteScenario) -> None:
    """Make a cron that never fires."""
    body = {"assistant_id": "agent", "input": {"text": scenario.mark}, "schedule": "0 0 1 1 *"}
    scenario.names["cron_id"] = scenario.made("POST", "/runs/crons", {**body, "metadata": {"mark": scenario.mark}})[
        "cron_id"
    ]


def make_namespace(scenario: RouteScenario) -> None:
    """Name a subgraph there is none of."""
    scenario.names["namespace"] = "none"


MAKERS: dict[str, Callable[[RouteScenario], None]] = {
    "thread_id": make_thread,
    "run_id": make_thread,
    "checkpoint_id": make_thread,
    "assistant_id": make_assistant,
    "cron_id": make_cron,
    "namespace": make_namespace,
}


def send_http(sample_user: SampleUser, method: str, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
    """Send a request and wait for all of its answer."""
    answer: httpx.Response = sample_user(method, path, body, **headers)
    return answer


def send_stream(
    sample_user: SampleUser, method: str, path: str, body: Any, headers: Mapping[str, str]
) -> httpx.Response:
    """Send a request whose answer does not end by itself."""
    return first_event(sample_user.server, method, path, body, {**bearer(sample_user), **headers})


def send_websocket(
    sample_user: SampleUser, method: str, path: str, body: Any, headers: Mapping[str, str]
) -> httpx.Response:
    """Send a message through a socket."""
    return first_answer(sample_user.server, path, body, {**bearer(sample_user), **headers})


def bearer(sample_user: SampleUser) -> dict[str, str]:
    """Return the header that says who it is."""
    return {"authorization": f"Bearer {sample_user.token}"}


SENDERS: dict[str, Callable[..., httpx.Response]] = {
    "http": send_http,
    "endless stream": send_stream,
    "websocket": send_websocket,
}
