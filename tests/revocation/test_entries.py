from __future__ import annotations

import json
from typing import Any

import pytest
from kit.clock import NOON
from kit.revocations import ISSUER, revoked

from oidc_auth.revocation.entries import (
    MAX_CLOCK_DIFFERENCE,
    MAX_ENTRY,
    MAX_NAME,
    Kind,
    MalformedEntryError,
    Revocation,
)

WELL_FORMED = {"iss": ISSUER, "kind": "subject", "value": "alice", "time": NOON}


def decode(**changes: Any) -> Revocation:
    return Revocation.decode(json.dumps({**WELL_FORMED, **changes}))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("value", ["alice", "x" * MAX_NAME, "\U0001f600" * MAX_NAME, 'a"\\\n\x00', "é"])
def test_entry_survives_encoding(kind: Kind, value: str) -> None:
    revocation = revoked(value, kind, NOON - 0.123456)
    assert Revocation.decode(revocation.encode()) == revocation


def test_longest_entry_is_accepted() -> None:
    widest = Revocation(
        issuer="\x01" * MAX_NAME, kind=Kind.SUBJECT_WITHOUT_SESSION, value="\U0001f600" * MAX_NAME, time=1
    )
    assert len(widest.encode()) < MAX_ENTRY
    assert Revocation.decode(widest.encode()) == widest


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": ""},
        {"iss": None},
        {"iss": 7},
        {"iss": "x" * (MAX_NAME + 1)},
        {"kind": "user"},
        {"kind": ["subject"]},
        {"kind": None},
        {"value": ""},
        {"value": ["alice"]},
        {"value": "x" * (MAX_NAME + 1)},
        {"time": "1"},
        {"time": True},
        {"time": None},
        {"time": 10**400},
        {"time": float("nan")},
        {"time": float("inf")},
    ],
)
def test_malformed_member_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedEntryError):
        decode(**changes)


@pytest.mark.parametrize("member", WELL_FORMED)
def test_missing_member_is_refused(member: str) -> None:
    with pytest.raises(MalformedEntryError):
        Revocation.decode(json.dumps({name: each for name, each in WELL_FORMED.items() if name != member}))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{",
        "[" * 3_000,
        "\ud800",
        '{"iss": "\\ud800"}',
        b'{"iss": "a"}' + b" " * MAX_ENTRY,
    ],
)
def test_text_without_entry_is_refused(text: str | bytes) -> None:
    with pytest.raises(MalformedEntryError):
        Revocation.decode(text)


def test_huge_entry_is_not_parsed() -> None:
    padded = json.dumps(WELL_FORMED) + " " * MAX_ENTRY
    with pytest.raises(MalformedEntryError):
        Revocation.decode(padded)


def test_future_time_is_limited() -> None:
    assert decode(time=NOON + 10).limit_time(NOON).time == NOON + 10
    assert decode(time=NOON + 1_000).limit_time(NOON).time == NOON + MAX_CLOCK_DIFFERENCE


def test_unknown_members_are_ignored() -> None:
    assert decode(reason="stolen") == decode()


def test_repr_names_no_person() -> None:
    assert "alice" not in repr(revoked("alice"))
