"""The login on the page: answers that it must not accept, and sessions that do not affect each other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from demo.harness import DemoPage, Visit

STATE = "JSON.parse(sessionStorage.getItem('demo.login')).state"


async def begin_login(demo: DemoPage, number: int) -> str:
    """Start a login, come back without choosing a user, and return the state of the login."""
    await demo.panel(number).get_by_role("button", name="Log in").click()
    await demo.page.get_by_role("button", name="Cancel").wait_for()
    await demo.open()
    state = await demo.page.evaluate(STATE)
    assert isinstance(state, str)
    return state


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        # The code of another user, which an attacker lets this browser open (RFC 6749 §10.12).
        ("code=stolen&state=other", "started"),
        ("code=stolen&state=", "started"),
        # The code of another provider (RFC 9207).
        ("code=stolen&state={state}&iss=https://evil.test", "issuer"),
        # A code that this provider did not issue.
        ("code=stolen&state={state}", "code"),
    ],
)
def test_foreign_answer_is_refused(visit: Visit, answer: str, reason: str) -> None:
    async def forge(demo: DemoPage) -> tuple[str, str, Any]:
        state = await begin_login(demo, 1)
        await demo.page.goto(f"{demo.url}?{answer.format(state=state)}")
        alert = demo.page.get_by_role("alert")
        await alert.wait_for()
        stored = await demo.page.evaluate("JSON.parse(sessionStorage.getItem('demo.panel.1'))?.session")
        return await alert.inner_text(), demo.page.url, stored

    shown, url, session = visit(forge)
    assert reason in shown
    # The code must not stay in the history.
    assert "stolen" not in url
    assert session is None


def test_id_token_of_other_login_is_refused(visit: Visit) -> None:
    async def replay(demo: DemoPage) -> str:
        async def change_nonce(route: Any) -> None:
            await route.continue_(url=re.sub("nonce=[^&]+", "nonce=other", route.request.url))

        await demo.page.route(re.compile("/authorize"), change_nonce)
        await demo.panel(1).get_by_role("button", name="Log in").click()
        await demo.page.get_by_role("button", name=re.compile("^alice ")).click()
        alert = demo.page.get_by_role("alert")
        await alert.wait_for()
        text: str = await alert.inner_text()
        return text

    assert "ID token" in visit(replay)


def test_cancelled_login_is_shown(visit: Visit) -> None:
    async def cancel(demo: DemoPage) -> str:
        await demo.panel(2).get_by_role("button", name="Log in").click()
        await demo.page.get_by_role("button", name="Cancel").click()
        text: str = await demo.panel(2).get_by_role("alert").inner_text()
        return text

    assert visit(cancel)


def test_login_is_kept_after_reload(visit: Visit) -> None:
    async def reload(demo: DemoPage) -> tuple[str, str]:
        await demo.log_in(1, "alice")
        await demo.log_in(2, "bob")
        await demo.page.reload()
        names = [demo.panel(number).get_by_role("heading", level=2) for number in (1, 2)]
        await names[1].get_by_text("editor of globex").wait_for()
        return await names[0].inner_text(), await names[1].inner_text()

    alice, bob = visit(reload)
    assert (alice.split()[0], bob.split()[0]) == ("alice", "bob")


def test_switched_user_leaves_no_token(visit: Visit) -> None:
    async def leave(demo: DemoPage) -> Any:
        alice = await demo.log_in(1, "alice")
        await alice.get_by_role("button", name="Switch user").click()
        await alice.get_by_role("button", name="Log in").wait_for()
        return await demo.page.evaluate("Object.values(sessionStorage).filter((text) => text.includes('access'))")

    assert visit(leave) == []


def test_revocation_of_one_session_keeps_other(visit: Visit) -> None:
    async def revoke(demo: DemoPage) -> str:
        first, second = await demo.log_in(1, "alice"), await demo.log_in(2, "alice")
        await first.get_by_role("button", name="Revoke session").click()
        await first.get_by_text("The session is revoked.").wait_for()
        await demo.send(2, "still here")
        await demo.wait_for_answer(2)
        text: str = await second.locator(".message").last.inner_text()
        return text

    assert visit(revoke).endswith("stops.")
