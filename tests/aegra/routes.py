"""All routes of Aegra, with events, permissions and results.

The tests send each row to a real server, and compare the table with the server's own list of routes. Names such as
``{thread_id}`` in a route or body are the objects that ``aegra.scenario`` creates for alice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OPEN = ("GET /", "GET /info", "GET /health", "GET /ready", "GET /live")
"""Routes without authentication, which show no objects of users."""

CREATED, NO_CONTENT = 200, 204
FORBIDDEN, NOT_FOUND, CONFLICT = 403, 404, 409
NOTHING = "200, nothing"
OWN = "200, own objects"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One kind of request to one route.

    Attributes:
        route: The method and the path, as the server has it.
        events: The events that the server sends to the handlers.
        needs: The permissions, all of which are needed. In ``a or b``, one of them is needed.
        other_user: The result for a user with every permission who does not own the object. A status, or ``NOTHING`` or
            ``OWN``.
        owner: The status for the owner.
        body: The JSON body. None: no body.
        query: The query, with ``?``.
        variant: The name of this kind of request.
        on: The thread of the row: ``idle``, or with a finished or running run.
        stream: Whether the response has no end. Then only its beginning is read.
        runs: Whether the owner's request starts a run.
    """

    route: str
    events: tuple[str, ...]
    needs: tuple[str, ...]
    other_user: int | str = NOT_FOUND
    owner: int = 200
    body: Any = None
    query: str = ""
    variant: str = ""
    on: str = "idle"
    stream: bool = False
    runs: bool = False

    @property
    def name(self) -> str:
        """The route and the variant."""
        return f"{self.route} ({self.variant})" if self.variant else self.route


READ, SEARCH, CREATE, UPDATE, DELETE, RUN = (
    f"threads:{action}" for action in ("read", "search", "create", "update", "delete", "create_run")
)
A_READ, A_SEARCH, A_CREATE, A_UPDATE, A_DELETE = (
    f"assistants:{action}" for action in ("read", "search", "create", "update", "delete")
)
C_CREATE, C_UPDATE, C_DELETE, C_SEARCH = (f"crons:{action}" for action in ("create", "update", "delete", "search"))
PUT, GET, S_SEARCH, S_LIST, S_DELETE = (
    f"store:{action}" for action in ("put", "get", "search", "list_namespaces", "delete")
)

# Who may start runs may stop them.
STOP, DELETE_RUN = f"{RUN} or {UPDATE}", f"{RUN} or {DELETE}"

T = "/threads/{thread_id}"
R = f"{T}/runs/{{run_id}}"
A = "/assistants/{assistant_id}"
MARKED = {"metadata": {"mark": "{mark}"}}
RUN_BODY = {"assistant_id": "agent", "input": {"text": "{mark}"}}
NEVER = {**RUN_BODY, "schedule": "0 0 1 1 *", "enabled": False}
STATE = {"values": {"text": "new"}, "as_node": "look"}
CHECKPOINT = {"checkpoint": {"checkpoint_id": "{checkpoint_id}", "checkpoint_ns": ""}}
START = {"id": 1, "method": "run.start", "params": RUN_BODY}
ITEM = {"namespace": ["{mark}"], "key": "k"}

THREADS = (
    Row(route="POST /threads", events=(CREATE,), needs=(CREATE,), other_user=OWN, body=MARKED),
    Row(
        route="POST /threads",
        variant="existing id",
        events=(CREATE,),
        needs=(CREATE,),
        other_user=CONFLICT,
        body={"thread_id": "{thread_id}", "if_exists": "do_nothing"},
    ),
    Row(route="GET /threads", events=(SEARCH,), needs=(SEARCH,), other_user=NOTHING),
    Row(route="POST /threads/search", events=(SEARCH,), needs=(SEARCH,), other_user=NOTHING, body=MARKED),
    # It deletes own threads after their time, and none is that old.
    Row(route="POST /threads/prune", events=(DELETE,), needs=(DELETE,), other_user=NOTHING),
    Row(route=f"GET {T}", events=(READ,), needs=(READ,)),
    Row(route=f"PATCH {T}", events=(UPDATE,), needs=(UPDATE,), body={"metadata": {"title": "new"}}),
    Row(route=f"DELETE {T}", events=(DELETE,), needs=(DELETE,)),
    Row(route=f"GET {T}/state", events=(READ,), needs=(READ,), on="finished"),
    Row(route=f"GET {T}/state/{{checkpoint_id}}", events=(READ,), needs=(READ,), on="finished"),
    Row(route=f"POST {T}/state/checkpoint", events=(READ,), needs=(READ,), on="finished", body=CHECKPOINT),
    Row(route=f"POST {T}/state", events=(UPDATE,), needs=(UPDATE,), on="finished", body=STATE),
    # A client that may only read uses GET.
    Row(route=f"POST {T}/state", variant="read", events=(UPDATE,), needs=(UPDATE,), on="finished", body={}),
    Row(route=f"GET {T}/history", events=(READ,), needs=(READ,), on="finished"),
    Row(route=f"POST {T}/history", events=(READ,), needs=(READ,), on="finished", body={}),
    # The SDK opens the stream before the thread exists.
    Row(
        route=f"POST {T}/stream/events",
        events=(READ,),
        needs=(READ,),
        on="finished",
        body={"channels": ["values"]},
        stream=True,
    ),
)

RUNS = (
    Row(route=f"POST {T}/runs", events=(RUN, A_READ), needs=(RUN, A_READ), body=RUN_BODY, runs=True),
    Row(route=f"POST {T}/runs/stream", events=(RUN, A_READ), needs=(RUN, A_READ), body=RUN_BODY, runs=True),
    Row(route=f"POST {T}/runs/wait", events=(RUN, A_READ), needs=(RUN, A_READ), body=RUN_BODY, runs=True),
    Row(route="POST /runs", events=(RUN, A_READ), needs=(RUN, A_READ), other_user=OWN, body=RUN_BODY, runs=True),
    Row(route="POST /runs/stream", events=(RUN, A_READ), needs=(RUN, A_READ), other_user=OWN, body=RUN_BODY, runs=True),
    Row(route="POST /runs/wait", events=(RUN, A_READ), needs=(RUN, A_READ), other_user=OWN, body=RUN_BODY, runs=True),
    Row(route=f"POST {T}/commands", variant="run.start", events=(RUN,), needs=(RUN,), body=START, runs=True),
    Row(route=f"GET {T}/runs", events=(SEARCH,), needs=(SEARCH,), other_user=NOTHING, on="finished"),
    Row(route=f"GET {R}", events=(READ,), needs=(READ,), on="finished"),
    Row(route=f"GET {R}/join", events=(READ,), needs=(READ,), on="finished"),
    Row(route=f"GET {R}/stream", events=(READ,), needs=(READ,), on="finished"),
    Row(
        route=f"PATCH {R}",
        events=(UPDATE,),
        needs=(STOP,),
        on="running",
        body={"run_id": "{run_id}", "status": "interrupted"},
    ),
    Row(route=f"POST {R}/cancel", events=(UPDATE,), needs=(STOP,), on="running"),
    Row(
        route="POST /runs/cancel",
        events=(UPDATE,),
        needs=(STOP,),
        owner=NO_CONTENT,
        on="running",
        body={"thread_id": "{thread_id}", "run_ids": ["{run_id}"]},
    ),
    Row(
        route="POST /runs/cancel",
        variant="by status",
        events=(UPDATE,),
        needs=(STOP,),
        owner=NO_CONTENT,
        other_user=NO_CONTENT,
        on="running",
        body={"status": "all"},
    ),
    Row(route=f"DELETE {R}", events=(DELETE,), needs=(DELETE_RUN,), owner=NO_CONTENT, on="finished"),
)

ASSISTANTS = (
    Row(
        route="POST /assistants",
        events=(A_CREATE,),
        needs=(A_CREATE,),
        other_user=OWN,
        body={"graph_id": "agent", "config": {"tags": ["{mark}"]}, **MARKED},
    ),
    Row(route="GET /assistants", events=(A_SEARCH,), needs=(A_SEARCH,), other_user=OWN),
    Row(route="POST /assistants/search", events=(A_SEARCH,), needs=(A_SEARCH,), other_user=NOTHING, body=MARKED),
    Row(route="POST /assistants/count", events=(A_SEARCH,), needs=(A_SEARCH,), other_user=NOTHING, body=MARKED),
    Row(route=f"GET {A}", events=(A_READ,), needs=(A_READ,)),
    Row(route=f"GET {A}/schemas", events=(A_READ,), needs=(A_READ,)),
    Row(route=f"GET {A}/graph", events=(A_READ,), needs=(A_READ,)),
    Row(route=f"GET {A}/subgraphs", events=(A_READ,), needs=(A_READ,)),
    Row(route=f"POST {A}/versions", events=(A_SEARCH,), needs=(A_SEARCH,)),
    Row(route=f"PATCH {A}", events=(A_UPDATE,), needs=(A_UPDATE,), body={"metadata": {"title": "new"}}),
    Row(route=f"POST {A}/latest", events=(A_UPDATE,), needs=(A_UPDATE,), body={"version": 1}),
    Row(route=f"DELETE {A}", events=(A_DELETE,), needs=(A_DELETE,)),
)

CRONS = (
    Row(
        route="POST /runs/crons",
        events=(C_CREATE, A_READ, SEARCH),
        needs=(C_CREATE, RUN, A_READ, SEARCH),
        other_user=OWN,
        body=NEVER,
    ),
    Row(
        route=f"POST {T}/runs/crons",
        events=(C_CREATE, A_READ, READ),
        needs=(C_CREATE, RUN, A_READ, READ),
        body=NEVER,
    ),
    Row(route="PATCH /runs/crons/{cron_id}", events=(C_UPDATE,), needs=(C_UPDATE,), body={"schedule": "0 0 2 1 *"}),
    Row(
        route="PATCH /runs/crons/{cron_id}",
        variant="what runs",
        events=(C_UPDATE,),
        needs=(C_UPDATE, RUN),
        body={"input": {"text": "new"}},
    ),
    Row(route="DELETE /runs/crons/{cron_id}", events=(C_DELETE,), needs=(C_DELETE,), owner=NO_CONTENT),
    Row(
        route="POST /runs/crons/search",
        events=(C_SEARCH,),
        needs=(C_SEARCH,),
        other_user=NOTHING,
        body={**MARKED, "limit": 10 * 10},
    ),
    Row(route="POST /runs/crons/count", events=(C_SEARCH,), needs=(C_SEARCH,), other_user=NOTHING, body=MARKED),
)

STORE = (
    Row(
        route="PUT /store/items",
        events=(PUT,),
        needs=(PUT,),
        owner=NO_CONTENT,
        other_user=NO_CONTENT,
        body={**ITEM, "value": {"text": "new"}},
    ),
    Row(route="GET /store/items", events=(GET,), needs=(GET,), query="?namespace={mark}&key=k"),
    Row(
        route="POST /store/items/search",
        events=(S_SEARCH,),
        needs=(S_SEARCH,),
        other_user=NOTHING,
        body={"namespace_prefix": ["{mark}"]},
    ),
    Row(
        route="POST /store/namespaces",
        events=(S_LIST,),
        needs=(S_LIST,),
        other_user=NOTHING,
        body={"prefix": ["{mark}"]},
    ),
    Row(
        route="DELETE /store/items",
        events=(S_DELETE,),
        needs=(S_DELETE,),
        owner=NO_CONTENT,
        other_user=NO_CONTENT,
        body=ITEM,
    ),
)

ROWS = (*THREADS, *RUNS, *ASSISTANTS, *CRONS, *STORE)
ROUTES = {row.route for row in ROWS} | set(OPEN)
