"""Every rule about approvals on a real server, with ``resume = "permission"`` and with the default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.sharing import People, SharingServer, contents, is_paused, pause, settle
from kit.steering import (
    COMMAND_ROUTES,
    COMMAND_WAYS,
    INTERRUPT,
    RESPONSE_ROUTES,
    RESPONSES,
    RUN_ROUTES,
    WAYS,
    Way,
    fill,
    is_denied,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kit.live_server import SampleUser
    from kit.server import Server

# The server uses a beta of LangGraph for commands.
pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol")

NEW_RUN = {"input": {"text": "new"}}
SETS: Mapping[str, tuple[tuple[Way, ...], Mapping[str, Callable[..., Any]]]] = {
    "run": (WAYS, RUN_ROUTES),
    "command": (COMMAND_WAYS, COMMAND_ROUTES),
    "response": (RESPONSES, RESPONSE_ROUTES),
}
EACH_WAY = [pytest.param(way, routes, id=f"{kind}-{way.name}") for kind, (ways, routes) in SETS.items() for way in ways]
each_way = pytest.mark.parametrize(("way", "routes"), EACH_WAY)
each_pure_way = pytest.mark.parametrize(("way", "routes"), [one for one in EACH_WAY if one.values[0].pure])
each_other_way = pytest.mark.parametrize(("way", "routes"), [one for one in EACH_WAY if not one.values[0].pure])
Routes = "Mapping[str, Callable[..., Any]]"


@pytest.fixture(scope="module")
def sharing(server: Server) -> SharingServer:
    return SharingServer(server, "permission")


@pytest.fixture(autouse=True)
def rules(sharing: SharingServer) -> None:
    sharing.change("permission")


@pytest.fixture(scope="module")
def people(sharing: SharingServer) -> People:
    return sharing.people()


@pytest.fixture(scope="module")
def paused(people: People) -> dict[str, str]:
    """Return a shared thread of alice for each graph. Tests must not move it."""
    return {graph: pause(people.alice, graph) for graph in ("approval", "breakpoint")}


def never_moves(owner: SampleUser, thread: str, way: Way, routes: Routes, persons: list[SampleUser]) -> None:
    """Assert that these users cannot send this to any of the routes."""
    before = contents(owner, thread)
    body = fill(way, owner, thread)
    for person in persons:
        for route, send in routes.items():
            answer = send(person, thread, way.graph, body)
            assert is_denied(answer), (person.name, route, answer.text)
            assert answer.status_code not in {400, 422, 500}, (person.name, route, answer.text)
    settle(owner, thread)
    assert contents(owner, thread) == before


def moves(owner: SampleUser, way: Way, routes: Routes, person: SampleUser) -> None:
    """Assert that a user moves the graph in this way, on every route."""
    for route, send in routes.items():
        thread = pause(owner, way.graph)
        answer = send(person, thread, way.graph, fill(way, owner, thread))
        assert not is_denied(answer), (route, answer.text)
        if route != "delayed":
            assert not is_paused(owner, thread), route
            assert settle(owner, thread)["values"].get("acted_as") in (person.name, None)


def first(routes: Routes, *names: str) -> Routes:
    """Return the routes with these names, or the first."""
    return {name: send for name, send in routes.items() if name in names} or dict(list(routes.items())[:1])


@each_way
def test_steering_needs_resume_permission(
    sharing: SharingServer, people: People, paused: dict[str, str], way: Way, routes: Routes
) -> None:
    persons = [sharing.user("alice", "user"), sharing.user("alice", "sharer"), sharing.user("root", "patterns")]
    never_moves(people.alice, paused[way.graph], way, routes, persons)


@each_way
def test_steering_of_listed_people_needs_permission(
    sharing: SharingServer, people: People, paused: dict[str, str], way: Way, routes: Routes
) -> None:
    persons = [sharing.user(name, "user") for name in ("rita", "eddie", "april")]
    never_moves(people.alice, paused[way.graph], way, routes, persons)


@each_way
def test_unlisted_people_never_steer(people: People, paused: dict[str, str], way: Way, routes: Routes) -> None:
    never_moves(people.alice, paused[way.graph], way, routes, [people.rita, *people.others])


@each_way
def test_owner_with_permission_steers(people: People, way: Way, routes: Routes) -> None:
    if way.moves:
        moves(people.alice, way, first(routes, "wait"), people.alice)


@each_other_way
def test_approvers_only_resume(
    sharing: SharingServer, people: People, paused: dict[str, str], way: Way, routes: Routes
) -> None:
    persons = [people.april, sharing.user("april", "approver"), sharing.user("sam", "supervisor")]
    never_moves(people.alice, paused[way.graph], way, routes, persons)


@each_pure_way
def test_approver_resumes(sharing: SharingServer, people: People, way: Way, routes: Routes) -> None:
    moves(people.alice, way, first(routes, "wait"), sharing.user("april", "approver"))


@pytest.mark.parametrize(
    ("way", "routes"), [(WAYS[1], RUN_ROUTES), (COMMAND_WAYS[0], COMMAND_ROUTES), (RESPONSES[0], RESPONSE_ROUTES)]
)
def test_approver_resumes_on_every_route(sharing: SharingServer, people: People, way: Way, routes: Routes) -> None:
    moves(people.alice, way, routes, sharing.user("april", "approver"))


@pytest.mark.parametrize("way", [WAYS[0], WAYS[1]], ids=["value", "id"])
def test_reach_of_resume_permission(sharing: SharingServer, people: People, way: Way) -> None:
    for person in (sharing.user("sam", "supervisor"), people.root, people.april):
        moves(people.alice, way, first(RUN_ROUTES, "wait"), person)
    thread = pause(people.stranger, shared_with=[])
    supervisor = sharing.user("sam", "supervisor")
    never_moves(people.stranger, thread, way, RUN_ROUTES, [supervisor])


def test_approver_starts_no_new_run(sharing: SharingServer, people: People, paused: dict[str, str]) -> None:
    approver = sharing.user("april", "approver")
    way = Way("new run", INTERRUPT, {"input": {"text": "new"}})
    never_moves(people.alice, paused[INTERRUPT], way, RUN_ROUTES, [people.april, approver])
    assert approver("POST", "/runs", {"assistant_id": "agent", "input": {"text": "x"}}).status_code == 403
    assert approver("POST", "/threads", {}).status_code == 403


def test_resume_permission_implies_read(sharing: SharingServer, people: People, paused: dict[str, str]) -> None:
    approver = sharing.user("april", "approver")
    for below in ("", "/state", "/history", "/runs"):
        assert approver("GET", paused[INTERRUPT] + below).status_code == 200
    assert approver("POST", "/threads/search", {}).status_code == 200


def test_editor_without_permission_runs_but_never_resumes(sharing: SharingServer, people: People) -> None:
    thread = pause(people.alice)
    editor = sharing.user("eddie", "user")
    answer = editor("POST", f"{thread}/runs/wait", {"assistant_id": INTERRUPT, **NEW_RUN})
    assert answer.status_code == 200
    assert is_paused(people.alice, thread)
    assert settle(people.alice, thread)["values"]["text"] == "new"


def test_another_graph_never_resumes(sharing: SharingServer, people: People, paused: dict[str, str]) -> None:
    way = WAYS[1]._replace(graph="breakpoint")
    body = fill(way, people.alice, paused[INTERRUPT])
    before = contents(people.alice, paused[INTERRUPT])
    for person in (people.alice, people.april, people.root):
        for send in RUN_ROUTES.values():
            answer = send(person, paused[INTERRUPT], "breakpoint", body)
            assert answer.status_code == 404
    assert contents(people.alice, paused[INTERRUPT]) == before


def test_graph_continues_as_approver(sharing: SharingServer, people: People) -> None:
    thread = pause(people.alice)
    body = {"assistant_id": INTERRUPT, "command": {"resume": "yes"}}
    answer = sharing.user("april", "approver")("POST", f"{thread}/runs/wait", body).json()
    assert (answer["answer"], answer["acted_as"]) == ("yes", "april")
    assert people.alice.metadata(thread)["owner"] == "alice"


def test_approver_cannot_use_private_assistant(sharing: SharingServer, people: People) -> None:
    mine = people.alice("POST", "/assistants", {"graph_id": INTERRUPT}).json()["assistant_id"]
    thread = people.alice.thread()
    people.alice("POST", f"{thread}/runs/wait", {"assistant_id": mine, "input": {"text": "pay"}})
    people.alice("PATCH", thread, {"metadata": {"shared_approvers": ["april"]}})
    body = {"assistant_id": mine, "command": {"resume": "yes"}}
    assert sharing.user("april", "approver")("POST", f"{thread}/runs/wait", body).status_code == 404
    assert is_paused(people.alice, thread)


def approvals(owner: SampleUser, thread: str) -> list[Any]:
    """Return who approved each run of a thread, oldest first. A run without the key is ``missing``."""
    found = owner("GET", f"{thread}/runs").json()
    return [run["metadata"].get("approved_by", "missing") for run in reversed(found)]


@pytest.mark.parametrize("mode", ["permission", "other"])
def test_every_run_names_its_approver(sharing: SharingServer, people: People, mode: str) -> None:
    sharing.change(mode)
    forged = {"metadata": {"approved_by": "root"}, "config": {"metadata": {"approved_by": "root"}}}
    thread = people.alice.thread(approved_by="root")
    plain = {"assistant_id": INTERRUPT, **NEW_RUN, **forged}
    people.alice("POST", f"{thread}/runs/wait", plain)
    people.alice("PATCH", thread, {"metadata": {"shared_approvers": ["april"], "shared_editors": []}})
    resume = {**fill(WAYS[1], people.alice, thread), "metadata": {"approved_by": "root"}}
    done = people.april("POST", f"{thread}/runs/wait", {"assistant_id": INTERRUPT, **resume})
    assert done.json()["answer"] == "yes"
    people.alice("POST", f"{thread}/runs/wait", plain)
    assert approvals(people.alice, thread) == [None, "april", None]
    assert people.alice.metadata(thread).get("approved_by") is None
    stateless = people.alice("POST", "/runs", {**plain, "after_seconds": 60}).json()
    assert stateless["metadata"].get("approved_by", "missing") is None


def test_owner_who_resumes_is_named(people: People) -> None:
    thread = pause(people.alice)
    people.alice("POST", f"{thread}/runs/wait", {"assistant_id": INTERRUPT, "command": {"resume": "yes"}})
    assert approvals(people.alice, thread) == [None, "alice"]


def test_commands_name_their_approver(people: People) -> None:
    for routes, ways in ((COMMAND_ROUTES, COMMAND_WAYS), (RESPONSE_ROUTES, RESPONSES)):
        for send in routes.values():
            thread = pause(people.alice)
            send(people.april, thread, INTERRUPT, fill(ways[0], people.alice, thread))
            settle(people.alice, thread)
            assert approvals(people.alice, thread) == [None, "april"]


@each_way
def test_default_mode_needs_only_run_permission(
    sharing: SharingServer, people: People, way: Way, routes: Routes
) -> None:
    sharing.change("run")
    if way.moves:
        moves(people.alice, way, first(routes, "wait"), sharing.user("alice", "user"))


@each_way
def test_default_mode_limits_others(
    sharing: SharingServer, people: People, paused: dict[str, str], way: Way, routes: Routes
) -> None:
    sharing.change("run")
    persons = [people.rita, *people.others, sharing.user("sam", "supervisor")]
    if not way.pure:
        persons.append(people.april)
    never_moves(people.alice, paused[way.graph], way, routes, persons)


def test_default_mode_editors_and_approvers_resume(sharing: SharingServer, people: People) -> None:
    sharing.change("run")
    for person in (sharing.user("eddie", "user"), sharing.user("april", "user")):
        moves(people.alice, WAYS[1], first(RUN_ROUTES, "wait"), person)


def test_default_mode_keeps_resumes_for_runners(sharing: SharingServer, people: People, paused: dict[str, str]) -> None:
    sharing.change("run")
    never_moves(people.alice, paused[INTERRUPT], WAYS[1], RUN_ROUTES, [sharing.user("april", "approver")])
