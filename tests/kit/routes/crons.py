"""Routes of crons."""

from __future__ import annotations

from .row import C_CREATE, C_DELETE, C_READ, C_SEARCH, C_UPDATE, MARKED, NEVER, READ, RUN, SEARCH, Filter, Row, Sees

CRONS = (
    Row(
        route="POST /runs/crons",
        events=(C_CREATE,),
        needs=(C_CREATE, RUN),
        filter=Filter.CREATES,
        other_user=Sees.THEIRS,
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
        other_user=Sees.NOTHING,
        body=MARKED,
        makes="cron_id",
    ),
    Row(
        route="POST /runs/crons/count",
        events=(C_SEARCH, SEARCH),
        needs=(C_SEARCH, SEARCH),
        other_user=Sees.NOTHING,
        body=MARKED,
        makes="cron_id",
    ),
    Row(route="GET /runs/crons/{cron_id}", events=(C_READ,), needs=(C_READ,)),
    Row(
        route="PATCH /runs/crons/{cron_id}",
        variant="schedule",
        events=(C_UPDATE,),
        needs=(C_UPDATE,),
        body={"schedule": "0 0 2 1 *"},
    ),
    Row(
        route="PATCH /runs/crons/{cron_id}",
        variant="input",
        events=(C_UPDATE,),
        needs=(C_UPDATE, RUN),
        filter=Filter.ALWAYS_OWN,
        body={"input": {"text": "new"}},
    ),
    Row(route="DELETE /runs/crons/{cron_id}", events=(C_DELETE,), needs=(C_DELETE,)),
)
