"""Routes of the server that call no handler (docs/enforcement.md lists them). A failing test means that one changed."""

from __future__ import annotations

import asyncio
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from kit.exchange import first_event
from kit.route_scenario import bearer

if TYPE_CHECKING:
    from kit.live_server import LiveServer, SampleUser


def test_custom_route_requires_only_token(live_server: LiveServer) -> None:
    assert live_server.server.request("GET", "/custom/who").status_code == 401
    guest = live_server.user("guest", "unprivileged")
    assert guest("GET", "/custom/who").json() == {"identity": "guest", "permissions": []}
    assert live_server.user("victor", "threads:search")("GET", "/custom/who").json()["permissions"] == [
        "threads:search"
    ]


def test_custom_route_loopback_call_sees_all_threads(live_server: LiveServer, alice: SampleUser) -> None:
    alice.thread(title="seen by a route")
    guest = live_server.user("guest", "unprivileged")
    assert guest("POST", "/threads/search", {}).status_code == 403
    (found,) = guest("POST", "/custom/threads", {"title": "seen by a route"}).json()
    assert found["metadata"]["owner"] == "alice"


def test_ui_route_requires_no_token(live_server: LiveServer) -> None:
    assert live_server.server.request("GET", "/ui-custom/who").json()["identity"] is None


def test_development_routes_show_any_thread(live_server: LiveServer, alice: SampleUser) -> None:
    thread = alice.thread(title="secret").rpartition("/")[2]
    answer = live_server.server.request("GET", f"/internal/debug/thread/{thread}")
    assert (answer.status_code, "secret" in answer.text) == (200, True)


def test_reused_thread_id_replays_deleted_threads_stream(alice: SampleUser, bob: SampleUser) -> None:
    path = alice.thread()
    run = {"assistant_id": "agent", "input": {"text": "secret"}, "stream_resumable": True}
    alice("POST", f"{path}/runs/stream", run)
    assert alice("DELETE", path).status_code == 204
    headers = {**bearer(bob), "last-event-id": "0-0"}
    assert b"secret" not in first_event(bob.server, "GET", f"{path}/stream", None, headers).content
    assert bob("POST", "/threads", {"thread_id": path.rpartition("/")[2]}).status_code == 200
    replayed = first_event(bob.server, "GET", f"{path}/stream", None, headers, until=b"alice said secret")
    assert b"alice said secret" in replayed.content


def test_two_concurrent_first_runs_share_thread(live_server: LiveServer) -> None:
    """The server looks for the thread before the handler runs. The barrier extends the time between the two steps."""
    both = threading.Barrier(2)

    async def rule(ctx: Any, value: Any) -> None:
        await asyncio.to_thread(both.wait, 10)

    people = [live_server.user(name, "author") for name in ("alice", "bob")]
    path = f"/threads/{uuid.uuid4()}/runs"
    bodies = [
        {"assistant_id": one("POST", "/assistants", {"graph_id": "agent"}).json()["assistant_id"], **FIRST}
        for one in people
    ]
    live_server.enforce(also={"assistants:read": rule})
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda one, body: one("POST", path, body), people, bodies))
    assert [answer.status_code for answer in answers] == [200, 200]
    live_server.enforce()
    assert 2 in [len(one("GET", path).json()) for one in people]  # one user sees the run of the other


FIRST = {"input": {"text": "hello"}, "if_not_exists": "create", "after_seconds": 3600}
