"""Fixtures of all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kit.snapshots import TESTS, Messages

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether a test passed, for its fixtures."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture
def messages(request: pytest.FixtureRequest) -> Iterator[Messages]:
    """Return the comparison of this test's messages with ``messages.json``."""
    module = request.path.relative_to(TESTS).as_posix()
    function, _, parameters = request.node.name.partition("[")
    compared = Messages(f"{module}::{function}", parameters.removesuffix("]"))
    yield compared
    if request.node.stash.get(PASSED, False):
        compared.check_all_used()
