"""Real providers. A test is skipped if its provider is missing, unless OIDC_AUTH_REQUIRE requires it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kit.requirements import skip_or_fail
from real_providers import glewlwyd, node_install
from real_providers.node_provider import NodeProvider
from real_providers.protected_server import ProtectedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.server import Server
    from real_providers.glewlwyd import Glewlwyd


@pytest.fixture(scope="session")
def installed_provider() -> None:
    """Install npm's oidc-provider once. The first time needs the npm registry."""
    skip_or_fail("node", node_install.missing_requirement())
    node_install.prepare()


@pytest.fixture(scope="module")
def provider(installed_provider: None) -> Iterator[NodeProvider]:
    with NodeProvider() as running:
        yield running


@pytest.fixture(scope="module")
def independent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glewlwyd]:
    """Run Debian's Glewlwyd, which shares no code with the other providers."""
    skip_or_fail("glewlwyd", glewlwyd.missing_requirement())
    with glewlwyd.running_glewlwyd(tmp_path_factory.mktemp("glewlwyd")) as running:
        yield running


@pytest.fixture
def at_server(server: Server) -> Iterator[ProtectedServer]:
    protected_server = ProtectedServer(server)
    yield protected_server
    protected_server.close()
