"""Read the result of a row of ``kit.routes`` from an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.routes import Row, Sees

if TYPE_CHECKING:
    import httpx

STATUSES = {
    201: Sees.UNFINISHED,
    400: Sees.BAD_REQUEST,
    403: Sees.FORBIDDEN,
    404: Sees.NOT_FOUND,
    409: Sees.CONFLICT,
    500: Sees.FAILED,
    1006: Sees.SOCKET_ERROR,
    1011: Sees.SOCKET_ERROR,
    # langgraph_api 0.18.
    4404: Sees.SOCKET_ERROR,
}
SIGNS = {
    "event: error": Sees.STREAM_ERROR,
    '"type":"error"': Sees.ENVELOPE,
    '"error":{"code":': Sees.RPC_ERROR,
}
NOTHING = ("[]", "0", "null", '{"items":[]}', '{"namespaces":[]}')
LISTS = ('"tools":', '"tasks":[]')


def seen(row: Row, answer: httpx.Response, mark: str) -> Sees:
    """Return the result of an answer. A 200 can also contain an error, so the body is read."""
    text = answer.text
    if not answer.is_success or answer.status_code in STATUSES:
        return STATUSES[answer.status_code]
    for sign, error in SIGNS.items():
        if sign in text:
            return Sees.SOCKET_ERROR if row.protocol == "websocket" else error
    if row.protocol == "endless stream" and not text:
        return Sees.EMPTY_STREAM
    nothing = text in NOTHING or (mark not in text and any(part in text for part in LISTS))
    return Sees.NOTHING if nothing else Sees.OWNER
