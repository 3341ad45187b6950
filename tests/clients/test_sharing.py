"""The examples of the page about sharing, and its table of actions."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from clients.harness import prepare_javascript, read_names
from kit.snippets import section
from langgraph_sdk.errors import NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from clients.harness import ClientServer, JavaScript
    from kit.page_server import PageServer

PAGE = "sharing.md"
RUN = {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": "hello"}]}}
PEOPLE = {"owner": "alice", "reader": "bob", "editor": "carol", "approver": "dora"}


class Person:
    """Sends requests as a user."""

    def __init__(self, server: ClientServer, name: str, role: str = "everything") -> None:
        self.url, self.headers = server.url, {"Authorization": f"Bearer {server.token(name, role)}"}

    def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        return httpx.request(method, self.url + path, json=body, headers=self.headers, timeout=20)


@pytest.fixture
def scripts(tmp_path: Path, node_packages: Path, sharing_server: ClientServer, pages: PageServer) -> JavaScript:
    """Write the files of the pages."""
    return prepare_javascript(tmp_path, node_packages, sharing_server, pages, "clients/javascript.md", PAGE)


def test_python_examples_share_thread(sharing_server: ClientServer) -> None:
    names = read_names(sharing_server.url, "clients/python.md", PAGE)

    def connect(name: str) -> Any:
        async def get_token() -> str:
            return sharing_server.token(name, "user")

        return names["connect"](get_token)

    async def run() -> dict[str, Any]:
        async with connect("alice") as alice, connect("bob") as bob, connect("carol") as carol:
            thread_id = (await alice.threads.create())["thread_id"]
            await names["ask"](alice, thread_id, "hello")
            await names["share_thread"](alice, thread_id)
            found = {
                name: await names["find_shared_threads"](client, name)
                for name, client in (("alice", alice), ("bob", bob))
            }
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                await names["ask"](bob, thread_id, "hello")
            answer = await names["ask"](carol, thread_id, "hello")
            await names["add_reader"](alice, thread_id, "dora")
            lists = (await alice.threads.get(thread_id))["metadata"]
            await names["stop_sharing"](alice, thread_id)
            with pytest.raises(NotFoundError):
                await bob.threads.get(thread_id)
            counts = {
                name: [thread["thread_id"] for thread in threads] == [thread_id] for name, threads in found.items()
            }
            return {"found": counts, "messages": len(answer["messages"]), "readers": lists["shared_with"]}

    assert asyncio.run(run()) == {"found": {"alice": False, "bob": True}, "messages": 4, "readers": ["bob", "dora"]}


def test_javascript_examples_share_thread(sharing_server: ClientServer, scripts: JavaScript, pages: PageServer) -> None:
    def run(name: str, script: str) -> Any:
        pages.issue_token = lambda: sharing_server.token(name, "user")
        (printed,) = scripts.run(script, THREAD=thread_id)
        return printed

    thread_id = Person(sharing_server, "alice", "user").send("POST", "/threads", {}).json()["thread_id"]
    run(
        "alice",
        """
        import { askTogether } from "./ask-together.js";
        import { shareThread } from "./share.js";
        import { addReader } from "./add-reader.js";
        await askTogether(process.env.THREAD, "hello");
        await shareThread(process.env.THREAD);
        await addReader(process.env.THREAD, "dora");
        console.log("0");
    """,
    )
    find = """
        import { findSharedThreads } from "./find.js";
        console.log(JSON.stringify((await findSharedThreads("NAME")).map((thread) => thread.thread_id)));
    """
    assert [run(name, find.replace("NAME", name)) for name in ("dora", "erin")] == [[thread_id], []]
    ask = """
        import { askTogether } from "./ask-together.js";
        const answer = askTogether(process.env.THREAD, "hello");
        console.log(JSON.stringify(await answer.then((state) => state.messages.length, (error) => error.status)));
    """
    assert [run(name, ask) for name in ("carol", "bob")] == [4, 404]
    stop = """
        import { stopSharing } from "./stop-sharing.js";
        await stopSharing(process.env.THREAD);
        console.log("0");
    """
    run("alice", stop)
    assert run("carol", ask) == 404


# Each row of the table: method, path below the thread, body. {run} is the id of a finished run.
REQUESTS: dict[str, list[tuple[str, str, Any]]] = {
    "read the thread, its state, history and runs": [
        ("GET", "", None),
        ("GET", "/state", None),
        ("GET", "/history", None),
        ("GET", "/runs", None),
        ("GET", "/runs/{run}", None),
    ],
    "follow the stream of a run or of the thread": [("GET", "/runs/{run}/join", None)],
    "start a run": [("POST", "/runs/wait", RUN)],
    "change the metadata or the lists": [("PATCH", "", {"metadata": {"title": "x"}})],
    "change the state": [("POST", "/state", {"values": {"messages": []}})],
    "copy the thread": [("POST", "/copy", None)],
    "create a cron on the thread": [("POST", "/runs/crons", {**RUN, "schedule": "0 0 1 1 *"})],
    "cancel, roll back or delete a run": [("DELETE", "/runs/{run}", None)],
    "delete the thread": [("DELETE", "", None)],
}


def read_table() -> list[tuple[str, list[str]]]:
    """Return each action of the table, and its cells for owner, reader, editor and approver."""
    rows = re.findall(r"^\| (.+?) \| .+? \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", section(PAGE, "Lists"), re.MULTILINE)
    return [(action, cells) for action, *cells in rows if action != "action"]


def shared_thread(server: ClientServer) -> tuple[str, str]:
    """Return a thread of Alice with all lists, and a finished run."""
    alice = Person(server, "alice")
    lists = {"shared_with": ["bob"], "shared_editors": ["carol"], "shared_approvers": ["dora"]}
    path = f"/threads/{alice.send('POST', '/threads', {'metadata': lists}).json()['thread_id']}"
    alice.send("POST", f"{path}/runs/wait", RUN)
    return path, alice.send("GET", f"{path}/runs").json()[0]["run_id"]


@pytest.mark.parametrize("position", range(4), ids=list(PEOPLE))
def test_table_of_actions_is_true(sharing_server: ClientServer, position: int) -> None:
    person = Person(sharing_server, list(PEOPLE.values())[position])
    path, run = shared_thread(sharing_server)
    table = dict(read_table())
    # In this order, because the last actions delete the run and the thread.
    for action, requests in REQUESTS.items():
        for method, below, body in requests:
            status = person.send(method, (path + below).replace("{run}", run), body).status_code
            refused = {"change the state": 403, "copy the thread": 409}.get(action, 404)
            expected = (refused,) if table[action][position] == "no" else (200, 202, 204)
            assert status in expected, (action, method, below, status)


def test_search_returns_shared_threads(sharing_server: ClientServer) -> None:
    path, _ = shared_thread(sharing_server)
    for name in PEOPLE.values():
        found = Person(sharing_server, name).send("POST", "/threads/search", {"limit": 1000}).json()
        assert path.removeprefix("/threads/") in [thread["thread_id"] for thread in found], name
    found = Person(sharing_server, "erin").send("POST", "/threads/search", {"limit": 1000}).json()
    assert path.removeprefix("/threads/") not in json.dumps(found)


def test_editor_cannot_run_before_owner(sharing_server: ClientServer) -> None:
    alice, carol = Person(sharing_server, "alice"), Person(sharing_server, "carol")
    made = alice.send("POST", "/threads", {"metadata": {"shared_editors": ["carol"]}}).json()
    path = f"/threads/{made['thread_id']}/runs/wait"
    assert [person.send("POST", path, RUN).status_code for person in (carol, alice, carol)] == [404, 200, 200]


@pytest.mark.parametrize("lists", [["x"] * 101, ["alice"], [7], "bob"])
def test_invalid_list_is_refused(sharing_server: ClientServer, lists: Any) -> None:
    alice = Person(sharing_server, "alice")
    path = f"/threads/{alice.send('POST', '/threads', {}).json()['thread_id']}"
    assert alice.send("PATCH", path, {"metadata": {"shared_with": lists}}).status_code == 403
    assert "shared_with" not in alice.send("GET", path).json()["metadata"]


def test_copy_keeps_lists(sharing_server: ClientServer) -> None:
    path, _ = shared_thread(sharing_server)
    copy = Person(sharing_server, "alice").send("POST", f"{path}/copy").json()
    assert copy["metadata"]["shared_with"] == ["bob"]
    assert Person(sharing_server, "bob").send("GET", f"/threads/{copy['thread_id']}").status_code == 200
