"""The caller of a request, for your routes.

LangGraph servers do not authenticate custom routes. A route that should know its caller calls one of these functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection  # noqa: TC002 - FastAPI reads the annotations
from starlette.responses import JSONResponse, Response

from ..errors import (
    ERROR_DETAILS,
    FORBIDDEN,
    Challenge,
    ConfigError,
    DeniedError,
    ErrorCode,
    Problem,
    TokenError,
    UpstreamError,
)
from ..langgraph.hook import AUTHENTICATOR_KEY, CALLER_KEY, note_caller, read_fields
from ..langgraph.request_kind import find_request_kind, find_request_resource
from ..observability import AuthorizationDecided, format_trace, log_refusal, logger, pseudonym
from ..permissions.caller import Caller
from ..permissions.names import NAMES
from ..permissions.reports import person_fields

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..authentication import OIDCAuth
    from ..tokens.resource import Resource

OIDC_KEY = "oidc_auth"
"""The key of the ASGI scope with the ``OIDCAuth`` object."""


async def current_caller(request: HTTPConnection) -> Caller:
    """Return the caller of a request to your own route.

    Use it as a FastAPI dependency, ``Depends(current_caller)``, or call it in a Starlette route.

    Args:
        request: The request, or the WebSocket.

    Raises:
        HTTPException: 401, 403 or 503, with the same headers as the built-in routes.
    """
    known, installed = request.scope.get(CALLER_KEY), request.scope.get(OIDC_KEY)
    # With enable_custom_route_auth the server has already authenticated the request. Its configuration can be another
    # one, with issuers that this application does not trust.
    if isinstance(known, Caller) and installed in (None, request.scope.get(AUTHENTICATOR_KEY)):
        return known
    found = await _authenticate(_find_oidc(request), request, find_request_resource(request.scope))
    if isinstance(found, Challenge):
        raise HTTPException(found.status, found.detail, found.headers())
    return found


def require(*permissions: str) -> Callable[[HTTPConnection], Awaitable[Caller]]:
    """Return a dependency that gives the caller, and refuses one without these permissions.

    Args:
        *permissions: Such as ``threads:read``. All of them are required.

    Raises:
        ConfigError: A permission does not exist.

    Example::

        @app.get("/report")
        async def report(caller: Annotated[Caller, Depends(require("threads:read"))]): ...
    """
    unknown = [
        Problem("require()", f"unknown permission {name!r}", "see docs/permissions.md")
        for name in permissions
        if name not in NAMES
    ]
    if unknown or not permissions:
        raise ConfigError(unknown or [Problem("require()", "got no permission", "use current_caller")])

    async def permitted_caller(request: HTTPConnection) -> Caller:
        caller, oidc = await current_caller(request), _find_oidc(request)
        started = oidc.reporter.start()
        for name in permissions:
            if name not in caller.rights:
                _report(oidc, caller, name, started, ErrorCode.PERMISSION_MISSING)
                raise _denial(oidc, caller, name)
        _report(oidc, caller, " ".join(permissions), started)
        return caller

    return permitted_caller


CUSTOM_ROUTE = "custom_route"
"""The event of a request to your own route. Its path can hold personal data."""


def _report(oidc: OIDCAuth, caller: Caller, permission: str, started: float, code: ErrorCode | None = None) -> None:
    if not oidc.reporter.is_silent:
        event = AuthorizationDecided(
            outcome="denied" if code else "allowed",
            code=code or "",
            event=CUSTOM_ROUTE,
            permission=permission,
            issuer=caller.issuer,
            duration=oidc.reporter.elapsed(started),
            identity=caller.identity,
            tenant=person_fields(caller)["tenant"],
        )
        oidc.reporter.report(event)


def _find_oidc(request: HTTPConnection) -> OIDCAuth:
    oidc: OIDCAuth | None = request.scope.get(OIDC_KEY)
    if oidc is None:
        raise RuntimeError("oidc_auth.web is not installed: call install(app, oidc) before the application starts")
    return oidc


def _denial(oidc: OIDCAuth, caller: Caller, permission: str) -> HTTPException:
    scope = oidc.scopes_granting(caller.issuer, permission, caller.rights)
    denial = DeniedError(ErrorCode.PERMISSION_MISSING, expected=permission, scope=scope)
    denial.issuer, denial.user = caller.issuer, pseudonym(caller.identity)
    log_refusal(denial)
    challenge = oidc.challenge(denial)
    return HTTPException(challenge.status, challenge.detail, challenge.headers())


async def authenticate_request(oidc: OIDCAuth, request: HTTPConnection, resource: Resource) -> Caller | Response:
    """Return the caller of a request, or the response that refuses it."""
    found = await _authenticate(oidc, request, resource)
    if isinstance(found, Caller):
        return found
    headers = {**found.headers(), "Cache-Control": "no-store"}
    return JSONResponse({"detail": found.detail}, status_code=found.status, headers=headers)


async def _authenticate(oidc: OIDCAuth, request: HTTPConnection, resource: Resource) -> Caller | Challenge:
    scope = request.scope
    try:
        fields = read_fields(scope["headers"], scope, oidc)
        method, kind = scope.get("method"), find_request_kind(scope)
        path = scope["path"]
        verified = await oidc.verify_request(fields, method=method, url=path, resource=resource, kind=kind)
    except (TokenError, UpstreamError) as refusal:
        return oidc.challenge(refusal, resource)
    except Exception as error:  # noqa: BLE001 - fail closed
        logger.error("authentication failed: %s", format_trace(error))
        return Challenge(status=FORBIDDEN, detail=ERROR_DETAILS[ErrorCode.CUSTOM_RULE_FAILED].client_message)
    note_caller(scope, verified.caller, verified.token, oidc)
    return verified.caller
