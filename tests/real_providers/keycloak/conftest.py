"""Start Keycloak once in the background if a collected test needs it."""

from __future__ import annotations

import os
import queue
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kit.clock import OffsetClock
from kit.requirements import skip_or_fail
from real_providers.keycloak.guide import assert_in_guide
from real_providers.keycloak.process import READY_WITHIN, KeycloakProcess, missing_requirement
from real_providers.keycloak.realm import AUDIENCE, AUDIENCE_MAPPER, Realm
from real_providers.protected_server import ProtectedServer

from oidc_auth.observability import KeysFetched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kit.server import Server

    from oidc_auth.observability import Event

STARTED = pytest.StashKey[KeycloakProcess]()

ROLES: dict[str, Any] = {"claim": "realm_access.roles", "values": {"agent-user": ["threads:write", "store:write"]}}
CLIENT_ROLES: dict[str, Any] = {"claim": "resource_access.langgraph-api.roles", "accept": ["threads:*"]}


def required() -> bool:
    return "keycloak" in os.environ.get("OIDC_AUTH_REQUIRE", "").split(",")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start Keycloak, so that it is ready after the other tests."""
    needing = [item for item in session.items if "keycloak" in getattr(item, "fixturenames", ())]
    for item in needing:
        # The first test waits until it is ready.
        item.add_marker(pytest.mark.timeout(READY_WITHIN))
    # With several processes, all of them collect these tests, and one of them runs them.
    if not needing or session.config.option.collectonly or "PYTEST_XDIST_WORKER" in os.environ:
        return
    if missing_requirement(may_download=required()) is None:
        start_keycloak(session.config)


def start_keycloak(config: pytest.Config) -> None:
    folder = tempfile.TemporaryDirectory(prefix="keycloak-")
    keycloak = KeycloakProcess(Path(folder.name))
    config.stash[STARTED] = keycloak
    config.add_cleanup(folder.cleanup)
    config.add_cleanup(keycloak.stop)
    keycloak.start()


@pytest.fixture(scope="session")
def keycloak(pytestconfig: pytest.Config) -> KeycloakProcess:
    if STARTED not in pytestconfig.stash:
        skip_or_fail("keycloak", missing_requirement(may_download=required()))
        start_keycloak(pytestconfig)
    pytestconfig.stash[STARTED].wait()
    return pytestconfig.stash[STARTED]


@pytest.fixture(scope="session")
def realm(keycloak: KeycloakProcess) -> Iterator[Realm]:
    realm = Realm(keycloak.url)
    yield realm
    realm.close()


class Guarded(ProtectedServer):
    """The protected server, for requests with tokens of Keycloak. The HTTP client of the library fetches the keys."""

    def __init__(self, server: Server, realm: Realm) -> None:
        super().__init__(server)
        self._realm = realm
        self._events: queue.Queue[Event] = queue.Queue()

    def configure(self, clock: Callable[[], float] = time.time, **table: Any) -> None:
        """Protect the server with the configuration of the guide and other keys of ``[[issuer]]``."""
        issuer = {
            "preset": "keycloak",
            "url": self._realm.issuer,
            "audience": AUDIENCE,
            "permission_map": [ROLES, CLIENT_ROLES],
        }
        self._events = queue.Queue()
        self.install({"issuer": {**issuer, **table}}, clock=clock, observer=self._events.put)

    def create(self, token: str) -> int:
        """Create a thread, and return the status. It is the shortest request that shows the permission."""
        status: int = self.request("POST", "/threads", token, {}).status_code
        return status

    def await_fetch(self) -> bool:
        """Wait for the next fetch of the keys, and tell whether it succeeded."""
        while not isinstance(event := self._events.get(timeout=10), KeysFetched):
            pass
        return event.outcome == "succeeded"


@pytest.fixture
def guarded(server: Server, realm: Realm) -> Iterator[Guarded]:
    guarded = Guarded(server, realm)
    guarded.configure()
    yield guarded
    guarded.close()


@pytest.fixture
def add_client(realm: Realm) -> Iterator[Callable[..., None]]:
    """Create clients with ``add_client(name, *mappers, **settings)``. They are deleted after the test."""
    made: list[str] = []

    def add(name: str, *mappers: Any, **settings: Any) -> None:
        made.append(realm.add_client(name, *mappers, **settings))

    yield add
    for path in made:
        realm.admin("DELETE", path)


@pytest.fixture
def refusal(guarded: Guarded, realm: Realm, caplog: pytest.LogCaptureFixture) -> Callable[[str], str]:
    """Send a token that is refused, and return the log. The client gets only the code and its message.

    The guide shows the same line.
    """

    def send(token: str) -> str:
        caplog.clear()
        answer = guarded.request("POST", "/threads", token, {})
        assert answer.status_code == 401
        (said,) = [record.getMessage() for record in caplog.records if record.name == "oidc_auth"]
        assert said.startswith(f"refused: {answer.json()['detail']}; ")
        assert not any(segment in said for segment in token.split("."))
        assert_in_guide(said, realm.issuer)
        return said

    return send


@pytest.fixture
def clock() -> OffsetClock:
    return OffsetClock()


@pytest.fixture
def lasting(guarded: Guarded, realm: Realm, clock: OffsetClock, add_client: Callable[..., None]) -> Callable[[], str]:
    """Return new tokens that are valid for three hours, so that a test can advance the server's clock."""
    add_client("agents-lasting", AUDIENCE_MAPPER, attributes={"access.token.lifespan": "10800"})
    guarded.configure(clock, permission_map={"claim": "azp", "values": {"agents-lasting": ["threads:write"]}})
    return lambda: realm.machine("agents-lasting")
