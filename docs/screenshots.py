"""Take the screenshots of the page about the demo: ``python docs/screenshots.py``.

It needs the extras "test" and "browser", and Chromium.
"""

from __future__ import annotations

import asyncio
import sys
from base64 import b64decode
from functools import partial
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent / "tests"))

from demo.harness import DemoPage, running_demo  # noqa: E402 - the path is set above
from kit.browser import running_browser  # noqa: E402

IMAGES = FOLDER / "images"


async def prepare(page: Any, url: str, width: int, height: int, scheme: str) -> DemoPage:  # noqa: ANN401 - Playwright
    """Open the page in a window of a size."""
    await page.set_viewport_size({"width": width, "height": height})
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    demo = DemoPage(page, url)
    await demo.open()
    return demo


async def take(demo: DemoPage, name: str) -> None:
    """Write the visible part of the page into a file."""
    session = await demo.page.context.new_cdp_session(demo.page)
    # Playwright has no WebP, which is half as large as PNG.
    taken = await session.send("Page.captureScreenshot", {"format": "webp", "quality": 85})
    (IMAGES / f"demo-{name}.webp").write_bytes(b64decode(taken["data"]))


async def take_refused(page: Any, url: str) -> None:  # noqa: ANN401
    """Show bob, who tries to open a thread of alice."""
    demo = await prepare(page, url, 1440, 900, "light")
    await demo.log_in(1, "alice")
    await demo.log_in(2, "bob")
    await demo.send(1, "Plan the trip to Oslo")
    await demo.wait_for_answer(1)
    await demo.open_by_id(2, await demo.thread_id(1))
    await demo.feed.filter(has_text="404 Not Found").wait_for()
    await take(demo, "refused")


async def take_revoked(page: Any, url: str) -> None:  # noqa: ANN401
    """Show a stream that ended with its session."""
    demo = await prepare(page, url, 1440, 900, "dark")
    alice, ada = await demo.log_in(1, "alice"), await demo.log_in(2, "ada")
    await ada.get_by_role("tab", name="Permissions").click()
    await demo.send(1, "Plan the trip to Oslo")
    await demo.wait_for_words(1)
    await asyncio.sleep(2)
    await alice.get_by_role("button", name="Revoke session").click()
    await alice.get_by_text("The session is revoked.").wait_for()
    await alice.locator(".ending").wait_for()
    await take(demo, "revoked")


async def take_claims(page: Any, url: str) -> None:  # noqa: ANN401
    """Show the claims of a token, and a missing permission."""
    demo = await prepare(page, url, 768, 1024, "light")
    alice, victor = await demo.log_in(1, "alice"), await demo.log_in(2, "victor")
    await alice.get_by_role("tab", name="Token").click()
    await demo.send(2, "May I start a thread?")
    await victor.locator(".result").get_by_text("Why:").wait_for()
    await demo.page.evaluate("scrollTo(0, 0)")
    await take(demo, "claims")


async def take_narrow(page: Any, url: str) -> None:  # noqa: ANN401
    """Show a conversation on a phone."""
    demo = await prepare(page, url, 360, 740, "light")
    alice = await demo.log_in(1, "alice")
    await demo.send(1, "Plan the trip to Oslo")
    await demo.wait_for_answer(1)
    await alice.evaluate("panel => panel.scrollIntoView()")
    await take(demo, "narrow")


SHOTS = (take_refused, take_revoked, take_claims, take_narrow)


def main() -> None:
    """Take all screenshots, each in a new browser profile."""
    IMAGES.mkdir(exist_ok=True)
    with running_browser() as browser:
        for take_shot in SHOTS:
            # A new demo each time, so that no image shows the threads of another one.
            with running_demo() as demo:
                browser.visit(partial(take_shot, url=demo.url))


if __name__ == "__main__":
    main()
