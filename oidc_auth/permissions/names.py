"""Permissions, their groups, what each one implies, and its reach.

A permission and the event that it allows are one string, such as ``threads:create``. A group, such as
``threads:write``, includes several permissions. Implied names are added here. Handlers as in the LangGraph
documentation (``"threads:read" in ctx.permissions``) then find every name.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "threads": ("create", "read", "update", "delete", "search", "create_run"),
    "assistants": ("create", "read", "update", "delete", "search"),
    "crons": ("create", "read", "update", "delete", "search"),
    "store": ("put", "get", "search", "list_namespaces", "delete"),
}
"""Every resource and action of the server. Anything else is refused."""

EVENTS: tuple[str, ...] = tuple(f"{resource}:{action}" for resource, actions in ACTIONS.items() for action in actions)

SHARE = "threads:share"
"""Allows to name readers, editors and approvers of a thread."""
RESUME = "threads:resume"
"""Allows to resume a paused run, if ``langgraph.resume`` is not ``run``."""
LITERAL_PERMISSIONS: tuple[str, ...] = (SHARE, RESUME)
"""Permissions that no group and no pattern includes. A configuration must name them."""

IMPLIES: Mapping[str, tuple[str, ...]] = {
    # The server dispatches a read and a search to list the runs of a thread.
    "threads:read": ("threads:search",),
    # The server reads the output of a run from its thread after it sent the status. A refusal would be an empty 200.
    "threads:create_run": ("threads:read",),
    # To answer the question of a paused graph, a caller must read it.
    RESUME: ("threads:read",),
    "threads:write": ("threads:create", "threads:update", "threads:delete", "threads:create_run"),
    "assistants:read": ("assistants:search",),
    "assistants:write": ("assistants:create", "assistants:update", "assistants:delete", "assistants:read"),
    # The server also reads the threads of listed crons, and the assistant of a cron.
    "crons:read": ("crons:search", "threads:read", "assistants:read"),
    "crons:write": ("crons:create", "crons:update", "crons:delete", "crons:read"),
    "store:read": ("store:get", "store:search", "store:list_namespaces"),
    "store:write": ("store:put", "store:delete", "store:read"),
}

GROUPS: tuple[str, ...] = tuple(name for name in IMPLIES if name not in EVENTS and name not in LITERAL_PERMISSIONS)
PATTERN_NAMES: frozenset[str] = frozenset(EVENTS) | frozenset(GROUPS)
"""Every name that ``*`` covers."""
NAMES: frozenset[str] = PATTERN_NAMES | frozenset(LITERAL_PERMISSIONS)
"""Every name that a permission map may give."""

ALIASES: Mapping[str, str] = {"runs:create": "threads:create_run"}
"""Other names that a configuration may use. The server has no resource ``runs``, so they are never emitted."""


class Reach(IntEnum):
    """The objects that a permission reaches. The wider of two reaches counts."""

    OWN = 0
    TENANT = 1
    ALL = 2


SUFFIXES: Mapping[str, Reach] = {"": Reach.OWN, "tenant": Reach.TENANT, "all": Reach.ALL}
_REACH_SUFFIXES: Mapping[Reach, str] = {Reach.OWN: "", Reach.TENANT: "@tenant", Reach.ALL: "@all"}


class UnknownPermissionError(ValueError):
    """The text is not a permission, a group or a pattern."""


def format_permission(name: str, reach: Reach) -> str:
    """Return a right as text, such as ``threads:read@tenant``."""
    return name + _REACH_SUFFIXES[reach]


def split_reach(text: str) -> tuple[str, Reach]:
    """Return the name and the reach of a right.

    Raises:
        UnknownPermissionError: The part after ``@`` is neither ``tenant`` nor ``all``.
    """
    name, at, suffix = text.partition("@")
    # "threads:read@" is a mistake. It must not mean own objects.
    if suffix not in SUFFIXES or bool(at) != bool(suffix):
        raise UnknownPermissionError(f"unknown reach '@{suffix}': write @tenant, @all, or nothing for own objects")
    return name, SUFFIXES[suffix]


def expand(pattern: str) -> frozenset[str]:
    """Return the permissions and groups that a pattern covers, without implied names.

    ``*`` covers all names, ``threads:*`` those of a resource, and ``*:read`` and ``*:write`` the groups of that name.
    None of them covers a literal permission, such as ``threads:share``.

    Raises:
        UnknownPermissionError: The pattern covers nothing.
    """
    if pattern == "*":
        return PATTERN_NAMES
    resource, _, action = pattern.partition(":")
    if resource == "*" and action in ("read", "write"):
        return frozenset(name for name in IMPLIES if name.endswith(f":{action}"))
    if action == "*" and resource in ACTIONS:
        return frozenset(name for name in PATTERN_NAMES if name.startswith(f"{resource}:"))
    # Resolved before the check, so that an alias never reaches a token, a log or a user dict.
    name = ALIASES.get(pattern, pattern)
    # A misspelt permission stops the server at start. Otherwise it would be missing without a message.
    if name not in NAMES:
        raise UnknownPermissionError(f"unknown permission {pattern!r}")
    return frozenset({name})


def closure(name: str, reach: Reach) -> dict[str, Reach]:
    """Return a name and every name that it implies, with their reaches.

    A name keeps its reach within its resource. Names of other resources reach own objects only, so that
    ``crons:read@all`` does not give access to all threads. The store has no tenant reach.
    """
    implied: dict[str, Reach] = {}
    resource = name.partition(":")[0]
    waiting = [name]
    while waiting:
        current = waiting.pop()
        within = current.startswith(f"{resource}:")
        implied[current] = clamp_reach(current, reach) if within else Reach.OWN
        waiting += [after for after in IMPLIES.get(current, ()) if after not in implied]
    return implied


def clamp_reach(name: str, reach: Reach) -> Reach:
    """Return the reach of a name. The store has no tenant reach, because a store label names one user."""
    return Reach.OWN if reach is Reach.TENANT and name.startswith("store:") else reach


def names_including(event: str) -> tuple[str, ...]:
    """Return the other names that imply an event."""
    return tuple(name for name in IMPLIES if name != event and event in closure(name, Reach.OWN))


@lru_cache(maxsize=64)
def narrowest_group(permission: str) -> str:
    """Return the smallest group of the same resource that includes a permission, or ""."""
    resource = permission.partition(":")[0]
    groups = {f"{resource}:read", f"{resource}:write"}.intersection(names_including(permission))
    # Least privilege: the smallest group is suggested.
    return min(groups, key=lambda group: len(closure(group, Reach.OWN)), default="")
