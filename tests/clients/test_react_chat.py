"""``examples/react-chat`` in a real browser, with the local provider and a real server."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from clients.chat_application import (
    CLIENT,
    EXAMPLE,
    PACKAGES,
    ChatPage,
    ChatServer,
    build,
    copy_example,
    example_tables,
    run_script,
)
from kit.node_packages import install_packages, missing_node
from kit.page_server import running_page_server
from kit.requirements import skip_or_fail

from oidc_auth.cli.dev_server import running_dev_server
from oidc_auth.cli.provider import DEFAULT_PORT
from oidc_auth.local_provider import Client, LocalProvider
from oidc_auth.testing.issuer import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from kit.browser import Browser

# The first test installs packages and starts servers.
pytestmark = pytest.mark.timeout(180)

LONG_LIFE = 300.0
# Shorter than the stream of LONG_QUESTION.
SHORT_LIFE = 2.0
LONG_QUESTION = "count to 60"
LONG_ANSWER = ", ".join(map(str, range(1, 61)))
WIDTHS = (360, 768, 1440)
REFUSAL = "missing permission threads:create (threads:write includes it)"

RECORD_LENGTHS = """() => {
  window.lengths = [];
  const answer = () => document.querySelector("[data-from=ai] p")?.textContent ?? "";
  const changes = { subtree: true, childList: true, characterData: true };
  new MutationObserver(() => window.lengths.push(answer().length)).observe(
    document.querySelector("[role=log]"), changes);
}"""
DROP_REFRESH_TOKEN = """() => {
  const key = Object.keys(sessionStorage).find((key) => key.startsWith("oidc.user:"));
  const user = JSON.parse(sessionStorage[key]);
  sessionStorage[key] = JSON.stringify({ ...user, refresh_token: undefined, expires_at: 1 });
}"""
ADD_FRAME = """() => new Promise((resolve) => {
  const frame = Object.assign(document.createElement("iframe"), { src: "/", onload: resolve });
  document.body.append(frame);
}).then(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))))"""
IS_AT_END = """(message) => {
  const log = message.closest("[role=log]");
  return message.getBoundingClientRect().bottom <= log.getBoundingClientRect().bottom;
}"""
INJECT_SCRIPT = """() => {
  const script = document.createElement("script");
  try { script.textContent = "window.injected = true"; } catch { return; }
  document.body.append(script);
}"""


@dataclass
class Stack:
    """Everything that the application needs.

    Attributes:
        provider: The local provider.
        exit: Serves the provider until it is closed.
        server: The LangGraph server.
        address: The built application.
        browser: A browser.
    """

    provider: LocalProvider
    exit: ExitStack
    server: ChatServer
    address: str
    browser: Browser

    def visit(self, function: Callable[[ChatPage], Awaitable[Any]]) -> Any:
        """Open the application in a new browser."""
        return self.browser.visit(lambda page: function(ChatPage(page, self.address)))

    def set_lifetime(self, seconds: float) -> None:
        """Set the lifetime of the next tokens."""
        self.provider._signer.lifetime = seconds


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    skip_or_fail("node", missing_node(*PACKAGES))
    return copy_example(tmp_path_factory.mktemp("example"), install_packages(*PACKAGES) / "node_modules")


@pytest.fixture(scope="module")
def running_stack(tmp_path_factory: pytest.TempPathFactory, example: Path, browser: Browser) -> Iterator[Stack]:
    provider = LocalProvider(lifetime=LONG_LIFE)
    pages = tmp_path_factory.mktemp("pages")
    with running_page_server(pages, str) as page_server, ExitStack() as served:
        issuer = served.enter_context(provider.served())
        server = ChatServer(tmp_path_factory.mktemp("server"), example_tables(issuer), page_server.origin)
        build(example, pages, VITE_OIDC_AUTHORITY=issuer, VITE_API_URL=server.url)
        server.start()
        yield Stack(provider, served, server, page_server.origin, browser)
        server.stop()


@pytest.fixture
def stack(running_stack: Stack) -> Iterator[Stack]:
    yield running_stack
    running_stack.set_lifetime(LONG_LIFE)
    running_stack.provider.put_client(Client(CLIENT))


def test_example_names_default_port_of_provider() -> None:
    address = f"http://{LOOPBACK}:{DEFAULT_PORT}"
    assert f"VITE_OIDC_AUTHORITY={address}\n" in (EXAMPLE / ".env.example").read_text("utf-8")
    assert f"OIDC_ISSUER={address} langgraph dev" in (EXAMPLE / "README.md").read_text("utf-8")


def test_types_are_valid(example: Path) -> None:
    run_script(example, "typecheck")


def test_unit_tests_pass(example: Path) -> None:
    run_script(example, "test")


def test_server_starts_with_langgraph_dev(tmp_path: Path) -> None:
    provider = LocalProvider()
    (tmp_path / "run").mkdir()
    with (
        provider.served() as issuer,
        running_dev_server(EXAMPLE / "server", tmp_path / "run", {"OIDC_ISSUER": issuer}) as server,
    ):
        sent = {"origin": "http://127.0.0.1:5173"}
        with_token = {**sent, "authorization": f"Bearer {provider.token('alice')}"}
        answers = [httpx.post(f"{server.url}/threads", json={}, headers=headers) for headers in (sent, with_token)]
    assert [answer.status_code for answer in answers] == [401, 200]
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {sent["origin"]}


def test_user_logs_in_and_chats(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> tuple[list[str], str]:
        await chat.log_in("alice")
        await chat.send("hello")
        await chat.wait_for_answer()
        # The answer, the list and the address survive a reload.
        await chat.page.reload()
        await chat.page.wait_for_selector("[data-from=ai]")
        return await chat.messages(), await chat.page.locator("aside [aria-current=page]").inner_text()

    (question, answer), title = stack.visit(chat)
    assert (question, title) == ("hello", "hello")
    assert answer.startswith('Hello alice! You said: "hello".')


def test_token_is_renewed_during_stream(stack: Stack) -> None:
    stack.set_lifetime(SHORT_LIFE)

    async def chat(chat: ChatPage) -> tuple[str, list[int]]:
        await chat.log_in("alice")
        await chat.page.evaluate(RECORD_LENGTHS)
        await chat.send(LONG_QUESTION)
        answer = await chat.wait_for_answer()
        streams = [request for request in chat.requests if request.url.endswith("/stream") or "/stream?" in request.url]
        sent = [await request.header_value("authorization") for request in streams if request.method != "OPTIONS"]
        assert len(sent) == len(set(sent)) > 1
        assert [await chat.page.get_by_role("alert").count(), chat.console] == [0, []]
        return answer, await chat.page.evaluate("window.lengths")

    answer, lengths = stack.visit(chat)
    assert answer == LONG_ANSWER
    # What the user has read does not disappear while the stream continues.
    assert lengths == sorted(lengths)


def test_token_is_renewed_without_refresh_token(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> str:
        await chat.log_in("alice")
        await chat.page.evaluate(DROP_REFRESH_TOKEN)
        await chat.send("hello")
        answer = await chat.wait_for_answer()
        assert any("prompt=none" in request.url for request in chat.requests)
        return answer

    assert stack.visit(chat).startswith("Hello alice!")


def test_refused_action_is_shown(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> tuple[str, str]:
        await chat.log_in("victor")
        await chat.send("hello")
        return await chat.alert(), await chat.page.input_value("textarea")

    alert, kept = stack.visit(chat)
    assert alert.splitlines()[0] == "You may not do this"
    assert REFUSAL in alert
    assert kept == "hello"


def test_conversation_of_other_user_is_missing(stack: Stack) -> None:
    headers = {"authorization": f"Bearer {stack.provider.token('bob')}"}
    thread_id = httpx.post(f"{stack.server.url}/threads", json={}, headers=headers).json()["thread_id"]

    async def chat(chat: ChatPage) -> str:
        await chat.log_in("alice", f"/?thread={thread_id}")
        alert = await chat.alert()
        await chat.page.get_by_role("alert").get_by_role("button").click()
        await chat.send("hello")
        await chat.wait_for_answer()
        return alert

    assert stack.visit(chat).startswith("This conversation does not exist")


def test_run_can_be_stopped(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> tuple[list[str], str]:
        await chat.log_in("alice")
        await chat.send(LONG_QUESTION)
        await chat.page.wait_for_selector("[data-from=ai]")
        await chat.press("Stop")
        await chat.page.get_by_role("button", name="Send", exact=True).wait_for()
        messages = await chat.messages()
        # A run that the user stopped is not an error.
        await chat.page.reload()
        await chat.page.wait_for_selector(".message")
        assert await chat.page.get_by_role("alert").count() == 0
        return messages, urlsplit(chat.page.url).query.removeprefix("thread=")

    messages, thread_id = stack.visit(chat)
    assert messages[0] == LONG_QUESTION
    assert LONG_ANSWER.startswith(messages[1])
    assert messages[1] != LONG_ANSWER
    headers = {"authorization": f"Bearer {stack.provider.token('alice')}"}
    runs = httpx.get(f"{stack.server.url}/threads/{thread_id}/runs", headers=headers).json()
    assert [run["status"] for run in runs] == ["interrupted"]


def test_run_continues_after_reload(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> str:
        await chat.log_in("alice")
        await chat.send(LONG_QUESTION)
        await chat.page.wait_for_selector("[data-from=ai]")
        await chat.page.reload()
        await chat.page.get_by_role("button", name="Stop", exact=True).wait_for()
        return await chat.wait_for_answer()

    assert stack.visit(chat) == LONG_ANSWER


def test_stream_continues_after_lost_connection(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> str:
        await chat.log_in("alice")
        await chat.send(LONG_QUESTION)
        await chat.page.wait_for_selector("[data-from=ai]")
        await chat.page.context.set_offline(offline=True)
        await chat.page.get_by_text("The connection is lost.").wait_for()
        await chat.page.context.set_offline(offline=False)
        return await chat.wait_for_answer()

    assert stack.visit(chat) == LONG_ANSWER


def test_stopped_server_is_shown(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> tuple[list[str], str]:
        await chat.log_in("alice")
        stack.server.stop()
        await chat.send("hello")
        alerts = [await chat.alert()]
        await chat.page.reload()
        alerts.append(await chat.alert())
        stack.server.start()
        await chat.press("Try again")
        await chat.page.wait_for_selector("textarea")
        # The text that was not sent is still there.
        await chat.press("Send")
        return alerts, await chat.wait_for_answer()

    alerts, answer = stack.visit(chat)
    assert [alert.splitlines()[0] for alert in alerts] == ["The server does not answer"] * 2
    assert answer.startswith("Hello alice!")


def test_stopped_provider_is_shown(stack: Stack) -> None:
    stack.set_lifetime(SHORT_LIFE)
    port = urlsplit(stack.provider.url).port or 0

    async def chat(chat: ChatPage) -> tuple[str, str]:
        await chat.log_in("alice")
        stack.exit.close()
        await chat.send("hello")
        alert = await chat.alert()
        stack.exit.enter_context(stack.provider.served(port))
        await chat.press("Try again")
        return alert, await chat.wait_for_answer()

    alert, answer = stack.visit(chat)
    assert alert.startswith("The login service does not answer")
    assert answer.startswith("Hello alice!")


def test_ended_session_needs_login(stack: Stack) -> None:
    stack.set_lifetime(SHORT_LIFE)

    async def chat(chat: ChatPage) -> tuple[str, str]:
        await chat.log_in("alice")
        stack.provider.end_sessions("alice")
        await chat.send("my long text")
        alert = await chat.alert()
        await chat.press("Log in")
        await chat.choose("alice")
        return alert, await chat.page.input_value("textarea")

    alert, kept = stack.visit(chat)
    assert alert.startswith("Your session has expired")
    assert kept == "my long text"


def test_revoked_token_ends_stream(stack: Stack) -> None:
    receiver = f"{stack.server.url}/auth/backchannel-logout"
    stack.provider.put_client(Client(CLIENT, backchannel_logout_uri=receiver))

    async def chat(chat: ChatPage) -> tuple[str, int]:
        await chat.log_in("alice")
        await chat.send(LONG_QUESTION)
        await chat.page.wait_for_selector("[data-from=ai]")
        # The hook joins a run by itself once. That request would be refused too.
        await chat.page.reload()
        await chat.page.wait_for_selector("[data-from=ai]")
        stack.provider.end_sessions("alice")
        return await chat.alert(), await chat.page.locator(".message").count()

    alert, shown = stack.visit(chat)
    assert alert.startswith("Your access has ended")
    assert shown == 0


def test_logout_ends_session_at_provider(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> tuple[list[str], list[str]]:
        await chat.log_in("ada")
        users = [session.user.name for session in stack.provider.sessions()]
        await chat.log_out("ada")
        stored: list[str] = await chat.page.evaluate("[...Object.keys(sessionStorage), ...Object.keys(localStorage)]")
        await chat.press("Log in")
        # The provider asks again.
        await chat.page.wait_for_selector("button[value=ada]")
        return users, stored

    users, stored = stack.visit(chat)
    assert "ada" in users
    assert "ada" not in [session.user.name for session in stack.provider.sessions()]
    assert stored == []


def test_canceled_login_is_explained(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> tuple[str, str]:
        await chat.open_login()
        await chat.press("Cancel")
        return await chat.alert(), chat.page.url

    alert, address = stack.visit(chat)
    assert alert.startswith("The login was canceled")
    assert address == f"{stack.address}/"


def test_tokens_are_only_in_headers(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> list[Any]:
        await chat.log_in("alice")
        await chat.send("hello")
        await chat.wait_for_answer()
        stored = await chat.page.evaluate("Object.entries(sessionStorage).find(([key]) => key.startsWith('oidc.user'))")
        user = json.loads(stored[1])
        places = [*(request.url for request in chat.requests), *chat.console, await chat.page.content()]
        places.append(await chat.page.evaluate("JSON.stringify(localStorage)"))
        for name in ("access_token", "refresh_token", "id_token"):
            assert [place for place in places if user[name] in place] == []
        return [request.url for request in chat.requests]

    assert len(stack.visit(chat)) > 5


def test_page_cannot_send_to_other_origins(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> tuple[str, bool]:
        await chat.page.goto(chat.address)
        # Another address of the same computer, which answers.
        other = stack.server.url.replace("127.0.0.1", "localhost")
        refused = await chat.page.evaluate(f"fetch('{other}/ok', {{ mode: 'no-cors' }}).then(() => '', String)")
        await chat.page.evaluate(INJECT_SCRIPT)
        return refused, await chat.page.evaluate("window.injected ?? false")

    assert stack.visit(chat) == ("TypeError: Failed to fetch", False)


def test_application_is_empty_in_frame(stack: Stack) -> None:
    """Only the renewal uses a frame. Another page must not show the application in one."""

    async def chat(chat: ChatPage) -> str:
        await chat.page.goto(chat.address)
        await chat.page.evaluate(ADD_FRAME)
        text: str = await chat.page.frames[1].locator("#root").inner_html()
        return text

    assert stack.visit(chat) == ""


def test_pages_fit_every_width(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> list[tuple[str, int]]:
        too_wide: list[tuple[str, int]] = []

        async def check(place: str) -> None:
            for width in WIDTHS:
                await chat.page.set_viewport_size({"width": width, "height": 480})
                if await chat.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                    too_wide.append((place, width))

        await chat.page.goto(chat.address)
        await check("login")
        await chat.log_in("ada")
        await chat.send("a_very_long_word_" * 4)
        await chat.wait_for_answer()
        await check("chat")
        await chat.press("Account: ada")
        await chat.page.click("summary")
        await check("account")
        await chat.page.keyboard.press("Escape")
        await chat.page.set_viewport_size({"width": WIDTHS[0], "height": 480})
        await chat.page.get_by_role("button", name="Conversations").click()
        await check("conversations")
        await chat.page.keyboard.press("Escape")
        await chat.page.context.set_offline(offline=True)
        await chat.send("hello")
        await chat.alert()
        # The end of the conversation is still visible above the notice.
        assert await chat.page.locator(".message p").last.evaluate(IS_AT_END)
        await check("alert")
        return too_wide

    assert stack.visit(chat) == []
