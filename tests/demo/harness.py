"""``oidc-auth demo`` in another process, and its page in a browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Visit = Callable[[Callable[["DemoPage"], Awaitable[Any]]], Any]

# A shell starts background jobs with SIGINT ignored, and this test may run in one.
PROGRAM = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("oidc_auth.cli", run_name="__main__")
"""
URL = re.compile(r"^http://\S+/demo/$", re.MULTILINE)


@dataclass
class RunningDemo:
    """A demo that shows its page.

    Attributes:
        url: The address of the page.
        process: The command.
        output: What it printed before the page was ready.
    """

    url: str
    process: subprocess.Popen[str]
    output: str


@contextmanager
def running_demo() -> Iterator[RunningDemo]:
    """Start the demo with its page."""
    command = [sys.executable, "-u", "-c", PROGRAM, "demo", "--page"]
    environ = {**os.environ, "COLUMNS": "80"}
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environ
    ) as process:
        assert process.stdout is not None
        printed = ""
        try:
            while "Ctrl-C" not in printed:
                line = process.stdout.readline()
                assert line, f"the demo ended: {printed}"
                printed += line
            (url,) = URL.findall(printed)
            yield RunningDemo(url, process, printed)
        finally:
            process.terminate()


class DemoPage:
    """The page of the demo in a browser."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url

    async def open(self) -> None:
        """Open the page, and wait until both panels offer a login."""
        await self.page.goto(self.url)
        for number in (1, 2):
            await self.panel(number).get_by_role("button", name="Log in").wait_for()

    def panel(self, number: int) -> Any:
        """Return one of the two panels."""
        return self.page.locator(f"#panel-{number}")

    @property
    def feed(self) -> Any:
        """The entries of the decisions, the newest first."""
        return self.page.locator("#feed-list > li")

    async def log_in(self, number: int, user: str) -> Any:
        """Log a user in at the provider, and return the panel."""
        await self.panel(number).get_by_role("button", name="Log in").click()
        await self.page.get_by_role("button", name=re.compile(f"^{user} ")).click()
        await self.panel(number).get_by_role("heading", name=user).wait_for()
        # The threads are the last part that is loaded.
        await self.panel(number).locator(".threads li").first.wait_for()
        return self.panel(number)

    async def send(self, number: int, text: str) -> None:
        """Send a message, without waiting for its answer."""
        await self.panel(number).get_by_label("Message").fill(text)
        await self.panel(number).get_by_role("button", name="Send").click()

    async def wait_for_answer(self, number: int) -> None:
        """Wait for the end of the answer."""
        await self.panel(number).get_by_role("button", name="Send").wait_for()

    async def wait_for_words(self, number: int) -> None:
        """Wait until the graph writes its answer."""
        await self.panel(number).locator(".writing p", has_text="Hello").wait_for()

    async def thread_id(self, number: int) -> str:
        """Return the id of the open thread, as the page stores it."""
        stored = await self.page.evaluate(f"JSON.parse(sessionStorage.getItem('demo.panel.{number}')).thread")
        assert isinstance(stored, str)
        return stored

    async def open_by_id(self, number: int, thread_id: str) -> Any:
        """Open a thread by its id, and return the element with the result."""
        await self.panel(number).get_by_label("Open a thread by its id").fill(thread_id)
        await self.panel(number).get_by_role("button", name="Open", exact=True).click()
        result = self.panel(number).locator(".result")
        # It appears with the decision, after the answer.
        await result.get_by_text("Why:").wait_for()
        return result
