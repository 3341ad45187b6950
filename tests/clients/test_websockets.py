"""WebSockets of a browser, at another origin than the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from clients.harness import build_application
from clients.test_stream_expiry import COUNTS, short_then_long

if TYPE_CHECKING:
    from pathlib import Path

    from clients.harness import ClientServer
    from kit.browser import Browser
    from kit.page_server import PageServer

# Starts a run, and returns the subprotocol and the answer, or the code of the close event.
START_RUN = """
([url, protocols]) => new Promise((resolve) => {
  const socket = new WebSocket(url, protocols);
  const input = { messages: [{ role: "user", content: "hello" }] };
  const command = { id: 7, method: "run.start", params: { assistant_id: "agent", input } };
  socket.onopen = () => socket.send(JSON.stringify(command));
  socket.onmessage = ({ data }) => {
    const answer = JSON.parse(data);
    if (answer.id === 7) {
      resolve([socket.protocol, answer.type]);
      socket.close();
    }
  };
  socket.onclose = ({ code }) => resolve(["closed", code]);
})
"""
REFUSED = ["closed", 1006]  # the browser does not tell scripts the status


# The client of the page. It opens the thread again after an error, and returns the errors and the values.
USE_SDK = """
import { client, openThread } from "./socket.js";
window.ask = async (input) => {
  const { thread_id } = await client.threads.create();
  const errors = [];
  const counts = [];
  const open = async () => {
    const thread = await openThread(thread_id);
    thread.onError((error) => errors.push(error.status));
    const values = (async () => {
      const received = [];
      counts.push(received);
      for await (const value of thread.values) received.push(value.messages.length);
    })();
    return [thread, values];
  };
  const [thread, values] = await open();
  await thread.run.start({ input });
  await values;
  if (errors.length > 0) await (await open())[1];
  return [errors, counts];
};
"""


def start_run(browser: Browser, server: ClientServer, pages: PageServer, protocols: list[str], query: str = "") -> Any:
    headers = {"Authorization": f"Bearer {server.token()}"}
    thread = httpx.post(f"{server.url}/threads", json={}, headers=headers).json()["thread_id"]
    url = f"{server.url.replace('http', 'ws', 1)}/threads/{thread}/stream/events{query}"

    async def connect(page: Any) -> Any:
        await page.goto(f"{pages.origin}/empty.html")
        return await page.evaluate(START_RUN, [url, protocols])

    return browser.visit(connect)


def test_browser_sends_token_as_subprotocol(browser: Browser, closing_server: ClientServer, pages: PageServer) -> None:
    found = start_run(browser, closing_server, pages, ["bearer", closing_server.token()])
    assert found == ["bearer", "success"]


@pytest.mark.parametrize("kind", ["missing", "expired", "in query"])
def test_browser_without_valid_token_is_refused(
    browser: Browser, closing_server: ClientServer, pages: PageServer, kind: str
) -> None:
    protocols = ["bearer", closing_server.token(lifetime=-60)] if kind == "expired" else []
    query = f"?token={closing_server.token()}&access_token={closing_server.token()}" if kind == "in query" else ""
    assert start_run(browser, closing_server, pages, protocols, query) == REFUSED


def test_server_without_web_application_ignores_subprotocol(
    browser: Browser, client_server: ClientServer, pages: PageServer
) -> None:
    assert start_run(browser, client_server, pages, ["bearer", client_server.token()]) == REFUSED


def follow(server: ClientServer, browser: Browser, packages: Path, pages: PageServer, folder: Path, steps: int) -> Any:
    address = build_application(folder, packages, server.url, pages, USE_SDK)
    run_input = {"messages": [{"role": "user", "content": "hello"}], "steps": steps, "pause": 0.5}

    async def ask(page: Any) -> Any:
        await page.goto(address)
        return await page.evaluate("(input) => window.ask(input)", run_input)

    return browser.visit(ask)


def test_sdk_follows_run_on_websocket(
    browser: Browser, closing_server: ClientServer, node_packages: Path, pages: PageServer, tmp_path: Path
) -> None:
    assert follow(closing_server, browser, node_packages, pages, tmp_path, steps=1) == [[], [[1, 2]]]


def test_sdk_opens_websocket_again_after_expiry(
    browser: Browser, closing_server: ClientServer, node_packages: Path, pages: PageServer, tmp_path: Path
) -> None:
    """The server repeats the events of the thread on the second WebSocket."""
    # The thread and the first WebSocket.
    pages.issue_token = short_then_long(closing_server, 2)
    errors, (before, after) = follow(closing_server, browser, node_packages, pages, tmp_path, steps=5)
    assert errors == [401]
    assert 1 <= len(before) < len(COUNTS)
    assert after == COUNTS
