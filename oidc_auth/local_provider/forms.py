"""Read the parameters of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY = 65_536
"""Bytes of a form."""
MAX_FIELDS = 50
FORM = "application/x-www-form-urlencoded"
REPEATABLE = frozenset({"resource"})
"""Only this parameter may occur several times (RFC 6749 §3.1, RFC 8707 §2)."""


class MalformedRequestError(Exception):
    """The parameters of a request cannot be read. The message has no value of the request."""


def read_query(request: Request) -> list[tuple[str, str]]:
    """Return the parameters of the address."""
    return _parse(request.url.query)


async def read_form(request: Request) -> list[tuple[str, str]]:
    """Return the parameters of a form in the body."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != FORM:
        raise MalformedRequestError(f"The body must have the content type {FORM}.")
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY:
                raise MalformedRequestError(f"The body must have at most {MAX_BODY} bytes.")
        return _parse(body.decode("ascii"))
    except ClientDisconnect:
        raise MalformedRequestError("The body is not complete.") from None
    except UnicodeDecodeError:
        raise MalformedRequestError("The body must be URL-encoded.") from None


def _parse(text: str) -> list[tuple[str, str]]:
    try:
        # Parameters without a value count as omitted (RFC 6749 §3.1).
        parameters = parse_qsl(text, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise MalformedRequestError(f"The parameters must be in UTF-8, and at most {MAX_FIELDS}.") from None
    names = [name for name, _ in parameters if name not in REPEATABLE]
    # Two readers could choose different values (RFC 6749 §3.1).
    if len(names) != len(set(names)):
        raise MalformedRequestError("A parameter occurs several times.")
    return parameters
