"""``examples/react-chat`` with a real Keycloak: login, renewal during a stream, a refused action and logout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from clients.chat_application import PACKAGES, ChatPage, ChatServer, build, copy_example
from kit.node_packages import install_packages, missing_node
from kit.page_server import running_page_server
from kit.requirements import skip_or_fail
from real_providers.keycloak.conftest import CLIENT_ROLES, ROLES
from real_providers.keycloak.realm import AUDIENCE, AUDIENCE_MAPPER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from kit.browser import Browser
    from real_providers.keycloak.realm import Realm

CLIENT = "react-chat"
QUESTION = "count to 60"
ANSWER = ", ".join(map(str, range(1, 61)))


@dataclass(frozen=True)
class Stack:
    """The built application."""

    address: str
    browser: Browser

    def visit(self, function: Callable[[ChatPage], Awaitable[Any]]) -> Any:
        """Open the application in a new browser."""
        return self.browser.visit(lambda page: function(ChatPage(page, self.address)))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, realm: Realm, browser: Browser) -> Iterator[Stack]:
    skip_or_fail("node", missing_node(*PACKAGES))
    pages = tmp_path_factory.mktemp("pages")
    example = copy_example(tmp_path_factory.mktemp("example"), install_packages(*PACKAGES) / "node_modules")
    issuer = {"preset": "keycloak", "url": realm.issuer, "audience": AUDIENCE, "display_name": "name"}
    tables = {
        "issuer": {**issuer, "permission_map": [ROLES, CLIENT_ROLES]},
        "web": {"public_url": "http://127.0.0.1:2024", "stream_expiry": "close"},
    }
    with running_page_server(pages, str) as page_server:
        path = realm.add_client(CLIENT, AUDIENCE_MAPPER, **public_client(page_server.origin))
        server = ChatServer(tmp_path_factory.mktemp("server"), tables, page_server.origin)
        settings = {"VITE_OIDC_CLIENT_ID": CLIENT, "VITE_OIDC_SCOPE": "openid profile"}
        build(example, pages, VITE_OIDC_AUTHORITY=realm.issuer, VITE_API_URL=server.url, **settings)
        server.start()
        yield Stack(page_server.origin, browser)
        server.stop()
        realm.admin("DELETE", path)


def public_client(origin: str) -> dict[str, Any]:
    """Return the settings of the README, and a short lifetime of tokens."""
    return {
        "publicClient": True,
        "serviceAccountsEnabled": False,
        "secret": None,
        "redirectUris": [f"{origin}/"],
        "webOrigins": [origin],
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "post.logout.redirect.uris": f"{origin}/",
            # Shorter than the stream.
            "access.token.lifespan": "2",
        },
    }


async def log_in(chat: ChatPage, name: str) -> None:
    await chat.open_login()
    await chat.page.fill("#username", name)
    await chat.page.click("[type=submit]")
    await chat.page.fill("#password", name)
    await chat.page.click("[type=submit]")
    await chat.page.wait_for_selector("textarea")


def test_token_is_renewed_during_stream(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> tuple[str, int]:
        await log_in(chat, "alice")
        await chat.send(QUESTION)
        answer = await chat.wait_for_answer()
        streams = [request for request in chat.requests if "/stream" in request.url]
        sent = {await request.header_value("authorization") for request in streams}
        await chat.log_out("Alice Acme")
        # Keycloak asks again.
        await chat.press("Log in")
        await chat.page.wait_for_selector("#username")
        return answer, len(sent)

    answer, tokens = stack.visit(chat)
    assert answer == ANSWER
    assert tokens > 1


def test_refused_action_is_shown(stack: Stack) -> None:
    async def chat(chat: ChatPage) -> str:
        await log_in(chat, "victor")
        await chat.send("hello")
        return await chat.alert()

    assert "missing permission threads:create" in stack.visit(chat)
