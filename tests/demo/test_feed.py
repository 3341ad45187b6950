"""The feed of decisions: which events it shows, and what a page that follows it gets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oidc_auth.cli.demo_page.feed import LENGTH, DecisionFeed, describe_event
from oidc_auth.observability import (
    AuthenticationDecided,
    AuthorizationDecided,
    KeysFetched,
    RevocationReceived,
)

if TYPE_CHECKING:
    from oidc_auth.observability import Event

ALLOWED = AuthorizationDecided(
    outcome="allowed",
    event="threads:read",
    permission="threads:read",
    filter={"owner": "bob"},
    identity="bob",
    tenant="globex",
    thread_id="t1",
)
DENIED = AuthorizationDecided(outcome="denied", code="permission_missing", event="threads:create", identity="victor")


def numbers(feed: DecisionFeed, after: int, *, lists: int = 1, heartbeat: float = 5) -> list[list[int]]:
    """Return the numbers of the entries that a page gets."""

    async def follow() -> list[list[int]]:
        found: list[list[int]] = []
        async for entries in feed.follow(after, heartbeat):
            found.append([number for number, _ in entries])
            if len(found) == lists:
                break
        return found

    return asyncio.run(follow())


def test_decision_has_filter_and_ids() -> None:
    found = describe_event(ALLOWED)
    assert found is not None
    names = ("outcome", "event", "permission", "identity", "tenant", "filter", "ids")
    expected = ["allowed", "threads:read", "threads:read", "bob", "globex", {"owner": "bob"}, {"thread_id": "t1"}]
    assert [found[name] for name in names] == expected


def test_denial_has_code_and_hint() -> None:
    found = describe_event(DENIED)
    assert found is not None
    assert (found["outcome"], found["code"], bool(found["hint"])) == ("denied", "permission_missing", True)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (AuthenticationDecided(outcome="failed", code="token_revoked"), "authentication"),
        (AuthenticationDecided(outcome="succeeded"), None),
        (RevocationReceived(issuer="https://issuer.test", kind="session", delay=0), "revocation"),
        (RevocationReceived(issuer="https://issuer.test", kind="subject_without_session", delay=0), None),
        (KeysFetched(outcome="succeeded", issuer="https://issuer.test"), None),
    ],
)
def test_feed_shows_only_decisions_and_revocations(event: Event, kind: str | None) -> None:
    found: dict[str, Any] | None = describe_event(event)
    assert (found and found["kind"]) == kind


def test_new_page_gets_only_newer_entries() -> None:
    feed = DecisionFeed(clock=lambda: 1000.0)
    for _ in range(3):
        feed(ALLOWED)
    assert (numbers(feed, 1), feed.count) == ([[2, 3]], 3)


def test_page_of_earlier_server_gets_all_entries() -> None:
    feed = DecisionFeed()
    feed(ALLOWED)
    assert numbers(feed, 500) == [[1]]


def test_old_entries_are_forgotten() -> None:
    feed = DecisionFeed()
    for _ in range(LENGTH + 10):
        feed(ALLOWED)
    ((first, *_),) = numbers(feed, 0)
    assert first == 11


def test_entry_arrives_without_waiting_for_heartbeat() -> None:
    feed = DecisionFeed()

    async def follow() -> list[int]:
        follower = feed.follow(0, heartbeat=60)
        assert await anext(follower) == []
        # Another thread, as a server that runs graphs in threads.
        arriving = asyncio.create_task(anext(follower))
        await asyncio.to_thread(feed, DENIED)
        found = [number for number, _ in await asyncio.wait_for(arriving, 5)]
        await follower.aclose()
        return found

    assert asyncio.run(follow()) == [1]


def test_silent_feed_sends_heartbeats() -> None:
    assert numbers(DecisionFeed(), 0, lists=3, heartbeat=0.01) == [[], [], []]
