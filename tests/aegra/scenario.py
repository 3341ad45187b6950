"""Create alice's objects for a row of ``aegra.routes``, and send its request."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx
    from aegra.routes import Row
    from aegra.server import AegraServer
    from kit.live_server import SampleUser

WAIT_SECONDS = 10.0
LONG = 60
"""Seconds of a run that a test stops."""


class Scenario:
    """The objects of the owner for one row. In a path or a body, ``{name}`` is replaced with the id of an object."""

    def __init__(self, owner: SampleUser, row: Row) -> None:
        self.row = row
        self.owner = owner
        self.mark = f"mark-{uuid.uuid4().hex[:12]}"
        self.names = {"mark": self.mark}
        if row.route.endswith(("/threads", "/threads/search")) or "{thread_id}" in row.route + json.dumps(row.body):
            self._make_thread()
        if "/assistants" in row.route:
            self._make_assistant()
        if "/crons" in row.route:
            self._make_cron()
        if "/store/" in row.route:
            self.create("PUT", "/store/items", {"namespace": [self.mark], "key": "k", "value": {"text": self.mark}})
        self.before = self.stored()

    def create(self, method: str, path: str, body: Any) -> Any:
        """Create an object of the owner."""
        answer = self.owner(method, path, body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def request(self, sample_user: SampleUser | None, server: AegraServer) -> httpx.Response:
        """Send the row's request as a user, or without a token."""
        method, _, path = self.row.route.partition(" ")
        body = None if self.row.body is None else json.loads(self._fill(json.dumps(self.row.body)))
        token = None if sample_user is None else sample_user.token
        path = self._fill(path + self.row.query)
        if self.row.stream:
            return server.first_bytes(method, path, token, body)
        answer: httpx.Response = server.request(method, path, token, body)
        return answer

    def stored(self) -> dict[str, Any]:
        """Return the owner's objects as they are stored."""
        paths = {
            "thread_id": ["/threads/{thread_id}", "/threads/{thread_id}/state", "/threads/{thread_id}/runs"],
            "assistant_id": ["/assistants/{assistant_id}"],
        }
        found = [self._fill(path) for name, some in paths.items() if name in self.names for path in some]
        if "/store/" in self.row.route:
            found.append(f"/store/items?namespace={self.mark}&key=k")
        stored = {path: self.owner("GET", path).json() for path in found}
        if "cron_id" in self.names:
            stored["crons"] = self.owner("POST", "/runs/crons/search", {"metadata": {"mark": self.mark}}).json()
        return stored

    def _fill(self, template: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: self.names.get(match[1], match[0]), template)

    def _make_thread(self) -> None:
        thread = self.create("POST", "/threads", {"metadata": {"mark": self.mark}})
        path = f"/threads/{thread['thread_id']}"
        self.names["thread_id"] = thread["thread_id"]
        run: dict[str, Any] = {"assistant_id": "agent", "input": {"text": self.mark}}
        if self.row.on == "finished":
            self.create("POST", f"{path}/runs/wait", run)
            (self.names["run_id"],) = (each["run_id"] for each in self.create("GET", f"{path}/runs", None))
            self.names["checkpoint_id"] = self.create("GET", f"{path}/state", None)["checkpoint"]["checkpoint_id"]
        if self.row.on == "running":
            run["input"]["wait"] = LONG
            self.names["run_id"] = self.create("POST", f"{path}/runs", run)["run_id"]
            self._wait_for_start(path)

    def _wait_for_start(self, thread: str) -> None:
        """Wait until the run wrote its input, because the stored state of the thread changes then."""
        end = time.monotonic() + WAIT_SECONDS
        while not self.create("GET", f"{thread}/state", None)["values"]:
            assert time.monotonic() < end, "the run did not start"
            time.sleep(0.01)

    def _make_assistant(self) -> None:
        # Aegra has one assistant for each configuration of a graph.
        config, metadata = {"run_name": self.mark}, {"mark": self.mark}
        body = {"graph_id": "agent", "name": self.mark, "config": config, "metadata": metadata}
        self.names["assistant_id"] = self.create("POST", "/assistants", body)["assistant_id"]

    def _make_cron(self) -> None:
        body = {"assistant_id": "agent", "input": {"text": self.mark}, "schedule": "0 0 1 1 *", "enabled": False}
        self.names["cron_id"] = self.create("POST", "/runs/crons", {**body, "metadata": {"mark": self.mark}})["cron_id"]
