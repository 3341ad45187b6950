"""Users of a real server, and its configuration."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kit.sample_users import configuration_for, user_token
from oidc_auth import OIDCAuth
from oidc_auth.langgraph import protect
from oidc_auth.observability import AuthorizationDecided

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit.server import Server
    from oidc_auth import ErrorCode
    from oidc_auth.observability import Event
    from oidc_auth.testing import LocalIssuer


class SampleUser:
    """A user that sends requests, such as ``alice("GET", path)``."""

    def __init__(self, server: Server, name: str, bearer: str) -> None:
        self.name = name
        self.token = bearer
        self.server = server

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.server.request(method, path, self.token, body, **headers)

    def thread(self, **metadata: Any) -> str:
        """Create a thread and return its path."""
        created = self("POST", "/threads", {"metadata": metadata})
        assert created.status_code == 200, created.text
        return f"/threads/{created.json()['thread_id']}"

    def metadata(self, path: str) -> dict[str, Any]:
        """Return the stored metadata of an object."""
        found = self("GET", path)
        assert found.status_code == 200, found.text
        stored: dict[str, Any] = found.json()["metadata"]
        return stored

    def search(self, resource: str, **where: Any) -> list[dict[str, Any]]:
        """Return the results of a search."""
        found: list[dict[str, Any]] = self("POST", f"/{resource}/search", {"metadata": where} if where else {}).json()
        return found


class LiveServer:
    """A server with an issuer, and users of that issuer."""

    def __init__(self, server: Server, issuer: LocalIssuer) -> None:
        self.server = server
        self.issuer = issuer
        self.observed_events: list[Event] = []
        self.enforce()

    def enforce(
        self, also: Any = None, replace: Any = None, clock: Callable[[], float] = time.time, **tables: Any
    ) -> None:
        """Install ``protect`` with these tables, custom rules and clock."""
        self.oidc = OIDCAuth.from_dict(
            configuration_for(self.issuer, **tables),
            fetcher=self.issuer,
            observer=self.observed_events.append,
            clock=clock,
        )
        self.server.install(protect(self.oidc, also=also, replace=replace))

    def wait_for_denial(self, code: ErrorCode) -> None:
        """Wait until the server denies one more event with this code, for at most ten seconds."""
        self.observed_events.clear()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if any(isinstance(event, AuthorizationDecided) and event.code == code for event in self.observed_events):
                return
            time.sleep(0.01)
        raise AssertionError(f"the server denied nothing with {code}")

    def user(self, name: str, *roles: str, tenant: str | None = "acme", **claims: Any) -> SampleUser:
        """Return a user with these roles."""
        return SampleUser(self.server, name, user_token(self.issuer, name, *roles, tenant=tenant, **claims))
