"""Every row of ``kit.routes`` on a shared thread, as each kind of listed user and as users whom no list names."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from kit.route_results import seen
from kit.route_scenario import RouteScenario
from kit.routes import ROWS, Role, Row, Sees
from kit.sharing import People, SharingServer, share

if TYPE_CHECKING:
    from kit.live_server import SampleUser
    from kit.server import Server

# The server uses a beta of LangGraph for commands.
pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol")

HERE = [row.at(version("langgraph-api")) for row in ROWS]
SHARED = [row for row in HERE if row.shared]
each_row = pytest.mark.parametrize("row", HERE, ids=lambda row: row.name)
each_shared_row = pytest.mark.parametrize("row", SHARED, ids=lambda row: row.name)


@pytest.fixture(scope="module")
def sharing(server: Server) -> SharingServer:
    return SharingServer(server, "permission")


@pytest.fixture(scope="module")
def people(sharing: SharingServer) -> People:
    return sharing.people()


class SharedScenario(RouteScenario):
    """The objects of alice for one row. If the row has a thread, it is shared."""

    def __init__(self, sharing: SharingServer, people: People, row: Row) -> None:
        super().__init__(sharing, row, people.alice)
        if "thread_id" in self.names:
            if row.on == "idle":
                self.use_graph()
            share(self.owner, self.fill("/threads/{thread_id}"))

    def use_graph(self) -> None:
        """Start a run and delete it, because editors run the thread's own assistant."""
        run = {"assistant_id": self.row.graph, "input": {}, "after_seconds": 3600}
        made = self.create("POST", self.fill("/threads/{thread_id}/runs"), run)["run_id"]
        self.create("DELETE", self.fill("/threads/{thread_id}/runs/") + made, None)


def person_of(people: People, role: Role) -> SampleUser:
    return {Role.READER: people.rita, Role.EDITOR: people.eddie, Role.APPROVER: people.april}[role]


def sees_only(row: Row, scenario: RouteScenario, person: SampleUser, expected: Sees) -> None:
    answer = scenario.request(person)
    if expected is Sees.THEIRS:
        assert seen(row, answer, scenario.mark) == Sees.OWNER, (person.name, answer.text)
        assert '"owner":"alice"' not in answer.text or person.name == "alice"
        return
    assert seen(row, answer, scenario.mark) == expected, (person.name, answer.text)
    if expected is not Sees.OWNER and "name" not in json.dumps(row.body):
        assert scenario.mark not in answer.text


@each_row
def test_listed_user_without_table_entry_is_as_any_user(sharing: SharingServer, people: People, row: Row) -> None:
    if row.runs and row.other_user is Sees.THEIRS:
        pytest.skip("it starts a run of the user")
    scenario = SharedScenario(sharing, people, row)
    before = scenario.stored()
    for role in Role:
        if role not in row.shared:
            sees_only(row, scenario, person_of(people, role), row.sees(role))
    if "thread_id" in scenario.names:
        for person in (people.cora, *people.twins[::3], people.stranger):
            sees_only(row, scenario, person, row.other_user)
    assert scenario.stored() == before


@each_shared_row
def test_listed_user_sees_what_owner_sees(sharing: SharingServer, people: People, row: Row) -> None:
    for role in row.shared:
        scenario = SharedScenario(sharing, people, row)
        before = scenario.owner.metadata(scenario.fill("/threads/{thread_id}"))
        assert row.sees(role) is Sees.OWNER
        sees_only(row, scenario, person_of(people, role), Sees.OWNER)
        assert scenario.owner.metadata(scenario.fill("/threads/{thread_id}")) == before
