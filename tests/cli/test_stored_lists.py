"""The lists of shared threads, if ``assign-owners`` renames users or adopts a thread."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_auth.cli.stored_lists import plan_lists

READERS, EDITORS, APPROVERS = "shared_with", "shared_editors", "shared_approvers"
LISTS = (READERS, EDITORS, APPROVERS)
MOST = 100
NAMES = {"al": "auth0|alice", "al2": "auth0|alice", "bob": "auth0|bob", "bobby": "auth0|bob"}


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({READERS: ["cora", "bob", "dan"]}, {READERS: ["cora", "auth0|bob", "dan"]}),
        ({READERS: ["bobby", "cora", "bob"]}, {READERS: ["auth0|bob", "cora"]}),
        ({READERS: ["auth0|bob", "bob"]}, {READERS: ["auth0|bob"]}),
        ({READERS: ["cora"], EDITORS: ["bob"], APPROVERS: []}, {EDITORS: ["auth0|bob"]}),
        ({READERS: ["cora", "auth0|bob"]}, {}),
        ({READERS: []}, {}),
        ({}, {}),
        # The owner had two names.
        ({READERS: ["al2", "bob"]}, {READERS: ["auth0|bob"]}),
        ({APPROVERS: ["auth0|alice"], EDITORS: []}, {APPROVERS: []}),
        # An approver and an editor were one user.
        ({EDITORS: ["bob"], APPROVERS: ["bobby", "dan"]}, {EDITORS: ["auth0|bob"], APPROVERS: ["dan"]}),
        ({EDITORS: ["bob"], APPROVERS: ["auth0|bob"]}, {EDITORS: ["auth0|bob"], APPROVERS: []}),
        ({EDITORS: ["auth0|bob"], APPROVERS: ["bob"]}, {APPROVERS: []}),
        # The same name was on both lists, and stays on both.
        ({EDITORS: ["bob"], APPROVERS: ["bob"]}, {EDITORS: ["auth0|bob"], APPROVERS: ["auth0|bob"]}),
        # What gives no access stays as it is.
        ({READERS: "bob", EDITORS: {"bob": 1}, APPROVERS: ["bob", 7]}, {}),
    ],
)
def test_lists_follow_renamed_users(stored: dict[str, Any], expected: dict[str, Any]) -> None:
    assert plan_lists({"owner": "al", **stored}, NAMES, "auth0|alice") == expected


def test_unchanged_owner_stays_on_list_of_administrator() -> None:
    assert plan_lists({"owner": "alice", READERS: ["alice", "cora"]}, NAMES, "alice") == {}


def test_adopted_thread_loses_lists_of_clients() -> None:
    stored = {READERS: ["mallory"], EDITORS: ["mallory"], APPROVERS: []}
    assert plan_lists(stored, {}, "alice") == {READERS: [], EDITORS: []}


users = st.sampled_from([*NAMES, *NAMES.values(), "cora", "dan"])
stored_lists = st.dictionaries(st.sampled_from(LISTS), st.lists(users, max_size=6, unique=True))


@given(stored_lists, users)
def test_renaming_keeps_limits_and_is_repeatable(lists: dict[str, list[str]], owner: str) -> None:
    renamed_owner = NAMES.get(owner, owner)
    after = {**lists, **plan_lists({"owner": owner, **lists}, NAMES, renamed_owner)}
    for key, listed in after.items():
        assert len(listed) <= len(lists[key])
        assert len(set(listed)) == len(listed)
        positions = [min(lists[key].index(old) for old in lists[key] if NAMES.get(old, old) == name) for name in listed]
        assert positions == sorted(positions)
    assert plan_lists({"owner": renamed_owner, **after}, NAMES, renamed_owner) == {}
