"""The lists of users in the metadata of stored threads, for ``oidc-auth assign-owners``."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..enforcement.reserved_keys import APPROVERS, EDITORS, LISTS, OWNER

if TYPE_CHECKING:
    from collections.abc import Mapping

Lists = dict[str, list[str]]


def plan_lists(metadata: Mapping[str, object], names: Mapping[str, str], owner: object) -> Lists:
    """Return the lists to write for a thread that has or gets an owner. Empty if they stay as they are.

    Args:
        metadata: The stored metadata of the thread.
        names: The new identity of each renamed user.
        owner: The identity of the owner, also a new one.
    """
    found = _stored_lists(metadata)
    if OWNER not in metadata:
        # Before protect(), every client could write them. With an owner, they would give access to the thread.
        return {key: [] for key, listed in found.items() if listed}
    renamed = {key: _rename(listed, names, metadata[OWNER], owner) for key, listed in found.items()}
    if APPROVERS in renamed:
        renamed[APPROVERS] = _without_new_editors(found, renamed, names)
    return {key: listed for key, listed in renamed.items() if listed != found[key]}


def _stored_lists(metadata: Mapping[str, object]) -> Lists:
    """Return the lists of texts. Filters match nothing else, so that anything else gives no access."""
    stored = {key: metadata.get(key) for key in LISTS}
    lists = {key: cast("list[object]", listed) for key, listed in stored.items() if isinstance(listed, list)}
    return {
        key: cast("list[str]", listed) for key, listed in lists.items() if all(isinstance(name, str) for name in listed)
    }


def _rename(listed: list[str], names: Mapping[str, str], owner_before: object, owner: object) -> list[str]:
    if owner == owner_before and names.keys().isdisjoint(listed):
        return listed
    # A dict keeps the order. One user can have had two names, and one of them can be the owner's.
    renamed = dict.fromkeys(names.get(name, name) for name in listed)
    return [name for name in renamed if name != owner]


def _without_new_editors(found: Lists, renamed: Lists, names: Mapping[str, str]) -> list[str]:
    """Return the approvers without those who became an editor too, because one user had two names.

    With ``langgraph.resume = "other"``, an approver is never an editor, and filters cannot compare lists.
    """
    editors, approvers = found.get(EDITORS, []), found[APPROVERS]
    both_before = {names.get(name, name) for name in approvers if name in editors}
    both_now = set(renamed.get(EDITORS, []))
    return [name for name in renamed[APPROVERS] if name not in both_now or name in both_before]
