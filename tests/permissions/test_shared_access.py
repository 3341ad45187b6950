"""Who may share and approve, as ``explain``, ``check`` and ``assert_matrix`` tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oidc_auth.permissions.names import Reach, expand, split_reach
from oidc_auth.permissions.permission_maps import Right, merge_rights
from oidc_auth.permissions.shared_access import LISTS, ResumeMode, SharedAccess, describe_sharing, describe_threads

if TYPE_CHECKING:
    from kit.snapshots import Messages

ON = SharedAccess(sharing=True)


def rights(text: str) -> dict[str, Reach]:
    pairs = [split_reach(word) for word in text.split()]
    return merge_rights(Right(name, reach) for pattern, reach in pairs for name in expand(pattern))


@pytest.mark.parametrize(
    ("given", "threads"),
    [
        ("threads:write threads:share", ("own",)),
        ("threads:create threads:share", ("own",)),
        ("threads:update threads:share@tenant", ("tenant",)),
        ("threads:update threads:share@all", ("all",)),
        ("threads:update@all threads:share", ("own",)),
        ("*@all", ()),
        ("threads:read threads:share@all", ()),
        ("", ()),
    ],
)
def test_sharing_needs_both_permissions(given: str, threads: tuple[str, ...]) -> None:
    assert ON.shareable(rights(given)) == threads
    assert SharedAccess().shareable(rights(given)) == ()


@pytest.mark.parametrize(
    ("resume", "sharing", "given", "threads"),
    [
        ("run", False, "threads:create_run", ("own",)),
        ("run", True, "threads:create_run", ("own", "shared_editors", "shared_approvers")),
        ("run", True, "threads:create_run@all", ("all",)),
        ("run", True, "threads:resume", ()),
        ("permission", False, "threads:resume", ("own",)),
        ("permission", True, "threads:resume@tenant", ("tenant", "shared_approvers")),
        ("permission", True, "*@all", ()),
        ("other", True, "threads:resume", ("shared_approvers",)),
        ("other", True, "threads:resume@all", ("shared_approvers",)),
        ("other", True, "*@all", ()),
        ("other", False, "threads:resume", ()),
    ],
)
def test_mode_decides_who_may_approve(resume: ResumeMode, sharing: bool, given: str, threads: tuple[str, ...]) -> None:  # noqa: FBT001
    access = SharedAccess(sharing=sharing, resume=resume)
    assert access.approvable(rights(given)) == threads


@pytest.mark.parametrize(
    ("resume", "given", "marks"),
    [
        ("run", "threads:read", ["read", "read", "read"]),
        ("run", "threads:write", ["read", "run", "resume"]),
        ("run", "threads:resume", ["read", "read", "read"]),
        ("other", "threads:write", ["read", "run", "read"]),
        ("other", "threads:resume", ["read", "read", "resume"]),
        ("permission", "threads:resume", ["read", "read", "resume"]),
        ("other", "threads:create", ["-", "-", "-"]),
    ],
)
def test_list_gives_at_most_callers_permissions(resume: ResumeMode, given: str, marks: list[str]) -> None:
    access = SharedAccess(sharing=True, resume=resume)
    assert [access.on_list(rights(given), name) for name in LISTS] == marks
    assert {SharedAccess(resume=resume).on_list(rights(given), name) for name in LISTS} == {"-"}


@pytest.mark.parametrize(
    "threads", [(), ("all",), ("shared_approvers",), ("own", "shared_editors", "shared_approvers")], ids=str
)
def test_answers_are_described(threads: tuple[str, ...], messages: Messages) -> None:
    messages.check(describe_threads(threads))


@pytest.mark.parametrize("sharing", [True, False])
@pytest.mark.parametrize("given", ["threads:share", "threads:write threads:share", "threads:write"])
def test_missing_part_of_sharing_is_named(given: str, sharing: bool, messages: Messages) -> None:  # noqa: FBT001
    messages.check(describe_sharing(rights(given), SharedAccess(sharing=sharing)))
