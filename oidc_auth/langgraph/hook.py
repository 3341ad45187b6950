"""The authenticate hook of LangGraph servers."""

from __future__ import annotations

import sys
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, cast

from langgraph_sdk import Auth

from ..errors import (
    ERROR_DETAILS,
    FORBIDDEN,
    Challenge,
    DeniedError,
    ErrorCode,
    ServerNotSupportedError,
    TokenError,
    UpstreamError,
)
from ..observability import format_trace, logger
from .http_errors import authenticate_error
from .request_kind import find_request_kind, find_request_resource, is_copy_request, move_subprotocol_token
from .server_context import prepare_server, reset_server_context
from .server_version import check_installed_server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..authentication import OIDCAuth
    from ..permissions.caller import Caller
    from ..tokens.extract import Headers
    from ..tokens.states import VerifiedToken

    Authenticate = Callable[..., Awaitable[dict[str, Any]]]


OIDC_ATTRIBUTE = "oidc_auth"
"""The attribute of a hook with its ``OIDCAuth`` object. The command line reads it."""
AUTHENTICATE_ATTRIBUTE = "_authenticate_handler"
"""The attribute of ``Auth`` with the hook. The server reads the same one."""


CALLER_KEY = "oidc_auth.caller"
"""The key of the ASGI scope with the caller of a request."""
TOKEN_KEY = "oidc_auth.token"
"""The key of the ASGI scope with the verified token of a request, which has no text."""
AUTHENTICATOR_KEY = "oidc_auth.authenticator"
"""The key of the ASGI scope with the ``OIDCAuth`` object that found the caller."""
CALLERS_KEY = "oidc_auth.callers"
"""The key of the ASGI scope with a list to which the caller and the token are added."""

COPYING = "copying"
"""The key of a user who copies a thread, while threads can be shared. Lists do not count for a copy."""
AEGRA_SERVER = "aegra_api.main"
"""The module that each Aegra process has loaded."""
USE_AEGRA_ENTRY = 'this server is Aegra: set auth.path to "oidc_auth.aegra:auth" in aegra.json'

ANONYMOUS: Mapping[str, Any] = {
    "identity": "anonymous",
    "display_name": "anonymous",
    "is_authenticated": False,
    "permissions": [],
    "issuer": "",
    "expires_at": 0,
    "graphs": [],
    "claims": {},
    "has_tenants": True,
    "tenant": None,
}
"""The user of a route without authentication. It has no permission, and no identity that a token can have."""


def build_hook(oidc: OIDCAuth) -> Authenticate:
    """Return the ``authenticate`` function.

    Aegra has its own hook. This one refuses all requests there, also with the operator's own handlers.

    Raises:
        ServerNotSupportedError: the installed langgraph-api is too old, or has other names for its context variables.
    """
    # At start, because an older server ignores what the handlers write.
    check_installed_server()
    at_start = prepare_server()

    async def authenticate(
        headers: Headers, method: str | None = None, path: str | None = None, scope: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        resource = find_request_resource(scope or {})
        if AEGRA_SERVER in sys.modules:
            # Its store and its crons need an identity that contains the tenant.
            raise authenticate_error(DeniedError(ErrorCode.USER_UNKNOWN, client_message=USE_AEGRA_ENTRY).challenge())
        try:
            # Checked on each request, because a server may be loaded after this hook.
            if (context := at_start or prepare_server()) is not None:
                # Before authentication, so that also a refused request does not keep the earlier user.
                reset_server_context(context, scope or {})
            if _is_anonymous(oidc, scope or {}):
                return dict(ANONYMOUS)
            fields, kind = read_fields(headers, scope, oidc), find_request_kind(scope or {})
            verified = await oidc.verify_request(fields, method=method, url=path, resource=resource, kind=kind)
            note_caller(scope, verified.caller, verified.token, oidc)
            user = verified.caller.user()
            # No run is created there, so nothing stores the mark.
            return {**user, COPYING: True} if oidc.enforcement.sharing and is_copy_request(scope or {}) else user
        except (TokenError, UpstreamError) as refusal:
            # Not chained: the server logs exceptions, and the cause may hold the token.
            raise authenticate_error(oidc.challenge(refusal, resource)) from None
        except Exception as error:  # noqa: BLE001 - fail closed
            reason = error.report() if isinstance(error, ServerNotSupportedError) else format_trace(error)
            logger.error("authentication failed: %s", reason)
            detail = ERROR_DETAILS[ErrorCode.CUSTOM_RULE_FAILED].client_message
            raise authenticate_error(Challenge(status=FORBIDDEN, detail=detail)) from None

    setattr(authenticate, OIDC_ATTRIBUTE, oidc)
    return authenticate


def _is_anonymous(oidc: OIDCAuth, scope: Mapping[str, Any]) -> bool:
    """Tell whether a route of ``oidc_auth.web`` answers, such as its metadata.

    The server requires a token there with ``enable_custom_route_auth``. Starlette notes the function of the route that
    matched. A comparison of paths could also match a route of the user, for example inside a ``Mount``.
    """
    endpoint = scope.get("endpoint")
    # By identity. A user's endpoint can be any object, with its own equality or without a hash.
    return scope.get("type") == "http" and any(endpoint is each for each in oidc.anonymous_endpoints)


def note_caller(
    scope: Mapping[str, Any] | None, caller: Caller, token: VerifiedToken | None, oidc: OIDCAuth | None
) -> None:
    """Note the caller in the ASGI scope, for the middleware and the routes of this request."""
    if isinstance(scope, MutableMapping):
        scope[CALLER_KEY], scope[TOKEN_KEY], scope[AUTHENTICATOR_KEY] = caller, token, oidc
        # A middleware between may pass a copy of the scope on. Copies share the list.
        scope.get(CALLERS_KEY, []).append((caller, token))


def is_auth(found: object) -> bool:
    """Tell whether this is an ``Auth`` object of the SDK."""
    return isinstance(found, Auth)


def find_oidc_auth(auth: object) -> OIDCAuth | None:
    """Return the object behind the hook of an ``Auth`` object, or None for another hook."""
    return getattr(getattr(auth, AUTHENTICATE_ATTRIBUTE, None), OIDC_ATTRIBUTE, None)


def read_fields(headers: Headers, scope: Mapping[str, Any] | None, oidc: OIDCAuth) -> Headers:
    """Return all header fields of a request.

    The token of a WebSocket is moved from its subprotocols to Authorization, also for the rest of the request.
    """
    if oidc.accepts_subprotocol and scope is not None:
        move_subprotocol_token(scope)
    # A mapping has each name once. The list in the scope shows whether Authorization was sent twice.
    return cast("Headers", (scope or {}).get("headers") or headers)
