"""The words of authorization: 21 permissions, their groups, what each implies, and how far each reaches.

A permission and the event it allows are one string, ``threads:create``. A group, ``threads:write``, stands for
several. What a name implies is worked out once, here, so that handlers written as in the LangGraph documentation
(``"threads:read" in ctx.permissions``) find every name they may ask for.
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
"""Every resource the server has and every action it dispatches; anything else is refused."""

EVENTS: tuple[str, ...] = tuple(f"{resource}:{action}" for resource, actions in ACTIONS.items() for action in actions)

IMPLIES: Mapping[str, tuple[str, ...]] = {
    # Listing the runs of a thread is a read and a search: one without the other is half a right (measured).
    "threads:read": ("threads:search",),
    # A run's output is read from its thread after the answer has begun: a refusal there would be an empty 200.
    "threads:create_run": ("threads:read",),
    "threads:write": ("threads:create", "threads:update", "threads:delete", "threads:create_run"),
    "assistants:read": ("assistants:search",),
    "assistants:write": ("assistants:create", "assistants:update", "assistants:delete", "assistants:read"),
    # Listing crons also asks for the threads they run on, and showing one for its assistant.
    "crons:read": ("crons:search", "threads:read", "assistants:read"),
    "crons:write": ("crons:create", "crons:update", "crons:delete", "crons:read"),
    "store:read": ("store:get", "store:search", "store:list_namespaces"),
    "store:write": ("store:put", "store:delete", "store:read"),
}

GROUPS: tuple[str, ...] = tuple(name for name in IMPLIES if name not in EVENTS)
NAMES: frozenset[str] = frozenset(EVENTS) | frozenset(GROUPS)
"""Every name that a permission map may give: the 21 permissions and the groups."""

ALIASES: Mapping[str, str] = {"runs:create": "threads:create_run"}
"""Names people look for; understood in a configuration, never emitted: there is no resource ``runs``."""


class Reach(IntEnum):
    """How far a permission reaches; the wider of two counts."""

    OWN = 0
    TENANT = 1
    ALL = 2


SUFFIXES: Mapping[str, Reach] = {"": Reach.OWN, "tenant": Reach.TENANT, "all": Reach.ALL}
_REACH_SUFFIXES: Mapping[Reach, str] = {Reach.OWN: "", Reach.TENANT: "@tenant", Reach.ALL: "@all"}


class UnknownPermissionError(ValueError):
    """Not a permission, a group or a pattern over them."""


def format_permission(name: str, reach: Reach) -> str:
    """Return a right as it is written: ``threads:read@tenant``."""
    return name + _REACH_SUFFIXES[reach]


def split_reach(text: str) -> tuple[str, Reach]:
    """Return the name and how far it reaches.

    Raises:
        UnknownPermissionError: the part after ``@`` is none of ``tenant`` and ``all``.
    """
    name, at, suffix = text.partition("@")
    if suffix not in SUFFIXES or bool(at) != bool(suffix):
        raise UnknownPermissionError(
            f"unknown reach '@{suffix}': own is written without one, the others are @tenant and @all"
        )
    return name, SUFFIXES[suffix]


def expand(pattern: str) -> frozenset[str]:
    """Return the names that a pattern of the configuration covers: permissions and group names.

    ``*`` is all, ``threads:*`` all of a resource, ``*:read`` and ``*:write`` the groups of that name. No implied names.

    Raises:
        UnknownPermissionError: it covers nothing.
    """
    if pattern == "*":
        return NAMES
    resource, _, action = pattern.partition(":")
    if resource == "*" and action in ("read", "write"):
        return frozenset(name for name in IMPLIES if name.endswith(f":{action}"))
    if action == "*" and resource in ACTIONS:
        return frozenset(name for name in NAMES if name.startswith(f"{resource}:"))
    name = ALIASES.get(pattern, pattern)
    if name not in NAMES:
        raise UnknownPermissionError(f"unknown permission {pattern!r}")
    return frozenset({name})


def closure(name: str, reach: Reach) -> dict[str, Reach]:
    """Return every name a right implies, itself among them, and how far each reaches.

    Within its resource a right keeps its reach; what it needs of another resource is given for own objects only:
    ``crons:read@all`` must not open everybody's threads. The store knows own and all: no label names a tenant alone.
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
    """Return how far a right can reach: a store is one's own or everybody's."""
    return Reach.OWN if reach is Reach.TENANT and name.startswith("store:") else reach


def names_including(event: str) -> tuple[str, ...]:
    """Return the names that imply an event, for the message that it is missing: ``threads:write includes it``."""
    return tuple(name for name in IMPLIES if name != event and event in closure(name, Reach.OWN))


@lru_cache(maxsize=64)
def narrowest_group(permission: str) -> str:
    """Return the smallest group of the same resource that includes a permission, or ""."""
    resource = permission.partition(":")[0]
    groups = {f"{resource}:read", f"{resource}:write"}.intersection(names_including(permission))
    return min(groups, key=lambda group: len(closure(group, Reach.OWN)), default="")
