"""Routes of the JSON-RPC protocols MCP and A2A."""

from __future__ import annotations

from .row import A_READ, A_SEARCH, DELETE, JSON_RPC, READ, RUN, SEARCH, UPDATE, Change, Filter, Row, Sees, rpc

SAID = {"messageId": "1", "role": "ROLE_USER", "parts": [{"kind": "text", "text": "{mark}"}]}
PROTOCOLS = (
    Row(
        route="POST /mcp",
        variant="tools/list",
        events=(A_SEARCH, A_READ),
        needs=(A_READ,),
        filter=Filter.BUILT_IN,
        other_user=Sees.NOTHING,
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
        other_user=Sees.RPC_ERROR,
        without=Sees.FAILED,
        changes=(Change(since="0.18.0.dev11", without=Sees.RPC_ERROR),),
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
        other_user=Sees.RPC_ERROR,
        without=Sees.RPC_ERROR,
        runs=True,
        body=rpc("SendMessage", message=SAID),
        headers=JSON_RPC,
        graph="chat",
    ),
    Row(
        route="POST /a2a/{assistant_id}",
        variant="SendMessage, existing thread",
        events=(A_READ, RUN, READ, SEARCH),
        needs=(A_READ, RUN),
        other_user=Sees.RPC_ERROR,
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
        other_user=Sees.RPC_ERROR,
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
            other_user=Sees.RPC_ERROR,
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
        )
    ),
    *(
        Row(
            route="POST /a2a/{assistant_id}",
            variant=f"ListTasks, {which}",
            events=(READ, SEARCH),
            needs=(READ,),
            other_user=Sees.NOTHING,
            without=Sees.RPC_ERROR,
            body=rpc("ListTasks", **params),
            headers=JSON_RPC,
            on="finished",
            graph="chat",
            built_in=True,
            makes="thread_id",
        )
        for which, params in (("one thread", {"contextId": "{thread_id}"}), ("all threads", {}))
    ),
    *(
        Row(
            route=f"GET /a2a/{{assistant_id}}{below}",
            events=(A_READ,),
            needs=(A_READ,),
            filter=Filter.BUILT_IN,
            other_user=Sees.BAD_REQUEST,
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
        other_user=Sees.BAD_REQUEST,
        without=Sees.BAD_REQUEST,
    ),
)
