"""Every row of ``kit.routes`` on the real server, for the owner and for other users with each reach."""

from __future__ import annotations

import json
import time
from importlib.metadata import version
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from kit.live_server import LiveServer
from kit.route_results import seen
from kit.route_scenario import RouteScenario
from kit.routes import ROWS, Filter, Row, Sees

from oidc_auth.observability import AuthorizationDecided
from oidc_auth.permissions.names import EVENTS, Reach, clamp_reach, closure, format_permission
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx
    from kit.server import Server

HERE = [row.at(version("langgraph-api")) for row in ROWS]
"""The table for the version of the installed server."""


def each(rows: Iterable[Row]) -> pytest.MarkDecorator:
    """Return a test parameter for each row."""
    return pytest.mark.parametrize("row", list(rows), ids=lambda row: row.name)


@pytest.fixture(scope="module")
def live_server(server: Server) -> LiveServer:
    """Return one server for all rows, because no row changes the rules."""
    return LiveServer(server, LocalIssuer(algorithm="ES256"))


def asked(live_server: LiveServer, events: Iterable[str]) -> set[str]:
    """Return the events that the server sent to the handlers. A worker can send the last one after the answer."""
    expected = set(events)
    deadline = time.monotonic() + 5
    while True:
        found = {event.event for event in list(live_server.observed_events) if isinstance(event, AuthorizationDecided)}
        if expected <= found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def alternatives(row: Row) -> list[tuple[str, ...]]:
    """Return each set of permissions that suffices by the table."""
    return list(product(*(need.split(" or ") for need in row.needs)))


def all_but(need: str) -> list[str]:
    """Return the permissions that include none of the names in ``a or b``."""
    lost = set(need.split(" or "))
    return [event for event in EVENTS if not lost & set(closure(event, Reach.OWN))]


def owners_in(answer: httpx.Response) -> set[Any]:
    """Return the owners in an answer."""
    body = answer.json() if answer.text.startswith(("{", "[")) else []
    made = body if isinstance(body, list) else [body]
    return {one["metadata"]["owner"] for one in made if "owner" in (one.get("metadata") or {})}


@each(HERE)
def test_listed_permissions_suffice_for_owner(live_server: LiveServer, row: Row) -> None:
    for permissions in alternatives(row)[: 1 if row.runs else None]:
        scenario = RouteScenario(live_server, row)
        live_server.observed_events.clear()
        answer = scenario.request(live_server.user("alice", *permissions))
        assert seen(row, answer, scenario.mark) == Sees.OWNER, answer.text
        assert asked(live_server, row.events) - set(row.worker) == set(row.events)
        assert scenario.owners() <= {("alice", "acme")}
        assert owners_in(answer) <= {"alice"}


@each(HERE)
def test_other_permissions_do_not_suffice_for_owner(live_server: LiveServer, row: Row) -> None:
    scenario = RouteScenario(live_server, row)
    before = scenario.stored()
    for need in row.needs:
        answer = scenario.request(live_server.user("alice", *all_but(need)))
        assert seen(row, answer, scenario.mark) == row.lacking(need), (need, answer.text)
    assert scenario.stored() == before


@each(row for row in HERE if not (row.runs and row.other_user is Sees.THEIRS))
def test_other_user_sees_only_listed_result(live_server: LiveServer, row: Row) -> None:
    scenario = RouteScenario(live_server, row)
    before = scenario.stored()
    for name, tenant in (("bob", "acme"), ("alice", "globex"), ("alice", None)):
        sees_only(row, scenario, live_server.user(name, *EVENTS, tenant=tenant), row.other_user)
    widely = [format_permission(event, clamp_reach(event, Reach.TENANT)) for event in EVENTS]
    sees_only(row, scenario, live_server.user("eve", *widely, tenant="globex"), row.wider or row.other_user)
    assert scenario.stored() == before


def sees_only(row: Row, scenario: RouteScenario, sample_user: Any, expected: Sees) -> None:
    answer = scenario.request(sample_user)
    theirs = expected is Sees.THEIRS
    assert seen(row, answer, scenario.mark) == (Sees.OWNER if theirs else expected), answer.text
    if theirs:
        assert owners_in(answer) <= {sample_user.name}
    elif "name" not in json.dumps(row.body):
        assert scenario.mark not in answer.text


@each(row for row in HERE if not (row.runs or row.filter is Filter.CREATES))
def test_wider_reach_gives_only_listed_result(live_server: LiveServer, row: Row) -> None:
    reaches = {Reach.TENANT: ("cora", "acme"), Reach.ALL: ("root", "globex")}
    for reach, (name, tenant) in reaches.items():
        scenario = RouteScenario(live_server, row)
        rights = [format_permission(need, clamp_reach(need, reach)) for need in alternatives(row)[0]]
        expected = row.wider or (row.other_user if row.filter is Filter.ALWAYS_OWN else Sees.OWNER)
        if row.filter is Filter.NAMESPACE and reach is Reach.TENANT:
            expected = row.other_user
        answer = scenario.request(live_server.user(name, *rights, tenant=tenant))
        same = Sees.OWNER if expected is Sees.THEIRS else expected
        assert seen(row, answer, scenario.mark) == same, (reach, answer.text)
        assert scenario.owners() <= {("alice", "acme")}
