"""Keys that clients cannot write: in metadata, and in the ``config`` of a run."""

from __future__ import annotations

from typing import Any, cast

from .access_request import MalformedError, Value

OWNER = "owner"
"""The identity that owns an object."""
TENANT = "tenant"
"""The tenant of the owner; null if the token has none."""
AUTHORIZED_UNTIL = "authorized_until"
"""Until when a cron may run, in whole seconds since the epoch."""
TEMPORARY = "oidc_auth_temporary"
"""Marks a thread that the server deletes when its run ends."""
AUTHORIZED_FOR = "authorized_for"
"""Names the user who authorized a cron, for revocations (``subject_digest``)."""
AUTHORIZED_AT = "authorized_at"
"""When the token was issued with which the user authorized a cron, in whole seconds since the epoch."""
READERS = "shared_with"
EDITORS = "shared_editors"
APPROVERS = "shared_approvers"
LISTS = (READERS, EDITORS, APPROVERS)
"""The lists of the people with whom a thread is shared. Only ``sharing`` writes them."""
APPROVED_BY = "approved_by"
"""Who moved a paused run with ``threads:resume``. Only ``approvals`` writes it."""
RUN_ID = "run_id"
"""A run that has the id of the run before it continues that one (langgraph 1.2, pregel/_loop.py)."""
ASSISTANT = "assistant_id"
"""The assistant that last ran on a thread. The server writes it, and does not remove it from v2 commands.

Filters for editors and for resumes rely on it. Otherwise another graph could run on the thread's state.
"""
RESERVED = (
    *(OWNER, TENANT, AUTHORIZED_UNTIL, AUTHORIZED_FOR, AUTHORIZED_AT, TEMPORARY),
    # Also without sharing and approvals. What clients store must not count when the operator turns them on.
    *(*LISTS, APPROVED_BY, RUN_ID, ASSISTANT),
)
"""The keys that clients cannot write."""

CREATED_BY = "created_by"
SYSTEM = "system"
"""``created_by: "system"`` marks the server's own assistants. Clients cannot write this value."""

RUN_CONFIG = frozenset(
    {"tags", "metadata", "callbacks", "run_name", "max_concurrency", "recursion_limit", "configurable", "run_id"}
)
"""The keys of LangChain's ``RunnableConfig``.

LangGraph copies every other key into ``configurable`` when a run starts. It would replace the ``thread_id`` and the
``langgraph_auth_user`` that the server wrote (measured on langgraph 1.2).
"""

RUN_USER = ("langgraph_auth_user", "langgraph_auth_user_id", "langgraph_auth_permissions")
"""The keys of ``configurable`` that hold a run's user (langgraph_api 0.16.7, models/run.py)."""


def remove_unknown_keys(holder: object) -> object:
    """Remove unknown keys from ``holder["config"]``; return the metadata of the config.

    Raises:
        MalformedError: the metadata are not an object.
    """
    config = cast("Value", holder).get("config") if isinstance(holder, dict) else None
    if not isinstance(config, dict):
        return None
    known = cast("Value", config)
    # An allow list, because a newer LangGraph can give another key a meaning.
    for key in known.keys() - RUN_CONFIG:
        del known[key]
    metadata: object = known.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise MalformedError("config.metadata is not an object")
    return cast("object", metadata)


def require_configurable(value: Value) -> Value:
    """Return the ``configurable`` of a run's config, to change in place.

    Raises:
        MalformedError: there is none.
    """
    configurable = find_configurable(value.get("kwargs"))
    if not configurable:
        # The server always writes the user of a run there. A new dict would not reach the run.
        raise MalformedError("kwargs.config.configurable has no user")
    return configurable


def find_configurable(holder: object) -> Value:
    """Return ``config.configurable`` of a run or of a cron's payload, or an empty one."""
    found = holder
    for key in ("config", "configurable"):
        found = cast("Value", found).get(key) if isinstance(found, dict) else None
    return cast("Value", found) if isinstance(found, dict) else {}


def replace_run_user(configurable: Value, user: dict[str, Any]) -> None:
    """Replace the keys that hold a run's user."""
    for key in RUN_USER:
        # Removed first, so that no key of the client remains if the server wrote fewer of them.
        configurable.pop(key, None)
    configurable.update(user)
