"""Keycloak, started once in the background as soon as pytest knows that a test needs it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from providers.conftest import skip_or_fail
from providers.keycloak.process import KeycloakProcess, missing_requirement
from providers.keycloak.realm import AUDIENCE, Realm

from oidc_auth import OIDCAuth
from oidc_auth.langgraph import protect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from world.server import Server

STARTED = pytest.StashKey[KeycloakProcess]()

ROLES: dict[str, Any] = {"claim": "realm_access.roles", "values": {"agent-user": ["threads:write", "store:write"]}}
CLIENT_ROLES: dict[str, Any] = {"claim": "resource_access.langgraph-api.roles", "accept": ["threads:*"]}


def required() -> bool:
    return "keycloak" in os.environ.get("OIDC_AUTH_REQUIRE", "").split(",")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start Keycloak: it is ready by the time the other tests are through."""
    needs = any("keycloak" in getattr(item, "fixturenames", ()) for item in session.items)
    if not needs or session.config.option.collectonly or missing_requirement(may_download=required()) is not None:
        return
    folder = tempfile.TemporaryDirectory(prefix="keycloak-")
    keycloak = KeycloakProcess(Path(folder.name))
    session.config.stash[STARTED] = keycloak
    session.config.add_cleanup(folder.cleanup)
    session.config.add_cleanup(keycloak.stop)
    keycloak.start()


@pytest.fixture(scope="session")
def keycloak(pytestconfig: pytest.Config) -> KeycloakProcess:
    if STARTED not in pytestconfig.stash:
        skip_or_fail("keycloak", missing_requirement(may_download=required()))
    pytestconfig.stash[STARTED].wait()
    return pytestconfig.stash[STARTED]


@pytest.fixture(scope="session")
def realm(keycloak: KeycloakProcess) -> Iterator[Realm]:
    realm = Realm(keycloak.url)
    yield realm
    realm.close()


class Guarded:
    """The server, asked with Keycloak's tokens; our own HTTP client fetches its keys."""

    def __init__(self, server: Server, realm: Realm) -> None:
        self.ask = server.ask
        self._server = server
        self._realm = realm
        self._open: list[OIDCAuth] = []

    def configure(self, clock: Callable[[], float] | None = None, **table: Any) -> None:
        """Install the library, configured as the guide says, with other keys of ``[[issuer]]``."""
        issuer = {"preset": "keycloak", "url": self._realm.issuer, "audience": AUDIENCE, "grant": [ROLES, CLIENT_ROLES]}
        document = {"issuer": {**issuer, **table}}
        oidc = OIDCAuth.from_dict(document) if clock is None else OIDCAuth.from_dict(document, clock=clock)
        self._open.append(oidc)
        self._server.install(protect(oidc))

    def create(self, token: str) -> int:
        """Return the status of creating a thread: the least that shows who may and who may not."""
        status: int = self.ask("POST", "/threads", token, {}).status_code
        return status

    def close(self) -> None:
        """Close the HTTP clients in the loop that they ran in."""
        for oidc in self._open:
            self._server.run(oidc.aclose)


@pytest.fixture
def guarded(server: Server, realm: Realm) -> Iterator[Guarded]:
    guarded = Guarded(server, realm)
    guarded.configure()
    yield guarded
    guarded.close()
