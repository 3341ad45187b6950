"""What the demo shows, row by row: a caller, a request, what must happen, and what did.

Every row is a real request to the real server. A row passes only when status, body and what is stored afterwards are
as expected; an exception fails it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from ..errors import UNAUTHENTICATED
from .people import PEOPLE, bad_tokens, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..testing import LocalIssuer

AGENT = {"assistant_id": "agent"}
CRON_WITHIN = 15.0
"""Seconds until a cron that fires every second must have run; it takes two or three."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    caller: str
    request: str
    expected: str
    got: str
    passed: bool
    reason: str = ""


class Scene:
    """The people, their tokens, and the server they talk to."""

    def __init__(self, client: httpx.Client, issuer: LocalIssuer) -> None:
        self.issuer = issuer
        self._client = client
        self._tokens = {name: token_of(issuer, name) for name in PEOPLE}

    def ask(self, name: str, method: str, path: str, body: object = None) -> httpx.Response:
        """Send a request as somebody."""
        return self.send(method, path, body, {"authorization": f"Bearer {self._tokens[name]}"})

    def send(self, method: str, path: str, body: object, headers: dict[str, str]) -> httpx.Response:
        """Send a request with these headers."""
        return self._client.request(method, path, json=body, headers=headers)


def status(caller: str, request: str, answer: httpx.Response, expected: int, text: str = "") -> Row:
    """Return the row of a request that must end with a status, and say something if it refuses."""
    said = answer.text if answer.status_code >= httpx.codes.BAD_REQUEST else ""
    passed = answer.status_code == expected and text in said
    return Row(caller, request, f"{expected} {text}".strip(), str(answer.status_code), passed, _detail(answer))


def fact(caller: str, request: str, expected: str, holds: object, got: object) -> Row:
    """Return the row of something that must be so."""
    return Row(caller, request, expected, str(got)[:60], bool(holds))


def _detail(answer: httpx.Response) -> str:
    if answer.status_code < httpx.codes.BAD_REQUEST:
        return ""
    try:
        return str(answer.json().get("detail", answer.text))
    except ValueError:
        return answer.text[:80]


def rows(scene: Scene) -> Iterator[Row]:
    """Play the whole scenario."""
    yield from strangers(scene)
    thread = scene.ask("alice", "POST", "/threads", {"metadata": {"owner": "mallory", "title": "plans"}})
    owner = thread.json().get("metadata", {}).get("owner")
    yield fact(
        "alice (editor, acme)", "create a thread with owner: mallory", "stored owner alice", owner == "alice", owner
    )
    path = f"/threads/{thread.json().get('thread_id')}"
    yield from owners(scene, path)
    yield from others(scene, path)
    yield from administrators(scene, path)
    yield from assistants(scene)
    yield from store(scene)
    yield from machines(scene, path)
    yield from crons(scene)
    guest = scene.ask("guest", "POST", "/threads/search", {})
    yield status("guest (no role that maps)", "search threads", guest, 403, "no permission maps")


def strangers(scene: Scene) -> Iterator[Row]:
    """Play those who are nobody: no token, or one that must be refused with its own code."""
    answer = scene.send("POST", "/threads/search", {}, {})
    challenge = answer.headers.get("www-authenticate", "")
    calm = answer.status_code == UNAUTHENTICATED and challenge.startswith("Bearer") and "error" not in challenge
    yield Row("nobody", "search threads, no token", "401, header without error", f"401 {challenge}", calm)
    for wrong, (token, code) in bad_tokens(scene.issuer).items():
        answer = scene.send("POST", "/threads/search", {}, {"authorization": f"Bearer {token}"})
        invalid = 'error="invalid_token"' in answer.headers.get("www-authenticate", "")
        row = status("alice", f"token {wrong}", answer, 401, code)
        yield Row(row.caller, row.request, row.expected, row.got, row.passed and invalid, row.reason)
    answer = scene.send("POST", "/threads/search", {}, {"x-auth-scheme": "langsmith"})
    yield status("alice", "x-auth-scheme: langsmith, no token", answer, 401)


def owners(scene: Scene, path: str) -> Iterator[Row]:
    """Play the owner of a thread."""
    yield status("alice", "read it", scene.ask("alice", "GET", path), 200)
    run = {**AGENT, "input": {"text": "hello"}}
    answer = scene.ask("alice", "POST", f"{path}/runs/wait", run).json().get("answer")
    yield fact("alice", "run on it and wait", "JSON that names alice in the node", answer == "alice said hello", answer)
    stream = scene.ask("alice", "POST", f"{path}/runs/stream", run)
    events = [line for line in stream.text.splitlines() if line.startswith("event:")]
    yield fact(
        "alice", "stream a run", "events", "event: values" in events and "event: error" not in events, events[-1:]
    )
    answer_ = scene.ask("alice", "PATCH", path, {"metadata": {"owner": "bob"}})
    yield status("alice", "PATCH owner: bob", answer_, 403)


def others(scene: Scene, path: str) -> Iterator[Row]:
    """Play a viewer of the same tenant, and an editor of another one."""
    created = scene.ask("victor", "POST", "/threads", {})
    yield status("victor (viewer, acme)", "create a thread", created, 403, "missing permission threads:create")
    yield status("victor", "read alice's", scene.ask("victor", "GET", path), 404)
    run = {**AGENT, "input": {"text": "evil"}}
    attempts: list[tuple[str, str, str, object, int]] = [
        ("read", "GET", path, None, 404),
        ("PATCH", "PATCH", path, {"metadata": {"title": "mine"}}, 404),
        ("run on", "POST", f"{path}/runs/wait", run, 404),
        ("copy", "POST", f"{path}/copy", None, 409),
        ("state of", "GET", f"{path}/state", None, 404),
        ("history of", "GET", f"{path}/history", None, 404),
        ("delete", "DELETE", path, None, 404),
    ]
    for what, method, where, body, expected in attempts:
        yield status("bob (editor, globex)", f"{what} alice's thread", scene.ask("bob", method, where, body), expected)
    thread_id = path.rpartition("/")[2]
    taken = scene.ask("bob", "POST", "/threads", {"thread_id": thread_id, "if_exists": "do_nothing"})
    yield status("bob", "create with alice's id, if_exists: do_nothing", taken, 409)
    stored = scene.ask("alice", "GET", path).json()
    same = stored.get("metadata", {}).get("title") == "plans" and stored.get("values", {}).get("text") == "hello"
    yield fact("alice", "read it again", "nothing changed", same, stored.get("metadata", {}).get("title"))


def administrators(scene: Scene, path: str) -> Iterator[Row]:
    """Play the administrators of the owner's tenant and of another one."""
    yield status("ada (admin, acme)", "read alice's thread", scene.ask("ada", "GET", path), 200)
    patched = scene.ask("ada", "PATCH", path, {"metadata": {"title": "checked"}}).json().get("metadata", {})
    good = patched.get("title") == "checked" and patched.get("owner") == "alice"
    yield fact("ada", "PATCH its title", "200 and owner still alice", good, f"owner {patched.get('owner')}")
    yield status("eve (admin, globex)", "read alice's thread", scene.ask("eve", "GET", path), 404)


def assistants(scene: Scene) -> Iterator[Row]:
    """Play assistants: a right of its own to create them, and the built-in one for everybody."""
    new = {"graph_id": "agent", "name": "mine"}
    yield status(
        "carol (assistants:create)", "create an assistant", scene.ask("carol", "POST", "/assistants", new), 200
    )
    yield status(
        "alice", "create an assistant", scene.ask("alice", "POST", "/assistants", new), 403, "assistants:create"
    )
    for name in ("alice", "bob"):
        found = scene.ask(name, "POST", "/assistants/search", {}).json()
        names = [found_.get("graph_id") for found_ in found if found_.get("metadata", {}).get("created_by") == "system"]
        yield fact(name, "search assistants", "the built-in one", "agent" in names, names)


def store(scene: Scene) -> Iterator[Row]:
    """Play the store: the same namespace and key are two places for two people."""
    item = {"namespace": ["notes"], "key": "k", "value": {"secret": "of alice"}}
    yield status("alice", "store: put", scene.ask("alice", "PUT", "/store/items", item), 204)
    found = scene.ask("bob", "GET", "/store/items?namespace=notes&key=k")
    yield fact("bob", "store: get the same namespace and key", "200 null", found.text == "null", found.text)


def machines(scene: Scene, path: str) -> Iterator[Row]:
    """Play a machine that may run and nothing else: nothing hangs, and nothing is left behind."""
    answer = scene.ask("robot", "POST", "/runs/wait", {**AGENT, "input": {"text": "beep"}}).json().get("answer")
    yield fact("robot (threads:create_run)", "stateless run and wait", "JSON", answer == "robot said beep", answer)
    left = scene.ask("robot", "POST", "/threads/search", {}).json()
    yield fact("robot", "search threads", "no thread left behind", left == [], f"{len(left)} threads")
    kept = "0b0f7a7e-6a7e-4f0e-8f0e-2d1a5a3f9a11"
    slow = {**AGENT, "input": {"text": "slow", "wait": 5}, "if_not_exists": "create"}
    scene.ask("robot", "POST", f"/threads/{kept}/runs", slow)
    quick = {**AGENT, "input": {"text": "again"}, "multitask_strategy": "rollback"}
    answer = scene.ask("robot", "POST", f"/threads/{kept}/runs/wait", quick).json().get("answer")
    yield fact(
        "robot", "second run, multitask_strategy: rollback", "JSON, nothing hangs", answer == "robot said again", answer
    )
    refused = scene.ask("robot", "DELETE", path).status_code
    yield fact("robot", "delete alice's thread", "404 or 403", refused in (404, 403), refused)


def crons(scene: Scene) -> Iterator[Row]:
    """Play a cron: it runs as its creator, on the creator's objects, and nobody else sees any of it."""
    job = {"metadata": {"job": "tick"}}
    cron = {**AGENT, **job, "schedule": "* * * * * *", "input": {"text": "tick"}, "on_run_completed": "keep"}
    made = scene.ask("alice", "POST", "/runs/crons", cron)
    thread = _first_fire(scene, job)
    owner, answer = thread.get("metadata", {}).get("owner"), thread.get("values", {}).get("answer")
    good = owner == "alice" and answer == "alice said tick"
    yield fact("alice", "create a cron that fires every second", "it runs as alice on her own objects", good, answer)
    seen = [scene.ask("bob", "POST", where, job).json() for where in ("/threads/search", "/runs/crons/search")]
    yield fact("bob", "search its threads and crons", "nothing", seen == [[], []], seen)
    scene.ask("alice", "DELETE", f"/runs/crons/{made.json().get('cron_id')}")


def _first_fire(scene: Scene, job: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + CRON_WITHIN
    while time.monotonic() < deadline:
        for thread in scene.ask("alice", "POST", "/threads/search", job).json():
            if thread.get("values"):
                found: dict[str, Any] = thread
                return found
        time.sleep(0.2)
    return {}
