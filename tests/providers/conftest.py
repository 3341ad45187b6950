"""Real providers: skipped with the reason where something is missing, required where OIDC_AUTH_REQUIRE says so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from providers.node_provider import NodeProvider, missing_requirement, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator


def skip_or_fail(name: str, reason: str | None) -> None:
    if reason is None:
        return
    if name in os.environ.get("OIDC_AUTH_REQUIRE", "").split(","):
        pytest.fail(f"OIDC_AUTH_REQUIRE names {name}, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def installed_provider() -> None:
    """Install npm's oidc-provider once; needs the npm registry the first time."""
    skip_or_fail("node", missing_requirement())
    prepare()


@pytest.fixture
def provider(installed_provider: None) -> Iterator[NodeProvider]:
    with NodeProvider() as running:
        yield running
