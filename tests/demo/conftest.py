"""One demo for all tests of its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from demo.harness import DemoPage, RunningDemo, running_demo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from typing import Any

    from demo.harness import Visit
    from kit.browser import Browser


@pytest.fixture(scope="session")
def running() -> Iterator[RunningDemo]:
    """Run the demo for all tests of its page."""
    with running_demo() as started:
        yield started


@pytest.fixture
def visit(browser: Browser, running: RunningDemo) -> Visit:
    """Return a function that opens the page and calls a function with it."""

    def call(function: Callable[[DemoPage], Awaitable[Any]]) -> Any:
        async def use(page: Any) -> Any:
            demo_page = DemoPage(page, running.url)
            await demo_page.open()
            return await function(demo_page)

        return browser.visit(use)

    return call
