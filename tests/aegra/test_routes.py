"""Every row of ``aegra.routes`` on a real Aegra server, for five kinds of users."""

from __future__ import annotations

import json
import re
import uuid
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from aegra.routes import FORBIDDEN, NOTHING, OPEN, OWN, ROUTES, ROWS, Row
from aegra.scenario import Scenario

from oidc_auth.permissions.names import EVENTS, IMPLIES, Reach, closure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import httpx
    from aegra.server import AegraServer
    from kit.live_server import SampleUser

    Users = Callable[..., SampleUser]

VIEWER = {"threads:read", "threads:search", "assistants:read", "assistants:search", "crons:search", "crons:read"}
VIEWER |= {"store:get", "store:search", "store:list_namespaces"}
EMPTY = ("[]", "0", '{"threads":[],"total":0}', '{"namespaces":[]}', '{"deleted":0,"pruned":0}')


ERRORS = ('"type":"error"', "event: error", "__error__")


def each(rows: Iterable[Row]) -> pytest.MarkDecorator:
    """Return a test parameter for each row."""
    return pytest.mark.parametrize("row", list(rows), ids=lambda row: row.name)


def is_empty(answer: httpx.Response) -> bool:
    body = answer.json()
    return answer.text in EMPTY or (isinstance(body, dict) and body.get("items") == [])


def without(need: str) -> list[str]:
    """Return all names that include none of the names in ``a or b``."""
    lost = set(need.split(" or "))
    return [name for name in (*EVENTS, *IMPLIES) if not lost & set(closure(name, Reach.OWN))]


def test_every_route_of_server_is_in_table(aegra: AegraServer) -> None:
    paths: dict[str, Any] = aegra.request("GET", "/openapi.json").json()["paths"]
    documented = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert documented == ROUTES
    assert {event for row in ROWS for event in row.events} == set(EVENTS) - {"crons:read"}


@pytest.fixture(scope="module", params=ROWS, ids=lambda row: row.name)
def scenario(request: pytest.FixtureRequest, user: Users) -> Scenario:
    """Return alice's objects for a row. All tests of the row use them, and only the last one changes them."""
    return Scenario(user("alice", "administrator"), request.param)


def test_each_listed_permission_is_needed(aegra: AegraServer, user: Users, scenario: Scenario) -> None:
    for need in scenario.row.needs:
        answer = scenario.request(user("alice", permissions=without(need)), aegra)
        assert answer.status_code == FORBIDDEN, (need, answer.text)
    assert scenario.stored() == scenario.before


def test_administrator_reaches_no_foreign_object(aegra: AegraServer, user: Users, scenario: Scenario) -> None:
    row = scenario.row
    others = [user("bob", "editor"), user("root", "administrator"), user("alice", "administrator", tenant="globex")]
    for other in others:
        answer = scenario.request(other, aegra)
        assert answer.status_code == (row.other_user if isinstance(row.other_user, int) else 200), answer.text
        if row.other_user == NOTHING:
            assert is_empty(answer) or scenario.mark not in answer.text
        assert "acme/alice" not in answer.text
        assert scenario.mark not in answer.text or scenario.mark in json.dumps(row.body) or row.other_user == OWN
    assert scenario.stored() == scenario.before


def test_viewer_only_reads(aegra: AegraServer, user: Users, scenario: Scenario) -> None:
    answer = scenario.request(user("alice", "viewer"), aegra)
    reads = set(scenario.row.needs) <= VIEWER
    assert answer.status_code == (scenario.row.owner if reads else FORBIDDEN), answer.text
    assert scenario.stored() == scenario.before


def test_owner_with_listed_permissions_succeeds(aegra: AegraServer, user: Users, scenario: Scenario) -> None:
    first, *others = product(*(need.split(" or ") for need in scenario.row.needs))
    succeeds(scenario, user("alice", permissions=first), aegra)
    for permissions in others:
        # The objects are changed now.
        again = Scenario(scenario.owner, scenario.row)
        succeeds(again, user("alice", permissions=permissions), aegra)


def succeeds(scenario: Scenario, owner: SampleUser, server: AegraServer) -> None:
    answer = scenario.request(owner, server)
    assert answer.status_code == scenario.row.owner, answer.text
    assert not any(sign in answer.text for sign in ERRORS), answer.text


@each(ROWS)
@pytest.mark.parametrize("token", [None, "not-a-token"])
def test_request_without_valid_token_is_refused(aegra: AegraServer, row: Row, token: str | None) -> None:
    method, _, path = row.route.partition(" ")
    path = re.sub(r"\{\w+\}", str(uuid.uuid4()), path)
    answer = aegra.request(method, path, token, row.body)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")


@pytest.mark.parametrize("route", OPEN)
def test_open_route_reveals_no_user_data(aegra: AegraServer, alice: SampleUser, route: str) -> None:
    thread = alice.thread(title="secret")
    answer = aegra.request(*route.split(" "))
    assert answer.status_code == 200
    assert not any(word in answer.text for word in (thread.rpartition("/")[2], "secret", "alice"))
