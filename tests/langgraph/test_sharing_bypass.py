"""Attempts to get more from a shared thread than its lists give."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from kit.sharing import (
    APPROVERS,
    LISTS,
    READERS,
    SHARED,
    People,
    SharingServer,
    contents,
    find_interrupt,
    is_paused,
    pause,
    settle,
    share,
    shared_thread,
)

from oidc_auth import OIDCAuth
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from kit.live_server import SampleUser
    from kit.server import Server

# The server uses a beta of LangGraph for commands.
pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol")

RUN = {"assistant_id": "agent", "input": {"text": "hello"}}
DENIED = (400, 403, 404, 409, 422)


@pytest.fixture(scope="module")
def sharing(server: Server) -> SharingServer:
    return SharingServer(server)


@pytest.fixture(autouse=True)
def rules(sharing: SharingServer) -> None:
    sharing.change("run")


@pytest.fixture(scope="module")
def people(sharing: SharingServer) -> People:
    return sharing.people()


def send_from_graph(person: SampleUser, *requests: dict[str, Any]) -> list[str]:
    """Send requests from a graph of this user, which calls its own server."""
    body = {"assistant_id": "loop", "input": {"requests": list(requests)}}
    answers: list[str] = person("POST", "/runs/wait", body).json()["answers"]
    return answers


@pytest.mark.parametrize("mode", ["run", "permission", "other"])
def test_graph_of_listed_user_is_limited_too(sharing: SharingServer, people: People, mode: str) -> None:
    sharing.change(mode)
    thread = pause(people.alice)
    count = people.alice("POST", "/threads/count", {}).json()
    before = contents(people.alice, thread)
    resume = {"assistant_id": "approval", "command": {"resume": "yes", "goto": "act"}}
    requests = [
        {"path": f"{thread}/copy", "json": {}},
        {"path": f"{thread}/state", "json": {"values": {"text": "x"}, "as_node": "ask"}},
        {"path": f"{thread}/runs/crons", "json": {**RUN, "schedule": "0 0 1 1 *"}},
        {"path": "/threads/prune", "json": {"thread_ids": [thread.rpartition("/")[2]]}},
        {"path": f"{thread}/runs", "json": resume},
    ]
    for person in (people.rita, people.april, people.stranger, *([people.eddie] if mode != "run" else [])):
        answers = send_from_graph(person, *requests)
        assert not any(answer == "allowed" for answer in answers), (person.name, answers)
    assert people.alice("POST", "/threads/count", {}).json() == count
    assert contents(people.alice, thread) == before


def test_graph_of_owner_copies_own_thread(people: People) -> None:
    thread = shared_thread(people.alice)
    assert send_from_graph(people.alice, {"path": f"{thread}/copy", "json": {}}) == ["allowed"]
    assert send_from_graph(people.eddie, {"path": f"{thread}/history", "json": {}}) == ["allowed"]


@pytest.mark.parametrize(
    "path", ["{thread}/copy/", "/{thread}/copy", "{thread}/copy?x=1", "{thread}/%63%6Fpy", "{thread}/copy%0A"]
)
def test_other_spelling_of_copy_is_denied(people: People, below: str) -> None:
    thread = shared_thread(people.alice)
    count = people.alice("POST", "/threads/count", {}).json()
    for person in people.listed:
        assert person("POST", thread + below, {}).status_code >= 400
    assert people.alice("POST", "/threads/count", {}).json() == count


@pytest.mark.parametrize("name", LISTS)
def test_null_is_no_list(people: People, name: str) -> None:
    thread = shared_thread(people.alice)
    assert people.alice("PATCH", thread, {"metadata": {name: None}}).status_code in DENIED
    assert people.alice.metadata(thread)[name] == SHARED[name]


def test_open_socket_ends_with_place_on_list(sharing: SharingServer, people: People) -> None:
    sharing.change("permission")
    thread = pause(people.alice)
    interrupt = find_interrupt(people.alice, thread)
    headers = {"authorization": f"Bearer {people.april.token}"}
    respond = {"id": 7, "method": "input.respond", "params": {"interrupt_id": interrupt, "response": "yes"}}
    with sharing.server.client.websocket_connect(f"{thread}/stream/events", headers=headers) as socket:
        share(people.alice, thread, **{APPROVERS: [], READERS: []})
        socket.send_json(respond)
        assert next(each for each in iter(socket.receive_json, None) if each.get("id") == 7)["type"] == "error"
    assert is_paused(people.alice, thread)


def test_delayed_run_of_removed_editor_still_runs(people: People) -> None:
    """A run keeps the rights with which it was created. ``max_delay`` bounds it, and the owner can delete it."""
    thread = shared_thread(people.alice)
    run = people.eddie("POST", f"{thread}/runs", {**RUN, "after_seconds": 1}).json()["run_id"]
    share(people.alice, thread, shared_editors=[])
    deadline = time.monotonic() + 10
    while people.alice("GET", f"{thread}/runs/{run}").json()["status"] == "pending":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert settle(people.alice, thread)["values"]["answer"] == "eddie said hello"


def enforcement_of(**tables: Any) -> Any:
    issuer = LocalIssuer("https://issuer.test", algorithm="ES256")
    own = {"preset": "generic", "issuer": issuer.url, "audience": "agents", **tables.pop("issuer", {})}
    return OIDCAuth.from_dict({"issuer": own, **tables}, fetcher=issuer)


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"issuer": {"permission_map": {"claim": "s", "accept": ["threads:share"]}}}, True),
        ({"issuer": {"permission_map": {"claim": "s", "values": {"a": ["threads:share"]}}}}, True),
        ({"issuer": {"permission_map": {"claim": "s", "values": {"a": ["threads:share@all"]}}}}, True),
        ({"issuer": {"permission_map": {"claim": "s", "accept": ["*"]}}}, False),
        ({"issuer": {"permission_map": {"claim": "s", "accept": ["threads:*"]}}}, False),
        ({"issuer": {"permission_map": {"claim": "s", "values": {"a": ["*@all", "threads:write"]}}}}, False),
        (
            {"issuer": {"default_role": "sharer"}, "roles": {"sharer": ["threads:read", "threads:share"]}},
            True,
        ),
        (
            {
                "issuer": {"permission_map": {"claim": "s", "values": {"a": "sharer"}}},
                "roles": {"sharer": {"permissions": ["threads:share"], "graphs": ["agent"]}},
            },
            True,
        ),
    ],
)
def test_sharing_is_on_if_permission_is_named(tables: dict[str, Any], *, expected: bool) -> None:
    assert enforcement_of(**tables).enforcement.sharing is expected


@pytest.mark.parametrize("accept", [["*"], ["threads:*"], ["threads:read", "threads:*"]])
@pytest.mark.parametrize("named", ["threads:share", "threads:resume", "threads:share@all", "threads:resume@tenant"])
def test_pattern_accepts_no_extra_permission(accept: list[str], named: str) -> None:
    oidc = enforcement_of(issuer={"permission_map": {"claim": "scope", "accept": accept}})
    for scope in (named, f"threads:read {named}", "*", "threads:*"):
        rights = oidc.explain({"sub": "alice", "scope": scope}).rights
        assert not {"threads:share", "threads:resume"} & set(rights)
