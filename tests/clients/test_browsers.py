"""What a script of another origin may do, in a real browser, with the CORS rule of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from clients.harness import ClientServer
    from kit.browser import Browser
    from kit.page_server import PageServer

READ_HEADERS = """
async ([url, token, body, names]) => {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  await answer.text();
  return [answer.status, ...names.map((name) => answer.headers.get(name) !== null)];
}
"""
RUN = {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": "hello"}]}}


def read_headers(browser: Browser, origin: str, *arguments: Any) -> list[Any]:
    """Send a request from a page of an origin; return the status and which headers a script can read."""

    async def send(page: Any) -> list[Any]:
        await page.goto(f"{origin}/empty.html")
        found: list[Any] = await page.evaluate(READ_HEADERS, list(arguments))
        return found

    return browser.visit(send)


def test_script_reads_challenge(browser: Browser, client_server: ClientServer, pages: PageServer) -> None:
    names = ["www-authenticate"]
    expired = client_server.token(lifetime=-60)
    found = read_headers(browser, pages.origin, f"{client_server.url}/threads", expired, {}, names)
    assert found == [401, True]


def test_script_reads_address_of_stream(browser: Browser, client_server: ClientServer, pages: PageServer) -> None:
    """The SDK needs both headers: for the run id, and to continue after a lost connection."""
    names = ["location", "content-location"]
    url = f"{client_server.url}/runs/stream"
    assert read_headers(browser, pages.origin, url, client_server.token(), RUN, names) == [200, True, True]


def test_other_origin_reads_nothing(browser: Browser, client_server: ClientServer, pages: PageServer) -> None:
    other = pages.origin.replace("127.0.0.1", "localhost")
    with pytest.raises(Exception, match="Failed to fetch"):
        read_headers(browser, other, f"{client_server.url}/threads", client_server.token(), {}, [])
