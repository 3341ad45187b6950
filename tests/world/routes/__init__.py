"""Every route of the server: which events it asks about, what it needs, and what somebody else sees there.

One table, read three times: the suite drives each row on the real server, the coverage test compares it with the
routes and events that server and SDK have, and ``docs/generate.py`` prints it. ``{thread_id}`` and the like in a route,
query or body are alice's objects, made for the row by ``world.scene``.
"""

from __future__ import annotations

from .assistants import ASSISTANTS
from .crons import CRONS
from .others import OPEN, OPEN_IN_DEVELOPMENT, SAME_HANDLER, TOKEN_ONLY
from .protocols import PROTOCOLS
from .row import Change, Filter, Row, Sees
from .runs import RUNS
from .store import STORE
from .threads import THREADS

ROWS = (*THREADS, *RUNS, *ASSISTANTS, *CRONS, *STORE, *PROTOCOLS)

ROUTES = {row.route for row in ROWS} | set(SAME_HANDLER) | set(TOKEN_ONLY) | set(OPEN) | set(OPEN_IN_DEVELOPMENT)
"""Every route that is accounted for."""

__all__ = [
    "OPEN",
    "OPEN_IN_DEVELOPMENT",
    "ROUTES",
    "ROWS",
    "SAME_HANDLER",
    "TOKEN_ONLY",
    "Change",
    "Filter",
    "Row",
    "Sees",
]
