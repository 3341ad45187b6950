"""WebSockets: the server authenticates one when it opens; each of its later events must check the time again.

A run may outlive its token, so the worker and the calls of a graph are not checked.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from langgraph_sdk.auth.types import StudioUser

from ..errors import Code
from ..permissions.decide import Decision, deny

if TYPE_CHECKING:
    from collections.abc import Callable


def is_from_websocket() -> bool:
    """Tell whether this event comes from a WebSocket of the server.

    The server notes the method of each request for its log, and "WEBSOCKET" for a socket (langgraph_api 0.16.7,
    route.py). A call of a graph to the server notes its own. Where the server is loaded but the note is not found, a
    socket is assumed.
    """
    module = sys.modules.get("langgraph_api.logging")
    if module is None:
        return False
    variable = getattr(module, "worker_config", None)
    if variable is None:
        return True
    note: dict[str, object] = variable.get() or {}
    return note.get("method") == "WEBSOCKET"


def refuse_expired(user: object, event: str, now: float, leeway_of: Callable[[object], float]) -> Decision | None:
    """Return the refusal of an event from a socket whose token has expired.

    The same rule as for a new connection: ``expires_at`` and the issuer's leeway. A user without ``expires_at`` is
    refused; only LangGraph Studio's has no token.
    """
    if not is_from_websocket() or isinstance(user, StudioUser):
        return None
    expires_at: object = getattr(user, "expires_at", None)
    leeway = leeway_of(getattr(user, "issuer", None))
    if not isinstance(expires_at, (int, float)):
        return deny(event, Code.EXPIRED, expected="expires_at", found="none")
    if now < expires_at + leeway:
        return None
    return deny(event, Code.EXPIRED, expected=f"leeway {leeway:g} s", found=f"{now - expires_at:.1f} s past expires_at")
