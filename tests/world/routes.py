"""Every route of the server: which events it asks about, what it needs, and what somebody else sees there.

One table, read three times: the suite drives each row on the real server, the coverage test compares it with the
routes and events that server and SDK have, and ``docs/generate.py`` prints it. ``{thread_id}`` and the like in a route,
query or body are alice's objects, made for the row by ``world.scene``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sees(StrEnum):
    """What an answer comes to: its status, and what its body says."""

    OWNER = "what the owner sees"
    NOTHING = "200, and nothing"
    THEIRS = "200, among their own"
    BAD_REQUEST = "400"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    CONFLICT = "409"
    FAILED = "500, the server's own"
    UNFINISHED = "201, an empty thread of one's own"
    STREAM_ERROR = "200, an error in the stream"
    EMPTY_STREAM = "200, an empty stream"
    ENVELOPE = "200, an error in the envelope"
    RPC_ERROR = "200, a JSON-RPC error"
    SOCKET_ERROR = "an error, and the socket closes"


class Filter(StrEnum):
    """Which objects an allowed call may touch, and whether reach widens that."""

    OWN = "own, or as far as the reach"
    BUILT_IN = "own or built-in, or as far as the reach"
    ALWAYS_OWN = "own, whatever the reach"
    NAMESPACE = "one's own namespace; with `@all` any that is named"
    CREATES = "stamps the caller as owner"
    NONE = "none: nothing of anybody's"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to call one route.

    Attributes:
        route: the method and the path, as the server writes it.
        events: every event the server dispatches for it, in any order and number.
        needs: the permissions it needs, together; ``a or b``: either.
        worker: events that come from the worker when the run ends, on servers where it still knows the caller.
        filter: which objects it may touch.
        stranger: what somebody sees who holds every permission, and owns nothing of it.
        without: what the owner gets who holds every permission but a needed one; by that one, where it differs.
        wider: what ``@tenant`` of a colleague and ``@all`` of an administrator see, where the filter does not say it.
        variant: which of several ways to call the route this is.
        body: what is sent; None: no body.
        query: what follows the path.
        on: which thread of alice's the row is about: one at rest, one with a run in it, ahead of it, or behind it.
        runs: the owner's call drives a real run, so nobody else's is tried unless it is refused.
        graph: which graph the run, or the assistant of alice's, is of.
        built_in: the assistant is the server's own, so that only the thread is alice's.
        makes: what of alice's the row is about, where neither route nor body names it.
        speaks: how the request is sent and its answer read.
    """

    route: str
    events: tuple[str, ...]
    needs: tuple[str, ...]
    worker: tuple[str, ...] = ()
    filter: Filter = Filter.OWN
    stranger: Sees = Sees.NOT_FOUND
    without: Sees | Mapping[str, Sees] = Sees.FORBIDDEN
    wider: Sees | None = None
    variant: str = ""
    body: Any = None
    query: str = ""
    on: str = "idle"
    runs: bool = False
    makes: str = ""
    graph: str = "agent"
    built_in: bool = False
    speaks: str = "http"
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def name(self) -> str:
        """The row in one line."""
        return f"{self.route} ({self.variant})" if self.variant else self.route

    def lacking(self, need: str) -> Sees:
        """Return what the owner gets who lacks one of the needs."""
        return self.without if isinstance(self.without, Sees) else self.without.get(need, Sees.FORBIDDEN)


READ, SEARCH, CREATE, UPDATE, DELETE, RUN = (
    f"threads:{action}" for action in ("read", "search", "create", "update", "delete", "create_run")
)
RUN_BODY = {"assistant_id": "agent", "input": {"text": "{mark}"}}
LATER = {**RUN_BODY, "after_seconds": 3600, "metadata": {"mark": "{mark}"}}
NEVER = {**RUN_BODY, "schedule": "0 0 1 1 *", "metadata": {"mark": "{mark}"}}
MARKED = {"metadata": {"mark": "{mark}"}}
JSON_RPC = {"accept": "application/json"}


def rpc(method: str, **params: Any) -> dict[str, Any]:
    """Return a JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


THREADS = (
    Row(
        route="POST /threads",
        events=(CREATE,),
        needs=(CREATE,),
        filter=Filter.CREATES,
        stranger=Sees.THEIRS,
        body=MARKED,
    ),
    Row(
        route="POST /threads",
        variant="an id that is taken",
        events=(CREATE,),
        needs=(CREATE,),
        filter=Filter.ALWAYS_OWN,
        stranger=Sees.CONFLICT,
        body={"thread_id": "{thread_id}", "if_exists": "do_nothing"},
    ),
    Row(
        route="POST /threads",
        variant="with supersteps",
        events=(CREATE, UPDATE, READ),
        needs=(CREATE, UPDATE, READ),
        filter=Filter.CREATES,
        stranger=Sees.THEIRS,
        without={UPDATE: Sees.UNFINISHED, READ: Sees.UNFINISHED},
        body={
            "metadata": {"graph_id": "agent", "mark": "{mark}"},
            "supersteps": [{"updates": [{"values": {"text": "x"}, "as_node": "__input__"}]}],
        },
    ),
    Row(
        route="POST /threads/search",
        events=(SEARCH,),
        needs=(SEARCH,),
        stranger=Sees.NOTHING,
        body=MARKED,
        makes="thread_id",
    ),
    Row(
        route="POST /threads/count",
        events=(SEARCH,),
        needs=(SEARCH,),
        stranger=Sees.NOTHING,
        body=MARKED,
        makes="thread_id",
    ),
    Row(
        route="POST /threads/prune",
        events=(DELETE,),
        needs=(DELETE,),
        without=Sees.NOT_FOUND,
        body={"thread_ids": ["{thread_id}"]},
    ),
    Row(route="GET /threads/{thread_id}", events=(READ,), needs=(READ,)),
    Row(route="GET /threads/{thread_id}/storage", events=(READ,), needs=(READ,)),
    Row(route="PATCH /threads/{thread_id}", events=(UPDATE,), needs=(UPDATE,), body={"metadata": {"title": "new"}}),
    Row(route="DELETE /threads/{thread_id}", events=(DELETE,), needs=(DELETE,), without=Sees.NOT_FOUND),
    Row(
        route="POST /threads/{thread_id}/copy",
        events=(READ, CREATE),
        needs=(READ, CREATE),
        filter=Filter.ALWAYS_OWN,
        stranger=Sees.CONFLICT,
        wider=Sees.FORBIDDEN,
    ),
    Row(route="GET /threads/{thread_id}/state", events=(READ,), needs=(READ,)),
    Row(route="GET /threads/{thread_id}/state/{checkpoint_id}", events=(READ,), needs=(READ,)),
    Row(
        route="POST /threads/{thread_id}/state/checkpoint",
        events=(READ,),
        needs=(READ,),
        body={"checkpoint": {"checkpoint_id": "{checkpoint_id}", "checkpoint_ns": ""}},
    ),
    Row(
        route="POST /threads/{thread_id}/state",
        events=(UPDATE, READ),
        needs=(UPDATE, READ),
        body={"values": {"text": "new"}, "as_node": "respond"},
    ),
    Row(route="GET /threads/{thread_id}/history", events=(READ,), needs=(READ,)),
    Row(route="POST /threads/{thread_id}/history", events=(READ,), needs=(READ,), body={}),
    Row(
        route="GET /threads/{thread_id}/stream",
        events=(READ,),
        needs=(READ,),
        stranger=Sees.STREAM_ERROR,
        without=Sees.STREAM_ERROR,
        on="running",
        speaks="endless stream",
    ),
    Row(
        route="POST /threads/{thread_id}/stream/events",
        events=(READ,),
        needs=(READ,),
        stranger=Sees.EMPTY_STREAM,
        without=Sees.EMPTY_STREAM,
        on="running",
        speaks="endless stream",
        body={"channels": ["values", "lifecycle"]},
    ),
)

RUNS = (
    Row(route="POST /threads/{thread_id}/runs", events=(RUN,), needs=(RUN,), body=LATER),
    Row(
        route="POST /threads/{thread_id}/runs",
        variant="on an assistant of one's own",
        events=(RUN, "assistants:read"),
        needs=(RUN, "assistants:read"),
        body={**LATER, "assistant_id": "{assistant_id}"},
    ),
    Row(
        route="POST /threads/{thread_id}/runs",
        variant="if_not_exists: create",
        events=(RUN,),
        needs=(RUN,),
        body={**LATER, "if_not_exists": "create"},
    ),
    Row(
        route="POST /threads/{thread_id}/runs",
        variant="multitask_strategy: interrupt",
        events=(RUN, UPDATE),
        needs=(RUN,),
        on="pending",
        body={**LATER, "multitask_strategy": "interrupt"},
    ),
    Row(
        route="POST /threads/{thread_id}/runs",
        variant="multitask_strategy: rollback",
        events=(RUN, UPDATE, DELETE),
        needs=(RUN,),
        on="pending",
        body={**LATER, "multitask_strategy": "rollback"},
    ),
    Row(route="POST /threads/{thread_id}/runs/wait", events=(RUN, READ), needs=(RUN,), runs=True, body=RUN_BODY),
    Row(route="POST /threads/{thread_id}/runs/stream", events=(RUN, READ), needs=(RUN,), runs=True, body=RUN_BODY),
    Row(
        route="POST /runs",
        events=(RUN,),
        needs=(RUN,),
        filter=Filter.CREATES,
        stranger=Sees.THEIRS,
        body=LATER,
    ),
    Row(
        route="POST /runs/wait",
        events=(RUN, READ),
        worker=(DELETE,),
        needs=(RUN,),
        filter=Filter.CREATES,
        stranger=Sees.THEIRS,
        runs=True,
        body=RUN_BODY,
    ),
    Row(
        route="POST /runs/stream",
        events=(RUN, READ),
        worker=(DELETE,),
        needs=(RUN,),
        filter=Filter.CREATES,
        stranger=Sees.THEIRS,
        runs=True,
        body=RUN_BODY,
    ),
    Row(
        route="POST /runs/batch",
        events=(RUN,),
        needs=(RUN,),
        filter=Filter.CREATES,
        stranger=Sees.THEIRS,
        body=[LATER, LATER],
    ),
    Row(
        route="POST /runs/cancel",
        events=(UPDATE,),
        needs=(f"{UPDATE} or {RUN}",),
        on="pending",
        body={"thread_id": "{thread_id}", "run_ids": ["{run_id}"]},
    ),
    Row(route="GET /threads/{thread_id}/runs", events=(READ, SEARCH), needs=(READ,), on="pending"),
    Row(route="GET /threads/{thread_id}/runs/{run_id}", events=(READ,), needs=(READ,), on="pending"),
    Row(route="GET /threads/{thread_id}/runs/{run_id}/join", events=(READ,), needs=(READ,), on="finished"),
    Row(
        route="GET /threads/{thread_id}/runs/{run_id}/stream",
        events=(READ,),
        needs=(READ,),
        stranger=Sees.STREAM_ERROR,
        without=Sees.STREAM_ERROR,
        on="finished",
    ),
    Row(
        route="POST /threads/{thread_id}/runs/{run_id}/cancel",
        events=(UPDATE,),
        needs=(f"{UPDATE} or {RUN}",),
        on="pending",
    ),
    Row(
        route="POST /threads/{thread_id}/runs/{run_id}/cancel",
        variant="action: rollback",
        events=(UPDATE, DELETE),
        needs=(f"{UPDATE} or {RUN}", f"{DELETE} or {RUN}"),
        on="pending",
        query="?action=rollback",
    ),
    Row(
        route="DELETE /threads/{thread_id}/runs/{run_id}",
        events=(DELETE,),
        needs=(f"{DELETE} or {RUN}",),
        on="pending",
    ),
    Row(
        route="POST /threads/{thread_id}/commands",
        variant="run.start",
        events=(READ, RUN),
        needs=(RUN,),
        stranger=Sees.ENVELOPE,
        without=Sees.ENVELOPE,
        runs=True,
        body={"id": 1, "method": "run.start", "params": RUN_BODY},
    ),
    Row(
        route="WS /threads/{thread_id}/stream/events",
        variant="run.start",
        events=(READ, RUN),
        needs=(RUN,),
        stranger=Sees.SOCKET_ERROR,
        without=Sees.SOCKET_ERROR,
        runs=True,
        speaks="websocket",
        body={"id": 1, "method": "run.start", "params": RUN_BODY},
    ),
)

ASSISTANT = "assistants"
A_READ, A_SEARCH, A_CREATE, A_UPDATE, A_DELETE = (
    f"{ASSISTANT}:{action}" for action in ("read", "search", "create", "update", "delete")
)
ASSISTANTS = (
    Row(
        route="POST /assistants",
        events=(A_CREATE,),
        needs=(A_CREATE,),
        filter=Filter.CREATES,
        stranger=Sees.THEIRS,
        body={"graph_id": "agent", **MARKED},
    ),
    Row(
        route="POST /assistants",
        variant="an id that is taken",
        events=(A_CREATE,),
        needs=(A_CREATE,),
        filter=Filter.ALWAYS_OWN,
        stranger=Sees.CONFLICT,
        body={"graph_id": "agent", "assistant_id": "{assistant_id}", "if_exists": "do_nothing"},
    ),
    Row(
        route="POST /assistants/search",
        events=(A_SEARCH,),
        needs=(A_SEARCH,),
        filter=Filter.BUILT_IN,
        stranger=Sees.NOTHING,
        body=MARKED,
        makes="assistant_id",
    ),
    Row(
        route="POST /assistants/count",
        events=(A_SEARCH,),
        needs=(A_SEARCH,),
        filter=Filter.BUILT_IN,
        stranger=Sees.NOTHING,
        body=MARKED,
        makes="assistant_id",
    ),
    *(
        Row(route=f"GET /assistants/{{assistant_id}}{below}", events=(A_READ,), needs=(A_READ,), filter=Filter.BUILT_IN)
        for below in ("", "/graph", "/schemas", "/subgraphs")
    ),
    Row(
        route="GET /assistants/{assistant_id}/subgraphs/{namespace}",
        events=(A_READ,),
        needs=(A_READ,),
        filter=Filter.BUILT_IN,
    ),
    Row(
        route="POST /assistants/{assistant_id}/versions",
        events=(A_READ,),
        needs=(A_READ,),
        filter=Filter.BUILT_IN,
        body={},
    ),
    Row(
        route="POST /assistants/{assistant_id}/latest",
        events=(A_UPDATE,),
        needs=(A_UPDATE,),
        body={"version": 1},
    ),
    Row(
        route="PATCH /assistants/{assistant_id}",
        events=(A_UPDATE,),
        needs=(A_UPDATE,),
        body={"metadata": {"title": "new"}},
    ),
    Row(
        route="DELETE /assistants/{assistant_id}",
        events=(A_DELETE, UPDATE),
        needs=(A_DELETE,),
    ),
)

C_READ, C_SEARCH, C_CREATE, C_UPDATE, C_DELETE = (
    f"crons:{action}" for action in ("read", "search", "create", "update", "delete")
)
CRONS = (
    Row(
        route="POST /runs/crons",
        events=(C_CREATE,),
        needs=(C_CREATE, RUN),
        filter=Filter.CREATES,
        stranger=Sees.THEIRS,
        body=NEVER,
    ),
    Row(
        route="POST /threads/{thread_id}/runs/crons",
        events=(C_CREATE, READ),
        needs=(C_CREATE, RUN),
        filter=Filter.ALWAYS_OWN,
        body=NEVER,
    ),
    Row(
        route="POST /runs/crons/search",
        events=(C_SEARCH, SEARCH),
        needs=(C_SEARCH, SEARCH),
        stranger=Sees.NOTHING,
        body=MARKED,
        makes="cron_id",
    ),
    Row(
        route="POST /runs/crons/count",
        events=(C_SEARCH, SEARCH),
        needs=(C_SEARCH, SEARCH),
        stranger=Sees.NOTHING,
        body=MARKED,
        makes="cron_id",
    ),
    Row(route="GET /runs/crons/{cron_id}", events=(C_READ,), needs=(C_READ,)),
    Row(
        route="PATCH /runs/crons/{cron_id}",
        variant="when it runs",
        events=(C_UPDATE,),
        needs=(C_UPDATE,),
        body={"schedule": "0 0 2 1 *"},
    ),
    Row(
        route="PATCH /runs/crons/{cron_id}",
        variant="what it runs",
        events=(C_UPDATE,),
        needs=(C_UPDATE, RUN),
        filter=Filter.ALWAYS_OWN,
        body={"input": {"text": "new"}},
    ),
    Row(route="DELETE /runs/crons/{cron_id}", events=(C_DELETE,), needs=(C_DELETE,)),
)

ITEM = {"namespace": ["{label}", "{mark}"], "key": "k"}
STORE = (
    Row(
        route="PUT /store/items",
        events=("store:put",),
        needs=("store:put",),
        filter=Filter.NAMESPACE,
        stranger=Sees.THEIRS,
        body={**ITEM, "value": {"text": "new"}},
    ),
    Row(
        route="GET /store/items",
        events=("store:get",),
        needs=("store:get",),
        filter=Filter.NAMESPACE,
        stranger=Sees.NOTHING,
        query="?namespace={label}.{mark}&key=k",
    ),
    Row(
        route="DELETE /store/items",
        events=("store:delete",),
        needs=("store:delete",),
        filter=Filter.NAMESPACE,
        stranger=Sees.THEIRS,
        body=ITEM,
    ),
    Row(
        route="POST /store/items/search",
        events=("store:search",),
        needs=("store:search",),
        filter=Filter.NAMESPACE,
        stranger=Sees.NOTHING,
        body={"namespace_prefix": ["{label}"], "filter": {"mark": "{mark}"}},
    ),
    Row(
        route="POST /store/namespaces",
        events=("store:list_namespaces",),
        needs=("store:list_namespaces",),
        filter=Filter.NAMESPACE,
        stranger=Sees.NOTHING,
        body={"prefix": ["{label}"], "suffix": ["{mark}"]},
    ),
)

SAID = {"messageId": "1", "role": "ROLE_USER", "parts": [{"kind": "text", "text": "{mark}"}]}
PROTOCOLS = (
    Row(
        route="POST /mcp",
        variant="tools/list",
        events=(A_SEARCH, A_READ),
        needs=(A_READ,),
        filter=Filter.BUILT_IN,
        stranger=Sees.NOTHING,
        without=Sees.NOTHING,
        body=rpc("tools/list"),
        makes="assistant_id",
        headers=JSON_RPC,
    ),
    Row(
        route="POST /mcp",
        variant="tools/call",
        events=(A_SEARCH, A_READ, RUN, READ),
        worker=(DELETE,),
        needs=(A_READ, RUN),
        filter=Filter.BUILT_IN,
        stranger=Sees.RPC_ERROR,
        without=Sees.FAILED,
        runs=True,
        body=rpc("tools/call", name="{mark}", arguments={"text": "{mark}"}),
        makes="assistant_id",
        headers=JSON_RPC,
    ),
    Row(
        route="POST /a2a/{assistant_id}",
        variant="SendMessage",
        events=(A_READ, RUN, READ, SEARCH),
        needs=(A_READ, RUN),
        filter=Filter.BUILT_IN,
        stranger=Sees.RPC_ERROR,
        without=Sees.RPC_ERROR,
        runs=True,
        body=rpc("SendMessage", message=SAID),
        headers=JSON_RPC,
        graph="chat",
    ),
    Row(
        route="POST /a2a/{assistant_id}",
        variant="SendMessage in a thread that is there",
        events=(A_READ, RUN, READ, SEARCH),
        needs=(A_READ, RUN),
        stranger=Sees.RPC_ERROR,
        without=Sees.RPC_ERROR,
        runs=True,
        body=rpc("SendMessage", message={**SAID, "contextId": "{thread_id}"}),
        headers=JSON_RPC,
        graph="chat",
        built_in=True,
    ),
    Row(
        route="POST /a2a/{assistant_id}",
        variant="SendStreamingMessage",
        events=(A_READ, RUN, READ),
        needs=(A_READ, RUN),
        stranger=Sees.RPC_ERROR,
        without=Sees.RPC_ERROR,
        runs=True,
        body=rpc("SendStreamingMessage", message={**SAID, "contextId": "{thread_id}"}),
        headers={"accept": "text/event-stream"},
        graph="chat",
        built_in=True,
    ),
    *(
        Row(
            route="POST /a2a/{assistant_id}",
            variant=method,
            events=events,
            needs=needs,
            stranger=Sees.NOTHING if method == "ListTasks" else Sees.RPC_ERROR,
            without=Sees.RPC_ERROR,
            body=rpc(method, **params),
            headers=JSON_RPC,
            on="pending" if method == "CancelTask" else "finished",
            graph="chat",
            built_in=True,
        )
        for method, events, needs, params in (
            ("GetTask", (READ, SEARCH), (READ,), {"id": "{thread_id}:{run_id}", "contextId": "{thread_id}"}),
            ("CancelTask", (READ, SEARCH, UPDATE), (READ, f"{UPDATE} or {RUN}"), {"id": "{thread_id}:{run_id}"}),
            ("ListTasks", (READ, SEARCH), (READ,), {"contextId": "{thread_id}"}),
        )
    ),
    *(
        Row(
            route=f"GET /a2a/{{assistant_id}}{below}",
            events=(A_READ,),
            needs=(A_READ,),
            filter=Filter.BUILT_IN,
            stranger=Sees.BAD_REQUEST,
            without=Sees.BAD_REQUEST,
        )
        for below in ("", "/.well-known/agent-card.json", "/.well-known/agent.json")
    ),
    Row(
        route="GET /.well-known/agent-card.json",
        query="?assistant_id={assistant_id}",
        events=(A_READ,),
        needs=(A_READ,),
        filter=Filter.BUILT_IN,
        stranger=Sees.BAD_REQUEST,
        without=Sees.BAD_REQUEST,
    ),
)

ROWS = (*THREADS, *RUNS, *ASSISTANTS, *CRONS, *STORE, *PROTOCOLS)

SAME_HANDLER = {
    f"{method} {path}/": f"{method} {path}"
    for method in ("GET", "POST", "DELETE")
    for path in ("/mcp", "/a2a/{assistant_id}")
}
"""Second spellings of a path, which the server routes to the same function."""

TOKEN_ONLY = {
    "POST /ui/{graph_id}": "the page of a graph's own interface",
    "GET /mcp": "405",
    "DELETE /mcp": "404",
    "DELETE /a2a/{assistant_id}": "404",
}
"""Routes that ask for a token and then for nothing: nobody's object is behind them."""

OPEN = {
    "GET /": "health",
    "GET /ok": "health",
    "GET /info": "version and flags of the server",
    "GET /metrics": "counts of runs and requests",
    "GET /docs": "the page about the API",
    "GET /openapi.json": "the description of the API",
    "GET /ui/{path}": "the files of a graph's own interface, and every other GET below `/ui`",
}
"""Routes that ask for no token: the server answers them before authentication."""

OPEN_IN_DEVELOPMENT = {
    "POST /internal/truncate": "deletes everything",
    "GET /internal/debug/thread/{thread_id}": "shows any thread as it is stored",
    "GET /deploy": "a form",
    "POST /deploy": "starts a deployment from the developer's machine",
    "GET /deploy/{operation_id}/stream": "its log",
}
"""Routes that ask for no token and that the in-memory runtime of ``langgraph dev`` alone has."""

ROUTES = {row.route for row in ROWS} | set(SAME_HANDLER) | set(TOKEN_ONLY) | set(OPEN) | set(OPEN_IN_DEVELOPMENT)
"""Every route that is accounted for."""
