"""The routes that receive notices of the provider: logout tokens and security event tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..errors import ErrorCode, TokenError, UpstreamError
from ..observability import log_refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from ..revocation.notices import NoticeReceiver

NOT_STORED = {"Cache-Control": "no-store"}
"""Required for logout (Back-Channel Logout §2.8)."""
MAX_BODY = 65_536
"""Bytes of a request body. Anyone can send one."""
FORM = "application/x-www-form-urlencoded"
EVENT_TOKEN = "application/secevent+jwt"

EVENT_ERRORS: Mapping[ErrorCode, str] = {
    ErrorCode.ISSUER_NOT_TRUSTED: "invalid_issuer",
    ErrorCode.AUDIENCE_MISMATCH: "invalid_audience",
    ErrorCode.KEY_NOT_FOUND: "invalid_key",
    ErrorCode.KEY_AMBIGUOUS: "invalid_key",
    ErrorCode.KEY_ALG_MISMATCH: "invalid_key",
    ErrorCode.SIGNATURE_INVALID: "invalid_key",
}
"""The error codes of RFC 8935 §2.4. All others are ``invalid_request``."""


def notice_routes(prefix: str, notices: NoticeReceiver) -> list[Route]:
    """Return the routes of the notices."""

    async def logout(request: Request) -> Response:
        token = _logout_token(request.headers.get("content-type", ""), await _read(request))
        return await _answer(notices.receive_logout, token, _refuse_logout, 200)

    async def event(request: Request) -> Response:
        body = await _read(request)
        is_token = _media_type(request.headers.get("content-type", "")) == EVENT_TOKEN
        return await _answer(notices.receive_event, body if is_token else None, _refuse_event, 202)

    return [
        Route(f"{prefix}/backchannel-logout", logout, methods=["POST"]),
        Route(f"{prefix}/security-events", event, methods=["POST"]),
    ]


async def _answer(
    receive: Callable[[str], Awaitable[None]], token: str | None, refuse: Callable[[ErrorCode], Response], status: int
) -> Response:
    if token is None:
        return refuse(ErrorCode.TOKEN_MALFORMED)
    try:
        await receive(token)
    except TokenError as refusal:
        log_refusal(refusal)
        return refuse(refusal.code)
    except UpstreamError as refusal:
        log_refusal(refusal)
        # The provider sends the notice again.
        challenge = refusal.challenge()
        return JSONResponse(
            {"detail": challenge.detail}, status_code=challenge.status, headers={**challenge.headers(), **NOT_STORED}
        )
    return Response(status_code=status, headers=NOT_STORED)


def _refuse_logout(code: ErrorCode) -> Response:
    # The code of a wrong signature is not told, as for access tokens.
    body = {"error": "invalid_request", "error_description": _public(code)}
    return JSONResponse(body, status_code=400, headers=NOT_STORED)


def _refuse_event(code: ErrorCode) -> Response:
    body = {"err": EVENT_ERRORS.get(code, "invalid_request"), "description": _public(code)}
    return JSONResponse(body, status_code=400, headers=NOT_STORED)


def _public(code: ErrorCode) -> str:
    return TokenError(code).client_code


async def _read(request: Request) -> str | None:
    """Return the body as text, or None if it is too long or not text."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            return None
    try:
        return body.decode("ascii").strip()
    except UnicodeDecodeError:
        return None


def _logout_token(content_type: str, body: str | None) -> str | None:
    """Return the one ``logout_token`` of a form (Back-Channel Logout §2.5)."""
    # request.form() needs another package. This form has one field.
    if body is None or _media_type(content_type) != FORM:
        return None
    try:
        values = [value for name, value in parse_qsl(body, max_num_fields=20) if name == "logout_token"]
    except ValueError:
        return None
    return values[0] if len(values) == 1 else None


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
