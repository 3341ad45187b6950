"""A real server with ``oidc_auth.web``, and users of it."""

from __future__ import annotations

import json
import os
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from websockets.sync.client import connect

from kit.sample_users import user_token
from kit.server import HERE
from kit.uvicorn_server import environment, running_uvicorn
from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

PUBLIC_URL = "https://agents.test"
WEB_APP = "oidc_auth.web:app"
PREFIX = "/agents"
WEB_CLIENT = "agents-web"
"""The client that logs users in. Logout tokens are for it."""

SETUPS: dict[str, dict[str, Any]] = {
    "middleware_first": {"app": WEB_APP},
    "auth_first": {"app": WEB_APP, "middleware_order": "auth_first", "enable_custom_route_auth": True},
    "mount_prefix": {"app": WEB_APP, "mount_prefix": PREFIX},
}
"""The ``http`` tables of langgraph.json in which the hook and the middleware run in another order."""


class WebServer:
    """A running server.

    Attributes:
        url: Its address, with the mount prefix.
        issuer: The provider of its users.
        log: The file with its output.
    """

    def __init__(self, url: str, issuer: LocalIssuer, log: Path) -> None:
        self.url = url
        self.issuer = issuer
        self.log = log

    def token(self, name: str = "alice", **claims: Any) -> str:
        """Return a token of an editor."""
        return user_token(self.issuer, name, "editor", **claims)

    def short_token(self, seconds: float, name: str = "alice") -> str:
        """Return a token that ends in some seconds, or has ended within the leeway."""
        return self.token(name, exp=time.time() + seconds)

    def call(self, method: str, path: str, token: str | None, body: Any = None, **headers: str) -> httpx.Response:
        """Send one request and read its whole response."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        return httpx.request(method, f"{self.url}{path}", headers=sent, json=body, timeout=30)

    def log_out(self, **claims: Any) -> httpx.Response:
        """Send a logout token, as a provider does (Back-Channel Logout 1.0 §2.4 and §2.5)."""
        events: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
        token = self.issuer.token(
            None,
            audience=WEB_CLIENT,
            header={"typ": "logout+jwt"},
            jti=str(uuid.uuid4()),
            events=events,
            lifetime=60,
            **claims,
        )
        return httpx.post(f"{self.url}/auth/backchannel-logout", data={"logout_token": token}, timeout=30)

    def thread(self, token: str) -> str:
        """Create a thread and return its path."""
        created = self.call("POST", "/threads", token, {})
        assert created.status_code == 200, created.text
        return f"/threads/{created.json()['thread_id']}"

    def socket(
        self, path: str, subprotocols: list[str] | None = None, token: str | None = None, **headers: str
    ) -> ClientConnection:
        """Open a WebSocket, as a browser does with subprotocols, or with a token in Authorization."""
        sent = dict(headers) if token is None else {"Authorization": f"Bearer {token}", **headers}
        url = self.url.replace("http", "ws", 1) + path
        return connect(url, subprotocols=subprotocols, additional_headers=sent, open_timeout=30)  # type: ignore[arg-type]


@contextmanager
def running_web_server(
    folder: Path, http: dict[str, Any], revocation: dict[str, Any] | None = None, **web: Any
) -> Iterator[WebServer]:
    """Run a server with these tables: ``http`` of langgraph.json, ``[revocation]`` if there is one, and ``[web]``."""
    issuer = LocalIssuer("https://issuer.test")
    environ = environment(folder, issuer, **http)
    file = Path(environ["OIDC_AUTH_CONFIG"])
    configuration = json.loads(file.read_text("utf-8"))
    tables = {}
    if revocation is not None:
        tables = {"revocation": revocation, "issuer": {**configuration["issuer"], "logout_clients": [WEB_CLIENT]}}
    file.write_text(json.dumps({**configuration, **tables, "web": {"public_url": PUBLIC_URL, **web}}), "utf-8")
    graphs = {**json.loads(environ["LANGSERVE_GRAPHS"]), "ticking": f"{HERE / 'ticking_graph.py'}:graph"}
    environ["LANGSERVE_GRAPHS"] = json.dumps(graphs)
    environ["PYTHONPATH"] = os.pathsep.join(
        [environ["PYTHONPATH"], *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    )
    with running_uvicorn(folder, environ, "asyncio") as (host, port):
        yield WebServer(f"http://{host}:{port}{http.get('mount_prefix', '')}", issuer, folder / "server.log")
