"""The handlers on Aegra's user object, without a server."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aegra.conftest import configuration_for
from langgraph_sdk import Auth
from starlette.exceptions import HTTPException

from oidc_auth import ErrorCode, OIDCAuth, store_label
from oidc_auth.aegra.event_rules import AEGRA_RULES
from oidc_auth.aegra.protect import protect
from oidc_auth.observability import AuthorizationDecided
from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    from oidc_auth.observability import Event
    from oidc_auth.testing import LocalIssuer


class AegraUser(SimpleNamespace):
    """A user as Aegra passes it. The handlers recognize its module."""

    __module__ = "aegra_api.models.auth"


class Handlers:
    """The handlers of ``protect``."""

    def __init__(self, issuer: LocalIssuer, **tables: Any) -> None:
        self.observed: list[Event] = []
        oidc = OIDCAuth.from_dict(configuration_for(issuer, **tables), fetcher=issuer, observer=self.observed.append)
        self.auth = protect(oidc)

    def call(self, event: str, value: dict[str, Any], user: object) -> Any:
        resource, _, action = event.partition(":")
        (handler,) = self.auth._handlers.get((resource, action)) or self.auth._global_handlers
        ctx = SimpleNamespace(user=user, resource=resource, action=action)
        return asyncio.run(handler(ctx=ctx, value=value))  # type: ignore[arg-type]

    def code(self, event: str, value: dict[str, Any], user: object) -> str:
        """Return the code of the decision, "" if it is allowed."""
        self.observed.clear()
        with suppress(HTTPException):
            self.call(event, value, user)
        (decided,) = (each for each in self.observed if isinstance(each, AuthorizationDecided))
        return decided.code


@pytest.fixture
def handlers(issuer: LocalIssuer) -> Handlers:
    return Handlers(issuer)


def alice(*permissions: str, graphs: list[str] | None = None) -> AegraUser:
    return AegraUser(
        identity="acme/alice", permissions=[*(permissions or EVENTS)], graphs=graphs, tenant="acme", has_tenants=True
    )


OWN = {"owner": "acme/alice"}
OWN_OR_BUILT_IN = {"$or": [OWN, {"created_by": "system"}]}
FILTERS = {
    **dict.fromkeys(["threads:read", "threads:delete", "threads:search"], OWN),
    **dict.fromkeys(["assistants:read", "assistants:search"], OWN_OR_BUILT_IN),
    **dict.fromkeys(["assistants:update", "assistants:delete"], OWN),
}
"""The events whose filter Aegra honors. It misunderstands the filter of some others."""


@pytest.mark.parametrize("event", EVENTS)
def test_filter_is_flat_or_absent(handlers: Handlers, event: str) -> None:
    assert handlers.call(event, {"assistant_id": "agent"}, alice()) == FILTERS.get(event)


@pytest.mark.parametrize("event", EVENTS)
def test_event_without_permission_is_denied(handlers: Handlers, event: str) -> None:
    others = [name for name in EVENTS if name not in (event, "threads:create_run")]
    assert handlers.code(event, {}, alice(*others)) == ErrorCode.PERMISSION_MISSING
    assert handlers.code(event, {}, AegraUser(identity="acme/alice", permissions=[])) == ErrorCode.NO_PERMISSIONS


@pytest.mark.parametrize("event", EVENTS)
def test_user_of_other_server_is_denied(handlers: Handlers, event: str) -> None:
    assert handlers.code(event, {}, SimpleNamespace(**vars(alice()))) == ErrorCode.USER_UNKNOWN


def test_unknown_event_is_denied(handlers: Handlers) -> None:
    assert handlers.code("runs:create", {}, alice("threads:create_run")) == ErrorCode.EVENT_UNKNOWN


def test_table_has_row_for_each_event() -> None:
    assert set(AEGRA_RULES) == set(EVENTS)


@pytest.mark.parametrize("event", ["threads:create", "assistants:create"])
@pytest.mark.parametrize("metadata", [None, {}, {"title": "x"}, {"owner": "globex/bob"}])
def test_new_object_gets_owner(handlers: Handlers, event: str, metadata: dict[str, Any] | None) -> None:
    value: dict[str, Any] = {"metadata": metadata}
    handlers.call(event, value, alice())
    assert value["metadata"] == {**(metadata or {}), **OWN}


RESERVED = [{"tenant": "acme"}, {"authorized_until": 1}, {"shared_with": ["bob"]}, {"created_by": "system"}]


@pytest.mark.parametrize("metadata", RESERVED)
@pytest.mark.parametrize(
    "event", ["threads:create", "threads:update", "assistants:create", "assistants:update", "crons:create"]
)
def test_reserved_metadata_are_denied(handlers: Handlers, event: str, metadata: dict[str, Any]) -> None:
    value = {"metadata": metadata, "thread_id": "t", "assistant_id": "agent"}
    assert handlers.code(event, value, alice()) == ErrorCode.RESERVED_METADATA


@pytest.mark.parametrize("event", ["threads:update", "assistants:update", "crons:update"])
def test_owner_can_only_be_sent_back(handlers: Handlers, event: str) -> None:
    # Aegra writes the assistant into the metadata of each thread.
    assert handlers.code(event, {"metadata": {**OWN, "title": "x", "assistant_id": None}}, alice()) == ""
    assert handlers.code(event, {"metadata": {"owner": "globex/bob"}}, alice()) == ErrorCode.RESERVED_METADATA


def test_changed_assistant_keeps_owner(handlers: Handlers) -> None:
    value: dict[str, Any] = {"assistant_id": "a", "metadata": {"title": "x"}}
    handlers.call("assistants:update", value, alice())
    assert value["metadata"] == {"title": "x", **OWN}


@pytest.mark.parametrize("metadata", ["text", ["a"], 7])
def test_metadata_of_other_type_are_denied(handlers: Handlers, metadata: Any) -> None:
    value = {"thread_id": "t", "values": {}, "metadata": metadata}
    assert handlers.code("threads:update", value, alice()) == ErrorCode.CUSTOM_RULE_FAILED


@pytest.mark.parametrize(
    "value",
    [
        {"thread_id": "t", "run_id": "r"},
        {"thread_id": "t", "run_id": "r", "status": "interrupted"},
        {"thread_id": "t", "run_ids": ["r"]},
        {"status": "all"},
    ],
)
def test_runs_can_be_stopped_with_create_run(handlers: Handlers, value: dict[str, Any]) -> None:
    assert handlers.code("threads:update", value, alice("threads:create_run")) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"values": {"text": "x"}},
        {"as_node": "look"},
        {"checkpoint_id": "c"},
        {"checkpoint": {"checkpoint_id": "c"}},
        {"metadata": {}},
        {},
    ],
)
def test_create_run_does_not_cover_other_changes(handlers: Handlers, change: dict[str, Any]) -> None:
    runner = alice("threads:create_run")
    # A client can add these keys to any body. Aegra ignores them there.
    disguises: list[dict[str, Any]] = [{}, {"run_id": "r", "run_ids": ["r"], "status": "all"}] if change else [{}]
    for disguise in disguises:
        value = {**disguise, **change, "thread_id": "t"}
        assert handlers.code("threads:update", value, runner) == ErrorCode.PERMISSION_MISSING


def test_create_run_covers_deletion_of_run_only(handlers: Handlers) -> None:
    runner = alice("threads:create_run")
    assert handlers.code("threads:delete", {"thread_id": "t", "run_id": "r"}, runner) == ""
    assert handlers.code("threads:delete", {"thread_id": "t"}, runner) == ErrorCode.PERMISSION_MISSING


def test_cron_needs_permission_to_run(handlers: Handlers) -> None:
    value = {"assistant_id": "agent", "schedule": "* * * * *", "metadata": None}
    writer = alice("crons:create", "crons:update")
    assert handlers.code("crons:create", value, writer) == ErrorCode.PERMISSION_MISSING
    assert handlers.code("crons:update", {"cron_id": "c", "input": {}}, writer) == ErrorCode.PERMISSION_MISSING
    assert handlers.code("crons:update", {"cron_id": "c", "schedule": "* * * * *"}, writer) == ""


@pytest.mark.parametrize("event", ["crons:create", "crons:update"])
def test_settings_limit_crons(issuer: LocalIssuer, event: str) -> None:
    value = {"assistant_id": "agent", "webhook": "https://example.com/hook"}
    assert Handlers(issuer, langgraph={"crons": "deny"}).code(event, value, alice()) == ErrorCode.CRONS_DISABLED
    assert Handlers(issuer, langgraph={"webhooks": "deny"}).code(event, value, alice()) == ErrorCode.WEBHOOK_NOT_ALLOWED


GRAPH_REQUESTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("threads:create_run", {"assistant_id": "agent"}, {"assistant_id": "other"}),
    (
        "threads:create_run",
        {"method": "run.start", "assistant_id": "other", "params": {"assistant_id": "agent"}},
        {"method": "run.start", "assistant_id": "agent", "params": {"assistant_id": "other"}},
    ),
    (
        "threads:create_run",
        {"method": "input.respond", "params": {"assistant_id": "agent"}},
        {"method": "input.respond", "assistant_id": "agent", "params": {}},
    ),
    (
        "threads:create_run",
        {"method": "run.start", "params": {"assistant_id": "agent"}},
        {"method": "run.start", "assistant_id": "agent", "params": ["agent"]},
    ),
    ("assistants:create", {"graph_id": "agent"}, {"graph_id": "other"}),
    ("assistants:update", {"graph_id": "agent"}, {"graph_id": "other"}),
    ("assistants:update", {"assistant_id": "a"}, {"assistant_id": "a", "version": 1}),
    ("crons:create", {"assistant_id": "agent"}, {"assistant_id": "other"}),
    ("threads:create", {"metadata": {"graph_id": "agent"}}, {"metadata": {"graph_id": "other"}}),
    ("threads:update", {"metadata": {"title": "x"}}, {"metadata": {"graph_id": "other"}}),
    ("threads:update", {"thread_id": "t", "run_id": "r"}, {"thread_id": "t", "values": {}}),
]


@pytest.mark.parametrize(("event", "allowed", "denied"), GRAPH_REQUESTS)
def test_graph_limit_is_a_denial(
    handlers: Handlers, event: str, allowed: dict[str, Any], denied: dict[str, Any]
) -> None:
    limited = alice(graphs=["agent"])
    assert handlers.code(event, allowed, limited) == ""
    assert handlers.code(event, denied, limited) == ErrorCode.GRAPH_NOT_ALLOWED
    assert handlers.code(event, denied, alice()) == ""


FOREIGN = {"langgraph_auth_user": {"identity": "bob"}, "langgraph_auth_user_id": "bob", "user_id": "bob"}


@pytest.mark.parametrize("wrap", [lambda run: run, lambda run: {"method": "run.start", "params": run}])
def test_user_keys_of_run_are_dropped(handlers: Handlers, wrap: Any) -> None:
    configurable = {**FOREIGN, "langgraph_auth_permissions": ["*"], "user_display_name": "bob", "model": "m"}
    value: dict[str, Any] = wrap({"assistant_id": "agent", "config": {"configurable": configurable, "tags": ["t"]}})
    handlers.call("threads:create_run", value, alice())
    assert value.get("params", value)["config"] == {"configurable": {"model": "m"}, "tags": ["t"]}


def test_user_keys_of_run_metadata_are_dropped(handlers: Handlers) -> None:
    metadata = {**FOREIGN, "title": "x"}
    value: dict[str, Any] = {"assistant_id": "agent", "config": {"metadata": metadata}}
    handlers.call("threads:create_run", value, alice())
    # Traces use user_id.
    assert value["config"]["metadata"] == {"user_id": "bob", "title": "x"}


@pytest.mark.parametrize("metadata", [*RESERVED, {"owner": "acme/bob"}])
@pytest.mark.parametrize(
    ("event", "wrap"),
    [
        ("threads:create_run", lambda metadata: {"metadata": metadata}),
        ("threads:create_run", lambda metadata: {"config": {"metadata": metadata}}),
        ("threads:create_run", lambda metadata: {"method": "run.start", "params": {"metadata": metadata}}),
        ("threads:create_run", lambda metadata: {"method": "run.start", "params": {"config": {"metadata": metadata}}}),
        ("crons:create", lambda metadata: {"config": {"metadata": metadata}}),
        ("crons:update", lambda metadata: {"config": {"metadata": metadata}}),
    ],
)
def test_reserved_metadata_of_run_are_denied(
    handlers: Handlers, event: str, wrap: Any, metadata: dict[str, Any]
) -> None:
    assert handlers.code(event, wrap(metadata), alice()) == ErrorCode.RESERVED_METADATA
    assert handlers.code(event, wrap({**OWN, "title": "x"}), alice()) == ""


@pytest.mark.parametrize("key", [*FOREIGN, "thread_id"])
@pytest.mark.parametrize(
    "event", ["threads:create_run", "assistants:create", "assistants:update", "crons:create", "crons:update"]
)
def test_unknown_key_of_config_is_denied(handlers: Handlers, event: str, key: str) -> None:
    value = {"assistant_id": "agent", "config": {key: "bob"}}
    assert handlers.code(event, value, alice()) == ErrorCode.RESERVED_CONFIG


@pytest.mark.parametrize("key", FOREIGN)
@pytest.mark.parametrize(
    ("event", "holder"),
    [
        ("threads:create_run", "checkpoint"),
        ("threads:update", "checkpoint"),
        ("threads:read", "checkpoint"),
        ("assistants:create", "context"),
        ("assistants:create", "configurable"),
        ("assistants:update", "context"),
        ("assistants:update", "configurable"),
        ("crons:create", "configurable"),
        ("crons:update", "configurable"),
    ],
)
def test_user_key_elsewhere_is_denied(handlers: Handlers, event: str, holder: str, key: str) -> None:
    def value(keys: dict[str, Any]) -> dict[str, Any]:
        held = {"config": {"configurable": keys}} if holder == "configurable" else {holder: keys}
        return {"assistant_id": "agent", **held}

    assert handlers.code(event, value({key: FOREIGN[key]}), alice()) == ErrorCode.RESERVED_CONFIG
    assert handlers.code(event, value({"model": "m"}), alice()) == ""


@pytest.mark.parametrize("odd", [None, "text", 7, ["a"], {"configurable": "text"}, {"configurable": None}])
def test_config_of_other_type_passes_to_server(handlers: Handlers, odd: Any) -> None:
    value = {"method": "run.start", "params": {"config": odd, "checkpoint": odd}}
    assert handlers.code("threads:create_run", value, alice()) == ""


@pytest.mark.parametrize("event", [event for event in EVENTS if event.startswith("store:")])
def test_store_value_stays_unchanged(handlers: Handlers, event: str) -> None:
    value: dict[str, Any] = {"namespace": ["a"], "namespace_prefix": ["a"], "prefix": None, "key": "k", "value": {}}
    before = dict(value)
    handlers.call(event, value, alice())
    assert value == before


def test_hook_returns_json_with_encoded_identity(issuer: LocalIssuer) -> None:
    hook: Any = Handlers(issuer).auth._authenticate_handler
    token = issuer.token("alice@example.com", roles=["editor"], org="acme", name="Alice", email="alice@example.com")
    for headers in ({"authorization": f"Bearer {token}"}, {b"authorization": f"Bearer {token}".encode()}):
        user = asyncio.run(hook(headers))
        assert (user["identity"], user["display_name"]) == ("acme/alice@example~2Ecom", "Alice")
        assert (user["tenant"], user["claims"]) == ("acme", {"email": "alice@example.com"})
        # Aegra answers 500 if these are not text.
        assert (user["org_id"], "email" in user) == ("acme", False)
        assert type(user) is dict


@pytest.mark.parametrize(("tenant", "org_id"), [("a.b", "a~2Eb"), ("*", "~2A"), (None, None)])
def test_org_id_is_encoded_tenant(issuer: LocalIssuer, tenant: str | None, org_id: str | None) -> None:
    hook: Any = Handlers(issuer).auth._authenticate_handler
    token = issuer.token("alice", roles=["editor"], org=tenant)
    user = asyncio.run(hook({"authorization": f"Bearer {token}"}))
    assert (user["tenant"], user.get("org_id")) == (tenant, org_id)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer x"}, {"authorization": "Basic eDp5"}])
def test_hook_refuses_with_exception_of_sdk(issuer: LocalIssuer, headers: dict[str, str]) -> None:
    hook: Any = Handlers(issuer).auth._authenticate_handler
    # Aegra shows the message of this class only.
    with pytest.raises(Auth.exceptions.HTTPException) as refusal:
        asyncio.run(hook(headers))
    assert refusal.value.status_code == 401
    assert refusal.value.detail.partition(":")[0] in {*ErrorCode}


def test_store_label_is_the_same_in_cron_runs() -> None:
    scheduler = AegraUser(identity="acme/alice", display_name="cron-scheduler", permissions=[])
    assert store_label(scheduler) == store_label(alice())
    assert store_label(scheduler) != store_label(AegraUser(identity="globex/alice"))
