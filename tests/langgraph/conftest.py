"""The protected server for the users of ``kit.sample_users``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kit.live_server import LiveServer, SampleUser

from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from kit.server import Server


@pytest.fixture
def issuer() -> LocalIssuer:
    """Return a provider with keys that are fast to create. No test here depends on the key type."""
    return LocalIssuer(algorithm="ES256")


@pytest.fixture
def live_server(server: Server, issuer: LocalIssuer) -> LiveServer:
    return LiveServer(server, issuer)


@pytest.fixture
def alice(live_server: LiveServer) -> SampleUser:
    return live_server.user("alice", "editor")


@pytest.fixture
def bob(live_server: LiveServer) -> SampleUser:
    return live_server.user("bob", "editor")
