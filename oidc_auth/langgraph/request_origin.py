"""Where an event comes from: a request, a WebSocket, the scheduler or a worker.

langgraph-api notes the method of each request for its log (``langgraph_api.logging.worker_config``). A WebSocket has
the method "WEBSOCKET" (langgraph_api 0.16.7, route.py). The scheduler and the workers have no method. A call of a graph
to the server has the method of that call.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

LOG_MODULE, LOG_VARIABLE = "langgraph_api.logging", "worker_config"


class RequestOrigin(NamedTuple):
    """Where an event comes from.

    Attributes:
        in_request: it belongs to a request. LangChain's context would show the run of a graph too, but not on a server
            with an app of the operator's own, which replaces the context (measured).
        in_websocket: the request is a WebSocket, which the server authenticates only when it opens.
    """

    in_request: bool
    in_websocket: bool


REQUEST = RequestOrigin(in_request=True, in_websocket=False)
WEBSOCKET = RequestOrigin(in_request=True, in_websocket=True)
NO_REQUEST = RequestOrigin(in_request=False, in_websocket=False)
"""The scheduler or a worker."""


def read_request_origin() -> RequestOrigin:
    """Return where the current event comes from; a server without the note gets the strictest answer."""
    module = sys.modules.get(LOG_MODULE)
    if module is None:
        # Without a server, an event comes neither from a WebSocket nor from the scheduler.
        return REQUEST
    variable = getattr(module, LOG_VARIABLE, None)
    if variable is None:
        return WEBSOCKET
    note: dict[str, object] = variable.get() or {}
    if "method" not in note:
        return NO_REQUEST
    return WEBSOCKET if note["method"] == "WEBSOCKET" else REQUEST
