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


@each(ROWS)
def test_owner_with_listed_permissions_succeeds(aegra: AegraServer, user: Users, row: Row) -> None:
    for permissions in product(*(need.split(" or ") for need in row.needs)):
        scenario = Scenario(user("alice", "administrator"), row)
        answer = scenario.request(user("alice", permissions=permissions), aegra)
        assert answer.status_code == row.owner, answer.text
        assert not any(sign in answer.text for sign in ERRORS), answer.text


@each(ROWS)
def test_each_listed_permission_is_needed(aegra: AegraServer, user: Users, row: Row) -> None:
    scenario = Scenario(user("alice", "administrator"), row)
    before = scenario.stored()
    for need in row.needs:
        answer = scenario.request(user("alice", permissions=without(need)), aegra)
        assert answer.status_code == FORBIDDEN, (need, answer.text)
    assert scenario.stored() == before


@each(ROWS)
def test_administrator_reaches_no_foreign_object(aegra: AegraServer, user: Users, row: Row) -> None:
    scenario = Scenario(user("alice", "administrator"), row)
    before = scenario.stored()
    others = [user("bob", "editor"), user("root", "administrator"), user("alice", "administrator", tenant="globex")]
    for other in others:
        answer = scenario.request(other, aegra)
        if row.other_user == NOTHING:
            assert answer.status_code == 200
            assert is_empty(answer) or scenario.mark not in answer.text
        elif row.other_user == OWN:
            assert answer.status_code == 200
            assert "acme/alice" not in answer.text
        else:
            assert answer.status_code == row.other_user, answer.text
        assert scenario.mark not in answer.text or scenario.mark in json.dumps(row.body) or row.other_user == OWN
    assert scenario.stored() == before


@each(ROWS)
def test_viewer_only_reads(aegra: AegraServer, user: Users, row: Row) -> None:
    scenario = Scenario(user("alice", "administrator"), row)
    before = scenario.stored()
    answer = scenario.request(user("alice", "viewer"), aegra)
    reads = set(row.needs) <= VIEWER
    assert answer.status_code == (row.owner if reads else FORBIDDEN), answer.text
    assert scenario.stored() == before


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
