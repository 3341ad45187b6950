"""Every rule about approvals with ``resume = "other"``: the approver is never the owner and never an editor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kit.sharing import (
    APPROVERS,
    EDITORS,
    READERS,
    SHARED,
    People,
    SharingServer,
    contents,
    is_paused,
    pause,
    settle,
    share,
)
from kit.steering import (
    ANY_ID,
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

pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol")

Routes = "Mapping[str, Callable[..., Any]]"
SETS: list[tuple[str, tuple[Way, ...], Mapping[str, Callable[..., Any]]]] = [
    ("run", WAYS, RUN_ROUTES),
    ("command", COMMAND_WAYS, COMMAND_ROUTES),
    ("response", RESPONSES, RESPONSE_ROUTES),
]
EACH_WAY = [pytest.param(way, routes, id=f"{kind}-{way.name}") for kind, ways, routes in SETS for way in ways]
each_way = pytest.mark.parametrize(("way", "routes"), EACH_WAY)
each_way_with_ids = pytest.mark.parametrize(("way", "routes"), [one for one in EACH_WAY if one.values[0].ids])
each_way_without_ids = pytest.mark.parametrize(("way", "routes"), [one for one in EACH_WAY if not one.values[0].ids])
DENIED = (400, 403, 404, 409, 422)


@pytest.fixture(scope="module")
def sharing(server: Server) -> SharingServer:
    return SharingServer(server, "other")


@pytest.fixture(autouse=True)
def rules(sharing: SharingServer) -> None:
    sharing.change("other")


@pytest.fixture(scope="module")
def people(sharing: SharingServer) -> People:
    return sharing.people()


@pytest.fixture(scope="module")
def paused(people: People) -> dict[str, str]:
    """Return a shared thread of alice for each graph. Tests must not move it."""
    return {graph: pause(people.alice, graph) for graph in ("approval", "breakpoint")}


def never_moves(
    owner: SampleUser, thread: str, way: Way, routes: Mapping[str, Callable[..., Any]], persons: list[SampleUser]
) -> None:
    """Assert that these users cannot send this to any of the routes."""
    before = contents(owner, thread)
    body = fill(way, owner, thread)
    for person in persons:
        for route, send in routes.items():
            answer = send(person, thread, way.graph, body)
            assert is_denied(answer), (person.name, route, answer.text)
    settle(owner, thread)
    assert contents(owner, thread) == before


@each_way
def test_only_listed_approver_resumes(
    sharing: SharingServer,
    people: People,
    paused: dict[str, str],
    way: Way,
    routes: Mapping[str, Callable[..., Any]],
) -> None:
    manager = sharing.user("mona", "manager", "supervisor")
    owner = sharing.user("alice", "admin")
    others = [people.alice, owner, people.rita, people.eddie, people.root, manager, *people.others]
    never_moves(people.alice, paused[way.graph], way, routes, others)


@each_way_without_ids
def test_approver_only_resumes_by_interrupt_id(
    sharing: SharingServer,
    people: People,
    paused: dict[str, str],
    way: Way,
    routes: Mapping[str, Callable[..., Any]],
) -> None:
    never_moves(people.alice, paused[way.graph], way, routes, [people.april, sharing.user("april", "approver")])


@each_way_with_ids
def test_approver_resumes_by_interrupt_id(
    sharing: SharingServer, people: People, way: Way, routes: Mapping[str, Callable[..., Any]]
) -> None:
    for person in (people.april, sharing.user("april", "approver")):
        for route, send in routes.items():
            thread = pause(people.alice, way.graph)
            answer = send(person, thread, way.graph, fill(way, people.alice, thread))
            assert not is_denied(answer), (route, answer.text)
            if route != "delayed":
                assert settle(people.alice, thread)["values"]["acted_as"] == "april", route


def test_listed_approver_needs_permission(sharing: SharingServer, people: People, paused: dict[str, str]) -> None:
    never_moves(people.alice, paused[INTERRUPT], WAYS[1], RUN_ROUTES, [sharing.user("april", "user")])


def test_thread_without_approvers_never_moves(sharing: SharingServer, people: People) -> None:
    thread = pause(people.alice, shared_with=["rita"])
    persons = [people.alice, people.april, people.root, sharing.user("mona", "manager", "supervisor")]
    for way in (WAYS[0], WAYS[1]):
        never_moves(people.alice, thread, way, RUN_ROUTES, persons)


@pytest.mark.parametrize(
    "more",
    [
        {"config": {"configurable": {"language": "en"}}},
        {"config": {"recursion_limit": 5}},
        {"config": {"tags": ["x"]}},
        {"config": {"metadata": {"x": "y"}}},
        {"context": {"language": "en"}},
        {"input": {"text": "new"}},
        {"input": [1]},
        {"input": "text"},
        {"interrupt_before": ["act"]},
        {"interrupt_after": "*"},
        {"checkpoint": {"checkpoint_ns": ""}, "checkpoint_id": "{checkpoint}"},
    ],
    ids="-".join,
)
def test_nothing_else_beside_resume(people: People, paused: dict[str, str], more: dict[str, Any]) -> None:
    way = Way("more", INTERRUPT, {**WAYS[1].body, **more})
    never_moves(people.alice, paused[INTERRUPT], way, RUN_ROUTES, [people.april])


@pytest.mark.parametrize("more", [{"input": {}}, {"if_not_exists": "create"}, {"config": {}}, {"context": {}}])
def test_empty_values_beside_resume_are_allowed(people: People, more: dict[str, Any]) -> None:
    thread = pause(people.alice)
    body = {**fill(WAYS[1], people.alice, thread), **more}
    assert RUN_ROUTES["wait"](people.april, thread, INTERRUPT, body).json()["acted_as"] == "april"


@pytest.mark.parametrize(
    "key",
    ["", "x", ANY_ID[:-1], ANY_ID + "0", ANY_ID.upper(), ANY_ID + "\n", "g" * 32, " " + ANY_ID[1:], "\u0660" * 32],
)
def test_other_key_is_no_interrupt_id(people: People, paused: dict[str, str], key: str) -> None:
    for resume in ({key: "yes"}, {"{interrupt}": "yes", key: "yes"}):
        way = Way("key", INTERRUPT, {"command": {"resume": resume}})
        never_moves(people.alice, paused[INTERRUPT], way, {"wait": RUN_ROUTES["wait"]}, [people.april])


@pytest.mark.parametrize("resume", [[], [{ANY_ID: "yes"}], "yes", 0, False, True, ANY_ID, None, {}])
def test_bare_value_is_no_resume(people: People, paused: dict[str, str], resume: Any) -> None:
    way = Way("value", INTERRUPT, {"command": {"resume": resume}})
    never_moves(people.alice, paused[INTERRUPT], way, RUN_ROUTES, [people.april])


def test_new_run_of_owner_still_works(people: People) -> None:
    thread = pause(people.alice)
    for person in (people.alice, people.eddie):
        answer = RUN_ROUTES["wait"](person, thread, INTERRUPT, {"input": {"text": f"new {person.name}"}})
        assert "__interrupt__" in answer.json()
    assert is_paused(people.alice, thread)


def lists_of(owner: SampleUser, thread: str) -> dict[str, Any]:
    return {name: found for name, found in owner.metadata(thread).items() if name in SHARED}


BOTH = {EDITORS: ["eddie"], APPROVERS: ["april"]}


@pytest.mark.parametrize(
    "lists",
    [
        {APPROVERS: ["april"]},
        {EDITORS: ["eddie"]},
        {APPROVERS: []},
        {EDITORS: []},
        {APPROVERS: ["april", "eddie"], EDITORS: ["eddie"]},
        {APPROVERS: ["alice"], EDITORS: []},
        {APPROVERS: [], EDITORS: ["alice"]},
    ],
)
def test_both_lists_change_together(people: People, lists: dict[str, list[str]]) -> None:
    thread = people.alice.thread()
    share(people.alice, thread, **BOTH)
    assert people.alice("PATCH", thread, {"metadata": lists}).status_code in DENIED
    assert people.alice("POST", "/threads", {"metadata": {**lists, "mark": "both"}}).status_code in DENIED
    assert lists_of(people.alice, thread) == BOTH
    assert people.alice.search("threads", mark="both") == []


def test_owner_writes_both_lists(people: People) -> None:
    thread = people.alice.thread(**BOTH)
    assert lists_of(people.alice, thread) == BOTH
    swapped = {EDITORS: ["april"], APPROVERS: ["eddie"]}
    share(people.alice, thread, **swapped)
    share(people.alice, thread, **{READERS: ["april", "eddie"]})
    assert lists_of(people.alice, thread) == {**swapped, READERS: ["april", "eddie"]}


@pytest.mark.parametrize("lists", [BOTH, {APPROVERS: ["mallory"], EDITORS: []}, {APPROVERS: ["april"]}, {EDITORS: []}])
def test_nobody_else_writes_approvers(sharing: SharingServer, people: People, lists: dict[str, list[str]]) -> None:
    thread = people.alice.thread()
    manager = sharing.user("mona", "manager")
    for person in (people.root, manager, *people.listed, *people.others):
        assert person("PATCH", thread, {"metadata": lists}).status_code in DENIED, person.name
    assert lists_of(people.alice, thread) == {}
    share(manager, thread, **{READERS: ["rita"]})
    assert people.rita("GET", thread).status_code == 200


def test_reach_gives_owner_no_other_thread(sharing: SharingServer, people: People) -> None:
    """An administrator who owns threads writes the lists of these alone."""
    own = people.root.thread()
    share(people.root, own, **BOTH)
    thread = people.alice.thread()
    assert people.root("PATCH", thread, {"metadata": BOTH}).status_code in DENIED
    assert lists_of(people.alice, thread) == {}


STATE = {"values": {"text": "changed"}, "as_node": "ask"}
STEPS = [{"updates": [{"values": {"text": "changed"}, "as_node": "ask"}]}]


def test_nobody_updates_state(sharing: SharingServer, people: People, paused: dict[str, str]) -> None:
    thread = paused[INTERRUPT]
    before = contents(people.alice, thread)
    owner = sharing.user("alice", "admin")
    manager = sharing.user("mona", "manager", "supervisor")
    for person in (people.alice, owner, people.root, manager, *people.listed, *people.others):
        for body in (STATE, {"values": None}, {"values": {}, "as_node": "act"}, {**STATE, "checkpoint_id": ANY_ID}):
            answer = person("POST", f"{thread}/state", body)
            assert answer.status_code in DENIED
        body = {"thread_id": thread.rpartition("/")[2], "if_exists": "do_nothing", "supersteps": STEPS}
        assert person("POST", "/threads", body).status_code in {201, *DENIED}
    assert contents(people.alice, thread) == before


def test_new_thread_takes_no_supersteps(people: People) -> None:
    body = {"metadata": {"graph_id": INTERRUPT, "mark": "steps"}, "supersteps": STEPS}
    for person in (people.alice, people.root):
        answer = person("POST", "/threads", body)
        assert answer.status_code in {201, 403}
    assert not any((found.get("values") or {}).get("text") for found in people.alice.search("threads", mark="steps"))
