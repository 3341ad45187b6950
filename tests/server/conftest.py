"""The server, enforcing for the people of ``world.people``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from world.town import Somebody, Town

from oidc_auth.testing import LocalIssuer

if TYPE_CHECKING:
    from world.server import Server


@pytest.fixture
def issuer() -> LocalIssuer:
    """Return a provider whose keys are made quickly: which kind they are is not what is tested here."""
    return LocalIssuer(algorithm="ES256")


@pytest.fixture
def town(server: Server, issuer: LocalIssuer) -> Town:
    return Town(server, issuer)


@pytest.fixture
def alice(town: Town) -> Somebody:
    return town.person("alice", "editor")


@pytest.fixture
def bob(town: Town) -> Somebody:
    return town.person("bob", "editor")
