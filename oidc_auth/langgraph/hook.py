"""The authenticate hook, which langgraph-api and Aegra can call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langgraph_sdk import Auth

from ..errors import ERROR_DETAILS, FORBIDDEN, Challenge, ErrorCode, ServerNotSupportedError, TokenError, UpstreamError
from ..observability import format_trace, logger
from .http_errors import authenticate_error
from .server_context import prepare_server, reset_server_context
from .server_version import check_installed_server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ..authentication import OIDCAuth
    from ..tokens.extract import Headers

    Authenticate = Callable[..., Awaitable[dict[str, Any]]]


OIDC_ATTRIBUTE = "oidc_auth"
"""The attribute of a hook with its ``OIDCAuth`` object. The command line reads it."""
AUTHENTICATE_ATTRIBUTE = "_authenticate_handler"
"""The attribute of ``Auth`` with the hook. The server reads the same one."""


def build_hook(oidc: OIDCAuth) -> Authenticate:
    """Return the ``authenticate`` function.

    langgraph-api passes its arguments by name, Aegra passes the headers alone.

    Raises:
        ServerNotSupportedError: the installed langgraph-api is too old, or has other names for its context variables.
    """
    # At start, because an older server ignores what the handlers write.
    check_installed_server()
    at_start = prepare_server()

    async def authenticate(
        headers: Headers, method: str | None = None, path: str | None = None, scope: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            # Checked on each request, because a server may be loaded after this hook.
            if (context := at_start or prepare_server()) is not None:
                # Before authentication, so that also a refused request does not keep the earlier user.
                reset_server_context(context, scope or {})
            caller = await oidc.authenticate(_fields(headers, scope), method=method, url=path)
            return caller.user()
        except (TokenError, UpstreamError) as refusal:
            # Not chained: the server logs exceptions, and the cause may hold the token.
            raise authenticate_error(refusal.challenge()) from None
        except Exception as error:  # noqa: BLE001 - fail closed
            reason = error.report() if isinstance(error, ServerNotSupportedError) else format_trace(error)
            logger.error("authentication failed: %s", reason)
            detail = ERROR_DETAILS[ErrorCode.CUSTOM_RULE_FAILED].client_message
            raise authenticate_error(Challenge(status=FORBIDDEN, detail=detail)) from None

    setattr(authenticate, OIDC_ATTRIBUTE, oidc)
    return authenticate


def is_auth(found: object) -> bool:
    """Tell whether this is an ``Auth`` object of the SDK."""
    return isinstance(found, Auth)


def find_oidc_auth(auth: object) -> OIDCAuth | None:
    """Return the object behind the hook of an ``Auth`` object, or None for another hook."""
    return getattr(getattr(auth, AUTHENTICATE_ATTRIBUTE, None), OIDC_ATTRIBUTE, None)


def _fields(headers: Headers, scope: Mapping[str, Any] | None) -> Headers:
    # A mapping has each name once. The list in the scope shows whether Authorization was sent twice.
    return cast("Headers", (scope or {}).get("headers") or headers)
