"""Fixtures of all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kit.snapshots import TESTS, Messages

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def messages(request: pytest.FixtureRequest) -> Iterator[Messages]:
    """Return the comparison of this test's messages with ``messages.json``."""
    module = request.path.relative_to(TESTS).as_posix()
    function, _, parameters = request.node.name.partition("[")
    compared = Messages(f"{module}::{function}", parameters.removesuffix("]"))
    yield compared
    compared.check_all_used()
