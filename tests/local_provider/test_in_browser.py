"""The login page and hidden frames in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest
from kit.page_server import running_page_server
from kit.relying_party import RelyingParty

from oidc_auth.local_provider import LocalProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kit.browser import Browser
    from kit.page_server import PageServer

# Applications renew a login like this, for example with oidc-client-ts.
SILENT = """<!doctype html><title>Application</title><p id="result">waiting</p><script>
addEventListener("message", (event) => {
  if (event.origin === location.origin) document.getElementById("result").textContent = event.data;
});
const frame = document.createElement("iframe");
frame.src = decodeURIComponent(location.hash.slice(1));
frame.hidden = true;
document.body.append(frame);
</script>"""
FRAMED = """<!doctype html><title>Frame</title><script>
const answer = new URLSearchParams(location.search);
parent.postMessage(answer.get("error") ?? (answer.get("code") ? "code" : "nothing"), location.origin);
</script>"""


@pytest.fixture
def application(tmp_path: Path) -> Iterator[PageServer]:
    """Return the web server of an application."""
    (tmp_path / "silent.html").write_text(SILENT, "utf-8")
    (tmp_path / "framed.html").write_text(FRAMED, "utf-8")
    (tmp_path / "callback.html").write_text("<!doctype html><title>Logged in</title>", "utf-8")
    with running_page_server(tmp_path, lambda: "") as pages:
        yield pages


@pytest.fixture
def live_spa() -> Iterator[RelyingParty]:
    """Return a client of a provider that uses the real time, as the browser does for cookies."""
    provider = LocalProvider(algorithm="ES256")
    with provider.served(), RelyingParty(provider) as client:
        yield client


def address(spa: RelyingParty, **changes: str) -> str:
    """Return an authorization request."""
    return f"{spa.provider.url}/authorize?{urlencode(spa.request(**changes))}"


def test_login_and_silent_renewal_work(browser: Browser, application: PageServer, live_spa: RelyingParty) -> None:
    # Not on localhost, which is another site. Browsers that block third-party cookies send none from its frames.
    origin = application.origin

    async def renew(page: Any) -> str:
        silent = address(live_spa, prompt="none", redirect_uri=f"{origin}/framed.html")
        # A page keeps its document if only the fragment of its address changes.
        await page.goto("about:blank")
        await page.goto(f"{origin}/silent.html#{silent.replace('%', '%25')}")
        await page.wait_for_function("document.getElementById('result').textContent !== 'waiting'")
        text: str = await page.inner_text("#result")
        return text

    async def visit(page: Any) -> tuple[str, str, str]:
        before = await renew(page)
        await page.goto(address(live_spa, redirect_uri=f"{origin}/callback.html"))
        # The keyboard alone is enough.
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{origin}/callback.html?**")
        return before, await page.title(), await renew(page)

    assert browser.visit(visit) == ("login_required", "Logged in", "code")
    assert [session.user.name for session in live_spa.provider.sessions()] == ["alice"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_narrow_screens(scheme: str, browser: Browser, live_spa: RelyingParty) -> None:
    async def visit(page: Any) -> tuple[list[str], int, list[str]]:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": 360, "height": 640})
        await page.goto(address(live_spa))
        names = [await button.inner_text() for button in await page.get_by_role("button").all()]
        return said, await page.evaluate("document.documentElement.scrollWidth"), names

    # The console would name blocked styles and failed requests.
    said, width, names = browser.visit(visit)
    assert (said, width) == ([], 360)
    assert [name.split()[0] for name in names] == ["alice", "bob", "ada", "victor", "Cancel"]


def test_page_loads_nothing_else(browser: Browser, live_spa: RelyingParty) -> None:
    async def visit(page: Any) -> list[str]:
        requested: list[str] = []
        page.on("request", lambda request: requested.append(urlsplit(request.url).path))
        await page.goto(address(live_spa))
        await page.wait_for_load_state("networkidle")
        return [path for path in requested if not path.startswith("data:") and path != ","]

    assert browser.visit(visit) == ["/authorize"]


def test_foreign_page_cannot_frame_login(browser: Browser, tmp_path: Path, live_spa: RelyingParty) -> None:
    frame = f'<!doctype html><title>Foreign</title><iframe src="{address(live_spa)}"></iframe>'
    (tmp_path / "foreign.html").write_text(frame.replace("&", "&amp;"), "utf-8")

    async def visit(page: Any) -> bool:
        # A file has another origin than the pages on this computer.
        await page.goto((tmp_path / "foreign.html").as_uri())
        await page.wait_for_load_state("networkidle")
        (framed,) = page.frames[1:]
        return 'value="alice"' in await framed.content()

    assert browser.visit(visit) is False
