"""The handlers of the LangGraph documentation on the real server, with real tokens.

The examples are "Resource-specific handlers" and "Permission-based access", without changes to the handlers. Only the
``authenticate`` stub is replaced by ``auth.authenticate(authenticate_hook(oidc))``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langgraph_sdk import Auth

from oidc_auth import OIDCAuth
from oidc_auth.langgraph import authenticate_hook, protect

if TYPE_CHECKING:
    from kit.server import Server
    from kit.snapshots import Messages

    from oidc_auth.testing import LocalIssuer

RUN = {"assistant_id": "agent", "input": {"text": "hello"}, "after_seconds": 3600}


@pytest.fixture
def oidc(issuer: LocalIssuer) -> OIDCAuth:
    """Return the simplest configuration. Its default permission map reads permission names from the scope."""
    table = {"preset": "generic", "issuer": issuer.url, "audience": "agents"}
    return OIDCAuth.from_dict({"issuer": table}, fetcher=issuer)


def resource_specific(oidc: OIDCAuth) -> Auth:
    auth = Auth()
    auth.authenticate(authenticate_hook(oidc))

    @auth.on
    async def reject_unhandled_requests(ctx: Auth.types.AuthContext, value: Any) -> bool:
        raise Auth.exceptions.HTTPException(status_code=403, detail="Forbidden")

    @auth.on.threads
    async def on_thread(ctx: Auth.types.AuthContext, value: Any) -> Any:
        metadata = value.setdefault("metadata", {})
        metadata["owner"] = ctx.user.identity
        return {"owner": ctx.user.identity}

    @auth.on.threads.create
    async def on_thread_create(ctx: Auth.types.AuthContext, value: Any) -> Any:
        metadata = value.setdefault("metadata", {})
        metadata["owner"] = ctx.user.identity
        return {"owner": ctx.user.identity}

    @auth.on.threads.read
    async def on_thread_read(ctx: Auth.types.AuthContext, value: Any) -> Any:
        return {"owner": ctx.user.identity}

    @auth.on.threads.create_run
    async def on_run_create(ctx: Auth.types.AuthContext, value: Any) -> Any:
        metadata = value.setdefault("metadata", {})
        metadata["owner"] = ctx.user.identity
        return {"owner": ctx.user.identity}

    @auth.on.assistants.create
    async def on_assistant_create(ctx: Auth.types.AuthContext, value: Any) -> None:
        if "assistants:create" not in ctx.permissions:
            raise Auth.exceptions.HTTPException(status_code=403, detail="User lacks the required permissions.")

    return auth


def permission_based(oidc: OIDCAuth) -> Auth:
    auth = Auth()
    auth.authenticate(authenticate_hook(oidc))

    def _default(ctx: Auth.types.AuthContext, value: Any) -> Any:
        metadata = value.setdefault("metadata", {})
        metadata["owner"] = ctx.user.identity
        return {"owner": ctx.user.identity}

    @auth.on.threads.create
    async def create_thread(ctx: Auth.types.AuthContext, value: Any) -> Any:
        if "threads:write" not in ctx.permissions:
            raise Auth.exceptions.HTTPException(status_code=403, detail="Unauthorized")
        return _default(ctx, value)

    @auth.on.threads.read
    async def rbac_read(ctx: Auth.types.AuthContext, value: Any) -> Any:
        if "threads:read" not in ctx.permissions and "threads:write" not in ctx.permissions:
            raise Auth.exceptions.HTTPException(status_code=403, detail="Unauthorized")
        return _default(ctx, value)

    return auth


def test_documented_resource_handlers_work_with_hook(server: Server, oidc: OIDCAuth, issuer: LocalIssuer) -> None:
    server.install(resource_specific(oidc))
    alice, bob = issuer.token("alice", scope="assistants:create"), issuer.token("bob", scope="threads:read")
    made = server.request("POST", "/threads", alice, {}).json()
    assert made["metadata"]["owner"] == "alice"
    path = f"/threads/{made['thread_id']}"
    assert [server.request("GET", path, who).status_code for who in (alice, bob)] == [200, 404]
    assert [server.request("POST", f"{path}/runs", who, RUN).status_code for who in (alice, bob)] == [200, 404]
    created = [server.request("POST", "/assistants", who, {"graph_id": "agent"}).status_code for who in (alice, bob)]
    assert created == [200, 403]
    assert server.request("POST", "/store/items/search", alice, {"namespace_prefix": []}).status_code == 403


def test_documented_permission_handlers_work_with_hook(server: Server, oidc: OIDCAuth, issuer: LocalIssuer) -> None:
    server.install(permission_based(oidc))
    writes, reads, neither = (
        issuer.token("alice", scope=scope) for scope in ("threads:write", "threads:read", "profile")
    )
    assert [server.request("POST", "/threads", who, {}).status_code for who in (writes, reads, neither)] == [
        200,
        403,
        403,
    ]
    path = f"/threads/{server.request('POST', '/threads', writes, {}).json()['thread_id']}"
    assert [server.request("GET", path, who).status_code for who in (writes, reads, neither)] == [200, 200, 403]


@pytest.fixture
def protected_server(server: Server, oidc: OIDCAuth) -> Server:
    server.install(protect(oidc))
    return server


@pytest.mark.parametrize(
    ("scope", "status"), [("threads:write", 200), ("threads:create", 200), ("threads:read", 403), ("", 403)]
)
def test_thread_creation_needs_write(protected_server: Server, issuer: LocalIssuer, scope: str, status: int) -> None:
    assert protected_server.request("POST", "/threads", issuer.token(scope=scope), {}).status_code == status


@pytest.mark.parametrize(("scope", "status"), [("threads:write", 200), ("threads:read", 200), ("store:read", 403)])
def test_thread_read_needs_read_or_write(
    protected_server: Server, issuer: LocalIssuer, scope: str, status: int
) -> None:
    made = protected_server.request("POST", "/threads", issuer.token(scope="threads:write"), {}).json()
    assert made["metadata"]["owner"] == "alice"
    assert (
        protected_server.request("GET", f"/threads/{made['thread_id']}", issuer.token(scope=scope)).status_code
        == status
    )


@pytest.mark.parametrize(("scope", "status"), [("assistants:create", 200), ("threads:write", 403)])
def test_assistant_creation_needs_permission(
    protected_server: Server, issuer: LocalIssuer, scope: str, status: int
) -> None:
    made = protected_server.request("POST", "/assistants", issuer.token(scope=scope), {"graph_id": "agent"})
    assert made.status_code == status


def test_most_specific_handler_decides(server: Server, oidc: OIDCAuth, issuer: LocalIssuer) -> None:
    seen: list[str] = []

    async def search_rule(ctx: Any, value: Any) -> bool:
        seen.append(ctx.action)
        return False

    server.install(protect(oidc, also={"threads:search": search_rule}))
    who = issuer.token(scope="threads:write")
    assert server.request("POST", "/threads/search", who, {}).status_code == 403
    assert server.request("POST", "/threads", who, {}).status_code == 200
    assert seen == ["search"]


def test_unhandled_event_is_denied(server: Server, oidc: OIDCAuth, issuer: LocalIssuer, messages: Messages) -> None:
    """A newer server can send an event that has no handler."""
    auth = protect(oidc)
    del auth._handlers["threads", "search"]
    server.install(auth)
    answer = server.request("POST", "/threads/search", issuer.token(scope="threads:write"), {})
    assert answer.status_code == 403
    messages.check(answer.json()["detail"])
