"""The routes: metadata (RFC 9728), whoami, and readiness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..errors import UNAVAILABLE
from ..revocation.check import LONGEST_WAIT
from ..tokens.resource import MCP_PATH, METADATA_PATH, Resource
from .callers import authenticate_request
from .notices import notice_routes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from ..authentication import OIDCAuth
    from ..config.schema_server import WebTable
    from ..permissions.caller import Caller
    from ..tokens.resource import ProtectedResource

    Endpoint = Callable[[Request], Awaitable[Response]]

NOT_STORED = {"Cache-Control": "no-store"}
"""The answers depend on the token and on the moment."""


def build_routes(oidc: OIDCAuth, web: WebTable, resource: ProtectedResource) -> list[Route]:
    """Return the routes of the web application.

    The server does not authenticate them. A route that needs a token calls ``authenticate_request``.
    """
    documents = {METADATA_PATH: Resource.API}
    if resource.has_mcp:
        documents[METADATA_PATH + MCP_PATH] = Resource.MCP
    notices = [] if oidc.revocation is None else notice_routes(web.prefix, oidc.revocation.notices)
    return [
        *(Route(path, _metadata(resource, each), methods=["GET"]) for path, each in documents.items()),
        Route(f"{web.prefix}/whoami", _whoami(oidc), methods=["GET"]),
        Route(f"{web.prefix}/ready", _ready(oidc), methods=["GET"]),
        *notices,
    ]


def _metadata(resource: ProtectedResource, each: Resource) -> Endpoint:
    document = resource.metadata(each)

    async def metadata(_request: Request) -> Response:
        return JSONResponse(document)

    return metadata


def _whoami(oidc: OIDCAuth) -> Endpoint:
    async def whoami(request: Request) -> Response:
        caller = await authenticate_request(oidc, request, Resource.ANY)
        if isinstance(caller, Response):
            return caller
        return JSONResponse(describe(caller), headers=NOT_STORED)

    return whoami


def describe(caller: Caller) -> dict[str, object]:
    """Return what a caller may know about themselves."""
    user = caller.user()
    names = ("identity", "display_name", "issuer", "permissions", "graphs", "expires_at", "claims")
    return {**{name: user[name] for name in names}, "tenant": user.get("tenant")}


def _ready(oidc: OIDCAuth) -> Endpoint:
    async def ready(_request: Request) -> Response:
        usable = await oidc.find_usable_keys()
        revocations = await _describe_revocations(oidc)
        # One issuer is enough, so that the outage of one provider does not stop the users of all others.
        is_ready = any(usable.values()) and revocations.get("trusted", True) is True
        body: dict[str, object] = {
            "ready": is_ready,
            "configuration": oidc.loaded.digest,
            "issuers": {issuer: "ready" if has_keys else "keys_unavailable" for issuer, has_keys in usable.items()},
            # No reasons: they can name hosts of the operator's network.
            "degraded": sorted(issuer for issuer, has_keys in usable.items() if not has_keys) + _faults(revocations),
        }
        if revocations:
            body["revocations"] = revocations
        return JSONResponse(body, status_code=200 if is_ready else UNAVAILABLE, headers=NOT_STORED)

    return ready


async def _describe_revocations(oidc: OIDCAuth) -> dict[str, object]:
    """Return the state of the revocations, or {} without them."""
    if oidc.revocation is None:
        return {}
    store = oidc.revocation.store
    # An unready server gets no tokens, so this request starts what a token would start.
    # Not longer than a token would wait, because probes have short timeouts.
    await store.load(LONGEST_WAIT)
    state = store.state(oidc.clock())
    return {
        "loaded": state.is_loaded,
        "connected": state.is_connected,
        "trusted": state.is_loaded and state.is_trusted,
        "count": state.count,
        "lag": round(state.lag, 1),
        "malformed": state.malformed,
        "lost": state.lost,
        "unpublished": state.unpublished,
    }


def _faults(revocations: Mapping[str, object]) -> list[str]:
    if not revocations:
        return []
    is_down = not (revocations["loaded"] and revocations["connected"])
    faults = {
        "revocations_unavailable": is_down,
        "revocations_lost": revocations["lost"],
        # For a moment after each publication, this is usual.
        "revocations_unpublished": is_down and revocations["unpublished"],
        "revocations_malformed": revocations["malformed"],
    }
    return [name for name, found in faults.items() if found]
