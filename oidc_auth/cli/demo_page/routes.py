"""The routes of the page: its files, the feed of decisions, and the explanation of a token."""

from __future__ import annotations

import ipaddress
import json
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from ...config.build import build
from ...observability import EventReporter
from ...tokens.resource import Resource
from ...web.callers import authenticate_request
from .claims import explain_rows, read_payload
from .names import CLIENT, PAGE_USERS, PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from starlette.requests import Request

    from ...authentication import OIDCAuth
    from .feed import DecisionFeed

    Endpoint = Callable[[Request], Awaitable[Response]]

STATIC = Path(__file__).parent / "static"
INDEX = "index.html"
NOT_STORED = {"Cache-Control": "no-store"}


def demo_routes(oidc: OIDCAuth, feed: DecisionFeed, issuer: str) -> list[Route]:
    """Return all routes of the page.

    Args:
        oidc: Authenticates the caller of an explanation.
        feed: The decisions.
        issuer: The provider of the demo.
    """
    # Read now, because reading a file would block the event loop of the server.
    files = {file.name: file.read_bytes() for file in STATIC.iterdir() if file.is_file()}
    endpoints: dict[str, Endpoint] = {
        "/": _file(INDEX, files[INDEX], issuer),
        **{f"/{name}": _file(name, content, issuer) for name, content in files.items() if name != INDEX},
        "/setup": _setup(issuer, feed),
        "/decisions": _decisions(feed),
        "/explain": _explain(oidc),
    }
    routes = [Route(PREFIX + path, _only_this_machine(each), methods=["GET"]) for path, each in endpoints.items()]
    return [*routes, Route(PREFIX, _redirect, methods=["GET"])]


def _only_this_machine(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint for requests from a browser on this machine."""

    async def answer(request: Request) -> Response:
        client, host = request.client, request.url.hostname
        # The name too: a website can let its own name point to 127.0.0.1, and then read the page (DNS rebinding).
        if client is None or not (_is_loopback(client.host) and host is not None and _is_loopback(host)):
            return JSONResponse({"detail": "The demo answers on 127.0.0.1 only."}, status_code=403)
        return await endpoint(request)

    return answer


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _redirect(_request: Request) -> Response:
    return RedirectResponse(f"{PREFIX}/")


def page_headers(issuer: str) -> dict[str, str]:
    """Return the headers of the page. Only its own files run, and only this server and the provider are called."""
    parts = urlsplit(issuer)
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": f"'self' {parts.scheme}://{parts.netloc}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        # A message of a user can never become HTML, also not by mistake.
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        # The address of the page can have an authorization code.
        "Referrer-Policy": "no-referrer",
        **NOT_STORED,
    }


def _file(name: str, content: bytes, issuer: str) -> Endpoint:
    headers, media_type = page_headers(issuer), mimetypes.guess_type(name)[0]

    async def file(_request: Request) -> Response:
        return Response(content, media_type=media_type, headers=headers)

    return file


def _setup(issuer: str, feed: DecisionFeed) -> Endpoint:
    document: dict[str, Any] = {"issuer": issuer, "client_id": CLIENT, "users": PAGE_USERS}

    async def setup(_request: Request) -> Response:
        return JSONResponse({**document, "decisions": feed.count}, headers=NOT_STORED)

    return setup


def _decisions(feed: DecisionFeed) -> Endpoint:
    async def decisions(request: Request) -> Response:
        # The browser sends the number of the last event when it connects again (HTML standard, server-sent events).
        last = request.headers.get("last-event-id") or request.query_params.get("after", "")
        after = int(last) if last.isascii() and last.isdecimal() else 0
        return StreamingResponse(_to_events(feed, after), media_type="text/event-stream", headers=NOT_STORED)

    return decisions


async def _to_events(feed: DecisionFeed, after: int) -> AsyncGenerator[str]:
    async for entries in feed.follow(after):
        # A comment, so that the server notices a closed page.
        yield "".join(f"id: {number}\ndata: {json.dumps(entry)}\n\n" for number, entry in entries) or ":\n\n"


def _explain(oidc: OIDCAuth) -> Endpoint:
    # Built again, because OIDCAuth shows no rules. Building fetches nothing.
    mapping = build(oidc.loaded.document, fetcher=None, reporter=EventReporter()).mapping

    async def explain(request: Request) -> Response:
        caller = await authenticate_request(oidc, request, Resource.ANY)
        if isinstance(caller, Response):
            return caller
        claims = read_payload(request.headers["authorization"].split()[1])
        return JSONResponse(
            {"claims": claims, "rows": explain_rows(claims, mapping[caller.issuer])}, headers=NOT_STORED
        )

    return explain
