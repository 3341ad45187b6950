"""The routes that receive notices of the provider: logout tokens and security event tokens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..errors import ERROR_DETAILS, ErrorCode, TokenError, UpstreamError
from ..observability import NoticeDecided, log_refusal
from ..quoting import quote

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from ..observability import EventReporter
    from ..revocation.notices import NoticeReceiver

LOGOUT, EVENTS = "backchannel-logout", "security-events"
"""The routes. The log shows them too."""
NOT_STORED = {"Cache-Control": "no-store"}
"""Required for logout (Back-Channel Logout §2.8)."""
MAX_BODY = 16_384
"""Bytes of a request body. Anyone can send one, and real notices have about 1,000."""
MAX_FIELDS = 20
FORM = "application/x-www-form-urlencoded"
TOKEN_FIELD = "logout_token"
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


def notice_routes(prefix: str, notices: NoticeReceiver, reporter: EventReporter) -> list[Route]:
    """Return the routes of the notices."""

    def report(event: str, refusal: TokenError | UpstreamError) -> None:
        log_refusal(refusal, event)
        # A refused notice may name any issuer. Only configured ones are reported.
        issuer = refusal.issuer if notices.is_sender(refusal.issuer) else ""
        reporter.report(NoticeDecided(outcome="refused", code=refusal.code, event=event, issuer=issuer))

    async def logout(request: Request) -> Response:
        try:
            issuer = await notices.receive_logout(await _read_form(request))
        except TokenError as refusal:
            report(LOGOUT, refusal)
            body = {"error": "invalid_request", "error_description": _describe(refusal)}
            return JSONResponse(body, status_code=400, headers=NOT_STORED)
        reporter.report(NoticeDecided(outcome="accepted", event=LOGOUT, issuer=issuer))
        return Response(status_code=200, headers=NOT_STORED)

    async def event(request: Request) -> Response:
        try:
            issuer = await notices.receive_event(await _read_event(request))
        except TokenError as refusal:
            report(EVENTS, refusal)
            body = {"err": EVENT_ERRORS.get(refusal.code, "invalid_request"), "description": _describe(refusal)}
            # The language of the description is required (RFC 8935 §2.3).
            return JSONResponse(body, status_code=400, headers={"Content-Language": "en", **NOT_STORED})
        reporter.report(NoticeDecided(outcome="accepted", event=EVENTS, issuer=issuer))
        return Response(status_code=202, headers=NOT_STORED)

    return [
        Route(f"{prefix}/{LOGOUT}", _answer_outage(logout, partial(report, LOGOUT)), methods=["POST"]),
        Route(f"{prefix}/{EVENTS}", _answer_outage(event, partial(report, EVENTS)), methods=["POST"]),
    ]


def _answer_outage(
    endpoint: Callable[[Request], Awaitable[Response]], report: Callable[[UpstreamError], None]
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint with 503 for missing keys or a missing store. The provider can send the notice again."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except UpstreamError as refusal:
            report(refusal)
            challenge = refusal.challenge()
            headers = {**challenge.headers(), **NOT_STORED}
            return JSONResponse({"detail": challenge.detail}, status_code=challenge.status, headers=headers)

    return answer


def _describe(refusal: TokenError) -> str:
    # The code of a wrong signature is not told, as for access tokens.
    code = refusal.client_code
    return f"{code}: {ERROR_DETAILS[code].client_message}"


async def _read_form(request: Request) -> str:
    """Return the one ``logout_token`` of a form (Back-Channel Logout §2.5)."""
    body = await _read(request, FORM)
    # request.form() needs another package.
    try:
        fields = parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise _malformed(f"at most {MAX_FIELDS} fields", "more") from None
    tokens = [value for name, value in fields if name == TOKEN_FIELD]
    # Two readers could choose different ones.
    if len(tokens) != 1:
        raise _malformed(f"one field {TOKEN_FIELD}", str(len(tokens)))
    return tokens[0]


async def _read_event(request: Request) -> str:
    """Return the token that is the body (RFC 8935 §2.1)."""
    return (await _read(request, EVENT_TOKEN)).strip()


async def _read(request: Request, media_type: str) -> str:
    """Return the body of a media type as text.

    Raises:
        TokenError: ``notice_malformed``.
    """
    content_type = request.headers.get("content-type")
    if (content_type or "").partition(";")[0].strip().lower() != media_type:
        raise _malformed(f"the content type {media_type}", quote(content_type))
    body = b""
    try:
        async for part in request.stream():
            body += part
            # Content-Length is not enough, because a chunked body has none.
            if len(body) > MAX_BODY:
                raise _malformed(f"a body of at most {MAX_BODY} bytes", "a longer one")
        return body.decode("ascii")
    except ClientDisconnect:
        raise _malformed("a whole body", "a closed connection") from None
    except UnicodeDecodeError:
        raise _malformed("a body in ASCII", "other bytes") from None


def _malformed(expected: str, found: str) -> TokenError:
    return TokenError(ErrorCode.NOTICE_MALFORMED, expected=expected, found=found)
