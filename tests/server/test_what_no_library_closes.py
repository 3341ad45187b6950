"""Roads past every handler: the server's own, each stated in docs/enforcement.md. A test that fails is good news."""

from __future__ import annotations

import asyncio
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from world.exchange import first_event
from world.scene import bearer

if TYPE_CHECKING:
    from world.town import Somebody, Town


def test_a_route_of_ones_own_asks_for_a_token_and_for_no_permission(town: Town) -> None:
    assert town.server.ask("GET", "/custom/who").status_code == 401
    guest = town.person("guest", "nobody")
    assert guest("GET", "/custom/who").json() == {"identity": "guest", "permissions": []}
    assert town.person("victor", "threads:search")("GET", "/custom/who").json()["permissions"] == ["threads:search"]


def test_a_route_of_ones_own_that_asks_the_server_itself_sees_everybodys_threads(town: Town, alice: Somebody) -> None:
    alice.thread(title="seen by a route")
    guest = town.person("guest", "nobody")
    assert guest("POST", "/threads/search", {}).status_code == 403
    (found,) = guest("POST", "/custom/threads", {"title": "seen by a route"}).json()
    assert found["metadata"]["owner"] == "alice"


def test_a_get_below_ui_asks_for_no_token_whoever_made_it(town: Town) -> None:
    assert town.server.ask("GET", "/ui-custom/who").json()["identity"] is None


def test_the_development_servers_own_routes_show_any_thread(town: Town, alice: Somebody) -> None:
    thread = alice.thread(title="secret").rpartition("/")[2]
    answer = town.server.ask("GET", f"/internal/debug/thread/{thread}")
    assert (answer.status_code, "secret" in answer.text) == (200, True)


def test_a_reused_thread_id_replays_the_deleted_threads_stream(alice: Somebody, bob: Somebody) -> None:
    path = alice.thread()
    run = {"assistant_id": "agent", "input": {"text": "secret"}, "stream_resumable": True}
    alice("POST", f"{path}/runs/stream", run)
    assert alice("DELETE", path).status_code == 204
    headers = {**bearer(bob), "last-event-id": "0-0"}
    assert b"secret" not in first_event(bob.server, "GET", f"{path}/stream", None, headers).content
    assert bob("POST", "/threads", {"thread_id": path.rpartition("/")[2]}).status_code == 200
    replayed = first_event(bob.server, "GET", f"{path}/stream", None, headers, until=b"alice said secret")
    assert b"alice said secret" in replayed.content


def test_two_first_runs_at_once_share_a_thread(town: Town) -> None:
    """A rule that awaits makes the moment long: the server decides before it that there is no thread."""
    both = threading.Barrier(2)

    async def rule(ctx: Any, value: Any) -> None:
        await asyncio.to_thread(both.wait, 10)

    people = [town.person(name, "author") for name in ("alice", "bob")]
    path = f"/threads/{uuid.uuid4()}/runs"
    bodies = [
        {"assistant_id": one("POST", "/assistants", {"graph_id": "agent"}).json()["assistant_id"], **FIRST}
        for one in people
    ]
    town.enforce(also={"assistants:read": rule})
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda one, body: one("POST", path, body), people, bodies))
    assert [answer.status_code for answer in answers] == [200, 200]
    town.enforce()
    assert 2 in [len(one("GET", path).json()) for one in people]  # one of them sees the run of the other


FIRST = {"input": {"text": "hello"}, "if_not_exists": "create", "after_seconds": 3600}
