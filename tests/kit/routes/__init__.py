"""All routes of the server, with events, permissions and results for other users.

The tests send each row to a real server. They also compare the table with the routes and events of the server and SDK.
``docs/generate.py`` prints the table. Names such as ``{thread_id}`` in a route, query or body are the objects that
``kit.route_scenario`` creates.
"""

from __future__ import annotations

from .assistants import ASSISTANTS
from .crons import CRONS
from .others import OPEN, OPEN_IN_DEVELOPMENT, SAME_HANDLER, TOKEN_ONLY, WEB_OPEN, WEB_TOKEN
from .protocols import PROTOCOLS
from .row import Change, Filter, Role, Row, Sees
from .runs import RUNS
from .store import STORE
from .threads import THREADS

ROWS = (*THREADS, *RUNS, *ASSISTANTS, *CRONS, *STORE, *PROTOCOLS)

ROUTES = {row.route for row in ROWS} | set(SAME_HANDLER) | set(TOKEN_ONLY) | set(OPEN) | set(OPEN_IN_DEVELOPMENT)
"""All routes of the table."""

__all__ = [
    "OPEN",
    "OPEN_IN_DEVELOPMENT",
    "ROUTES",
    "ROWS",
    "SAME_HANDLER",
    "TOKEN_ONLY",
    "WEB_OPEN",
    "WEB_TOKEN",
    "Change",
    "Filter",
    "Role",
    "Row",
    "Sees",
]
