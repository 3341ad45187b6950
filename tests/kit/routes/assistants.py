"""Routes of assistants."""

from __future__ import annotations

from .row import A_CREATE, A_DELETE, A_READ, A_SEARCH, A_UPDATE, MARKED, UPDATE, Filter, Row, Sees

ASSISTANTS = (
    Row(
        route="POST /assistants",
        events=(A_CREATE,),
        needs=(A_CREATE,),
        filter=Filter.CREATES,
        other_user=Sees.THEIRS,
        body={"graph_id": "agent", **MARKED},
    ),
    Row(
        route="POST /assistants",
        variant="existing id",
        events=(A_CREATE,),
        needs=(A_CREATE,),
        filter=Filter.ALWAYS_OWN,
        other_user=Sees.CONFLICT,
        body={"graph_id": "agent", "assistant_id": "{assistant_id}", "if_exists": "do_nothing"},
    ),
    Row(
        route="POST /assistants/search",
        events=(A_SEARCH,),
        needs=(A_SEARCH,),
        filter=Filter.BUILT_IN,
        other_user=Sees.NOTHING,
        body=MARKED,
        makes="assistant_id",
    ),
    Row(
        route="POST /assistants/count",
        events=(A_SEARCH,),
        needs=(A_SEARCH,),
        filter=Filter.BUILT_IN,
        other_user=Sees.NOTHING,
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
