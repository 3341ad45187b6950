"""Identities of several issuers must differ, so that each needs its own prefix."""

from __future__ import annotations

import pytest
from kit.mapping import table
from kit.mistakes import problems

from oidc_auth import OIDCAuth

B = "https://b.test"


def test_two_issuers_need_prefixes_and_different_names() -> None:
    document = {"issuer": [table(name="a"), table(name="a"), table(name="b", issuer="https://b.test")]}
    assert sorted((problem.where, problem.message.split(":")[0]) for problem in problems(document)) == [
        ("issuer[0].identity_prefix", "is missing"),
        ("issuer[1].identity_prefix", "is missing"),
        ("issuer[1].issuer", "'https"),
        ("issuer[2].identity_prefix", "is missing"),
    ]


def test_one_of_two_issuers_may_lack_prefix() -> None:
    document = {"issuer": [table(identity_prefix=""), table(issuer="https://b.test", identity_prefix="b:")]}
    OIDCAuth.from_dict(document)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("", "", {1: "another issuer already has ''"}),
        ("a:", "a:", {0: "another issuer's prefix begins with 'a:'", 1: "another issuer's prefix begins with 'a:'"}),
        ("a", "ab:", {0: "another issuer's prefix begins with 'a'"}),
        ("ab:", "a", {1: "another issuer's prefix begins with 'a'"}),
    ],
)
def test_ambiguous_identity_prefixes_are_rejected(first: str, second: str, found: dict[int, str]) -> None:
    document = {"issuer": [table(identity_prefix=first), table(issuer="https://b.test", identity_prefix=second)]}
    assert {problem.where: problem.message for problem in problems(document)} == {
        f"issuer[{number}].identity_prefix": message for number, message in found.items()
    }


def test_claim_prefix_counts_like_issuer_prefix() -> None:
    client = [{"claim": "uid"}, {"claim": "cid", "prefix": "b:"}]
    document = {"issuer": [table(identity_prefix="a", identity=client), table(issuer=B, identity_prefix="ab:")]}
    assert ("issuer[0].identity_prefix", "another issuer's prefix begins with 'ab:'") in [
        (problem.where, problem.message) for problem in problems(document)
    ]
