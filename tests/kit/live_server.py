"""Somebody at the real server, and the town in which everybody lives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kit.sample_users import configuration_for, user_token
from oidc_auth import OIDCAuth
from oidc_auth.langgraph import protect

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit.server import Server
    from oidc_auth.observability import Event
    from oidc_auth.testing import LocalIssuer


class SampleUser:
    """A person at the server: ``alice("GET", path)``."""

    def __init__(self, server: Server, name: str, bearer: str) -> None:
        self.name = name
        self.token = bearer
        self.server = server

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.server.request(method, path, self.token, body, **headers)

    def thread(self, **metadata: Any) -> str:
        """Create a thread and return its path."""
        made = self("POST", "/threads", {"metadata": metadata})
        assert made.status_code == 200, made.text
        return f"/threads/{made.json()['thread_id']}"

    def metadata(self, path: str) -> dict[str, Any]:
        """Return what is stored."""
        found = self("GET", path)
        assert found.status_code == 200, found.text
        stored: dict[str, Any] = found.json()["metadata"]
        return stored

    def search(self, resource: str, **where: Any) -> list[dict[str, Any]]:
        """Return what a search finds."""
        found: list[dict[str, Any]] = self("POST", f"/{resource}/search", {"metadata": where} if where else {}).json()
        return found


class LiveServer:
    """The server with everybody who lives at it."""

    def __init__(self, server: Server, issuer: LocalIssuer) -> None:
        self.server = server
        self.issuer = issuer
        self.observed_events: list[Event] = []
        self.enforce()

    def enforce(
        self, also: Any = None, replace: Any = None, clock: Callable[[], float] = time.time, **tables: Any
    ) -> None:
        """Install a fresh ``protect``, with the operator's own tables, rules and clock."""
        oidc = OIDCAuth.from_dict(
            configuration_for(self.issuer, **tables),
            fetcher=self.issuer,
            observer=self.observed_events.append,
            clock=clock,
        )
        self.server.install(protect(oidc, also=also, replace=replace))

    def user(self, name: str, *roles: str, tenant: str | None = "acme", **claims: Any) -> SampleUser:
        """Return somebody with these roles."""
        return SampleUser(self.server, name, user_token(self.issuer, name, *roles, tenant=tenant, **claims))
