"""Adding a person to a list changes what this person may do, and nothing for other users. Removing undoes it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.handler_calls import AGENT, ASSISTANT, MODES, THREAD_REQUESTS, DeniedError, build_auth, build_user, call
from kit.sharing import APPROVERS, EDITORS, LISTS, READERS, SharingServer, share, shared_thread

from oidc_auth.permissions.caller import Tenancy
from oidc_auth.permissions.names import Reach

if TYPE_CHECKING:
    from kit.live_server import SampleUser
    from kit.server import Server

pytestmark = [
    pytest.mark.usefixtures("server"),
    # The server draws random numbers in its own thread.
    pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies"),
]

handlers = cache(build_auth)
READS = {"read", "search", "runs"}
RUNS = READS | {"run", "cancel", "rollback", "delete run"}
STEERING = {"resume", "resume id", "goto", "null input", "interrupts"}
GAINS = {
    ("run", READERS): READS,
    ("run", EDITORS): RUNS | STEERING,
    ("run", APPROVERS): READS | {"resume", "resume id"},
    ("permission", READERS): READS,
    # Without a place on the list of approvers, the permission to resume is for own threads.
    ("permission", EDITORS): RUNS,
    ("permission", APPROVERS): READS | {"resume", "resume id"},
    ("other", READERS): READS,
    ("other", EDITORS): RUNS,
    ("other", APPROVERS): READS | {"resume id"},
}
"""The requests of a thread that each list allows in each mode."""
NAMES, TENANTS = st.sampled_from(["alice", "bob", "cora", "dan"]), st.sampled_from([None, "acme", "globex"])
names_of = st.lists(NAMES, max_size=3)
threads = st.fixed_dictionaries(
    {"owner": NAMES, "tenant": TENANTS, "assistant_id": st.sampled_from([str(AGENT), str(ASSISTANT)])},
    optional=dict.fromkeys(LISTS, names_of),
)
some_settings = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def allowed(mode: str, user: object, thread: dict[str, Any]) -> set[str]:
    """Return the requests that a user may send for a thread."""
    from langgraph_runtime_inmem.ops import _check_filter_match

    found = set[str]()
    for request in THREAD_REQUESTS:
        try:
            where = call(handlers(mode, shares=True), user, request.event, request.value)
        except DeniedError:
            continue
        if where is None or _check_filter_match(thread, where):
            found.add(request.name)
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", LISTS)
@some_settings
@given(thread=threads, person=NAMES, caller=NAMES, tenant=TENANTS, reach=st.sampled_from(Reach))
def test_adding_person_changes_nothing_for_others(
    mode: str, name: str, thread: dict[str, Any], person: str, caller: str, tenant: str | None, reach: Reach
) -> None:
    added = {**thread, name: [*thread.get(name, []), person]}
    user = build_user(caller, Tenancy(tenant), reach)
    before, after = allowed(mode, user, thread), allowed(mode, user, added)
    if caller != person or tenant != thread["tenant"]:
        assert before == after
    else:
        assert before <= after
        assert after - before - {"run of other"} <= GAINS[mode, name]
        assert "run of other" not in after - before or name == EDITORS
    assert allowed(mode, user, thread) == before


@pytest.mark.parametrize(("mode", "name"), GAINS)
def test_added_person_gains_exactly_listed_requests(mode: str, name: str) -> None:
    thread = {"owner": "alice", "tenant": "acme", "assistant_id": str(AGENT)}
    user = build_user("bob", Tenancy("acme"), Reach.OWN)
    before = allowed(mode, user, thread)
    assert allowed(mode, user, {**thread, name: ["bob"]}) - before == GAINS[mode, name]


@pytest.mark.parametrize(("mode", "name"), GAINS)
def test_list_gives_nothing_for_other_assistant(mode: str, name: str) -> None:
    thread = {"owner": "alice", "tenant": "acme", "assistant_id": str(ASSISTANT), name: ["bob"]}
    gained = allowed(mode, build_user("bob", Tenancy("acme"), Reach.OWN), thread)
    assert not gained & (STEERING | {"run"})


@pytest.fixture(scope="module")
def sharing(server: Server) -> SharingServer:
    return SharingServer(server)


NOBODY: dict[str, list[str]] = {name: [] for name in LISTS}
RUN = {"assistant_id": "agent", "input": {"text": "hello"}, "after_seconds": 3600}


def seen_by(person: SampleUser, thread: str, run: str) -> list[Any]:
    """Return every answer about a thread that does not change it, and the answers that would change it."""
    answers = [
        person("GET", thread + below) for below in ("", "/state", "/history", "/runs", f"/runs/{run}", "/storage")
    ]
    answers += [
        person("POST", "/threads/search", {"metadata": {"mark": "property"}}),
        person("POST", "/threads/count", {"metadata": {"mark": "property"}}),
    ]
    changed = {"shared_with", "shared_editors", "shared_approvers", "updated_at"}
    found = [answer.json() for answer in answers]
    for one in (found[0], *(each for each in found[6])):
        for key in changed:
            one.pop(key, None)
            one.get("metadata", {}).pop(key, None)
    return [[answer.status_code for answer in answers], found]


@pytest.mark.parametrize("name", LISTS)
def test_removing_person_restores_everything(sharing: SharingServer, name: str) -> None:
    people = sharing.people()
    thread = shared_thread(people.alice, mark="property")
    share(people.alice, thread, **NOBODY)
    (run,) = people.alice("GET", f"{thread}/runs").json()
    everybody = [people.alice, people.cora, people.rita, *people.twins[:2], people.stranger, people.root]
    before = [seen_by(person, thread, run["run_id"]) for person in everybody]
    share(people.alice, thread, **{**NOBODY, name: ["cora"]})
    during = [seen_by(person, thread, run["run_id"]) for person in everybody]
    assert during[1][0][:6] == [200] * 6
    assert [one for number, one in enumerate(during) if everybody[number].name != "cora"] == [
        one for number, one in enumerate(before) if everybody[number].name != "cora"
    ]
    share(people.alice, thread, **NOBODY)
    assert [seen_by(person, thread, run["run_id"]) for person in everybody] == before
    assert people.cora("POST", f"{thread}/runs", RUN).status_code == 404
