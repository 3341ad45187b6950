"""Users of a real Aegra server: identities, tenants, and what a graph sees of them."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from aegra.graph import USER_FIELDS

from oidc_auth.aegra.identity import encode_identity
from oidc_auth.permissions.caller import Tenancy

if TYPE_CHECKING:
    from collections.abc import Callable

    from aegra.server import AegraServer
    from kit.live_server import SampleUser

    Users = Callable[..., SampleUser]

WAIT_SECONDS = 15.0
IDENTITIES = [
    "alice@example.com",
    "a.b.c",
    ".",
    "*",
    "a*",
    "user_1%\\",
    "auth0|5f7c",
    "https://id.acme.com/u/1",
    "Jörg Müller",
    "名前",
    "\U0001f600" * 255,
]
PAIRS = [("ab", "abc"), ("a_c", "abc"), ("a%", "abc"), ("Alice", "alice"), ("a.b", "a"), ("*", "alice")]
FOREIGN = {
    "langgraph_auth_user": {"identity": "acme/bob"},
    "langgraph_auth_user_id": "acme/bob",
    "langgraph_auth_permissions": ["threads:read"],
    "user_id": "acme/bob",
    "user_display_name": "Bob",
}


def run_body(text: str = "hi", **more: Any) -> dict[str, Any]:
    return {"assistant_id": "agent", "input": {"text": text}, **more}


def run(user: SampleUser, text: str = "hi", thread: str = "", **more: Any) -> dict[str, Any]:
    """Run the graph, and return what its node saw."""
    answer = user("POST", f"{thread}/runs/wait", run_body(text, **more))
    assert answer.status_code == 200, answer.text
    seen: dict[str, Any] = answer.json()["seen"]
    return seen


def put(user: SampleUser, key: str, *namespace: str) -> None:
    answer = user("PUT", "/store/items", {"namespace": list(namespace), "key": key, "value": {"of": user.name}})
    assert answer.status_code == 204, answer.text


@pytest.mark.parametrize("identity", IDENTITIES, ids=range(len(IDENTITIES)))
def test_identity_works_everywhere(user: Users, identity: str) -> None:
    someone = user(identity, "editor")
    encoded = encode_identity(identity, Tenancy("acme"))
    put(someone, "k", "notes")
    item = someone("GET", "/store/items?namespace=notes&key=k").json()
    assert item == {"namespace": ["users", encoded, "notes"], "key": "k", "value": {"of": identity}}
    found = someone("POST", "/store/items/search", {"namespace_prefix": []}).json()["items"]
    assert [each["value"]["of"] for each in found] == [identity]
    assert someone("POST", "/store/namespaces", {}).json() == {"namespaces": [["users", encoded, "notes"]]}
    assert someone("DELETE", "/store/items", {"namespace": ["notes"], "key": "k"}).status_code == 204
    thread = someone.thread(title="mine")
    assert someone.metadata(thread)["owner"] == encoded
    seen = run(someone, thread=thread)
    assert (seen["user"]["identity"], seen["configurable"]["user_id"]) == (encoded, encoded)
    assert seen["user"]["display_name"] == identity
    assert [each["metadata"]["owner"] for each in someone("GET", "/threads").json()["threads"]] == [encoded]
    cron: dict[str, Any] = {"schedule": "0 0 1 1 *", "enabled": False}
    assert someone("POST", "/runs/crons", run_body(**cron)).status_code == 200
    assert someone("POST", "/runs/crons/count", {}).json() == 1


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_similar_identities_share_no_store(user: Users, one: str, other: str) -> None:
    mark = uuid.uuid4().hex
    first, second = user(f"{mark}{one}", "editor"), user(f"{mark}{other}", "editor")
    put(second, "k", "notes")
    for namespace in (["notes"], [], ["users"], ["users", f"acme/{mark}{other}"], ["users", "*"], ["*"]):
        found = first("POST", "/store/items/search", {"namespace_prefix": namespace})
        assert (found.status_code, found.json().get("items")) == (200, [])
        assert first("POST", "/store/namespaces", {"prefix": namespace}).json() == {"namespaces": []}
    assert first("GET", "/store/items?namespace=notes&key=k").status_code == 404
    assert len(second("POST", "/store/items/search", {"namespace_prefix": []}).json()["items"]) == 1


@pytest.fixture
def same_name(user: Users) -> list[SampleUser]:
    """Return one user name in two tenants, and without a tenant."""
    name = f"carol-{uuid.uuid4().hex}"
    return [user(name, "administrator", tenant=tenant) for tenant in ("acme", "globex", None)]


def test_tenants_of_one_name_share_nothing(same_name: list[SampleUser]) -> None:
    threads, labels, crons = [], set(), []
    for number, carol in enumerate(same_name):
        put(carol, f"k{number}", "notes")
        threads.append(carol.thread(title=f"t{number}"))
        seen = run(carol, f"said-{number}", threads[-1])
        labels.add(seen["label"])
        assert seen["earlier"] is None
        body = run_body(schedule="0 0 1 1 *", enabled=False, metadata={"n": number})
        crons.append(carol("POST", "/runs/crons", body).json()["cron_id"])
    assert len(labels) == 3
    for number, carol in enumerate(same_name):
        items = carol("POST", "/store/items/search", {"namespace_prefix": []}).json()["items"]
        assert [item["key"] for item in items] == [f"k{number}"]
        assert len(carol("POST", "/store/namespaces", {}).json()["namespaces"]) == 1
        assert [each["metadata"]["title"] for each in carol.search("threads")] == [f"t{number}"]
        found = carol("POST", "/runs/crons/search", {}).json()
        assert [each["metadata"] for each in found] == [{"n": number}]
        for other in {0, 1, 2} - {number}:
            runs = carol("GET", f"{threads[other]}/runs")
            assert (carol("GET", threads[other]).status_code, runs.json()) == (404, [])
            assert carol("GET", f"{threads[other]}/state").status_code == 404
            assert carol("POST", f"{threads[other]}/runs", run_body()).status_code == 404
            assert carol("PATCH", f"/runs/crons/{crons[other]}", {"enabled": True}).status_code == 404
            assert carol("DELETE", f"/runs/crons/{crons[other]}").status_code == 404


@pytest.mark.parametrize(("tenant", "org_id"), [("acme", "acme"), ("acme.com", "acme~2Ecom"), ("*", "~2A")])
def test_scope_shares_namespace_in_tenant(user: Users, tenant: str, org_id: str) -> None:
    mark = uuid.uuid4().hex
    one, two = (user(name, "editor", tenant=tenant) for name in ("alice", "bob"))
    put(one, mark, "orgs", "notes")
    search = {"namespace_prefix": ["orgs"]}
    assert mark in {item["key"] for item in two("POST", "/store/items/search", search).json()["items"]}
    other = user("alice", "editor", tenant="globex")
    assert mark not in other("POST", "/store/items/search", search).text
    put(other, mark, "orgs", "notes")
    for found in two("POST", "/store/namespaces", {"prefix": ["orgs"]}).json()["namespaces"]:
        assert found[:2] == ["orgs", org_id]
    nobody = user("alice", "editor", tenant=None)
    assert nobody("POST", "/store/items/search", search).status_code == 403


def test_graph_sees_whole_user(user: Users) -> None:
    alice = user("alice@example.com", "viewer", "limited", name="Alice", email="alice@example.com")
    seen = run(alice)["user"]
    assert set(seen) == set(USER_FIELDS)
    assert "absent" not in seen.values()
    assert (seen["display_name"], seen["tenant"], seen["graphs"]) == ("Alice", "acme", ["agent"])
    assert seen["claims"] == {"email": "alice@example.com"}
    assert "threads:create_run" in seen["permissions"]


def assert_own(seen: dict[str, Any], user: SampleUser) -> None:
    configurable = seen["configurable"]
    assert seen["user"]["identity"] == configurable["user_id"] == f"acme/{user.name}"
    assert "bob" not in json.dumps(seen).lower()
    assert set(configurable) & set(FOREIGN) == {"langgraph_auth_user", "user_id", "user_display_name"}
    assert configurable["model"] == "m"


CONFIG = {"configurable": {**FOREIGN, "model": "m"}}


@pytest.mark.parametrize("route", ["/runs/wait", "/runs/stream", "/runs"])
def test_user_keys_of_run_are_dropped(alice: SampleUser, route: str) -> None:
    thread = alice.thread()
    assert alice("POST", thread + route, run_body(config=CONFIG)).status_code == 200
    (made,) = alice("GET", f"{thread}/runs").json()
    seen = alice("GET", f"{thread}/runs/{made['run_id']}/join").json()["seen"]
    assert_own(seen, alice)


def command(user: SampleUser, thread: str, method: str, **params: Any) -> Any:
    """Send a command, and return the output of its run."""
    body = {"id": 1, "method": method, "assistant_id": "agent", "params": params}
    answer = user("POST", f"{thread}/commands", body).json()
    assert answer["type"] == "success", answer
    return user("GET", f"{thread}/runs/{answer['result']['run_id']}/join").json()


def test_user_keys_of_command_are_dropped(alice: SampleUser) -> None:
    thread = f"/threads/{uuid.uuid4()}"
    output = command(alice, thread, "run.start", **run_body(config=CONFIG))
    assert_own(output["seen"], alice)


def test_user_keys_elsewhere_are_denied(alice: SampleUser) -> None:
    thread = alice.thread()
    run(alice, thread=thread)
    assistant = {"graph_id": "agent", "name": "x"}
    stored = alice("POST", "/assistants", {**assistant, "config": {"tags": [uuid.uuid4().hex]}}).json()["assistant_id"]
    cron = run_body(schedule="0 0 1 1 *")
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/runs/wait", run_body(checkpoint=FOREIGN)),
        ("POST", f"{thread}/state", {"values": {"text": "x"}, "as_node": "look", "checkpoint": FOREIGN}),
        ("POST", f"{thread}/history", {"checkpoint": FOREIGN}),
        ("POST", "/assistants", {**assistant, "config": CONFIG}),
        ("POST", "/assistants", {**assistant, "context": FOREIGN}),
        ("PATCH", f"/assistants/{stored}", {"config": CONFIG}),
        ("POST", "/runs/crons", {**cron, "config": CONFIG}),
        ("POST", f"{thread}/runs/crons", {**cron, "config": CONFIG}),
    ]
    for method, path, body in requests:
        answer = alice(method, path, body)
        assert answer.status_code == 403, (path, answer.text)
    assert alice("POST", "/runs/crons/count", {"thread_id": thread.rpartition("/")[2]}).json() == 0


@pytest.mark.parametrize("key", ["thread_id", "checkpoint_ns", "langgraph_auth_user"])
def test_unknown_key_of_config_is_denied(alice: SampleUser, bob: SampleUser, key: str) -> None:
    """LangGraph copies such a key over what the server wrote. A run could then read the thread of another user."""
    secret = bob.thread()
    run(bob, "secret", secret)
    config = {key: secret.rpartition("/")[2] if key == "thread_id" else FOREIGN["langgraph_auth_user"]}
    body = run_body(config=config)
    start = {"id": 1, "method": "run.start", "params": body}
    own = alice.thread()
    assert alice("POST", f"{own}/runs/wait", body).status_code == 403
    assert alice("POST", f"{own}/commands", start).status_code == 403
    assert alice("POST", "/runs/crons", {**body, "schedule": "0 0 1 1 *"}).status_code == 403
    assert alice("POST", "/assistants", {"graph_id": "agent", "config": config}).status_code == 403
    assert alice("GET", f"{own}/runs").json() == []


def test_owner_answers_question_with_command(alice: SampleUser, bob: SampleUser) -> None:
    thread = f"/threads/{uuid.uuid4()}"
    command(alice, thread, "run.start", assistant_id="asking", input={"text": "?"})
    respond = {"id": 2, "method": "input.respond", "params": {"response": "yes"}}
    assert bob("POST", f"{thread}/commands", respond).status_code == 404
    assert command(alice, thread, "input.respond", response="yes")["text"] == "yes"


def test_graph_limit_covers_commands(user: Users) -> None:
    limited = user("alice", "limited")
    thread = f"/threads/{uuid.uuid4()}"
    assert command(limited, thread, "run.start", **run_body())["seen"]["user"]["graphs"] == ["agent"]
    for params in ({**run_body(), "assistant_id": "other"}, {}):
        body = {"id": 1, "method": "run.start", "assistant_id": "agent", "params": params}
        assert limited("POST", f"{thread}/commands", body).status_code == 403
    assert limited("POST", "/runs/wait", {**run_body(), "assistant_id": "other"}).status_code == 403
    assert limited("POST", f"{thread}/state", {"values": {"text": "x"}, "as_node": "look"}).status_code == 403


def test_reserved_metadata_stay_as_the_library_wrote_them(alice: SampleUser) -> None:
    thread = alice.thread(owner="acme/bob", title="x")
    assert alice.metadata(thread)["owner"] == "acme/alice"
    assert alice("PATCH", thread, {"metadata": {"owner": "acme/bob"}}).status_code == 403
    # A client may send back what it read.
    assert alice("PATCH", thread, {"metadata": {**alice.metadata(thread), "title": "y"}}).status_code == 200
    assert alice.metadata(thread)["owner"] == "acme/alice"
    created = alice("POST", "/assistants", {"graph_id": "agent", "config": {"tags": [uuid.uuid4().hex]}}).json()
    path = f"/assistants/{created['assistant_id']}"
    assert alice("PATCH", path, {"metadata": {"title": "x"}}).status_code == 200
    assert alice.metadata(path)["owner"] == "acme/alice"
    assert alice("PATCH", path, {"metadata": {"created_by": "system"}}).status_code == 403


def test_own_and_built_in_assistants_are_listed(alice: SampleUser, bob: SampleUser) -> None:
    name = uuid.uuid4().hex
    alice("POST", "/assistants", {"graph_id": "agent", "name": name, "config": {"run_name": name}})
    names = {each["name"] for each in alice("GET", "/assistants").json()["assistants"]}
    others = {each["name"] for each in bob("GET", "/assistants").json()["assistants"]}
    assert name in names
    assert name not in others
    assert {each["graph_id"] for each in bob("GET", "/assistants").json()["assistants"]} >= {"agent", "other", "asking"}


def test_scheduled_run_has_owner_and_no_permissions(user: Users) -> None:
    dave = user(f"dave-{uuid.uuid4().hex}", "editor")
    own = run(dave, "by hand")
    body = run_body("by cron", schedule="* * * * * *", on_run_completed="keep")
    created = dave("POST", "/runs/crons", body)
    assert created.status_code == 200, created.text
    seen = wait_for_scheduled_run(dave)
    (cron,) = dave("POST", "/runs/crons/search", {}).json()
    assert dave("DELETE", f"/runs/crons/{cron['cron_id']}").status_code == 204
    assert seen["user"] == {
        **dict.fromkeys(USER_FIELDS, "absent"),
        "identity": f"acme/{dave.name}",
        "display_name": "cron-scheduler",
        "permissions": [],
    }
    # The memories of the user.
    assert seen["label"] == own["label"]


def wait_for_scheduled_run(user: SampleUser) -> dict[str, Any]:
    """Return what the node of the first scheduled run saw. The creation of a cron starts another run."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        for thread in user("GET", "/threads").json()["threads"]:
            for made in user("GET", f"/threads/{thread['thread_id']}/runs").json():
                seen: dict[str, Any] = (made["output"] or {}).get("seen") or {}
                if seen.get("user", {}).get("display_name") == "cron-scheduler":
                    return seen
        time.sleep(0.1)
    raise AssertionError("no scheduled run")


def test_denial_names_scope_in_header(user: Users) -> None:
    denied = user("alice", "viewer", scope="openid")("POST", "/threads", {})
    assert denied.status_code == 403
    assert 'error="insufficient_scope", scope="agents:write"' in denied.headers["www-authenticate"]


def test_refusal_names_code_in_body(aegra: AegraServer) -> None:
    codes = {}
    for token in (None, "opaque"):
        codes[token] = aegra.request("GET", "/threads", token).json()["message"].partition(":")[0]
    assert codes == {None: "token_missing", "opaque": "token_malformed"}
