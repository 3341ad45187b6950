"""Streams that end with their token: each client continues with a new token, and loses no event.

The clients run against a real server with its own clock, so the tokens live for about a second.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import httpx
from clients.harness import CONVERSATION, build_application
from clients.test_curl import PAGE as CURL_PAGE
from clients.test_curl import TEXT, run
from clients.test_python import read_examples
from kit.snippets import section, write_files

from oidc_auth.errors import ERROR_DETAILS, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clients.harness import ClientServer, JavaScript
    from kit.browser import Browser
    from kit.page_server import PageServer

SHORT_LIFE = 2.0
# Lasts longer than the token.
INPUT = {"messages": [{"role": "user", "content": "hello"}], "steps": 5, "pause": 0.5}
COUNTS = [1, 2, 3, 4, 5, 6]


def short_then_long(server: ClientServer, short: int) -> Callable[[], str]:
    """Return a function that issues tokens. The first ones expire during the run."""
    short_token: list[str] = []
    issued = 0

    def issue() -> str:
        nonlocal issued
        issued += 1
        if issued > short:
            return server.token()
        if not short_token:
            short_token.append(server.token(lifetime=SHORT_LIFE))
        return short_token[0]

    return issue


def statuses(server: ClientServer, thread_id: str) -> list[str]:
    headers = {"Authorization": f"Bearer {server.token()}"}
    runs = httpx.get(f"{server.url}/threads/{thread_id}/runs", headers=headers).json()
    return [run["status"] for run in runs]


def test_python_continues_with_new_token(closing_server: ClientServer) -> None:
    examples = read_examples(closing_server.url)
    # The thread, the run and the stream.
    issue = short_then_long(closing_server, 3)
    issued: list[str] = []

    async def get_access_token() -> str:
        issued.append(issue())
        return issued[-1]

    async def follow() -> tuple[str, list[int]]:
        async with examples["connect"](get_access_token) as client:
            thread_id = (await client.threads.create())["thread_id"]
            parts = [part async for part in examples["follow"](client, thread_id, INPUT)]
            return thread_id, [len(part.data["messages"]) for part in parts if part.event == "values"]

    thread_id, counts = asyncio.run(follow())
    assert counts == COUNTS
    assert len(issued) > 4  # the thread, the run, two streams, and the SDK asks whether the run has ended
    assert statuses(closing_server, thread_id) == ["success"]


def test_python_thread_stream_must_be_opened_again(closing_server: ClientServer) -> None:
    """The page warns of this property of the SDK: a stream that ends is complete for it."""
    # The thread, the command, the stream and the state of the thread.
    issue = short_then_long(closing_server, 4)

    async def get_access_token() -> str:
        return issue()

    async def follow() -> tuple[list[int], list[int]]:
        async with read_examples(closing_server.url)["connect"](get_access_token) as client:
            thread_id = (await client.threads.create())["thread_id"]
            async with client.threads.stream(thread_id, assistant_id="agent") as thread:
                await thread.run.start(input=INPUT)
                # The first value is the empty state.
                before = [len(value["messages"]) async for value in thread.values if value]
            async with client.threads.stream(thread_id, assistant_id="agent") as thread:
                return before, [len(value["messages"]) async for value in thread.values]

    before, after = asyncio.run(follow())
    assert before == COUNTS[: len(before)] != COUNTS
    # The state, and then the events from the beginning.
    assert after[1:] == COUNTS


def test_javascript_continues_with_new_token(
    closing_server: ClientServer, javascript: JavaScript, pages: PageServer
) -> None:
    write_files("clients/javascript.md", javascript.folder, closing_server.url)
    pages.issue_token = short_then_long(closing_server, 3)
    thread_id, counts = javascript.run(
        """
        import { client } from "./client.js";
        import { follow } from "./follow.js";
        const { thread_id } = await client.threads.create();
        console.log(JSON.stringify(thread_id));
        const counts = [];
        for await (const part of follow(thread_id, JSON.parse(process.env.INPUT)))
          if (part.event === "values") counts.push(part.data.messages.length);
        console.log(JSON.stringify(counts));
        """,
        INPUT=json.dumps(INPUT),
    )
    assert counts == COUNTS
    assert len(pages.issued) > 4
    assert statuses(closing_server, thread_id) == ["success"]


def test_javascript_thread_stream_continues_automatically(
    closing_server: ClientServer, javascript: JavaScript, pages: PageServer
) -> None:
    write_files("clients/javascript.md", javascript.folder, closing_server.url)
    # The thread, the command and the stream.
    pages.issue_token = short_then_long(closing_server, 3)
    thread_id, errors, counts = javascript.run(
        """
        import { client } from "./client.js";
        const { thread_id } = await client.threads.create();
        console.log(JSON.stringify(thread_id));
        const thread = client.threads.stream(thread_id, { assistantId: "agent" });
        const errors = [];
        thread.onError((error) => errors.push([error.code, error.message]));
        await thread.run.start({ input: JSON.parse(process.env.INPUT) });
        const counts = [];
        for await (const value of thread.values) counts.push(value.messages.length);
        console.log(JSON.stringify(errors));
        console.log(JSON.stringify(counts));
        await thread.close();
        """,
        INPUT=json.dumps(INPUT),
    )
    expired = ERROR_DETAILS[ErrorCode.TOKEN_EXPIRED].client_message
    assert (errors, counts) == ([["token_expired", expired]], COUNTS)
    assert statuses(closing_server, thread_id) == ["success"]


def test_curl_joins_with_new_token(closing_server: ClientServer) -> None:
    headers = {"Authorization": f"Bearer {closing_server.token()}"}
    thread_id = httpx.post(f"{closing_server.url}/threads", json={}, headers=headers).json()["thread_id"]
    token = closing_server.token(lifetime=SHORT_LIFE)
    printed = run(closing_server, "ask.sh", "stream.sh", token=token, THREAD_ID=thread_id, run_input=json.dumps(INPUT))
    assert printed.strip().endswith(TEXT.findall(section(CURL_PAGE, "Streams"))[0])
    location = re.search(r"^location: (\S+)$", printed, re.MULTILINE)
    assert location
    last = re.findall(r"^id: (\S+)$", printed, re.MULTILINE)[-1]
    joined = run(
        closing_server, "ask.sh", "join.sh", token=closing_server.token(), LOCATION=location[1], LAST_EVENT_ID=last
    )
    values = re.findall(r'^data: (\{"messages.*)$', printed + joined, re.MULTILINE)
    found = [len(json.loads(value)["messages"]) for value in values]
    assert found == COUNTS
    assert statuses(closing_server, thread_id) == ["success"]


# The application of the page, with the hook that joins again and a longer run.
LONG_CHAT = """
import { createRoot } from "react-dom/client";
import { client } from "./client.js";
import { useStream } from "./stream.js";
const input = INPUT;
function Chat() {
  const onError = (error) => (window.seen = error.name);
  const stream = useStream({ client, assistantId: "agent", reconnectOnMount: true, onError });
  return (
    <main>
      <button onClick={() => stream.submit(input)}>Ask</button>
      {stream.messages.map((message) => <p key={message.id}>{message.content}</p>)}
    </main>
  );
}
createRoot(document.getElementById("root")).render(<Chat />);
"""


def test_react_continues_with_new_token(
    closing_server: ClientServer, browser: Browser, node_packages: Path, pages: PageServer, tmp_path: Path
) -> None:
    # The thread and the run.
    pages.issue_token = short_then_long(closing_server, 2)
    main = LONG_CHAT.replace("INPUT", json.dumps(INPUT))
    address = build_application(tmp_path, node_packages, closing_server.url, pages, main)

    async def ask(page: Any) -> tuple[list[str], str]:
        await page.goto(address)
        await page.click("text=Ask")
        await page.wait_for_selector("p:has-text('step 5')")
        return await page.locator("p").all_inner_texts(), await page.evaluate("window.seen")

    steps = [f"step {number}" for number in range(2, 6)]
    assert browser.visit(ask) == ([*CONVERSATION, *steps], "token_expired")
