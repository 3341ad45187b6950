"""The authenticate hook: one function that both kinds of server can call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..errors import FORBIDDEN, MEANINGS, Challenge, Code, ServerNotSupportedError, TokenError, UpstreamError
from ..observe import logger, trace
from .replies import from_authenticate
from .server_context import prepare_server, reset_server_context
from .server_version import check_installed_server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ..auth import OIDCAuth
    from ..tokens.bearer import Headers

    Authenticate = Callable[..., Awaitable[dict[str, Any]]]


def hook(oidc: OIDCAuth) -> Authenticate:
    """Return the ``authenticate`` function; langgraph-api gives its arguments by name, Aegra the headers alone.

    Raises:
        ServerNotSupportedError: the installed langgraph-api is too old, or has other names for its context variables.
    """
    check_installed_server()
    at_start = prepare_server()

    async def authenticate(
        headers: Headers, method: str | None = None, path: str | None = None, scope: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            # A server that was loaded after this hook is looked for at each request.
            if (context := at_start or prepare_server()) is not None:
                # Before authentication, so that a refused request leaves nothing of the earlier one behind either.
                reset_server_context(context, scope or {})
            caller = await oidc.authenticate(_fields(headers, scope), method=method, url=path)
            return caller.user()
        except (TokenError, UpstreamError) as refusal:
            # Not chained: the server logs exceptions, and what led here may have seen the token.
            raise from_authenticate(refusal.challenge()) from None
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is no
            reason = error.report() if isinstance(error, ServerNotSupportedError) else trace(error)
            logger.error("authentication failed: %s", reason)
            said = MEANINGS[Code.HANDLER_FAILED].says
            raise from_authenticate(Challenge(status=FORBIDDEN, detail=said)) from None

    return authenticate


def _fields(headers: Headers, scope: Mapping[str, Any] | None) -> Headers:
    # A mapping can hold a name only once: the request's own list shows whether Authorization was sent twice.
    return cast("Headers", (scope or {}).get("headers") or headers)
