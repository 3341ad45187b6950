"""Custom rules. ``also`` adds a rule that can deny or narrow, and ``replace`` replaces the rule of the library."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from kit.sample_users import configuration_for
from langgraph_sdk import Auth
from starlette.exceptions import HTTPException

from oidc_auth import ConfigError, OIDCAuth
from oidc_auth.langgraph import protect

if TYPE_CHECKING:
    from kit.live_server import LiveServer
    from kit.snapshots import Messages

    from oidc_auth.testing import LocalIssuer


async def nothing(ctx: Any, value: Any) -> None:
    """Allow everything."""


def answering(answer: Any) -> Any:
    async def rule(ctx: Any, value: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return rule


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (None, 200),
        (True, 200),
        (False, 403),
        ({"title": "plans"}, 200),
        ({"title": "other"}, 404),
        ({"$or": [{"title": "plans"}, {"title": {"$eq": "x"}}]}, 200),
        ({"tags": {"$contains": "x"}}, 404),
        (HTTPException(418, "teapot"), 418),
        (Auth.exceptions.HTTPException(status_code=402, detail="pay"), 402),
        (RuntimeError("secret"), 403),
    ],
)
def test_custom_rule_may_deny_or_narrow(live_server: LiveServer, answer: Any, status: int) -> None:
    path = live_server.user("alice", "editor").thread(title="plans")
    live_server.enforce(also={"threads:read": answering(answer)})
    got = live_server.user("alice", "editor")("GET", path)
    assert (got.status_code, "secret" in got.text) == (status, False)


MADE = ("assistants:create", "crons:create", "threads:create", "threads:create_run")
VALUES: tuple[dict[str, Any], ...] = ({}, {"metadata": None}, {"metadata": []})
UNSTAMPED = [(event, value) for event in MADE for value in VALUES]
UNSTAMPED.remove(("threads:create", {}))  # a copy has the metadata of the original


@pytest.mark.parametrize(("event", "value"), UNSTAMPED)
def test_object_without_metadata_is_not_created(
    live_server: LiveServer, event: str, value: dict[str, Any], messages: Messages
) -> None:
    """Without metadata in the value, the server would store an object without an owner."""
    resource, _, action = event.partition(":")
    (handle,) = protect(configuration_for(live_server.issuer))._handlers[(resource, action)]
    user = SimpleNamespace(identity="ada", permissions=list(MADE), graphs=None)
    ctx = cast("Any", SimpleNamespace(user=user, resource=resource, action=action))
    with pytest.raises(HTTPException) as refusal:
        asyncio.run(cast("Any", handle)(ctx=ctx, value={"assistant_id": "agent", "graph_id": "agent", **value}))
    assert refusal.value.status_code == 403
    messages.check(refusal.value.detail)


@pytest.mark.parametrize(
    "filter_",
    [
        {},
        {"owner": {"$in": ["alice", "bob"]}},
        {"$not": {"owner": "bob"}},
        {"owner": {"$eq": "bob", "$contains": "bob"}},
        {"nested": {"a": 1}},
        {"$or": [{"owner": "bob"}]},
        {"$or": [{"owner": "bob"}, {}]},
        {"$or": [{"$and": [{"a": 1}, {"b": 2}]}, {"c": 3}]},
        {"owner": ["bob"]},
        {"tags": {"$contains": []}},
        "text",
        7,
    ],
)
def test_ambiguous_filter_is_denied(live_server: LiveServer, filter_: Any) -> None:
    path = live_server.user("alice", "editor").thread()
    live_server.enforce(also={"threads:read": answering(filter_)})
    assert live_server.user("alice", "editor")("GET", path).status_code == 403


def test_custom_rule_never_widens(live_server: LiveServer) -> None:
    path = live_server.user("alice", "editor").thread()
    live_server.enforce(also={"threads:read": answering({"owner": "alice"}), "threads:search": answering(True)})
    bob = live_server.user("bob", "editor")
    assert bob("GET", path).status_code == 404
    assert path.rpartition("/")[2] not in {thread["thread_id"] for thread in bob.search("threads")}


def test_custom_rule_is_skipped_after_denial(live_server: LiveServer) -> None:
    called: list[str] = []

    async def rule(ctx: Any, value: Any) -> None:
        called.append(ctx.action)

    live_server.enforce(also={"threads:create": rule})
    assert live_server.user("victor", "viewer")("POST", "/threads", {}).status_code == 403
    assert called == []


def test_rule_does_not_change_runs_user(live_server: LiveServer) -> None:
    root = {"langgraph_auth_user": {"identity": "root", "tenant": "globex"}, "langgraph_auth_permissions": ["*@all"]}

    async def rule(ctx: Any, value: Any) -> None:
        value["kwargs"]["config"]["configurable"].update(root)

    live_server.enforce(also={"threads:create_run": rule})
    alice = live_server.user("alice", "editor")
    user = alice("POST", "/runs/wait", {"assistant_id": "memory", "input": {"text": "hello"}}).json()["user"]
    assert (user["identity"], user["tenant"], "*@all" in user["permissions"]) == ("alice", "acme", False)


def test_rule_does_not_write_crons_user(live_server: LiveServer) -> None:
    async def rule(ctx: Any, value: Any) -> None:
        value["payload"]["config"]["configurable"]["langgraph_auth_user"] = {"identity": "root"}

    live_server.enforce(also={"crons:create": rule})
    alice = live_server.user("alice", "editor")
    body = {"assistant_id": "agent", "schedule": "0 0 1 1 *", "config": {"configurable": {"colour": "blue"}}}
    made = alice("POST", "/runs/crons", body).json()
    stored = made["payload"]["config"]["configurable"]
    assert (stored["colour"], stored.get("langgraph_auth_user")) == ("blue", None)


def test_rule_does_not_move_cron_to_another_tenant(live_server: LiveServer) -> None:
    async def rule(ctx: Any, value: Any) -> None:
        value["payload"]["metadata"] = {"tenant": "globex", "title": "plans"}

    live_server.enforce(also={"crons:create": rule, "crons:update": rule})
    alice = live_server.user("alice", "editor")
    made = alice("POST", "/runs/crons", {"assistant_id": "agent", "schedule": "0 0 1 1 *"}).json()
    assert made["payload"]["metadata"] == {"title": "plans"}
    changed = alice("PATCH", f"/runs/crons/{made['cron_id']}", {"metadata": {"title": "ideas"}}).json()
    written = {"authorized_until", "authorized_for", "authorized_at"}
    assert set(changed["payload"]["metadata"]) == {"title", *written}


def test_custom_rule_edits_keep_reserved_keys(live_server: LiveServer) -> None:
    async def edit(ctx: Any, value: Any) -> None:
        value["metadata"].update(
            owner="mallory", tenant="globex", oidc_auth_temporary=True, created_by="system", mark=1
        )

    live_server.enforce(also={"threads:create": edit, "threads:update": edit})
    alice = live_server.user("alice", "editor")
    path = alice.thread()
    stored = {"owner": "alice", "tenant": "acme", "mark": 1}
    assert alice.metadata(path) == stored
    assert alice("PATCH", path, {"metadata": {"x": 1}}).status_code == 200
    assert alice.metadata(path) == {**stored, "x": 1}


@pytest.mark.parametrize("spoil", ["clear", "replace", "delete"])
def test_custom_rule_cannot_remove_stamp(live_server: LiveServer, spoil: str) -> None:
    async def edit(ctx: Any, value: Any) -> None:
        if spoil == "clear":
            value["metadata"].clear()
        elif spoil == "replace":
            value["metadata"] = {"owner": "mallory"}
        else:
            del value["metadata"]

    live_server.enforce(also={"threads:create": edit})
    alice = live_server.user("alice", "editor")
    assert alice.metadata(alice.thread())["owner"] == "alice"


def test_custom_rule_cannot_change_namespace(live_server: LiveServer) -> None:
    async def move(ctx: Any, value: Any) -> None:
        value["namespace"] = ("elsewhere",)

    live_server.enforce(also={"store:put": move})
    alice = live_server.user("alice", "editor")
    item = {"namespace": ["moved"], "key": "k", "value": {"x": 1}}
    assert alice("PUT", "/store/items", item).status_code == 204
    assert alice("GET", "/store/items?namespace=moved&key=k").json()["value"] == {"x": 1}


def test_store_filter_is_denied(live_server: LiveServer) -> None:
    live_server.enforce(also={"store:get": answering({"owner": "alice"})})
    assert live_server.user("alice", "editor")("GET", "/store/items?namespace=n&key=k").status_code == 403


def test_replaced_handler_decides_alone(live_server: LiveServer) -> None:
    live_server.enforce(replace={"threads:search": nothing})
    live_server.user("alice", "editor").thread(title="for all to see")
    found = live_server.user("guest", "visitor").search("threads", title="for all to see")
    assert [thread["metadata"]["owner"] for thread in found][:1] == ["alice"]


def test_rule_for_unknown_event_stops_startup(issuer: LocalIssuer, messages: Messages) -> None:
    oidc = OIDCAuth.from_dict(configuration_for(issuer), fetcher=issuer)
    with pytest.raises(ConfigError) as caught:
        protect(oidc, also={"threads:create_runs": nothing, "runs:create": nothing})
    assert [problem.where for problem in caught.value.problems] == [
        "also['threads:create_runs']",
        "also['runs:create']",
    ]
    messages.check(caught.value)


def test_invalid_rules_stop_startup(issuer: LocalIssuer, messages: Messages) -> None:
    oidc = OIDCAuth.from_dict(configuration_for(issuer), fetcher=issuer)
    with pytest.raises(ConfigError) as caught:
        protect(oidc, also={"threads:read": cast("Any", lambda ctx, value: None)})
    messages.check(caught.value)
    with pytest.raises(ConfigError, match="replace="):
        protect(oidc, also={"threads:read": nothing}, replace={"threads:read": nothing})


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ((), "got no configuration"),
        ((5,), "found a number"),
        ((None, ["a"]), "found nothing"),
    ],
)
def test_invalid_configuration_source_stops_startup(sources: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        protect(*sources)
    assert caught.value.report().startswith("protect(): ")
    assert said in caught.value.problems[0].message
    assert "protect('oidc-auth.toml')" in caught.value.problems[0].hint
    assert len(caught.value.problems) == max(len(sources), 1)


def test_additional_handler_registration_is_rejected(issuer: LocalIssuer) -> None:
    auth = protect(OIDCAuth.from_dict(configuration_for(issuer), fetcher=issuer))
    for register in (
        lambda: auth.on(nothing),
        lambda: auth.on(resources="threads", actions="read"),
        lambda: auth.on.threads.read,
        lambda: auth.on.store,
    ):
        with pytest.raises(ConfigError, match=r"also=.*replace="):
            register()
    with pytest.raises(ValueError, match="already set"):
        auth.authenticate(cast("Any", nothing))


def test_every_sdk_event_is_registered(issuer: LocalIssuer) -> None:
    """It also checks the name of the SDK's private registry, which ``protect`` fills with the public decorator."""
    from langgraph_api.auth.custom import _derive_known_resource_actions

    known = {(r, a) for r, actions in _derive_known_resource_actions(Auth()).items() for a in actions}
    auth = protect(OIDCAuth.from_dict(configuration_for(issuer), fetcher=issuer))
    assert set(auth._handlers) == known
    assert len(known) == 21
    assert len(auth._global_handlers) == 1
