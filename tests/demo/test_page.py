"""The page of the demo in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kit.node_packages import install_packages, missing_node
from kit.requirements import skip_or_fail

if TYPE_CHECKING:
    from demo.harness import DemoPage, Visit

PACKAGES = ("demo", Path(__file__).parent / "package.json")
WIDTHS = (360, 768, 1440)
OVERFLOWING = """[document.documentElement, ...document.querySelectorAll("body *")]
    .filter((each) => each.scrollWidth > each.clientWidth && !each.matches("input, pre, .hidden"))
    .filter((each) => getComputedStyle(each).overflowX !== "visible")
    .filter((each) => getComputedStyle(each).textOverflow !== "ellipsis")
    .map((each) => each.outerHTML.slice(0, 80))"""
"""The page and its parts that would scroll horizontally."""


def test_two_users_see_only_own_threads(visit: Visit) -> None:
    async def chat(demo: DemoPage) -> tuple[str, str, str]:
        alice, bob = await demo.log_in(1, "alice"), await demo.log_in(2, "bob")
        await demo.send(1, "plans of alice")
        await demo.wait_for_answer(1)
        answer = await alice.locator(".message").last.inner_text()
        return answer, await alice.locator(".threads").inner_text(), await bob.locator(".threads").inner_text()

    answer, own, other = visit(chat)
    assert "Hello alice of acme" in answer
    assert "plans of alice" in answer
    assert "plans of alice" in own
    assert "plans of alice" not in other


def test_foreign_thread_is_refused_with_reason(visit: Visit) -> None:
    async def attempt(demo: DemoPage) -> tuple[str, str]:
        await demo.log_in(1, "alice")
        await demo.log_in(2, "bob")
        await demo.send(1, "secret")
        await demo.wait_for_words(1)
        result = await demo.open_by_id(2, await demo.thread_id(1))
        entry = demo.feed.filter(has_text="404 Not Found")
        await entry.wait_for()
        return await result.inner_text(), await entry.inner_text()

    result, entry = visit(attempt)
    assert "404 Not Found" in result
    assert "owner = bob and tenant = globex" in result
    assert "bob threads:read" in entry
    assert "owner = bob and tenant = globex" in entry


def test_viewer_sees_missing_permission(visit: Visit) -> None:
    async def attempt(demo: DemoPage) -> tuple[str, str]:
        victor = await demo.log_in(1, "victor")
        await demo.send(1, "hello")
        await victor.locator(".result").get_by_text("Why:").wait_for()
        entry = demo.feed.filter(has_text="permission_missing").first
        return await victor.locator(".result").inner_text(), await entry.inner_text()

    result, entry = visit(attempt)
    assert "403 Forbidden" in result
    assert "threads:create" in result
    assert "victor threads:create" in entry
    assert "refused" in entry


def test_administrator_opens_thread_of_tenant(visit: Visit) -> None:
    async def attempt(demo: DemoPage) -> tuple[str, str]:
        await demo.log_in(1, "alice")
        ada = await demo.log_in(2, "ada")
        await demo.send(1, "for my tenant")
        await demo.wait_for_words(1)
        result = await demo.open_by_id(2, await demo.thread_id(1))
        return await result.inner_text(), await ada.locator(".threads [aria-current]").inner_text()

    result, thread = visit(attempt)
    assert "200 OK" in result
    assert "tenant = acme" in result
    assert "for my tenant" in thread
    assert "of alice" in thread


def test_message_with_html_is_text(visit: Visit) -> None:
    message = "<img src=x onerror=\"document.title='changed'\"><b>bold</b>"

    async def send(demo: DemoPage) -> tuple[str, int, str]:
        alice = await demo.log_in(1, "alice")
        await demo.send(1, message)
        await demo.wait_for_answer(1)
        shown = await alice.locator(".message.own p").inner_text()
        return shown, await demo.page.locator("img, b").count(), await demo.page.title()

    assert visit(send) == (message, 0, "oidc-auth demo")


def test_policy_allows_no_other_script(visit: Visit) -> None:
    async def inject(demo: DemoPage) -> list[str]:
        # As a message that became HTML would do it.
        script = """async () => {
            const blocked = [];
            document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.effectiveDirective));
            const made = document.createElement("script");
            try { made.text = "document.title = 'changed'"; document.body.append(made); }
            catch { blocked.push("type"); }
            try { document.body.innerHTML = "<b>bold</b>"; }
            catch { blocked.push("html"); }
            await fetch("https://example.test/").catch(() => {});
            await new Promise((resolve) => setTimeout(resolve, 50));
            return [...blocked, document.title];
        }"""
        found: list[str] = await demo.page.evaluate(script)
        return found

    found = visit(inject)
    assert {"type", "html", "connect-src"} <= set(found)
    assert found[-1] == "oidc-auth demo"


def test_matrix_and_claims_match_token(visit: Visit) -> None:
    async def read(demo: DemoPage) -> tuple[str, str, str, str]:
        victor = await demo.log_in(1, "victor")
        await victor.get_by_role("tab", name="Permissions").click()
        rows = victor.get_by_role("row")
        reads = await rows.filter(has_text="threads:read").inner_text()
        creates = await rows.filter(has=demo.page.get_by_text("threads:create", exact=True)).inner_text()
        await victor.get_by_role("tab", name="Token").click()
        roles = await rows.filter(has=demo.page.get_by_text("roles", exact=True)).inner_text()
        return reads, creates, roles, await rows.filter(has=demo.page.get_by_text("sub", exact=True)).inner_text()

    reads, creates, roles, subject = visit(read)
    assert re.findall("yes|no", reads) == ["yes", "no", "no"]
    assert re.findall("yes|no", creates) == ["no", "no", "no"]
    assert {"viewer", "threads:read", "store:read"} <= set(roles.split())
    assert "victor" in subject


def test_revocation_closes_stream(visit: Visit) -> None:
    async def revoke(demo: DemoPage) -> tuple[str, str, str]:
        alice = await demo.log_in(1, "alice")
        await demo.send(1, "stop me")
        await demo.wait_for_words(1)
        await alice.get_by_role("button", name="Revoke session").click()
        await alice.locator(".ending").wait_for()
        await alice.get_by_text("The session is revoked.").wait_for()
        entry = demo.feed.filter(has_text="revocation")
        await entry.wait_for()
        answer = await alice.locator(".message").last.inner_text()
        await demo.send(1, "once more")
        await alice.locator(".result-head").wait_for()
        return answer, await alice.locator(".result").inner_text(), await entry.inner_text()

    answer, refused, entry = visit(revoke)
    assert "token_revoked" in answer
    assert "stops" not in answer
    assert "401 Unauthorized" in refused
    assert "session" in entry


def test_paused_feed_keeps_entries_for_later(visit: Visit) -> None:
    async def pause(demo: DemoPage) -> tuple[int, str, int, int]:
        button = demo.page.get_by_role("button", name="Pause")
        await demo.log_in(1, "alice")
        await button.click()
        await demo.send(1, "hello")
        state = demo.page.locator("#feed-state", has_text="new")
        await state.wait_for()
        hidden = await demo.feed.count()
        text = await state.inner_text()
        await button.click()
        shown = await demo.feed.count()
        await demo.page.get_by_role("button", name="Clear").click()
        return hidden, text, shown, await demo.feed.count()

    hidden, text, shown, cleared = visit(pause)
    assert "Paused" in text
    assert shown > hidden
    assert cleared == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_layout_fits_width(visit: Visit, width: int) -> None:
    async def measure(demo: DemoPage) -> list[str]:
        await demo.page.set_viewport_size({"width": width, "height": 800})
        found: list[str] = await demo.page.evaluate(OVERFLOWING)
        ada, bob = await demo.log_in(1, "ada"), await demo.log_in(2, "bob")
        await demo.send(1, "a" * 400)
        await demo.wait_for_words(1)
        await bob.get_by_role("button", name=re.compile("^Try to open")).click()
        await bob.locator(".result").get_by_text("Why:").wait_for()
        for name in ("Chat", "Permissions", "Token"):
            await ada.get_by_role("tab", name=name).click()
            found += await demo.page.evaluate(OVERFLOWING)
        return found

    assert visit(measure) == []


def test_last_decision_is_visible_on_narrow_screens(visit: Visit) -> None:
    async def look(demo: DemoPage) -> tuple[str, bool]:
        await demo.page.set_viewport_size({"width": 360, "height": 740})
        await demo.log_in(1, "victor")
        await demo.send(1, "hello")
        link = demo.page.get_by_role("link", name="refused victor threads:create")
        await link.click()
        focused = await demo.page.evaluate("document.activeElement.id")
        return focused, await demo.page.locator("#decisions").is_visible()

    assert visit(look) == ("decisions", True)


def test_page_works_by_keyboard(visit: Visit) -> None:
    async def type_only(demo: DemoPage) -> tuple[str, str]:
        async def press_until(name: str) -> None:
            """Press Tab until an element with this name has the focus."""
            for _ in range(40):
                await demo.page.keyboard.press("Tab")
                if name in await demo.page.evaluate(FOCUSED_NAME):
                    return
            raise AssertionError(f"Tab does not reach {name}")

        await press_until("Log in")
        await demo.page.keyboard.press("Enter")
        await demo.page.get_by_role("heading", name="Choose a user").wait_for()
        await press_until("alice")
        await demo.page.keyboard.press("Enter")
        alice = demo.panel(1)
        await alice.locator(".threads li").first.wait_for()
        await press_until("Write a message")
        await demo.page.keyboard.type("typed")
        await demo.page.keyboard.press("Enter")
        await demo.wait_for_answer(1)
        answer = await alice.locator(".message").last.inner_text()
        await alice.get_by_role("tab", name="Chat").focus()
        await demo.page.keyboard.press("ArrowRight")
        return answer, await alice.get_by_role("tab", selected=True).inner_text()

    answer, tab = visit(type_only)
    assert "typed" in answer
    assert tab == "Permissions"


FOCUSED_NAME = """() => {
    const { textContent = "", placeholder = "" } = document.activeElement;
    return document.activeElement === document.body ? "" : textContent + placeholder;
}"""


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the script of axe-core, which checks the rules of WCAG that a program can check."""
    skip_or_fail("node", missing_node(*PACKAGES))
    return (install_packages(*PACKAGES) / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_rules_hold(visit: Visit, axe: str, scheme: str) -> None:
    async def check(demo: DemoPage) -> list[str]:
        await demo.page.emulate_media(color_scheme=scheme)

        async def violations() -> list[str]:
            await demo.page.evaluate(axe)
            found: list[str] = await demo.page.evaluate(
                "axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) =>"
                " nodes.map(({ html }) => `${id}: ${html}`)))"
            )
            return found

        found = await violations()
        await demo.log_in(1, "alice")
        victor = await demo.log_in(2, "victor")
        await demo.send(2, "hello")
        await victor.locator(".result-head").wait_for()
        found += await violations()
        for name in ("Permissions", "Token"):
            await victor.get_by_role("tab", name=name).click()
            found += await violations()
        await demo.panel(1).get_by_role("button", name="Revoke session").click()
        await demo.panel(1).get_by_text("The session is revoked.").wait_for()
        return found + await violations()

    assert visit(check) == []


def test_color_scheme_follows_system(visit: Visit) -> None:
    async def read(demo: DemoPage) -> list[str]:
        found: list[str] = []
        for scheme in ("light", "dark"):
            await demo.page.emulate_media(color_scheme=scheme)
            found.append(await demo.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        return found

    light, dark = visit(read)
    assert light != dark
