"""Call the handlers of ``protect`` without a server, with the values that a server gives them."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from kit.sharing import APPROVERS, EDITORS, READERS, ROLES, WITHOUT_LITERALS
from oidc_auth import OIDCAuth
from oidc_auth.enforcement.limits import built_in_assistant
from oidc_auth.langgraph import protect
from oidc_auth.langgraph.http_errors import HTTP_EXCEPTIONS
from oidc_auth.permissions.caller import Caller
from oidc_auth.permissions.names import EVENTS, Reach
from oidc_auth.permissions.permission_maps import Right, merge_rights
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from langgraph_sdk import Auth

    from oidc_auth.permissions.caller import Tenancy

MODES = ("run", "permission", "other")
THREAD, ASSISTANT, RUN = (UUID(int=number) for number in (1, 2, 3))
INTERRUPT = "0123456789abcdef" * 2
AGENT = UUID(built_in_assistant("agent"))


class DeniedError(Exception):
    """The handler denied the event."""


def build_auth(mode: str, *, shares: bool) -> Auth:
    """Return the handlers for a mode of approvals, with or without sharing."""
    issuer = LocalIssuer("https://issuer.test", algorithm="ES256")
    table = {
        "issuer": {
            "preset": "generic",
            "issuer": issuer.url,
            "audience": "agents",
            "tenant": "org",
            "permission_map": {"claim": "roles", "values": ROLES if shares else WITHOUT_LITERALS},
        },
        "langgraph": {"resume": mode},
    }
    return protect(OIDCAuth.from_dict(table, fetcher=issuer))


def build_user(
    identity: str, tenancy: Tenancy | None, reach: Reach, graphs: tuple[str, ...] | None = None, *names: str
) -> SimpleNamespace:
    """Return a server's user with these permissions, or with every permission."""
    wanted = names or (*EVENTS, "threads:share", "threads:resume")
    rights = merge_rights(Right(name, reach) for name in wanted)
    limit = None if graphs is None else frozenset(graphs)
    return SimpleNamespace(**Caller(identity=identity, rights=rights, tenancy=tenancy, graphs=limit).user())


def call(auth: Auth, user: object, event: str, value: dict[str, Any]) -> dict[str, Any] | None:
    """Return the filter of a handler. None: no restriction. The value is copied."""
    resource, _, action = event.partition(":")
    (handle,) = auth._handlers[resource, action]

    waiting: Any = handle(ctx=SimpleNamespace(user=user), value=copy.deepcopy(value))
    try:
        # A handler waits for nothing, so it needs no event loop.
        waiting.send(None)
    except StopIteration as done:
        found: dict[str, Any] | None = done.value
        return found
    except HTTP_EXCEPTIONS as error:
        raise DeniedError(getattr(error, "detail", "")) from None
    raise AssertionError("a handler waited")


class Request(NamedTuple):
    """An event with the value that langgraph-api 0.16.7 gives to its handler."""

    name: str
    event: str
    value: dict[str, Any]


def run_value(assistant: UUID = AGENT, **kwargs: Any) -> dict[str, Any]:
    """Return the value of a new run on a thread."""
    configurable = {"langgraph_auth_user": {}, "langgraph_auth_user_id": "x", "langgraph_auth_permissions": []}
    config = {"configurable": configurable, **kwargs.pop("config", {})}
    return {
        "thread_id": THREAD,
        "assistant_id": assistant,
        "run_id": RUN,
        "status": "pending",
        "metadata": {},
        "if_not_exists": "reject",
        "after_seconds": 0,
        "multitask_strategy": "enqueue",
        "kwargs": {"input": {"text": "x"}, "command": None, "context": {}, "config": config, **kwargs},
    }


def lists(**more: Any) -> dict[str, Any]:
    """Return metadata with lists of other users than those of the tests."""
    return {"metadata": {**{name: ["somebody-else"] for name in (READERS,)}, **more}}


CRON = {"assistant_id": "agent", "input": {"text": "x"}}
REQUESTS = (
    Request("new thread", "threads:create", {"thread_id": THREAD, "metadata": {}, "if_exists": "raise"}),
    Request("new shared thread", "threads:create", {"thread_id": THREAD, "if_exists": "do_nothing", **lists()}),
    Request("copied thread", "threads:create", {"thread_id": THREAD}),
    Request("read", "threads:read", {"thread_id": THREAD}),
    Request("read for cron", "threads:read", {"thread_id": THREAD, "metadata": {}}),
    Request("search", "threads:search", {"metadata": {}, "values": {}}),
    Request("runs", "threads:search", {"thread_id": THREAD, "metadata": {}}),
    Request("title", "threads:update", {"thread_id": THREAD, "metadata": {"title": "x"}}),
    Request("graph", "threads:update", {"thread_id": THREAD, "metadata": {"graph_id": "agent"}}),
    Request("readers", "threads:update", {"thread_id": THREAD, **lists()}),
    Request(
        "both lists",
        "threads:update",
        {"thread_id": THREAD, **lists(**{EDITORS: ["editor-else"], APPROVERS: ["approver-else"]})},
    ),
    Request("state", "threads:update", {"thread_id": THREAD}),
    Request("cancel", "threads:update", {"thread_id": THREAD, "action": "interrupt", "metadata": {"run_ids": [RUN]}}),
    Request("rollback", "threads:update", {"thread_id": THREAD, "action": "rollback", "metadata": {"run_ids": [RUN]}}),
    Request("cancel all", "threads:update", {"thread_id": None, "action": "interrupt", "metadata": {"status": "all"}}),
    Request("delete", "threads:delete", {"thread_id": THREAD}),
    Request("delete run", "threads:delete", {"thread_id": THREAD, "run_id": RUN}),
    Request("prune", "threads:delete", {"thread_ids": [THREAD]}),
    Request("run", "threads:create_run", run_value()),
    Request("run of other", "threads:create_run", run_value(ASSISTANT)),
    Request("temporary run", "threads:create_run", {**run_value(temporary=True), "thread_id": None}),
    Request("resume", "threads:create_run", run_value(input=None, command={"resume": "yes"})),
    Request("resume id", "threads:create_run", run_value(input=None, command={"resume": {INTERRUPT: "yes"}})),
    Request("goto", "threads:create_run", run_value(input=None, command={"goto": "act"})),
    Request("null input", "threads:create_run", run_value(input=None)),
    Request("interrupts", "threads:create_run", run_value(interrupt_before="*")),
    Request("new assistant", "assistants:create", {"assistant_id": ASSISTANT, "graph_id": "agent", "metadata": {}}),
    Request("read assistant", "assistants:read", {"assistant_id": ASSISTANT}),
    Request("search assistants", "assistants:search", {"graph_id": "agent", "metadata": {}}),
    Request("change assistant", "assistants:update", {"assistant_id": ASSISTANT, "metadata": {"title": "x"}}),
    Request("delete assistant", "assistants:delete", {"assistant_id": ASSISTANT}),
    Request("new cron", "crons:create", {"payload": CRON, "schedule": "* * * * *", "cron_id": RUN, "metadata": {}}),
    Request("read cron", "crons:read", {"cron_id": RUN}),
    Request("search crons", "crons:search", {"metadata": {}}),
    Request("reschedule cron", "crons:update", {"cron_id": RUN, "payload": {"schedule": "* * * * *"}}),
    Request("change cron", "crons:update", {"cron_id": RUN, "payload": {"input": {"text": "y"}}}),
    Request("delete cron", "crons:delete", {"cron_id": RUN}),
    Request("put", "store:put", {"namespace": ("a",), "key": "k", "value": {}}),
    Request("get", "store:get", {"namespace": ("a",), "key": "k"}),
    Request("search store", "store:search", {"namespace": ("a",), "filter": {}}),
    Request("namespaces", "store:list_namespaces", {"namespace": None}),
    Request("delete item", "store:delete", {"namespace": ("a",), "key": "k"}),
)
"""Each kind of request, of each event."""
THREAD_REQUESTS = tuple(
    request
    for request in REQUESTS
    if request.event.startswith("threads:") and request.value.get("thread_id", THREAD) is not None
)
"""The requests for one thread."""
