"""Identities of several issuers must differ, so that each needs its own prefix."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import pytest
from kit.mapping import table
from kit.mistakes import problems, told

from oidc_auth import OIDCAuth

if TYPE_CHECKING:
    from kit.snapshots import Messages

B = "https://b.test"


def test_two_issuers_need_prefixes_and_different_names(messages: Messages) -> None:
    document = {"issuer": [table(name="a"), table(name="a"), table(name="b", issuer="https://b.test")]}
    found = sorted(problems(document), key=attrgetter("where"))
    assert [problem.where for problem in found] == [
        "issuer[0].identity_prefix",
        "issuer[1].identity_prefix",
        "issuer[1].issuer",
        "issuer[2].identity_prefix",
    ]
    for problem in found:
        messages.check(told(problem))


def test_one_of_two_issuers_may_lack_prefix() -> None:
    document = {"issuer": [table(identity_prefix=""), table(issuer="https://b.test", identity_prefix="b:")]}
    OIDCAuth.from_dict(document)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("", "", [1]),
        ("a:", "a:", [0, 1]),
        ("a", "ab:", [0]),
        ("ab:", "a", [1]),
    ],
)
def test_ambiguous_identity_prefixes_are_rejected(
    first: str, second: str, found: list[int], messages: Messages
) -> None:
    document = {"issuer": [table(identity_prefix=first), table(issuer="https://b.test", identity_prefix=second)]}
    assert [problem.where for problem in problems(document)] == [f"issuer[{n}].identity_prefix" for n in found]
    for problem in problems(document):
        messages.check(told(problem))


def test_claim_prefix_counts_like_issuer_prefix(messages: Messages) -> None:
    client = [{"claim": "uid"}, {"claim": "cid", "prefix": "b:"}]
    document = {"issuer": [table(identity_prefix="a", identity=client), table(issuer=B, identity_prefix="ab:")]}
    found = [problem for problem in problems(document) if problem.where == "issuer[0].identity_prefix"]
    assert len(found) == 2
    for problem in found:
        messages.check(told(problem))
