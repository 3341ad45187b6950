"""Every way to move a paused graph, and the routes on which a client can send it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from kit.exchange import first_answer
from kit.route_scenario import bearer
from kit.sharing import find_interrupt

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit.live_server import SampleUser

NEW = {"text": "new"}


class Way(NamedTuple):
    """One way to move a paused graph.

    Attributes:
        name: for the name of the test.
        graph: the graph that it can move. ``approval`` waits with an interrupt, ``breakpoint`` at a breakpoint.
        body: the body of the run. ``{interrupt}``, ``{checkpoint}`` and ``{run}`` are replaced.
        moves: whether it alone gets the graph past its pause. The others change the state, or where it pauses.
        pure: whether it is a pure resume.
        ids: whether it is a pure resume with the ids of interrupts.
    """

    name: str
    graph: str
    body: dict[str, Any]
    moves: bool = True
    pure: bool = False
    ids: bool = False


INTERRUPT, BREAK = "approval", "breakpoint"
ANY_ID = "0123456789abcdef" * 2
WAYS = (
    Way("resume", INTERRUPT, {"command": {"resume": "yes"}}, pure=True),
    Way("resume id", INTERRUPT, {"command": {"resume": {"{interrupt}": "yes"}}}, pure=True, ids=True),
    Way("resume any id", BREAK, {"command": {"resume": {ANY_ID: "yes"}}}, pure=True, ids=True),
    Way("resume null", BREAK, {"command": {"resume": None}}, pure=True),
    Way("resume empty map", BREAK, {"command": {"resume": {}}}, pure=True),
    Way("resume map with name", INTERRUPT, {"command": {"resume": {"{interrupt}": "yes", "x": 1}}}, pure=True),
    Way("resume upper case id", INTERRUPT, {"command": {"resume": {ANY_ID.upper(): "yes"}}}, pure=True),
    Way("resume and goto", INTERRUPT, {"command": {"resume": {"{interrupt}": "yes"}, "goto": "act"}}),
    Way("resume and update", INTERRUPT, {"command": {"resume": {"{interrupt}": "yes"}, "update": {"text": "x"}}}),
    Way("goto", INTERRUPT, {"command": {"goto": "act"}}, moves=False),
    Way("send", INTERRUPT, {"command": {"goto": {"node": "act", "input": {}}}}, moves=False),
    Way("update", BREAK, {"command": {"update": {"text": "new"}}}),
    Way("update of interrupt", INTERRUPT, {"command": {"update": {"text": "new"}}}, moves=False),
    Way("null input", BREAK, {"input": None}),
    Way("no input", BREAK, {}),
    Way("empty command", BREAK, {"command": {}}),
    Way("null command", BREAK, {"command": None}),
    Way("interrupt_before", BREAK, {"input": NEW, "interrupt_before": ["prepare"]}, moves=False),
    Way("other interrupt_before", BREAK, {"input": NEW, "interrupt_before": ["none"]}),
    Way("interrupt_after", BREAK, {"input": NEW, "interrupt_after": ["prepare"]}, moves=False),
    Way("interrupt all", BREAK, {"input": NEW, "interrupt_before": "*"}, moves=False),
    Way("checkpoint_id", BREAK, {"input": None, "checkpoint_id": "{checkpoint}"}),
    Way("fork", BREAK, {"input": NEW, "checkpoint_id": "{checkpoint}"}, moves=False),
    Way("checkpoint", BREAK, {"input": NEW, "checkpoint": {"checkpoint_id": "{checkpoint}"}}, moves=False),
    Way("checkpoint_ns", BREAK, {"input": NEW, "checkpoint": {"checkpoint_ns": "act"}}, moves=False),
    Way(
        "configurable checkpoint_id",
        BREAK,
        {"input": NEW, "config": {"configurable": {"checkpoint_id": "{checkpoint}"}}},
        moves=False,
    ),
    Way(
        "configurable checkpoint_map",
        BREAK,
        {"input": NEW, "config": {"configurable": {"checkpoint_map": {"": "{checkpoint}"}}}},
        moves=False,
    ),
    Way("context checkpoint_id", BREAK, {"input": NEW, "context": {"checkpoint_id": "{checkpoint}"}}, moves=False),
    Way("resuming", BREAK, {"input": NEW, "config": {"configurable": {"__pregel_resuming": True}}}),
    Way("resuming in context", BREAK, {"input": NEW, "context": {"__pregel_resuming": True}}),
    Way(
        "resume map",
        INTERRUPT,
        {
            "input": NEW,
            "config": {"configurable": {"__pregel_resuming": True, "__pregel_resume_map": {"{interrupt}": "yes"}}},
        },
    ),
    Way(
        "unknown pregel key",
        BREAK,
        {"input": NEW, "config": {"configurable": {"__pregel_replay_state": 1}}},
        moves=False,
    ),
)
"""Ways to move a graph on the routes for runs."""

REPEATED = {"metadata": {"run_id": "{run}"}}
COMMAND_WAYS = (
    Way("new input on interrupt", INTERRUPT, {"input": {"{interrupt}": "yes"}}, pure=True, ids=True),
    Way("new text on interrupt", INTERRUPT, {"input": NEW}, pure=True),
    Way("null input", BREAK, {"input": None}),
    Way("no input", BREAK, {}),
    Way("fork", BREAK, {"input": NEW, "config": {"configurable": {"checkpoint_id": "{checkpoint}"}}}, moves=False),
    Way("resuming", BREAK, {"input": NEW, "config": {"configurable": {"__pregel_resuming": True}}}),
)
"""Ways to move a graph with the command ``run.start``, which the server turns into a run."""

REPETITIONS = (
    Way("repeated run_id", BREAK, {"input": NEW, **REPEATED}),
    Way("repeated run_id in config", BREAK, {"input": NEW, "config": REPEATED}),
)
"""Commands that move a graph if the server keeps the metadata. LangGraph then continues the run of that id."""

RESPONSE = {"interrupt_id": "{interrupt}", "response": "yes"}
RESPONSES = (
    Way("respond", INTERRUPT, RESPONSE, pure=True, ids=True),
    Way("responses", INTERRUPT, {"responses": [RESPONSE]}, pure=True, ids=True),
    Way("respond and goto", INTERRUPT, {**RESPONSE, "goto": "act"}),
    Way("respond and update", INTERRUPT, {**RESPONSE, "update": {"text": "new"}}),
    Way(
        "respond with pregel key",
        INTERRUPT,
        {**RESPONSE, "config": {"configurable": {"__pregel_strict_resume": False}}},
    ),
    Way(
        "respond with checkpoint",
        INTERRUPT,
        {**RESPONSE, "config": {"configurable": {"checkpoint_id": "{checkpoint}"}}},
        moves=False,
    ),
)
"""Ways to move a graph with the command ``input.respond``."""


def fill(way: Way, owner: SampleUser, thread: str) -> dict[str, Any]:
    """Return the body for a thread."""
    text = json.dumps(way.body)
    if "{interrupt}" in text:
        text = text.replace("{interrupt}", find_interrupt(owner, thread))
    if "{checkpoint}" in text:
        text = text.replace("{checkpoint}", owner("GET", f"{thread}/state").json()["checkpoint"]["checkpoint_id"])
    if "{run}" in text:
        text = text.replace("{run}", owner("GET", f"{thread}/runs").json()[0]["run_id"])
    body: dict[str, Any] = json.loads(text)
    return body


def send_run(below: str, **more: Any) -> Callable[..., httpx.Response]:
    """Return how to send a run to a route of the thread."""

    def send(person: SampleUser, thread: str, graph: str, body: dict[str, Any]) -> httpx.Response:
        answer: httpx.Response = person("POST", thread + below, {"assistant_id": graph, **body, **more})
        return answer

    return send


def send_command(method: str) -> Callable[..., httpx.Response]:
    """Return how to send a command over HTTP."""

    def send(person: SampleUser, thread: str, graph: str, body: dict[str, Any]) -> httpx.Response:
        command = {"id": 1, "method": method, "params": {"assistant_id": graph, **body}}
        answer: httpx.Response = person("POST", f"{thread}/commands", command)
        return answer

    return send


def send_socket(method: str) -> Callable[..., httpx.Response]:
    """Return how to send a command over a WebSocket."""

    def send(person: SampleUser, thread: str, graph: str, body: dict[str, Any]) -> httpx.Response:
        command = {"id": 1, "method": method, "params": {"assistant_id": graph, **body}}
        return first_answer(person.server, f"{thread}/stream/events", command, bearer(person))

    return send


RUN_ROUTES = {
    "runs": send_run("/runs"),
    "wait": send_run("/runs/wait"),
    "stream": send_run("/runs/stream"),
    "create": send_run("/runs", if_not_exists="create"),
    "delayed": send_run("/runs", after_seconds=1),
    "rollback": send_run("/runs/wait", multitask_strategy="rollback"),
}
COMMAND_ROUTES = {"command": send_command("run.start"), "socket": send_socket("run.start")}
RESPONSE_ROUTES = {"command": send_command("input.respond"), "socket": send_socket("input.respond")}


def is_denied(answer: httpx.Response) -> bool:
    """Tell whether the server refused. It reports some refusals in a 200."""
    return not answer.is_success or '"type":"error"' in answer.text or answer.status_code >= httpx.codes.BAD_REQUEST
