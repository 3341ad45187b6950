"""Roads past every handler: the server's own, each stated in docs/enforcement.md. A test that fails is good news."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
