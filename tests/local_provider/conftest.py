"""A running local provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kit.clock import NOON
from kit.relying_party import ROBOT, ROBOT_SECRET, WEB, WEB_SECRET, RelyingParty

from oidc_auth.local_provider import LocalProvider
from oidc_auth.local_provider.samples import SAMPLE_CLIENTS, SAMPLE_USERS
from oidc_auth.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidc_auth.local_provider.activity import Activity


@pytest.fixture
def clock() -> Clock:
    """Return a clock that a test moves."""
    return Clock(NOON)


@pytest.fixture
def activities() -> list[Activity]:
    """Return what the provider reported."""
    return []


@pytest.fixture
def provider(clock: Clock, activities: list[Activity]) -> Iterator[LocalProvider]:
    """Return a running provider with a key that is fast to create."""
    clients = (*SAMPLE_CLIENTS, ROBOT, WEB)
    provider = LocalProvider(SAMPLE_USERS, clients, algorithm="ES256", clock=clock, report=activities.append)
    with provider.served():
        yield provider


@pytest.fixture
def spa(provider: LocalProvider) -> Iterator[RelyingParty]:
    """Return a public client."""
    with RelyingParty(provider) as client:
        yield client


@pytest.fixture
def web(provider: LocalProvider) -> Iterator[RelyingParty]:
    """Return a client with a secret and registered redirect URIs."""
    with RelyingParty(provider, WEB.id, WEB_SECRET) as client:
        yield client


@pytest.fixture
def robot(provider: LocalProvider) -> Iterator[RelyingParty]:
    """Return a program with its own tokens."""
    with RelyingParty(provider, ROBOT.id, ROBOT_SECRET) as client:
        yield client
