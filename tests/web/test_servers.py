"""The web application in a real server, with each setting that changes the order of its parts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from kit.server import HERE
from kit.uvicorn_server import environment, running_uvicorn
from kit.web import ALL_SCOPES, METADATA, bearer, web_document
from starlette.applications import Starlette
from starlette.routing import Route

from oidc_auth import OIDCAuth
from oidc_auth.testing import LocalIssuer
from oidc_auth.web import install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN = f"{HERE / 'own_web_app.py'}"
RPC = {"accept": "application/json, text/event-stream", "origin": "https://page.test"}


class Web(NamedTuple):
    """A running server.

    Attributes:
        client: a client of its address and mount prefix.
        issuer: its provider.
        public_url: its configured address, which is another one.
        protects_own_routes: whether it authenticates custom routes.
    """

    client: httpx.Client
    issuer: LocalIssuer
    public_url: str
    protects_own_routes: bool

    def token(self, scope: str = ALL_SCOPES, **claims: Any) -> dict[str, str]:
        return bearer(self.issuer.token("alice", scope=scope, **claims))

    def rpc(self, headers: dict[str, str], method: str, **params: Any) -> httpx.Response:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self.client.post("/mcp", headers={**RPC, **headers}, json=body)

    def metadata(self, path: str = "") -> str:
        return f'resource_metadata="{self.public_url}{METADATA}{path}"'


VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("", {}),
    "mounted": ("/lg", {"enable_custom_route_auth": True}),
    "auth first": ("/lg", {"enable_custom_route_auth": True, "middleware_order": "auth_first"}),
}


@pytest.fixture(scope="module", params=list(VARIANTS))
def web(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    prefix, http = VARIANTS[request.param]
    folder, issuer = tmp_path_factory.mktemp("server"), LocalIssuer(algorithm="ES256")
    environ = environment(folder, issuer, f"{OWN}:auth", app=f"{OWN}:app", **http)
    public_url = f"https://agents.test{prefix}"
    document = web_document(issuer, jwks=issuer.key_set(), web={"public_url": public_url})
    (folder / "oidc-auth.json").write_text(json.dumps(document), "utf-8")
    if prefix:
        environ["MOUNT_PREFIX"] = prefix
    with (
        running_uvicorn(folder, environ, "asyncio") as (host, port),
        httpx.Client(base_url=f"http://{host}:{port}{prefix}", timeout=20) as client,
    ):
        yield Web(client, issuer, public_url, "enable_custom_route_auth" in http)


def test_file_executed_twice_shares_object(web: Web) -> None:
    assert web.client.get("/own/shared", headers=web.token()).json() == {"shared": True, "module": "user_router_module"}


@pytest.mark.parametrize("path", [METADATA, f"{METADATA}/mcp", "/auth/ready"])
def test_own_documents_need_no_token(web: Web, path: str) -> None:
    answer = web.client.get(path)
    assert (answer.status_code, answer.headers["x-mark"]) == (200, "mine")


def test_metadata_names_public_url(web: Web) -> None:
    answer = web.client.get(f"{METADATA}/mcp", headers={"x-forwarded-host": "evil.test", "host": "evil.test"})
    assert answer.json()["resource"] == f"{web.public_url}/mcp"


@pytest.mark.parametrize("path", [METADATA, f"{METADATA}/mcp", "/auth/ready", "/auth/whoami"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_need_token(web: Web, method: str, path: str) -> None:
    assert web.client.request(method, path).status_code == 401
    assert web.client.request(method, path, headers=web.token()).status_code == 404


@pytest.mark.parametrize("folder", ["/files", "/mounted"])
@pytest.mark.parametrize("path", [METADATA, f"{METADATA}/mcp", "/auth/ready", "/auth/whoami", "/mcp"])
def test_own_route_with_such_ending_needs_token(web: Web, folder: str, path: str) -> None:
    expected = 401 if web.protects_own_routes else 200
    assert web.client.get(folder + path).status_code == expected
    answer = web.client.get(folder + path, headers=web.token())
    assert (answer.status_code, answer.text.partition(" ")[0]) == (200, "file")


def test_whoami_needs_token(web: Web) -> None:
    answer = web.client.get("/auth/whoami")
    assert (answer.status_code, answer.headers["cache-control"]) == (401, "no-store")
    assert answer.headers["www-authenticate"] == f'Bearer scope="{ALL_SCOPES}", {web.metadata()}'
    for audience in ("agents", web.public_url, f"{web.public_url}/mcp"):
        answer = web.client.get("/auth/whoami", headers=web.token(audience=audience))
        assert (answer.status_code, answer.json()["identity"]) == (200, "alice")


def test_own_route_knows_caller(web: Web) -> None:
    assert web.client.get("/own/who", headers=web.token()).json() == {"identity": "alice"}
    answer = web.client.get("/own/who")
    assert (answer.status_code, web.metadata() in answer.headers["www-authenticate"]) == (401, True)


def test_challenges_name_resource_of_path(web: Web) -> None:
    answer = web.rpc({}, "tools/list")
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "*")
    assert answer.headers["www-authenticate"] == f'Bearer scope="{ALL_SCOPES}", {web.metadata("/mcp")}'
    answer = web.client.post("/threads/search", json={}, headers={"authorization": "Basic dTpw"})
    assert answer.headers["www-authenticate"] == f'Bearer scope="{ALL_SCOPES}", {web.metadata()}'
    answer = web.rpc(web.token(lifetime=-60), "tools/list")
    expected = f'Bearer error="invalid_token", scope="{ALL_SCOPES}", {web.metadata("/mcp")}, error_description='
    assert answer.headers["www-authenticate"].startswith(expected)


def test_token_for_mcp_is_accepted_there_only(web: Web) -> None:
    token = web.token(audience=f"{web.public_url}/mcp")
    for _ in range(2):
        assert web.rpc(token, "tools/list").status_code == 200
        refused = web.client.post("/threads/search", json={}, headers=token)
        assert (refused.status_code, refused.json()["detail"].partition(":")[0]) == (401, "audience_mismatch")
    found = web.client.get("/assistants/6a7e8d4b-0000-4000-8000-000000000000/subgraphs/mcp", headers=token)
    assert found.status_code == 401
    assert web.client.get("/own/who", headers=token).status_code == 401
    if web.protects_own_routes:
        assert web.client.get("/mounted/mcp", headers=token).status_code == 401


def test_token_for_public_url_is_accepted_everywhere(web: Web) -> None:
    token = web.token(audience=web.public_url)
    assert web.rpc(token, "tools/list").status_code == 200
    assert web.client.post("/threads/search", json={}, headers=token).status_code == 200


def test_denied_tool_call_is_403_with_challenge(web: Web) -> None:
    answer = web.rpc(web.token("assistants:read"), "tools/call", name="agent", arguments={"text": "hi"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (403, "*")
    error = answer.json()["error"]
    assert (error["code"], "threads:create_run" in error["message"]) == (-32003, True)
    expected = f'Bearer error="insufficient_scope", scope="threads:write assistants:read", {web.metadata("/mcp")}, '
    assert answer.headers["www-authenticate"].startswith(expected)


def test_denied_tool_list_is_403(web: Web) -> None:
    answer = web.rpc(web.token("threads:read"), "tools/list")
    assert (answer.status_code, "insufficient_scope" in answer.headers["www-authenticate"]) == (403, True)


def test_permitted_tool_call_works(web: Web) -> None:
    answer = web.rpc(web.token(), "tools/call", name="agent", arguments={"text": "hi"})
    assert (answer.status_code, "alice said hi" in answer.text) == (200, True)


def test_entry_point_needs_no_code(tmp_path: Path, issuer: LocalIssuer) -> None:
    environ = environment(tmp_path, issuer, app="oidc_auth.web:app")
    document = web_document(issuer, jwks=issuer.key_set())
    (tmp_path / "oidc-auth.json").write_text(json.dumps(document), "utf-8")
    token = bearer(issuer.token(scope="threads:read"))
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "agent", "arguments": {}}}
    with running_uvicorn(tmp_path, environ, "asyncio") as (host, port):
        url = f"http://{host}:{port}"
        ready = httpx.get(f"{url}/auth/ready", timeout=20)
        whoami = httpx.get(f"{url}/auth/whoami", headers=token, timeout=20)
        denied = httpx.post(f"{url}/mcp", headers={**RPC, **token}, json=body, timeout=20)
    assert (ready.status_code, whoami.status_code, denied.status_code) == (200, 200, 403)
    assert ready.json()["issuers"] == {issuer.url: "ready"}


def test_hook_alone_does_not_import_web_application(tmp_path: Path, issuer: LocalIssuer) -> None:
    environ = environment(tmp_path, issuer, f"{HERE / 'list_modules.py'}:auth", app=f"{HERE / 'list_modules.py'}:app")
    with running_uvicorn(tmp_path, environ, "asyncio") as (host, port):
        found = httpx.get(f"http://{host}:{port}/modules", timeout=20).json()
    assert found["oidc_auth"]
    assert [name for name in found["oidc_auth"] if name.startswith("oidc_auth.web")] == []


def test_table_lists_all_routes(issuer: LocalIssuer) -> None:
    from kit.routes import WEB_OPEN, WEB_TOKEN

    app = Starlette()
    install(app, OIDCAuth.from_dict({**web_document(issuer), "revocation": {"store": "memory"}}))
    routes = [route for route in app.routes if isinstance(route, Route)]
    found = {f"{method} {route.path}" for route in routes for method in (route.methods or set()) - {"HEAD"}}
    assert len(routes) == len(app.routes)
    assert found == set(WEB_OPEN) | set(WEB_TOKEN)
