"""Refusals as exceptions that reach the client whole: status, sentence and headers (measured on langgraph-api 0.16.7).

From ``authenticate`` the server drops the headers of the SDK's exception and turns its 503 into a 500; starlette's
keeps all of it. From a handler a pure starlette exception also survives on Aegra. The server brings starlette;
without it (in a test of one's own, say) the SDK's exception is raised instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langgraph_sdk import Auth

if TYPE_CHECKING:
    from ..errors import Challenge

SDKException = Auth.exceptions.HTTPException

if TYPE_CHECKING:
    from starlette.exceptions import HTTPException as ServerException
else:
    try:
        from starlette.exceptions import HTTPException as ServerException
    except ImportError:
        ServerException = SDKException

if TYPE_CHECKING or ServerException is not SDKException:

    class DualException(SDKException, ServerException):
        """An exception that the server's code for either kind understands."""

        def __init__(self, status_code: int, detail: str, headers: dict[str, str]) -> None:
            """Keep what both kinds keep."""
            SDKException.__init__(self, status_code, detail, headers)

else:
    DualException = SDKException

HTTP_EXCEPTIONS = (SDKException, ServerException)
"""What a rule raises to refuse with a status of its own."""


def authenticate_error(challenge: Challenge) -> Exception:
    """Return the exception to raise in ``authenticate``."""
    return DualException(challenge.status, challenge.detail, challenge.headers())


def handler_error(challenge: Challenge) -> Exception:
    """Return the exception to raise in a resource handler."""
    return ServerException(challenge.status, challenge.detail, challenge.headers())
