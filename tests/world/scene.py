"""What a row of ``world.routes`` is about: alice's objects, made for it, and whether anything of them changed."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

import httpx

from oidc_auth import store_label
from oidc_auth.permissions.decide import built_in_assistant
from oidc_auth.permissions.names import EVENTS
from world.exchange import first_answer, first_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from world.routes import Row
    from world.town import Somebody, Town

FINISHED: dict[str, dict[str, str]] = {}
"""For each graph the one thread that has a run behind it; a run takes half a second, so all rows share it."""


class Scene:
    """Alice's objects for one row; ``{name}`` stands for each in a path, query or body."""

    def __init__(self, town: Town, row: Row) -> None:
        self.row = row
        self.mark = f"mark-{uuid.uuid4().hex[:12]}"
        self.owner = town.person("alice", *EVENTS)
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

    def ask(self, somebody: Somebody) -> httpx.Response:
        """Send the row's request as somebody."""
        method, _, path = self.row.route.partition(" ")
        body = None if self.row.body is None else json.loads(self.filled(json.dumps(self.row.body)))
        return SPEAKERS[self.row.speaks](somebody, method, self.filled(path + self.row.query), body, self.row.headers)

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


def make_thread(scene: Scene) -> None:
    """Make the thread of the row's kind: at rest, or with a run in it, an hour ahead of it, or behind it."""
    graph, on = scene.row.graph, scene.row.on
    if on == "finished":
        scene.names.update(FINISHED.get(graph) or FINISHED.setdefault(graph, _finished(scene, graph)))
        scene.mark = scene.names["mark"]
        return
    thread = scene.made("POST", "/threads", {"metadata": {"mark": scene.mark, "graph_id": graph}})
    scene.names["thread_id"] = thread["thread_id"]
    path = scene.filled("/threads/{thread_id}")
    if graph == "agent" and on != "running":
        state = scene.made("POST", f"{path}/state", {"values": {"text": scene.mark}, "as_node": "respond"})
        scene.names["checkpoint_id"] = state["checkpoint"]["checkpoint_id"]
    if on != "idle":
        run = {"assistant_id": graph, "input": said(graph, scene.mark)}
        when = {"after_seconds": 3600} if on == "pending" else {"input": {"text": scene.mark, "wait": 1}}
        scene.names["run_id"] = scene.made("POST", f"{path}/runs", run | when)["run_id"]


def said(graph: str, text: str) -> dict[str, Any]:
    """Return an input that says something to a graph."""
    return {"messages": [{"role": "user", "content": text}]} if graph == "chat" else {"text": text}


def _finished(scene: Scene, graph: str) -> dict[str, str]:
    thread = scene.made("POST", "/threads", {"metadata": {"mark": scene.mark}})["thread_id"]
    run = {"assistant_id": graph, "input": said(graph, scene.mark)}
    scene.made("POST", f"/threads/{thread}/runs/wait", run)
    (run,) = scene.owner("GET", f"/threads/{thread}/runs").json()
    return {"thread_id": thread, "run_id": run["run_id"], "mark": scene.mark}


def make_assistant(scene: Scene) -> None:
    """Make an assistant with two versions; its name is what it is called as a tool."""
    if scene.row.built_in:
        scene.names["assistant_id"] = built_in_assistant(scene.row.graph)
        return
    body = {"graph_id": scene.row.graph, "name": scene.mark, "metadata": {"mark": scene.mark}}
    made = scene.made("POST", "/assistants", body)
    scene.names["assistant_id"] = made["assistant_id"]
    scene.made("PATCH", scene.filled("/assistants/{assistant_id}"), {"metadata": {"title": "second"}})


def make_cron(scene: Scene) -> None:
    """Make a cron that never fires."""
    body = {"assistant_id": "agent", "input": {"text": scene.mark}, "schedule": "0 0 1 1 *"}
    scene.names["cron_id"] = scene.made("POST", "/runs/crons", {**body, "metadata": {"mark": scene.mark}})["cron_id"]


def make_namespace(scene: Scene) -> None:
    """Name a subgraph there is none of."""
    scene.names["namespace"] = "none"


MAKERS: dict[str, Callable[[Scene], None]] = {
    "thread_id": make_thread,
    "run_id": make_thread,
    "checkpoint_id": make_thread,
    "assistant_id": make_assistant,
    "cron_id": make_cron,
    "namespace": make_namespace,
}


def speak_http(somebody: Somebody, method: str, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
    """Send a request and wait for all of its answer."""
    answer: httpx.Response = somebody(method, path, body, **headers)
    return answer


def speak_stream(somebody: Somebody, method: str, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
    """Send a request whose answer does not end by itself."""
    return first_event(somebody.server, method, path, body, {**bearer(somebody), **headers})


def speak_websocket(
    somebody: Somebody, method: str, path: str, body: Any, headers: Mapping[str, str]
) -> httpx.Response:
    """Send a message through a socket."""
    return first_answer(somebody.server, path, body, {**bearer(somebody), **headers})


def bearer(somebody: Somebody) -> dict[str, str]:
    """Return the header that says who it is."""
    return {"authorization": f"Bearer {somebody.token}"}


SPEAKERS: dict[str, Callable[..., httpx.Response]] = {
    "http": speak_http,
    "endless stream": speak_stream,
    "websocket": speak_websocket,
}
