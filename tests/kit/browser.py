"""A headless Chromium, driven by Playwright.

Playwright runs in its own thread. Its synchronous API would keep an event loop in the thread of the tests, and then
``asyncio.run`` fails in all later tests.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from anyio.from_thread import start_blocking_portal

from kit.blocking import blocking_allowed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from anyio.from_thread import BlockingPortal

T = TypeVar("T")

PAGE_SECONDS = 40.0
NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium_executable() -> str | None:
    """Return the browser of the environment variable CHROMIUM, or the first on PATH."""
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else NAMES
    return next((path for name in names if (path := shutil.which(name))), None)


def missing_requirement() -> str | None:
    """Return why no browser can run on this machine, or None."""
    if importlib.util.find_spec("playwright") is None:
        return 'playwright is not installed. Run: pip install -e ".[browser]"'
    if chromium_executable() is None:
        return f"Chromium is not installed: none of {', '.join(NAMES)} is on PATH"
    return None


class Browser:
    """A running browser."""

    def __init__(self, portal: BlockingPortal, playwright_browser: Any) -> None:
        self._portal = portal
        self._browser = playwright_browser

    def visit(self, function: Callable[[Any], Awaitable[T]]) -> T:
        """Call an async function with a new page of Playwright.

        Each page has its own cookies and storage. An error in a script of the page is an error here.
        """

        async def run() -> T:
            context = await self._browser.new_context()
            context.set_default_timeout(PAGE_SECONDS * 1000)
            errors: list[Any] = []
            try:
                page = await context.new_page()
                page.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 - Playwright needs a function
                # The function may stop a server, for example.
                with blocking_allowed():
                    result = await function(page)
            finally:
                await context.close()
            if errors:
                raise AssertionError(f"a script of the page failed: {errors[0]}")
            return result

        return self._portal.call(run)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start a headless Chromium."""
    from playwright.async_api import async_playwright

    # Not in the event loop. The server of another test in this process makes every blocking call there an error.
    executable = chromium_executable()
    with start_blocking_portal("asyncio") as portal:
        playwright = portal.call(async_playwright().start)
        try:
            started = portal.call(lambda: playwright.chromium.launch(executable_path=executable))
            try:
                yield Browser(portal, started)
            finally:
                portal.call(started.close)
        finally:
            portal.call(playwright.stop)
