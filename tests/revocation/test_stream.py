from __future__ import annotations

from typing import Any

import pytest
from kit.clock import DAY, NOON

from oidc_auth.revocation.stream import START, StreamFacts, Tally, oldest_kept, read_facts, was_shortened

OLDEST = 1_000
FACTS = StreamFacts(time=NOON, first="2000-0", last="3000-0", deleted=START, added=2, has_position=True)


def shortened(before: dict[str, Any] | None, position: str = "3000-0", **now: Any) -> bool:
    earlier = None if before is None else FACTS._replace(**before)
    return was_shortened(earlier, FACTS._replace(**now), position, OLDEST)


@pytest.mark.parametrize(
    ("before", "position", "now"),
    [
        pytest.param(None, "3000-0", {"has_position": False}, id="emptied before the first complete read"),
        pytest.param({}, "3000-0", {"has_position": False, "added": 9, "last": "9000-0"}, id="other history"),
        pytest.param({}, "3000-0", {"first": "2500-0"}, id="trimmed"),
        pytest.param({}, "3000-0", {"first": ""}, id="trimmed to nothing"),
        pytest.param({}, "3000-0", {"deleted": "2500-0"}, id="entry deleted"),
    ],
)
def test_removed_entries_are_noticed(before: dict[str, Any] | None, position: str, now: dict[str, Any]) -> None:
    assert shortened(before, position, **now)


@pytest.mark.parametrize(
    ("before", "position", "now"),
    [
        pytest.param(None, START, {"has_position": False}, id="first read"),
        pytest.param({}, "3000-0", {}, id="unchanged"),
        pytest.param({"first": "", "last": START, "added": 0}, START, {"has_position": False}, id="first entry"),
        pytest.param({}, "3000-0", {"last": "4000-0", "added": 3}, id="longer"),
        pytest.param({"first": "900-0"}, "3000-0", {"first": "2000-0"}, id="expired entries trimmed"),
        pytest.param({"first": "900-0"}, "999-5", {"has_position": False}, id="last read entry expired"),
        pytest.param({"first": "", "deleted": ""}, START, {"has_position": False}, id="stream created"),
        pytest.param({"added": None, "deleted": ""}, "3000-0", {"added": None, "deleted": ""}, id="before Redis 7"),
    ],
)
def test_usual_changes_are_no_loss(before: dict[str, Any] | None, position: str, now: dict[str, Any]) -> None:
    assert not shortened(before, position, **now)


def test_entries_count_for_their_retention() -> None:
    assert oldest_kept(NOON, DAY) == int((NOON - DAY - 60) * 1_000)
    # A retention that is longer than the time since 1970.
    assert oldest_kept(NOON, 1e12) == 0


def tally(before: StreamFacts | None, now: StreamFacts, *read: str) -> int:
    counted = Tally(before, now)
    for name in read:
        counted.add(name)
    return counted.lost()


def test_unread_entries_are_counted() -> None:
    now = FACTS._replace(last="5000-1", added=5)
    assert tally(FACTS, now, "4000-0", "5000-0", "5000-1") == 0
    assert tally(FACTS, now, "5000-0", "5000-1") == 1
    # Neither entries of an earlier read nor later ones count.
    assert tally(FACTS, now, "2000-0", "3000-0", "5000-1", "5000-2", "6000-0") == 2


@pytest.mark.parametrize(
    ("before", "now"), [(None, FACTS), (FACTS._replace(added=None), FACTS), (FACTS, FACTS._replace(added=None))]
)
def test_nothing_counts_without_numbers(before: StreamFacts | None, now: StreamFacts) -> None:
    assert tally(before, now, "5000-0") == 0


def test_restored_backup_loses_no_count() -> None:
    assert tally(FACTS, FACTS._replace(added=1)) == 0


def test_missing_stream_has_no_entries() -> None:
    assert read_facts(NOON, {}, has_position=False) == StreamFacts(NOON, "", START, "", 0, has_position=False)
