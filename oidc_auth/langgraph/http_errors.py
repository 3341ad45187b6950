"""Return refusals as exceptions that keep status, message and headers.

Only this module imports starlette. The server installs it, but a user's test may run without it. Then the SDK's
exception is raised. These facts were measured on langgraph-api 0.16.7:

In ``authenticate``, the server drops the headers of the SDK's exception and turns its 503 into a 500. It keeps those of
starlette's exception. In a handler, starlette's exception also works on Aegra.
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
        """An exception that is both kinds, so that all server code handles it."""

        def __init__(self, status_code: int, detail: str, headers: dict[str, str]) -> None:
            """Initialize both kinds."""
            # Both kinds have the same three attributes, so one call is enough.
            SDKException.__init__(self, status_code, detail, headers)

else:
    DualException = SDKException

HTTP_EXCEPTIONS = (SDKException, ServerException)
"""What a custom rule raises to deny with a status of its choice."""


def authenticate_error(challenge: Challenge) -> Exception:
    """Return the exception to raise in ``authenticate``."""
    return DualException(challenge.status, challenge.detail, challenge.headers())


def handler_error(challenge: Challenge) -> Exception:
    """Return the exception to raise in a resource handler."""
    return ServerException(challenge.status, challenge.detail, challenge.headers())
