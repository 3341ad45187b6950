"""What every test shares: a local issuer, a clock that is moved by hand, and the real server, started once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from world.server import Server, running_server

from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def issuer() -> LocalIssuer:
    return LocalIssuer()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running
